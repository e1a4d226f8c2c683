"""CLIP similarities of what a picture shows in a place: to words, and to the flat cutout.

Any CLIP checkpoint in a local folder will do (`CLIPModel` with its tokenizer). Crops are squares
around the object's visible mask, resized to the size the checkpoint wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from collage_studio.engine.api import ModelUnavailable, Picture
from collage_studio.engine.quality.judge import square_around
from collage_studio.evaluate.metrics import Floats

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training pictures; every CLIP checkpoint wants them."""

GREY = 127
"""What lies around the object where picture and cutout are compared."""


class Clip:
    """One checkpoint, on the processor."""

    def __init__(self, folder: Path) -> None:
        """Load from a folder; raise `ModelUnavailable` with a sentence if that fails."""
        from transformers import CLIPModel, CLIPTokenizer

        if not (folder / "config.json").is_file():
            raise ModelUnavailable(f"The folder {folder} holds no CLIP model: name another one.")
        try:
            model: Any = CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelUnavailable(
                f"The CLIP model in {folder} cannot be read: fetch it again with its tokenizer."
            ) from error
        self._model = model.float().eval()
        self._side = int(model.config.vision_config.image_size)

    def to_words(
        self, picture: Picture, masks: Sequence[Floats], words: Sequence[str]
    ) -> list[float]:
        """Cosine of each mask's crop and its words, -1..1."""
        crops = self._pictures([self._crop(picture, mask) for mask in masks])
        return _cosines(crops, self._texts(words))

    def to_cutouts(self, picture: Picture, flat: Picture, masks: Sequence[Floats]) -> list[float]:
        """Cosine of each object in the picture and in the flat collage, both on grey, -1..1."""
        ours = self._pictures([self._crop(picture, mask, alone=True) for mask in masks])
        theirs = self._pictures([self._crop(flat, mask, alone=True) for mask in masks])
        return _cosines(ours, theirs)

    def _crop(self, picture: Picture, mask: Floats, *, alone: bool = False) -> Picture:
        """(side, side, 3): the square around the mask; beyond the canvas lies grey."""
        x, y, side = square_around(mask)
        if alone:
            share = np.clip(mask, 0, 1)[..., None]
            picture = np.rint(picture * share + GREY * (1 - share)).astype(np.uint8)
        scale = self._side / side
        matrix = np.array([[scale, 0, self._side / 2 - scale * x]] * 2, np.float64)
        matrix[1] = (0, scale, self._side / 2 - scale * y)
        matrix[:, 2] += 0.5 * (scale - 1)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        cut = cv2.warpAffine(
            picture, matrix, (self._side, self._side), flags=how, borderValue=(GREY,) * 3
        )
        return np.asarray(cut, np.uint8)

    @torch.inference_mode()
    def _pictures(self, crops: Sequence[Picture]) -> Tensor:
        values = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        values = (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[
            :, None, None
        ]
        return _features(self._model.get_image_features(pixel_values=values))

    @torch.inference_mode()
    def _texts(self, words: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(
            list(words), padding=True, truncation=True, max_length=77, return_tensors="pt"
        )
        return _features(
            self._model.get_text_features(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            )
        )


def _features(found: Any) -> Tensor:
    """(B, d) of length 1; newer transformers wrap what older ones gave plainly."""
    values: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return torch.nn.functional.normalize(values.float(), dim=-1)


def _cosines(ours: Tensor, theirs: Tensor) -> list[float]:
    return [round(float(value), 5) for value in (ours * theirs).sum(-1)]
