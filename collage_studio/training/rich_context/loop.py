"""The training loop, shared by one CPU and several machines through Hugging Face accelerate."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from PIL import Image

from collage_studio.engine.rich_context.adapter import RichContextAdapter, attached
from collage_studio.engine.rich_context.checkpoint import save_adapter
from collage_studio.training.rich_context.average import Average
from collage_studio.training.rich_context.base import FrozenModel
from collage_studio.training.rich_context.checks import counterfactuals
from collage_studio.training.rich_context.config import CONFIG, TrainConfig, TrainingRefused
from collage_studio.training.rich_context.denoiser import Batches, Denoiser, loss_of
from collage_studio.training.rich_context.examples import Example, Order, Source, generator_of
from collage_studio.training.rich_context.latents import LatentCache
from collage_studio.training.rich_context.optimizers import optimizers_of
from collage_studio.training.rich_context.pictures import sample_sheet
from collage_studio.training.rich_context.records import CHECKS, LOSSES, Records
from collage_studio.training.rich_context.state import (
    Progress,
    keep_only_adapter,
    read_state,
    write_state,
)

Report = Callable[[int, float], None]
ADAPTER = "rich_context.safetensors"
_SHOWN = 6


class Trainer:
    """Everything a training consists of, between its first and its last step.

    Args:
        source: makes the data once the model is there, which says how large pictures are.
    """

    def __init__(self, config: TrainConfig, source: Callable[[FrozenModel], Source]) -> None:
        self.config = config
        self.accelerator = accelerator_of(config)
        torch.manual_seed(config.seed)
        precision = "fp32" if config.precision == "no" else config.precision
        self.model = FrozenModel(
            config.model, self.accelerator.device, size=config.size, precision=precision
        )
        with self.accelerator.main_process_first():
            self.source = source(self.model)
        self._training, self.unseen = _parted(self.source, config)
        self._order = Order(len(self._training), config.seed)
        lite = {"residual": True, "normed": True, "gated": True, "from_attn2": True}
        self.adapter = RichContextAdapter.for_unet(
            self.model.unet, **(lite if config.residual else {})
        ).to(self.accelerator.device)
        self.average = Average(self.adapter, config.ema)
        self.progress = Progress()
        self.rate = 0.0
        self.batches = Batches(self.model, config, LatentCache(self.model, config.out / "latents"))

    @contextmanager
    def ready(self) -> Generator[None]:
        """Inside the block the adapter is attached and everything is shared with accelerate."""
        if self.config.checkpointing:
            self.model.unet.enable_gradient_checkpointing()
            self.model.unet.train()
        with attached(self.model.unet, self.adapter):
            denoiser = Denoiser(self.model.unet, self.adapter, words=self.config.grounded > 0)
            self.denoiser, *self.optimizers = self.accelerator.prepare(
                denoiser, *optimizers_of(self.adapter, self.config)
            )
            keep_only_adapter(self.accelerator, self.adapter)
            self.accelerator.register_for_checkpointing(self.average, self.progress)
            yield

    @property
    def done(self) -> float:
        """The share of the training that lies behind, 0..1."""
        timed = self.config.minutes
        in_time = self.progress.seconds / (60 * timed) if timed else 0.0
        return min(1.0, max(self.progress.step / self.config.steps, in_time))

    def step(self) -> float:
        """Take one optimiser step over all processes and return its loss."""
        config, accelerator = self.config, self.accelerator
        self._pace()
        losses = list[torch.Tensor]()
        for part in self._parts():
            batch = self.batches.drawn([self._example(*at) for at in part])
            with accelerator.accumulate(self.denoiser):
                with accelerator.autocast():
                    predicted = self.denoiser(batch)
                loss = loss_of(predicted, batch).mean()
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(self.adapter.parameters(), config.clip)
                for optimizer in self.optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            losses.append(loss.detach()[None])
        self.progress.step += 1
        self.average.update()
        return float(torch.as_tensor(accelerator.gather(torch.cat(losses))).mean())

    def check(self) -> dict[str, float]:
        """How far wrong layouts are worse than right ones, with the averaged weights."""
        plain = self.accelerator.unwrap_model(self.denoiser)
        with self.average.used(), self.accelerator.autocast():
            return counterfactuals(plain, self.batches, self.unseen)

    def sheet(self) -> Any:
        """Pictures of unseen layouts with the averaged weights, (H, W, 3)."""
        with self.average.used(), self.accelerator.autocast():
            return sample_sheet(self.model, self.unseen[:_SHOWN])

    def export(self) -> None:
        """Write the averaged adapter, in half precision, as the program loads it."""
        with self.average.used():
            save_adapter(self.adapter, self.config.out / ADAPTER, self.about)

    @property
    def about(self) -> dict[str, str]:
        """What an adapter's file and the summary of its training say of it."""
        return {
            "model": Path(self.config.model).name,
            "items": str(len(self._training)),
            "batch": str(self.config.batch),
            "steps": str(self.progress.step),
            "minutes": f"{self.progress.seconds / 60:.1f}",
        }

    def _parts(self) -> Sequence[Sequence[tuple[int, int]]]:
        """What this process learns from in this step, in parts to compute one after the other."""
        count, rank = self.accelerator.num_processes, self.accelerator.process_index
        parts = self.config.accumulation(count)
        share = self.config.batch // count
        first = self.progress.step * self.config.batch + rank * share
        mine, size = self._order.at(first, share), share // parts
        return [mine[at : at + size] for at in range(0, share, size)]

    def _example(self, index: int, epoch: int) -> tuple[Example, Any]:
        item = self._training[index]
        rng = generator_of(self.config.seed, self.source.key(item), epoch)
        return self.source.example(item, rng), rng

    def _pace(self) -> None:
        config = self.config
        warm = min(1.0, (self.progress.step + 1) / max(1, config.warm_steps))
        fade = min(1.0, (1 - self.done) / (1 - config.decay_from)) if config.decay_from < 1 else 1.0
        self.rate = config.learning_rate * warm * fade
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * group["pace"]


