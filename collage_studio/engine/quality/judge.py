"""The judge: a small network that names the sticker-world object in a piece of a picture.

It sees a square around an object's visible mask, never the mask itself, so the outline of the
mask cannot give the answer away. Tensors are (B, C, h, w), float32, in [0, 1].
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from collage_studio.engine.workspace import Floats
from collage_studio.resources_dir import resources_path

CROP = 64
MARGIN = 1.15
NOTHING = "nothing"

Picture = npt.NDArray[np.uint8]


class JudgeMissing(Exception):
    """There is no judge for this world; the text says how to train one."""


def judge_path() -> Path:
    """Where the bundled judge lies."""
    return resources_path("starter", "judge.safetensors")


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class JudgeNet(nn.Module):
    """Four strided convolutions and an average: (B, 3, 64, 64) -> (B, names) logits."""

    def __init__(self, names: int) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 160)
        blocks = [_block(a, b) for a, b in pairwise(widths)]
        self.features = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(0.2)
        self.names = nn.Linear(widths[-1], names)

    def forward(self, crops: Tensor) -> Tensor:
        pooled = self.features(crops * 2 - 1).mean((2, 3))  # (B, 160)
        return self.names(self.dropout(pooled))


def square_around(mask: Floats) -> tuple[float, float, float]:
    """Centre x, centre y and side in px of the square the judge looks at."""
    rows, columns = np.nonzero(mask > min(0.5, 0.5 * float(mask.max())))
    if rows.size == 0:
        raise ValueError("The judge cannot look at an empty mask.")
    left, right = int(columns.min()), int(columns.max()) + 1
    top, bottom = int(rows.min()), int(rows.max()) + 1
    return (left + right) / 2, (top + bottom) / 2, MARGIN * max(right - left, bottom - top)


def cut_square(picture: Picture, centre_x: float, centre_y: float, side: float) -> Picture:
    """The square as the judge sees it, (64, 64, 3); edges are continued beyond the canvas."""
    scale = CROP / side
    smoothed = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 0.8 else picture
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
    matrix[:, 2] = CROP / 2 - scale * np.array([centre_x, centre_y]) + 0.5 * (scale - 1)
    cut = cv2.warpAffine(smoothed, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def as_batch(crops: Sequence[Picture] | Picture) -> Tensor:
    """Crops (64, 64, 3) uint8 as (B, 3, 64, 64) in [0, 1]."""
    return torch.from_numpy(np.stack(list(crops))).permute(0, 3, 1, 2).float() / 255


class Judge:
    """Names the object inside each mask of a picture."""

    def __init__(self, net: JudgeNet, names: Sequence[str]) -> None:
        self.net = net.eval()
        self.names = tuple(names)

    @classmethod
    def load(cls, path: Path | None = None) -> Judge:
        """The judge in `path`, or the bundled one."""
        path = path or judge_path()
        if not path.is_file():
            raise JudgeMissing(
                f"There is no judge in {path}; train one with `collage-studio evaluate judge`."
            )
        with safe_open(path, "pt") as file:
            names: list[str] = json.loads(file.metadata()["names"])
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        net = JudgeNet(len(names))
        net.load_state_dict(weights)
        return cls(net, names)

    def save(self, path: Path) -> None:
        """Write the weights in half precision, with the names beside them."""
        halved = {
            key: value.half() if value.is_floating_point() else value
            for key, value in self.net.state_dict().items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(halved, path, metadata={"names": json.dumps(self.names)})

    def check_names(self, names: Sequence[str]) -> None:
        """Refuse a world with objects this judge has never seen."""
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise JudgeMissing(
                f"The judge does not know {', '.join(unknown)}; "
                "train it anew with `collage-studio evaluate judge`."
            )

    @torch.inference_mode()
    def chances(self, crops: Sequence[Picture], at_once: int = 256) -> npt.NDArray[np.float32]:
        """(crops, names) probabilities for crops as `cut_square` makes them."""
        parts = [crops[i : i + at_once] for i in range(0, len(crops), at_once)]
        told = [self.net(as_batch(part)).softmax(1).numpy() for part in parts]
        return np.concatenate(told) if told else np.zeros((0, len(self.names)), np.float32)

    @torch.inference_mode()
    def found(self, picture: Picture, masks: Sequence[Floats]) -> list[str]:
        """What the judge sees at each mask: an object's name, or "nothing"."""
        if not masks:
            return []
        crops = [cut_square(picture, *square_around(mask)) for mask in masks]
        return [self.names[int(i)] for i in self.net(as_batch(crops)).argmax(1)]
