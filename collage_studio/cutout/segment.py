"""Click to segment: SAM-like encoder and decoder pairs in ONNX that the user supplies.

The encoder runs once per picture, the decoder once per click. Never used in the window's process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.cutout.arrays import Float, rgb_of
from collage_studio.cutout.removal import open_session
from collage_studio.cutout.scribbles import CutoutError

LONGEST = 1024
KEPT_EMBEDDINGS = 4
_MEAN, _SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_NEEDED = {"image_embeddings", "point_coords", "point_labels"}


@dataclass(frozen=True, slots=True)
class Click:
    """A point in picture px: on the object, or on what does not belong to it."""

    x: float
    y: float
    is_object: bool = True


class SegmentBackend(Protocol):
    """What finds an object from clicks or a box."""

    def set_picture(self, key: str, picture: npt.NDArray[Any]) -> None:
        """Look at a picture; the same key means the same picture."""
        ...

    def predict(
        self, clicks: Sequence[Click], box: tuple[float, float, float, float] | None = None
    ) -> tuple[Float, float]:
        """The alpha (H, W) in [0, 1] and how sure the model is."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """An encoded picture; `scale` brings its px to the model's frame of (H, W)."""

    embedding: npt.NDArray[np.float32]
    shape: tuple[int, int]
    inner: tuple[int, int]
    frame: tuple[int, int]


class OnnxSegmenter:
    """A pair as exported from Segment Anything, MobileSAM or EfficientSAM.

    Encoders that take (1, 3, H, W) get colours normalised as SAM's are, those that take (H, W, 3)
    get plain 0..255. Decoders take `image_embeddings`, `point_coords` and `point_labels`, and
    where they ask for them `mask_input`, `has_mask_input` and `orig_im_size`.
    """

    def __init__(self, encoder: Path, decoder: Path) -> None:
        """Open both files.

        Raises:
            CutoutError: onnxruntime is missing, or a file is no such model.
        """
        self._encoder, self._decoder = open_session(encoder), open_session(decoder)
        self._asks = {one.name for one in self._decoder.get_inputs()}
        if not self._asks >= _NEEDED:
            raise CutoutError(f"{decoder.name} is no decoder of a segmentation model.")
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._now = ""

    def set_picture(self, key: str, picture: npt.NDArray[Any]) -> None:
        """Encode a picture, (H, W, 3 or 4), unless it is among the last ones.

        Args:
            key: of its content, such as `Raster.key`.

        Raises:
            CutoutError: the encoder refused it.
        """
        if key not in self._seen:
            self._seen[key] = self._encode(picture)
            while len(self._seen) > KEPT_EMBEDDINGS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        self._now = key

    def predict(
        self, clicks: Sequence[Click], box: tuple[float, float, float, float] | None = None
    ) -> tuple[Float, float]:
        """The object meant by clicks and a box (left, top, right, bottom) in picture px.

        Raises:
            CutoutError: there is no picture, no click, or no object there.
        """
        seen = self._seen.get(self._now)
        if seen is None:
            raise CutoutError("Choose a picture before clicking into it.")
        if not clicks and box is None:
            raise CutoutError("Click on the object that is to stay.")
        masks, scores = self._decode(seen, *_prompt(seen, clicks, box))
        best = int(np.argmax(scores)) if scores.size == masks.shape[0] else 0
        alpha = _grown(masks[best], seen)
        if float(alpha.max(initial=0.0)) < 0.5:
            raise CutoutError(
                "No object found at this point. Click nearer its middle, or paint it."
            )
        return alpha, float(scores[best]) if scores.size > best else 0.0

    def _encode(self, picture: npt.NDArray[Any]) -> _Seen:
        wanted = self._encoder.get_inputs()[0]
        is_planar = len(wanted.shape) == 4
        sides = wanted.shape[2:4] if is_planar else wanted.shape[0:2]
        height, width = picture.shape[:2]
        frame = tuple(side if isinstance(side, int) else LONGEST for side in sides)
        scale = min(frame[0] / height, frame[1] / width)
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        rgb = cv2.resize(rgb_of(picture) * 255.0, inner[::-1], interpolation=cv2.INTER_AREA)
        if is_planar:
            rgb = (rgb - np.array(_MEAN)) / np.array(_SPREAD)
        framed = np.zeros((*frame, 3), np.float32)
        framed[: inner[0], : inner[1]] = rgb
        fed = np.ascontiguousarray(framed.transpose(2, 0, 1)[None]) if is_planar else framed
        answer = _ran(self._encoder, {wanted.name: fed})[0]
        return _Seen(answer, (height, width), inner, (frame[0], frame[1]))

    def _decode(
        self, seen: _Seen, points: Float, labels: Float
    ) -> tuple[Float, npt.NDArray[np.float32]]:
        everything = {
            "image_embeddings": seen.embedding,
            "point_coords": points[None],
            "point_labels": labels[None],
            "mask_input": np.zeros((1, 1, 256, 256), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array(seen.frame, np.float32),
        }
        fed = {name: value for name, value in everything.items() if name in self._asks}
        masks, scores, *_ = (*_ran(self._decoder, fed), np.zeros(0, np.float32))
        return masks.reshape(-1, *masks.shape[-2:]), np.asarray(scores, np.float32).ravel()


def _ran(session: Any, fed: dict[str, Any]) -> list[npt.NDArray[Any]]:
    try:
        return session.run(None, fed)
    except Exception as error:
        raise CutoutError(
            "The segmentation model refused the picture. Choose another pair of files."
        ) from error


def _prompt(
    seen: _Seen, clicks: Sequence[Click], box: tuple[float, float, float, float] | None
) -> tuple[Float, Float]:
    """Points (n, 2) in the frame and labels (n,): 1 on, 0 off, 2 and 3 a box, -1 padding."""
    across, down = seen.inner[1] / seen.shape[1], seen.inner[0] / seen.shape[0]
    points = [(click.x * across, click.y * down) for click in clicks]
    labels = [1.0 if click.is_object else 0.0 for click in clicks]
    if box is not None:
        points += [(box[0] * across, box[1] * down), (box[2] * across, box[3] * down)]
        labels += [2.0, 3.0]
    else:
        points.append((0.0, 0.0))
        labels.append(-1.0)
    return np.array(points, np.float32), np.array(labels, np.float32)


def _grown(logits: npt.NDArray[Any], seen: _Seen) -> Float:
    """A mask of the frame, of any size, as an alpha of the picture's size."""
    height, width = logits.shape
    part = logits[
        : max(1, round(height * seen.inner[0] / seen.frame[0])),
        : max(1, round(width * seen.inner[1] / seen.frame[1])),
    ]
    clipped = np.clip(part.astype(np.float32), -30.0, 30.0)
    full = cv2.resize(clipped, seen.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (1.0 / (1.0 + np.exp(-full))).astype(np.float32)
