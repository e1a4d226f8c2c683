"""Measures what attention control costs per step, and how that depends on the number of layers.

Run with `python -m collage_studio.evaluate.bench_attention`. Plain and steered steps take turns in
one process, so that whatever else the computer does falls on both alike; a ratio is the median of
those within each turn. On the CPU it is processor time of one thread that counts, because other
programs then weigh least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from typing import Any

import torch

from collage_studio.document.geometry import Size
from collage_studio.engine.attention.edits import CrossAttentionControl, paper_strength
from collage_studio.engine.families.base import Frame, Guide, ReadText
from collage_studio.engine.families.stable_diffusion import StableDiffusion
from collage_studio.engine.guidance import predict
from collage_studio.engine.memory import choose_device
from collage_studio.engine.models import load_model
from collage_studio.engine.regions.ownership import Region, RegionWeights

LAYERS = (1, 8, 64)
_TEXT_ROWS = 77


def regions(count: int, grid: Size) -> list[Region]:
    """`count` layers side by side, one token each."""
    found = list[Region]()
    for number in range(count):
        mask = torch.zeros(grid.shape)
        left, right = number * grid.width // count, (number + 1) * grid.width // count
        mask[:, left : max(right, left + 1)] = 1.0
        found.append(Region(str(number), (1 + number,), mask, 1.0, 0.4, 0.8))
    return found


class Step:
    """One step of the loop with classifier-free guidance: [words to avoid, caption] and a sample.

    Args:
        layers: how many steer the attention; 0 = a plain step.
    """

    def __init__(self, family: StableDiffusion, grid: Size, layers: int) -> None:
        self._family = family
        generator = torch.Generator().manual_seed(0)
        width = int(family.unet.config.cross_attention_dim)
        rows = torch.randn(2, _TEXT_ROWS, width, generator=generator).to(family.device)
        texts = [ReadText(row[None], ((0, 1),) * _TEXT_ROWS) for row in rows]
        self._guide = Guide(texts[0], texts[1], 5.0, Frame.whole(*grid.shape))
        self._schedule = family.schedule("ddim", 25, grid)
        shape = (1, family.latent_channels, *grid.shape)
        self._x = torch.randn(shape, generator=generator).to(family.device)
        self._weights = RegionWeights(regions(layers, grid), family.device) if layers else None

    @torch.inference_mode()
    def run(self) -> float:
        """Seconds of one step."""
        clock = time.process_time if self._family.device.type == "cpu" else time.perf_counter
        _wait(self._family.device)
        began = clock()
        edit: Any = nullcontext()
        if self._weights is not None:
            strength = paper_strength(self._schedule.before[5].sigma)
            edit = self._family.attending(CrossAttentionControl(self._weights, strength, 1))
        with edit:
            predict(self._family, self._x, self._schedule, 5, self._guide)
        _wait(self._family.device)
        return clock() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(family: StableDiffusion, grid: Size, rounds: int) -> dict[str, Any]:
    """What each number of layers costs, plain = 1, and how much that varies with the number."""
    steps = {count: Step(family, grid, count) for count in (0, *LAYERS)}
    taken: dict[int, list[float]] = {count: [] for count in steps}
    for step in steps.values():
        step.run()
    for turn in range(rounds):
        order = list(steps)[turn % len(steps) :] + list(steps)[: turn % len(steps)]
        for count in order:
            taken[count].append(steps[count].run())
    plain = taken[0]
    costs = {
        count: median(own / other for own, other in zip(taken[count], plain, strict=True))
        for count in LAYERS
    }
    return {
        "rounds": rounds,
        "fastest_plain_ms": round(min(plain) * 1e3, 3),
        "fastest_steered_ms": {str(n): round(min(taken[n]) * 1e3, 3) for n in LAYERS},
        "cost": {str(count): round(cost, 4) for count, cost in costs.items()},
        "spread_over_layers": round(max(costs.values()) / min(costs.values()), 4),
    }


def starter(device: torch.device) -> StableDiffusion:
    """The bundled model."""
    family = load_model("starter", device)
    if not isinstance(family, StableDiffusion):
        raise TypeError(f"The starter is a {family.name}.")
    return family


def full_size(device: torch.device) -> StableDiffusion:
    """A UNet of Stable Diffusion 1.5's size with random weights, and nothing around it."""
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from collage_studio.engine.loading.pipelines import clip_tokenizer
    from collage_studio.resources_dir import resources_path

    torch.manual_seed(0)
    folder = resources_path("model_configs", "sd1")
    shapes: Any = UNet2DConditionModel.load_config(folder / "unet")
    small = CLIPTextConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1)
    return StableDiffusion(
        unet=UNet2DConditionModel.from_config(shapes),
        vae=AutoencoderTiny(latent_channels=4),
        text_encoder=CLIPTextModel(small),
        tokenizer=clip_tokenizer("<|endoftext|>"),
        scheduler_config={
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "beta_end": 0.012,
        },
        device=device,
    )


MODELS: dict[str, tuple[Callable[[torch.device], StableDiffusion], int, int]] = {
    "starter": (starter, 32, 200),
    "sd15": (full_size, 64, 6),
}
"""What is measured: model, cells along a side, rounds."""


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=0, help="0 = enough for each model")
    parser.add_argument("--cells", type=int, default=0, help="of the latent's side, 0 = native")
    args = parser.parse_args()
    device = choose_device(args.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }
    for name in args.models:
        make, cells, rounds = MODELS[name]
        side = args.cells or cells
        report[name] = measured(make(device), Size(side, side), args.rounds or rounds)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