def train(
    config: TrainConfig,
    source: Callable[[FrozenModel], Source],
    *,
    resume: bool = False,
    report: Report = lambda step, loss: None,
    say: Callable[[str], None] = lambda text: None,
    ends: Callable[[], bool] = lambda: False,
) -> Trainer:
    """Train until the configured end; what is known by then is always in the output folder.

    Args:
        report: told each step and its loss. say: told sentences. ends: asked for an early end.

    Raises:
        TrainingRefused: the configuration, the model or the data do not allow it.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, source)
    main = trainer.accelerator.is_main_process
    with trainer.ready():
        if resume and not read_state(trainer.accelerator, config.out) and main:
            say(f"There is nothing to go on from in {config.out}, so training begins anew.")
        records = Records(config.out, trainer.progress.step) if main else None
        if main:
            config.write(config.out / CONFIG)
            say(f"{len(trainer.source)} items, {trainer.accelerator.num_processes} processes.")
        before, began = trainer.progress.seconds, time.monotonic()
        while trainer.done < 1.0 and not ends():
            loss = trainer.step()
            trainer.progress.seconds = before + time.monotonic() - began
            if records is not None:
                _record(trainer, records, loss)
                report(trainer.progress.step, loss)
            if trainer.progress.step % config.save_every == 0:
                _keep(trainer)
        _keep(trainer)
        if records is not None:
            records.close()
    trainer.accelerator.end_training()
    return trainer


def _record(trainer: Trainer, records: Records, loss: float) -> None:
    step, config = trainer.progress.step, trainer.config
    seen = {"loss": loss, "rate": trainer.rate, "seconds": round(trainer.progress.seconds, 1)}
    records.add(LOSSES, step, seen)
    if not trainer.unseen:
        return
    if step % config.check_every == 0 or step == config.steps:
        records.add(CHECKS, step, trainer.check())
    if step % config.sample_every == 0 or step == config.steps:
        sheet = trainer.sheet()
        Image.fromarray(sheet).save(config.out / f"samples-{step:06d}.png")
        records.add_picture(step, sheet)


def _keep(trainer: Trainer) -> None:
    write_state(trainer.accelerator, trainer.config.out)
    if trainer.accelerator.is_main_process:
        trainer.export()


def accelerator_of(config: TrainConfig) -> Accelerator:
    """The accelerator for this machine; launched by torch.distributed.run it is one of several.

    Raises:
        TrainingRefused: the batch cannot be shared by the processes, or time would end them.
    """
    accelerator = Accelerator(mixed_precision=config.precision, cpu=not torch.cuda.is_available())
    accelerator.gradient_accumulation_steps = config.accumulation(accelerator.num_processes)
    if config.minutes and accelerator.num_processes > 1:
        raise TrainingRefused("Several processes end after a number of steps. Leave out --minutes.")
    return accelerator


def _parted(source: Source, config: TrainConfig) -> tuple[list[int], list[Example]]:
    """Indices to learn from, and the unseen examples at the end."""
    held_out = min(config.held_out, len(source) // 4)
    if len(source) - held_out < 1:
        raise TrainingRefused("There is nothing to learn from. The data holds no item.")
    unseen = range(len(source) - held_out, len(source))
    examples = [source.example(at, generator_of(0, source.key(at), 0)) for at in unseen]
    return list(range(len(source) - held_out)), examples
