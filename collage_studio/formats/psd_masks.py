"""The masks of a foreign PSD layer: user and vector masks, density, feather -> (h, w) uint8."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from psd_tools.composite.vector import draw_vector_mask

from collage_studio.document.geometry import Rect
from collage_studio.document.model import Mask
from collage_studio.formats.errors import FormatError
from collage_studio.formats.limits import check_picture_size
from collage_studio.formats.psd_codec import unpack_plane
from collage_studio.formats.psd_colours import mask_values
from collage_studio.formats.psd_losses import Loss, Losses

Values = npt.NDArray[np.uint8]
USER, REAL = -2, -3
_FILLS = ("solidcolorfill", "gradientfill", "patternfill", "shape")
_DRAWING_FAILS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError)


def layer_mask(
    layer: Any, box: Rect, alpha: Values | None, losses: Losses
) -> tuple[Mask | None, bool]:
    """A layer's mask inside `box`, and whether it is switched on.

    Args:
        alpha: of the layer's stored pixels in the same box, (h, w) uint8; None without.
    """
    found, enabled = _user_mask(layer, box, losses)
    if found is not None and enabled and _repeats(layer, found, alpha):
        found = None
    if _draws_path(layer, alpha is not None):
        drawn = _path(layer, box, losses)
        if drawn is not None:
            usable = found if found is not None and enabled else None
            found = (
                drawn
                if usable is None
                else np.asarray(cv2.multiply(usable, drawn, scale=1 / 255), np.uint8)
            )
            enabled = True
    if found is None or (enabled and found.min() == 255):
        return None, True
    return Mask(found), enabled


def _user_mask(layer: Any, box: Rect, losses: Losses) -> tuple[Values | None, bool]:
    data = layer._record.mask_data
    if data is None:
        return None, True
    channel = channels_of(layer)
    is_real = REAL in channel and data.real_flags is not None
    prefix = "real_" if is_real else ""
    part = Rect(*(getattr(data, prefix + side) or 0 for side in ("left", "top", "right", "bottom")))
    ground = data.real_background_color if is_real else data.background_color
    values = np.full((box.height, box.width), 255 if ground else 0, np.uint8)
    packed = channel.get(REAL if is_real else USER)
    inner = part.intersect(box)
    if packed is not None and not part.is_empty and not inner.is_empty:
        check_picture_size("A mask", part.width, part.height)
        header = layer._psd._record.header
        plane = unpack_plane(
            packed.data, int(packed.compression), part.width, part.height, header.depth,
            header.version,
        )  # fmt: skip
        values[_slices(inner, box)] = mask_values(plane, 8)[_slices(inner, part)]
    values = _softened(layer, data, values, losses)
    flags = data.real_flags if is_real else data.flags
    return values, flags is None or not flags.mask_disabled


def _slices(part: Rect, box: Rect) -> tuple[slice, slice]:
    return (
        slice(part.top - box.top, part.bottom - box.top),
        slice(part.left - box.left, part.right - box.left),
    )


def _softened(layer: Any, data: Any, values: Values, losses: Losses) -> Values:
    """Feather and density of the mask worked in."""
    parameters = data.parameters
    if parameters is None:
        return values
    density = parameters.user_mask_density
    if density is None:
        density = parameters.vector_mask_density
    feather = parameters.user_mask_feather or 0.0
    if feather > 0.05 and values.size:
        sigma = min(float(feather), 250.0)
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.uint8)
    if density is not None and density < 255:
        share = density / 255
        values = (values * share + 255 * (1 - share) + 0.5).astype(np.uint8)
    if feather > 0.05 or (density is not None and density < 255):
        losses.add(Loss.SOFT_MASK, layer.name)
    return values


def _repeats(layer: Any, mask: Values, alpha: Values | None) -> bool:
    """Photoshop stores the outline of a shape as its alpha and as its mask: once is enough."""
    return layer.kind in _FILLS and alpha is not None and np.array_equal(mask, alpha)


def _draws_path(layer: Any, has_pixels: bool) -> bool:
    """The path itself has to be drawn: nothing that is stored has it worked in."""
    path = layer.vector_mask
    if path is None or path.disabled:
        return False
    if not has_pixels:
        return True
    data = layer._record.mask_data
    has_real = data is not None and data.real_flags is not None
    return layer.kind not in _FILLS and data is not None and not has_real


def _path(layer: Any, box: Rect, losses: Losses) -> Values | None:
    if box.is_empty:
        return None
    try:
        drawn = draw_vector_mask(layer, (box.left, box.top, box.right, box.bottom))
    except _DRAWING_FAILS:
        return None
    if layer.kind not in _FILLS:
        losses.add(Loss.VECTOR_MASK, layer.name)
    return (np.clip(drawn[..., 0], 0, 1) * 255 + 0.5).astype(np.uint8)


def channels_of(layer: Any) -> dict[int, Any]:
    """The packed channels of a layer by their number.

    Raises:
        FormatError: there are none for this record.
    """
    packed = getattr(layer, "_channels", None)
    if packed is None:
        raise FormatError("its channels are missing")
    info = layer._record.channel_info
    return {int(entry.id): data for entry, data in zip(info, packed, strict=False)}
