"""What a training writes down: the loss of every step, checks, and TensorBoard if it is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LOSSES = "losses.csv"
CHECKS = "checks.csv"
NO_TENSORBOARD = "TensorBoard is not installed; losses.csv and checks.csv hold the same figures."


class Records:
    """Tables in the output folder; each row begins with its step.

    Args:
        step: rows of later steps are dropped, as they will be written again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        for name in (LOSSES, CHECKS):
            _cut_after(folder / name, step)
        self._board = _board(folder)

    def add(self, name: str, step: int, values: Mapping[str, float]) -> None:
        """Append one row to a table."""
        path = self._folder / name
        is_new = not path.exists()
        with path.open("a", encoding="utf-8") as file:
            if is_new:
                file.write(",".join(("step", *values)) + "\n")
            file.write(",".join((str(step), *(f"{value:.7g}" for value in values.values()))) + "\n")
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{Path(name).stem}/{key}", value, step)

    def add_picture(self, step: int, picture: Any) -> None:
        """Show a picture (H, W, 3) in TensorBoard."""
        if self._board is not None:
            self._board.add_image("samples", picture, step, dataformats="HWC")

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def read_table(path: Path) -> list[dict[str, float]]:
    """The rows of a table; empty if there is none."""
    if not path.is_file():
        return []
    head, *lines = path.read_text("utf-8").splitlines()
    names = head.split(",")
    return [
        dict(zip(names, map(float, line.split(",")), strict=True))
        for line in lines
        if line.count(",") == len(names) - 1
    ]


def write_log(folder: Path, path: Path, about: Mapping[str, Any], *, every: int = 20) -> None:
    """A summary of a training as one JSON file: losses averaged over `every` steps, and checks."""
    losses = read_table(folder / LOSSES)
    parts = [losses[at : at + every] for at in range(0, len(losses), every)]
    means = [
        {"step": int(part[-1]["step"]), "loss": round(sum(r["loss"] for r in part) / len(part), 5)}
        for part in parts
    ]
    said = {**about, "losses": means, "checks": read_table(folder / CHECKS)}
    path.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def _cut_after(path: Path, step: int) -> None:
    if not path.is_file():
        return
    head, *lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and int(line.split(",")[0]) <= step]
    path.write_text("".join([head, *kept]), "utf-8")


def has_board() -> bool:
    """Whether figures also go to TensorBoard."""
    return find_spec("tensorboard") is not None


def _board(folder: Path) -> Any:
    if not has_board():
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "board"))
