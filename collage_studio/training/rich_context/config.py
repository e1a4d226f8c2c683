"""How a rich-context adapter is trained, as a value, with the paper's numbers as defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

CONFIG = "config.json"
PRECISIONS = ("no", "fp16", "bf16")


class TrainingRefused(Exception):
    """The training cannot begin or go on; `str(error)` is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What to train, how long and how. Shares are in 0..1.

    Args:
        model: "starter", a folder or a .safetensors file; only Stable Diffusion 1.x, 2.x and XL.
        steps: optimiser steps. minutes: ends earlier, if given.
        batch: examples of one optimiser step, over all processes and accumulated parts.
        at_once: examples that one process computes at a time; 0 = its whole share.
        decay_from: share of the training after which the learning rate falls to 0; 1 = never.
        drop_layout: examples without any layout. drop_caption: without a caption.
        grounded: examples whose caption's words are read only where their objects show, where the
            data says which words those are.
        strong_noise: levels are t = T u^(1 / strong_noise) with u uniform; 1 is uniform, more
            prefers the strong noise where the layout is decided.
        gamma: signal-to-noise ratio from which a level counts less; 0 = all count alike.
        residual: grounding tokens are the texts' own plus what the encoder adds, and fusers start
            from the block's own cross-attention; such adapters are not the published layout.
        muon: matrices are moved by Muon instead of AdamW, which needs fewer examples.
        size: side of the training crops in px; 0 = the model's own.
        views: crops of each picture that are made once and kept encoded; 0 = a new one each time.
        held_out: examples at the end of the data that only checks and pictures see.
    """

    out: Path
    model: str = "starter"
    steps: int = 2000
    minutes: float | None = None
    batch: int = 8
    at_once: int = 0
    learning_rate: float = 5e-5
    warm_steps: int = 100
    decay_from: float = 1.0
    weight_decay: float = 1e-5
    clip: float = 1.0
    ema: float = 0.99
    drop_layout: float = 0.1
    drop_caption: float = 0.1
    grounded: float = 0.0
    strong_noise: float = 1.0
    gamma: float = 0.0
    residual: bool = False
    muon: bool = False
    precision: str = "no"
    checkpointing: bool = False
    size: int = 0
    max_objects: int = 20
    views: int = 0
    workers: int = 0
    held_out: int = 16
    save_every: int = 200
    check_every: int = 200
    sample_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise TrainingRefused(
                f"Precision {self.precision} is unknown. Use one of {', '.join(PRECISIONS)}."
            )
        for name in ("steps", "batch", "save_every", "check_every", "sample_every"):
            if getattr(self, name) < 1:
                raise TrainingRefused(f"{name.replace('_', ' ')} must be 1 or more.")

    def accumulation(self, processes: int) -> int:
        """How many parts of the batch each of the processes computes one after the other."""
        share, rest = divmod(self.batch, processes)
        at_once = self.at_once or share
        if rest or not share or share % at_once:
            raise TrainingRefused(
                f"A batch of {self.batch} cannot be shared by {processes} processes in parts of "
                f"{at_once or 1}. Choose a batch that is a multiple of both."
            )
        return share // at_once

    def changed(self, given: Mapping[str, Any]) -> TrainConfig:
        """The same with the values that are given and not None; other names are ignored."""
        names = {field.name for field in fields(self)}
        return replace(self, **{k: v for k, v in given.items() if k in names and v is not None})

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """What `write` wrote.

        Raises:
            TrainingRefused: it is something else.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text("utf-8"))
            values["out"] = Path(values["out"])
            return cls(**values)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise TrainingRefused(f"{path} does not describe a training.") from error

    def write(self, path: Path) -> None:
        """Keep the configuration beside the results, for people and for continuing."""
        values = {**asdict(self), "out": str(self.out)}
        path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def starter_config(out: Path) -> TrainConfig:
    """What suits the bundled model: it is small, so layout is learned from strong noise."""
    return replace(
        TrainConfig(out),
        steps=1200,
        batch=6,
        learning_rate=1.2e-3,
        warm_steps=20,
        decay_from=0.6,
        weight_decay=1e-2,
        ema=0.995,
        grounded=0.35,
        strong_noise=1.6,
        gamma=5.0,
        residual=True,
        muon=True,
        held_out=24,
    )
