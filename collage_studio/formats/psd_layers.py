"""Layers of a foreign PSD, as psd-tools finds them -> layers of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psd_tools.composite import paint
from psd_tools.constants import Tag

from collage_studio.document.compositing import flatten
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import (
    BlendMode,
    Document,
    Layer,
    LayerKind,
    Raster,
    new_id,
)
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.limits import MAX_DEPTH, MAX_DOCUMENT_PIXELS, check_picture_size
from collage_studio.formats.psd_adjustments import adjusted
from collage_studio.formats.psd_codec import unpack_plane
from collage_studio.formats.psd_colours import Colours, mask_values
from collage_studio.formats.psd_kept import (
    EFFECT_BLOCKS,
    LOOK_BLOCKS,
    MAX_BYTES,
    OBJECT_BLOCKS,
    kept_of_layer,
)
from collage_studio.formats.psd_losses import Loss, Losses
from collage_studio.formats.psd_masks import channels_of, layer_mask

Layers = tuple[Layer, ...]
Below = Callable[[Layers], Layers]
Pixels = npt.NDArray[Any]
_WORKERS = 4
_ALPHA = -1
_GROUPS = ("group", "artboard")
_FILLS = ("solidcolorfill", "gradientfill", "patternfill", "shape")
_READING_FAILS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError)
_CLEAR = Layer("", "", LayerKind.FILL, visible=False)


class Converter:
    """Turns the tree of a PSD into layers; what is lost on the way goes into `losses`."""

    def __init__(self, psd: Any, colours: Colours, losses: Losses) -> None:
        self._psd, self._colours, self._losses = psd, colours, losses
        self._canvas = Size(psd.width, psd.height)
        self._bytes_left = MAX_BYTES
        self._pixels = dict[int, Future[Pixels | None]]()
        self._adjusting = set[str]()
        self.numbers = dict[str, int]()
        """Photoshop's number of each layer, by our id."""

    def convert(self) -> Layers:
        """All layers, back to front.

        Raises:
            FormatError: the file exceeds the limits.
        """
        found = list(_walk(self._psd, 0))
        self._check_sizes(found)
        with ThreadPoolExecutor(_WORKERS) as pool:
            for layer in found:
                if layer.kind not in _GROUPS:
                    self._pixels[id(layer)] = pool.submit(self._stored_pixels, layer)
            return self._children(self._psd, lambda own: own)

    def _check_sizes(self, layers: list[Any]) -> None:
        total = 0
        for layer in layers:
            box = _box(layer)
            if not box.is_empty:
                check_picture_size("A layer", box.width, box.height)
                total += box.width * box.height
        if total > MAX_DOCUMENT_PIXELS:
            raise FormatError(
                f"The file was not opened: its layers would take {size_text(4 * total)} of memory."
            )

    def _stored_pixels(self, layer: Any) -> Pixels | None:
        """(h, w, 4) of the channels, None where there are none.

        Raises:
            FormatError: they are damaged.
        """
        box = _box(layer)
        if box.is_empty:
            return None
        channels = channels_of(layer)
        header = self._psd._record.header

        def plane(number: int) -> Pixels | None:
            packed = channels.get(number)
            if packed is None or (number == _ALPHA and not packed.data):
                return None
            return unpack_plane(
                packed.data, int(packed.compression), box.width, box.height, header.depth,
                header.version,
            )  # fmt: skip

        planes = [found for i in range(self._colours.channels) if (found := plane(i)) is not None]
        if not planes:
            return None
        return self._colours.picture(planes, plane(_ALPHA))

    def _children(self, parent: Any, below: Below, *, is_alone: bool = True) -> Layers:
        """The layers of a group.

        Args:
            below: given what the group holds so far, all that a layer in it lies on.
            is_alone: nothing outside the group shines into it.
        """
        made = list[Layer]()
        for source in parent:
            layer = self._guarded(source, tuple(made), below)
            if layer is None:
                continue
            layer = self._dressed(source, layer)
            if layer.id in self._adjusting and is_alone and not layer.clipped:
                made, layer = _wrapped(made, layer)
            made.append(layer)
        return tuple(_with_true_clips(made))

    def _guarded(self, source: Any, before: Layers, below: Below) -> Layer | None:
        try:
            return self._layer(source, before, below)
        except FormatError:
            self._losses.add(Loss.DAMAGED, source.name)
            return None

    def _layer(self, source: Any, before: Layers, below: Below) -> Layer | None:
        if source.kind in _GROUPS:
            return self._group(source, before, below)
        pixels = self._pixels[id(source)].result()
        if pixels is not None:
            return self._picture(source, pixels, _box(source))
        if source.kind in _FILLS:
            return self._fill(source)
        if source.kind in ("pixel", "type", "smartobject"):
            box = _box(source)
            return self._picture(
                source,
                np.zeros((1, 1, 4), np.uint8),
                Rect(box.left, box.top, box.left + 1, box.top + 1),
            )
        return self._adjustment(source, before, below)

    def _group(self, source: Any, before: Layers, below: Below) -> Layer:
        blend = self._blend(source)
        outline = Layer(new_id(), source.name, LayerKind.GROUP, blend=blend)

        def inside(own: Layers) -> Layers:
            if blend is not BlendMode.PASS_THROUGH:
                return own
            return below((*before, replace(outline, children=own)))

        if source.kind == "artboard":
            self._losses.add(Loss.ARTBOARD, source.name)
        is_alone = blend is not BlendMode.PASS_THROUGH
        children = self._children(source, inside, is_alone=is_alone)
        mask, enabled = layer_mask(source, Rect.of_size(self._canvas), None, self._losses)
        return replace(outline, children=children, mask=mask, mask_enabled=enabled)

    def _picture(self, source: Any, pixels: Pixels, box: Rect) -> Layer:
        alpha = mask_values(pixels[..., 3], 8)
        mask, enabled = layer_mask(source, box, alpha, self._losses)
        losses = {"type": Loss.TEXT, "smartobject": Loss.SMART_OBJECT, "shape": Loss.SHAPE}
        losses |= {"gradientfill": Loss.FILL, "patternfill": Loss.FILL}
        if source.kind in losses:
            self._losses.add(losses[source.kind], source.name)
        place = Affine.translation(box.left, box.top)
        pixels.setflags(write=False)
        return Layer(
            new_id(), source.name, raster=Raster(pixels), mask=mask, mask_enabled=enabled,
            placement=place,
        )  # fmt: skip

    def _fill(self, source: Any) -> Layer | None:
        """A fill without stored pixels: a plain colour stays one, others are drawn once."""
        canvas = Rect.of_size(self._canvas)
        box = canvas if source.kind != "shape" else _box(source)
        box = canvas if box.is_empty else box
        try:
            colours, _ = paint.create_fill(source, (0, 0, 1, 1))
            if colours is None or source.kind not in ("solidcolorfill", "shape"):
                edges = (box.left, box.top, box.right, box.bottom)
                colours, shape = paint.create_fill(source, edges)
                return self._drawn(source, colours, shape, box)
        except _READING_FAILS:
            self._losses.add(Loss.NO_FILL, source.name)
            return None
        mask, enabled = layer_mask(source, canvas, None, self._losses)
        red, green, blue = self._rgb(colours)[0, 0].tolist()
        return Layer(
            new_id(), source.name, LayerKind.FILL, mask=mask, mask_enabled=enabled,
            fill=(red, green, blue, 255),
        )  # fmt: skip

    def _drawn(self, source: Any, colours: Any, shape: Any, box: Rect) -> Layer | None:
        if colours is None:
            self._losses.add(Loss.NO_FILL, source.name)
            return None
        alpha = np.ones((box.height, box.width), np.float32) if shape is None else shape[..., 0]
        pixels = np.dstack(
            [self._rgb(colours), (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)]
        )
        return self._picture(source, np.ascontiguousarray(pixels), box)

    def _rgb(self, colours: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """psd-tools' colours (h, w, c) in [0, 1], in the file's mode, as sRGB bytes."""
        values = (np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)
        count = self._colours.channels
        spread = values if values.shape[2] >= count else np.repeat(values[..., :1], count, axis=2)
        planes = [np.ascontiguousarray(spread[..., i]) for i in range(count)]
        return replace(self._colours, depth=8).picture(planes, None)[..., :3]

    def _adjustment(self, source: Any, before: Layers, below: Below) -> Layer | None:
        """A picture of what the adjustment makes of the layers under it."""
        if not source.visible:
            self._losses.add(Loss.NO_ADJUSTMENT, source.name)
            return None
        under = _base_with_clips(before) if source.clipping else below(before)
        backdrop = flatten(Document(self._canvas, under, background=_CLEAR))
        straight = np.minimum(backdrop[..., :3].astype(np.float32) / 255 + 1e-6, 1)
        colours = adjusted(source, straight) if self._colours.mode != 4 else None
        if colours is None:
            self._losses.add(Loss.NO_ADJUSTMENT, source.name)
            return None
        self._losses.add(Loss.ADJUSTMENT, source.name)
        alpha = np.full(backdrop.shape[:2], 255, np.uint8) if source.clipping else backdrop[..., 3]
        pixels = np.dstack([(colours * 255 + 0.5).astype(np.uint8), alpha])
        raster = Raster(np.ascontiguousarray(pixels))
        mask, enabled = layer_mask(source, Rect.of_size(self._canvas), None, self._losses)
        layer = Layer(new_id(), source.name, raster=raster, mask=mask, mask_enabled=enabled)
        if not np.isin(alpha, (0, 255)).all():
            self._adjusting.add(layer.id)
        return layer

    def _blend(self, source: Any) -> BlendMode:
        name = source.blend_mode.name
        if name == "DISSOLVE":
            self._losses.add(Loss.BLEND, source.name)
            return BlendMode.NORMAL
        mode = BlendMode[name]
        if mode is BlendMode.PASS_THROUGH and source.kind not in _GROUPS:
            return BlendMode.NORMAL
        return mode

    def _dressed(self, source: Any, layer: Layer) -> Layer:
        """`layer` with the values that every kind has, and the foreign bytes kept beside."""
        fill = source.tagged_blocks.get_data(Tag.BLEND_FILL_OPACITY, 255)
        locks = source.locks
        layer = replace(
            layer,
            opacity=min(1.0, source.opacity / 255 * (fill if isinstance(fill, int) else 255) / 255),
            blend=self._blend(source) if not layer.is_group else layer.blend,
            visible=bool(source.visible),
            clipped=bool(source.clipping),
            locked=bool(locks is not None and locks.complete),
        )
        self.numbers[layer.id] = int(source.layer_id)
        if _has_effects(source):
            self._losses.add(Loss.EFFECTS, source.name)
        blocks = self._kept(source)
        text = source.text.replace("\r", "\n") if source.kind == "type" else ""
        return kept_of_layer(blocks, layer, text) if blocks or text else layer

    def _kept(self, source: Any) -> dict[str, bytes]:
        found = dict[str, bytes]()
        for block in source.tagged_blocks.values():
            key = block.key.value if hasattr(block.key, "value") else block.key
            name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
            if name in (*EFFECT_BLOCKS, *OBJECT_BLOCKS, *LOOK_BLOCKS):
                data = block_bytes(block)
                if data and len(data) <= self._bytes_left:
                    self._bytes_left -= len(data)
                    found[name] = data
        return found


def block_bytes(block: Any) -> bytes:
    """The body of a tagged block as psd-tools writes it; empty if it cannot."""
    data = block.data
    if isinstance(data, bytes):
        return data
    try:
        return bytes(data.tobytes())
    except (*_READING_FAILS, NotImplementedError):
        return b""


def _has_effects(source: Any) -> bool:
    try:
        return any(effect.enabled for effect in source.effects) and source.effects.enabled
    except _READING_FAILS:
        return False


def _walk(parent: Any, depth: int) -> Iterator[Any]:
    if depth > MAX_DEPTH:
        raise FormatError(f"The file has more than {MAX_DEPTH} groups inside each other.")
    for layer in parent:
        yield layer
        if layer.kind in _GROUPS:
            yield from _walk(layer, depth + 1)


def _box(layer: Any) -> Rect:
    record = layer._record
    return Rect(record.left, record.top, record.right, record.bottom)


def _wrapped(under: list[Layer], layer: Layer) -> tuple[list[Layer], Layer]:
    """What lies under an adjustment as a group, and the adjustment clipped to it.

    A picture of adjusted colours laid over half-clear ones would make them more solid.
    """
    group = Layer(
        new_id(), f"Under {layer.name}", LayerKind.GROUP, children=tuple(_with_true_clips(under))
    )
    opaque = layer.raster.pixels.copy() if layer.raster else np.zeros((1, 1, 4), np.uint8)
    opaque[..., 3] = 255
    return [group], replace(layer, raster=Raster(opaque), clipped=True)


def _with_true_clips(layers: list[Layer]) -> Iterator[Layer]:
    """`layers`; an empty one clipped to an open group is let go, so that the group stays open."""
    is_open = False
    for layer in layers:
        if not layer.clipped:
            is_open = layer.is_group and layer.blend is BlendMode.PASS_THROUGH
        elif is_open and layer.raster is not None and not layer.raster.pixels[..., 3].any():
            layer = replace(layer, clipped=False)
        yield layer


def _base_with_clips(before: Layers) -> Layers:
    """The last layer that is not clipped, by itself, with the clipped ones on it."""
    start = max((i for i, layer in enumerate(before) if not layer.clipped), default=0)
    base, *clips = before[start:] or (None,)
    if base is None:
        return ()
    plain = replace(base, opacity=1.0, visible=True, clipped=False)
    return (replace(plain, blend=BlendMode.NORMAL), *clips)
