"""The state of a training on disk: written whole or not at all, and without the frozen model."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from collage_studio.engine.rich_context.adapter import RichContextAdapter

STATE = "state"
_WEIGHTS = "adapter.safetensors"


class Progress:
    """How far the training is. Registered with accelerate, so it is part of the state."""

    def __init__(self) -> None:
        self.step = 0
        self.seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = int(state["step"]), float(state["seconds"])


def keep_only_adapter(accelerator: Accelerator, adapter: RichContextAdapter) -> None:
    """Let accelerate's states hold the adapter's weights in place of the whole network's."""

    def save(_models: list[Any], weights: list[Any], folder: str) -> None:
        if accelerator.is_main_process:
            tensors = {name: value.contiguous() for name, value in adapter.state_dict().items()}
            save_file(tensors, Path(folder) / _WEIGHTS)
        weights.clear()

    def load(models: list[Any], folder: str) -> None:
        adapter.load_state_dict(load_file(Path(folder) / _WEIGHTS))
        models.clear()

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)


def write_state(accelerator: Accelerator, folder: Path) -> None:
    """Write the state of all processes; the former one is replaced by the complete new one."""
    fresh, kept, old = (folder / name for name in (f"{STATE}.part", STATE, f"{STATE}.old"))
    if accelerator.is_main_process:
        shutil.rmtree(fresh, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(fresh), safe_serialization=True)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(old, ignore_errors=True)
        if kept.exists():
            os.replace(kept, old)
        os.replace(fresh, kept)
        shutil.rmtree(old, ignore_errors=True)
    accelerator.wait_for_everyone()


def read_state(accelerator: Accelerator, folder: Path) -> bool:
    """Go on from the last complete state; False if there is none."""
    for name in (STATE, f"{STATE}.old"):
        if (folder / name).is_dir():
            accelerator.load_state(str(folder / name))
            return True
    return False
