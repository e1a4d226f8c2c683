"""CropCLIP and SAMIoU: does a region show its text, and does what it shows fill its box?

As Rich-Context Layout-to-Image (arXiv 2409.04847) defines them, with checkpoints that a person
has: any `CLIPModel` and any `SamModel` folder of transformers (the paper's are ViT-B/32 and
ViT-H). Boxes are canvas px, right and bottom exclusive; pictures (H, W, 3) uint8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError

from collage_studio.document.geometry import Rect
from collage_studio.engine.api import ModelUnavailable, Picture

LEAST_AREA, MOST_AREA = 0.05, 0.5
"""Boxes below and above these shares of the picture say little and are left out."""

SURE_OF_MASK = 0.5
"""SAM's own estimate of its mask's quality, below which it has found nothing."""

_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


class TextMeter(Protocol):
    """Says how well each box shows its text; `CropClip` is one."""

    def scores(
        self, picture: Picture, boxes: Sequence[Rect], texts: Sequence[str]
    ) -> tuple[float, ...]: ...


class BoxMeter(Protocol):
    """Says how well what is seen in each box fills it; `SamIou` is one."""

    def scores(self, picture: Picture, boxes: Sequence[Rect]) -> tuple[float, ...]: ...


def is_scored(box: Rect, height: int, width: int) -> bool:
    """Whether a box is neither too small nor too large for the published metrics."""
    seen = _inside(box, height, width)
    return LEAST_AREA <= seen.width * seen.height / (height * width) <= MOST_AREA


def box_iou(one: Rect, other: Rect) -> float:
    """inter / (a + b - inter), 0..1; 0 where both are empty."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    common = max(0, across) * max(0, down)
    union = one.width * one.height + other.width * other.height - common
    return common / union if union else 0.0


class CropClip:
    """CropCLIP: `logits_per_image` of the box's crop and its text, 100 times their cosine."""

    def __init__(self, folder: Path) -> None:
        """Load from a folder; raise `ModelUnavailable` with a sentence if that fails."""
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        _check_folder(folder, "CLIP")
        try:
            model: Any = CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except _UNREADABLE as error:
            raise ModelUnavailable(_damaged(folder, "CLIP model", "tokenizer")) from error
        side = int(model.config.vision_config.image_size)
        self._processor: Any = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        self._model = model.float().eval()

    @torch.inference_mode()
    def scores(
        self, picture: Picture, boxes: Sequence[Rect], texts: Sequence[str]
    ) -> tuple[float, ...]:
        """By box; NaN where none of it lies on the picture."""
        seen = [_inside(box, *picture.shape[:2]) for box in boxes]
        chosen = [i for i, box in enumerate(seen) if not box.is_empty]
        found = [math.nan] * len(boxes)
        if not chosen:
            return tuple(found)
        crops = [picture[seen[i].slices] for i in chosen]
        tokens = self._tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            truncation=True,
            max_length=77,
            return_tensors="pt",
        )
        out = self._model(
            pixel_values=self._processor(crops, return_tensors="pt")["pixel_values"],
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
        )
        for place, value in zip(chosen, out.logits_per_image.diagonal().tolist(), strict=True):
            found[place] = round(value, 4)
        return tuple(found)


class SamIou:
    """SAMIoU: IoU of a box with the box around the mask that SAM finds when it is shown the box."""

    def __init__(self, folder: Path) -> None:
        """Load from a folder; raise `ModelUnavailable` with a sentence if that fails."""
        from transformers import SamImageProcessorPil, SamModel

        _check_folder(folder, "SAM")
        try:
            model: Any = SamModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except _UNREADABLE as error:
            raise ModelUnavailable(_damaged(folder, "SAM model", "configuration")) from error
        side = int(model.config.vision_config.image_size)
        self._processor: Any = SamImageProcessorPil(
            size={"longest_edge": side}, pad_size={"height": side, "width": side}
        )
        self._model = model.float().eval()
        self._side = side

    @torch.inference_mode()
    def scores(self, picture: Picture, boxes: Sequence[Rect]) -> tuple[float, ...]:
        """By box, 0..1: 0 where SAM is not sure or finds nothing; NaN off the picture."""
        seen = [_inside(box, *picture.shape[:2]) for box in boxes]
        chosen = [i for i, box in enumerate(seen) if not box.is_empty]
        found = [math.nan] * len(boxes)
        if not chosen:
            return tuple(found)
        masks, sure = self._masks(picture, [seen[i] for i in chosen])
        for place, mask, quality in zip(chosen, masks, sure, strict=True):
            found[place] = 0.0 if quality <= SURE_OF_MASK else box_iou(_around(mask), boxes[place])
        return tuple(found)

    def _masks(
        self, picture: Picture, boxes: Sequence[Rect]
    ) -> tuple[npt.NDArray[np.bool_], list[float]]:
        """(boxes, H, W) SAM's single mask for each box, and its own estimate of their quality."""
        given = self._processor(picture, return_tensors="pt")
        scale = self._side / max(picture.shape[:2])
        corners = torch.tensor(
            [[[box.left, box.top, box.right, box.bottom] for box in boxes]], dtype=torch.float32
        )
        out = self._model(
            pixel_values=given["pixel_values"],
            input_boxes=corners * scale,
            multimask_output=False,
        )
        masks = self._processor.post_process_masks(
            out.pred_masks, given["original_sizes"], given["reshaped_input_sizes"]
        )[0]
        return masks[:, 0].numpy().astype(np.bool_), out.iou_scores[0, :, 0].tolist()


def _inside(box: Rect, height: int, width: int) -> Rect:
    """The part of a box that lies on the picture; empty at the origin where none does."""
    cut = Rect(max(0, box.left), max(0, box.top), min(width, box.right), min(height, box.bottom))
    return cut if cut.right > cut.left and cut.bottom > cut.top else Rect(0, 0, 0, 0)


def _around(mask: npt.NDArray[np.bool_]) -> Rect:
    """From the first to the last true row and column; empty where nothing is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Rect(0, 0, 0, 0)
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _check_folder(folder: Path, kind: str) -> None:
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"The folder {folder} holds no {kind} model: name another one.")


def _damaged(folder: Path, kind: str, part: str) -> str:
    return f"The {kind} in {folder} cannot be read: fetch it again with its {part}."
