"""Identity: how much of what a layer is, and not only of its colours, a run has kept.

The cosine of two embeddings by an image encoder that a person has: of the layer's own pixels in
the collage and of the same pixels of the picture that a run made, both alone on grey. Crops are
squares around the layer's visible mask, (side, side, 3) uint8; embeddings are rows of length 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError

from collage_studio.cutout.removal import has_runtime, open_session
from collage_studio.cutout.scribbles import CutoutError
from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document
from collage_studio.engine.api import ModelUnavailable, Picture
from collage_studio.engine.workspace import Floats
from collage_studio.formats.errors import FormatError
from collage_studio.formats.quality_models import check_identity_model, named_class

GREY = 127
"""What lies around the layer."""

_EDGE = 0.05
_CLIP_MEAN, _CLIP_SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FACES_SIDE, _USUAL_SIDE = 112, 224
_OUTPUTS = ("image_embeds", "pooler_output")
_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an encoder reads: a square of `side` px, sRGB 0..1 less `mean`, divided by `spread`."""

    side: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def fed(self, crop: Picture) -> Floats:
        """(3, side, side) of a crop."""
        values = crop.astype(np.float32) / 255
        values = (values - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


class Encoder(Protocol):
    """Gives each crop an embedding; `wanted` says what the crops are to be."""

    wanted: Wanted

    def embed(self, crops: Sequence[Picture]) -> Floats:
        """(crops, d), rows of length 1.

        Raises:
            ModelUnavailable: the model gives no embeddings of pictures.
        """
        ...


def open_encoder(path: Path) -> Encoder:
    """An ONNX file, or a folder of transformers.

    Raises:
        ModelUnavailable: it is neither, or cannot be read.
    """
    try:
        check_identity_model(path)
    except FormatError as error:
        raise ModelUnavailable(str(error)) from error
    return OnnxEncoder(path) if path.is_file() else FolderEncoder(path)


class FolderEncoder:
    """A vision model of transformers, on the processor."""

    def __init__(self, folder: Path) -> None:
        """Load it; raise `ModelUnavailable` with a sentence if that fails."""
        import transformers

        name = named_class(folder)
        try:
            model, info = getattr(transformers, name).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            config: Any = getattr(model.config, "vision_config", model.config)
            is_clip = name.startswith("CLIP")
            usual = Wanted(
                int(config.image_size),
                _CLIP_MEAN if is_clip else _MEAN,
                _CLIP_SPREAD if is_clip else _SPREAD,
            )
        except _UNREADABLE as error:
            raise ModelUnavailable(_unreadable(folder)) from error
        if info["missing_keys"]:
            raise ModelUnavailable(_unreadable(folder))
        self._folder, self._model = folder, model.float().eval()
        self.wanted = _wanted(folder, usual)

    @torch.inference_mode()
    def embed(self, crops: Sequence[Picture]) -> Floats:
        """(crops, d), rows of length 1."""
        values = torch.from_numpy(np.stack([self.wanted.fed(crop) for crop in crops]))
        try:
            if hasattr(self._model, "get_image_features"):
                found = self._model.get_image_features(pixel_values=values)
            else:
                found = self._model(pixel_values=values)
            return _unit(_of_output(found), len(crops), self._folder)
        except _UNREADABLE as error:
            raise ModelUnavailable(_gives_none(self._folder)) from error


class OnnxEncoder:
    """An image encoder as an ONNX file: ArcFace, DINO, CLIP's vision half and their like.

    `preprocessor_config.json` beside it or one folder above says how pictures are read; without
    one, encoders of 112 px are taken for ArcFace (-1..1), all others for DINO (ImageNet's mean).
    """

    def __init__(self, path: Path) -> None:
        """Open it; raise `ModelUnavailable` with a sentence if that fails."""
        if not has_runtime():
            raise ModelUnavailable(
                "An identity model in ONNX needs onnxruntime: install Collage Studio with its "
                "cutout extra, or choose a folder of transformers."
            )
        try:
            self._session: Any = open_session(path)
        except CutoutError as error:
            raise ModelUnavailable(str(error)) from error
        self._path = path
        asked = self._session.get_inputs()[0]
        self._input, shape = str(asked.name), list(asked.shape)
        if len(shape) != 4:
            raise ModelUnavailable(_gives_none(path))
        self._is_planar = shape[-1] != 3
        side = shape[2] if self._is_planar else shape[1]
        side = side if isinstance(side, int) else 0
        is_faces = side == _FACES_SIDE
        usual = Wanted(
            side or _USUAL_SIDE,
            (0.5,) * 3 if is_faces else _MEAN,
            (0.5,) * 3 if is_faces else _SPREAD,
        )
        found = _wanted(path.parent, _wanted(path.parent.parent, usual))
        self.wanted = Wanted(side, found.mean, found.spread) if side else found
        names = [str(one.name) for one in self._session.get_outputs()]
        self._output = next((name for name in _OUTPUTS if name in names), names[0])

    def embed(self, crops: Sequence[Picture]) -> Floats:
        """(crops, d), rows of length 1; one crop after the other, as some files take no more."""
        return np.concatenate([self._embed(crop) for crop in crops])

    def _embed(self, crop: Picture) -> Floats:
        values = self.wanted.fed(crop)[None]
        if not self._is_planar:
            values = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
        try:
            [found] = self._session.run([self._output], {self._input: values})
        except Exception as error:  # onnxruntime's errors have no class of their own
            raise ModelUnavailable(_gives_none(self._path)) from error
        return _unit(np.asarray(found), 1, self._path)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A layer's place: the square (left, top, side) in canvas px, and its mask in the crop."""

    layer_id: str
    square: tuple[int, int, int]
    mask: Floats


class IdentityMeter:
    """Compares what runs make of the layers of one document with their own pixels."""

    def __init__(self, encoder: Encoder, document: Document) -> None:
        """Look at the collage.

        Raises:
            ModelUnavailable: the encoder gives no embeddings of pictures.
        """
        self._encoder = encoder
        self._seen = _seen(document, encoder.wanted.side)
        self._own = self._embedded(composite_picture(document)[..., :3])

    def measure(self, picture: Picture) -> dict[str, float]:
        """By layer id, -1..1: 1 = the same identity; layers that nothing shows are left out.

        Args:
            picture: (H, W, 3) of the canvas's size.
        """
        cosines = (self._embedded(picture) * self._own).sum(axis=1)
        return {
            seen.layer_id: round(float(np.clip(cosine, -1, 1)), 4)
            for seen, cosine in zip(self._seen, cosines, strict=True)
        }

    def _embedded(self, picture: Picture) -> Floats:
        if not self._seen:
            return np.zeros((0, 1), np.float32)
        side = self._encoder.wanted.side
        return self._encoder.embed([_alone(picture, seen, side) for seen in self._seen])


def _seen(document: Document, side: int) -> list[_Seen]:
    """Where each layer is visible; those that show half a pixel at most are left out."""
    found = list[_Seen]()
    for layer_id, mask in visible_masks(document).items():
        if mask.max() > 0.5:
            square = _square(mask)
            found.append(_Seen(layer_id, square, _resized(_cut(mask, square, 0), side)))
    return found


def _square(mask: Floats) -> tuple[int, int, int]:
    rows, columns = np.flatnonzero((mask > _EDGE).any(1)), np.flatnonzero((mask > _EDGE).any(0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    side = max(height, width)
    return int(columns[0]) - (side - width) // 2, int(rows[0]) - (side - height) // 2, side


def _alone(picture: Picture, seen: _Seen, side: int) -> Picture:
    """(side, side, 3): the layer's share of the picture, grey around it."""
    crop = _resized(_cut(picture, seen.square, GREY).astype(np.float32), side)
    share = np.clip(seen.mask, 0, 1)[..., None]
    return np.rint(np.clip(crop * share + GREY * (1 - share), 0, 255)).astype(np.uint8)


def _cut(values: npt.NDArray[Any], square: tuple[int, int, int], around: int) -> npt.NDArray[Any]:
    """The square of a plane (H, W) or picture (H, W, 3), with `around` beyond the canvas."""
    left, top, side = square
    height, width = values.shape[:2]
    made = np.full((side, side, *values.shape[2:]), around, values.dtype)
    inside = np.s_[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    part = values[inside]
    down, right = max(0, -top), max(0, -left)
    made[down : down + part.shape[0], right : right + part.shape[1]] = part
    return made


def _resized(values: Floats, side: int) -> Floats:
    how = cv2.INTER_AREA if values.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (side, side), interpolation=how), np.float32)


def _wanted(folder: Path, usual: Wanted) -> Wanted:
    """What `preprocessor_config.json` in the folder says; `usual` where it says nothing sound."""
    try:
        said: Any = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return usual
    if not isinstance(said, Mapping):
        return usual
    side = _side(said.get("crop_size")) or _side(said.get("size")) or usual.side
    mean, spread = _colour(said.get("image_mean")), _colour(said.get("image_std"))
    if mean is None or spread is None or min(spread) <= 0:
        mean, spread = usual.mean, usual.spread
    return Wanted(side, mean, spread)


def _side(said: Any) -> int:
    """A length in px from 224, {"height": 224} or {"shortest_edge": 224}; 0 if it is none."""
    if isinstance(said, Mapping):
        said = said.get("height", said.get("shortest_edge"))
    return said if type(said) is int and 16 <= said <= 2048 else 0


def _colour(said: Any) -> tuple[float, ...] | None:
    if not isinstance(said, list) or len(said) != 3:
        return None
    return tuple(map(float, said)) if all(type(one) in (int, float) for one in said) else None


def _of_output(found: Any) -> npt.NDArray[Any]:
    """The embedding among what a model of transformers answers."""
    if not isinstance(found, torch.Tensor):
        embeds = getattr(found, "image_embeds", None)
        found = found.pooler_output if embeds is None else embeds
    return found.float().numpy()


def _unit(values: npt.NDArray[Any], count: int, path: Path) -> Floats:
    """(count, d) of length 1; of tokens (count, n, d) the first, which stands for the picture."""
    if values.ndim == 3:
        values = values[:, 0]
    values = values.reshape(len(values), -1) if values.shape[2:] == (1, 1) else values
    if values.ndim != 2 or len(values) != count or values.shape[1] < 2:
        raise ModelUnavailable(_gives_none(path))
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ModelUnavailable(_gives_none(path))
    return np.asarray(values / lengths, np.float32)


def _unreadable(folder: Path) -> str:
    return f"The identity model in {folder.name} cannot be read: fetch it again as .safetensors."


def _gives_none(path: Path) -> str:
    return (
        f"{path.name} gives no embedding of a picture: choose another identity model in the "
        "preferences."
    )
