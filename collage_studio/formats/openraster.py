"""OpenRaster: layers, groups, opacities and blend modes for Krita, MyPaint and others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from collage_studio.document.compositing import place_layer
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import BlendMode, Document, Layer
from collage_studio.document.tree import clip_stacks
from collage_studio.formats.atomic import replacing
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.picture import (
    Pixels,
    accepted_pixels,
    final_picture,
    preview_picture,
    render_layer,
    render_mask,
)
from collage_studio.formats.pixels_png import encode_png
from collage_studio.formats.recipe import recipe_json
from collage_studio.formats.stored_zip import StoredZip
from collage_studio.formats.text import plain_name

MIMETYPE = b"image/openraster"
STACK, MERGED = "stack.xml", "mergedimage.png"
RESULT_NAME = "Result"
MASK_NAME = "Group mask"
MASK_OPERATOR = "svg:dst-in"
"""A group's mask is the topmost layer of its stack: it keeps what lies under it."""
_KRITA = {
    BlendMode.LINEAR_BURN: "krita:linear_burn",
    BlendMode.LINEAR_DODGE: "svg:plus",
    BlendMode.LINEAR_LIGHT: "krita:linear light",
    BlendMode.VIVID_LIGHT: "krita:vivid_light",
    BlendMode.PIN_LIGHT: "krita:pin_light",
    BlendMode.HARD_MIX: "krita:hard mix_photoshop",
    BlendMode.DARKER_COLOR: "krita:darker color",
    BlendMode.LIGHTER_COLOR: "krita:lighter color",
    BlendMode.SUBTRACT: "krita:subtract",
    BlendMode.DIVIDE: "krita:divide",
}
"""Modes beyond the standard, by the names that Krita gives them."""
OPERATORS = {
    mode: "svg:" + ("src-over" if mode is BlendMode.NORMAL else str(mode).replace("_", "-"))
    for mode in BlendMode
    if mode is not BlendMode.PASS_THROUGH
} | _KRITA


def write_ora(document: Document, path: Path) -> None:
    """Write `document` as OpenRaster; masks of single layers are baked into their alpha.

    Raises:
        FormatError: it could not be written; an older file is intact.
    """
    with replacing(path) as file:
        write_ora_to(document, file)


def write_ora_to(document: Document, file: IO[bytes], *, recipe: bool = True) -> None:
    """Write `document` as OpenRaster into an open file, with its `recipe` or without."""
    writer = _Writer(file, document.size)
    root = Element("image", {"version": "0.0.5", **_numbers(w=writer.size.width)})
    root.attrib.update(_numbers(h=writer.size.height))
    stack = SubElement(root, "stack")
    result = accepted_pixels(document)
    if result is not None:
        writer.add_pixels(stack, result, Rect.of_size(document.size), name=RESULT_NAME)
    writer.add_layers(stack, (document.background, *document.layers), Affine())
    writer.finish(root, document, recipe_json(document) if recipe else "")


class _Writer:
    """Layers go into the archive as they are met: topmost first, as in stack.xml."""

    def __init__(self, file: IO[bytes], size: Size) -> None:
        self.size = size
        self._zip = StoredZip(file)
        self._zip.add("mimetype", MIMETYPE)
        self._count = 0

    def add_layers(self, stack: Element, layers: Iterable[Layer], outer: Affine) -> None:
        """Describe `layers` (back to front) in `stack`."""
        siblings = tuple(layers)
        bases = {clip.id: base for base, clips in clip_stacks(siblings) for clip in clips}
        for layer in reversed(siblings):
            if layer.is_group:
                self._add_group(stack, layer, outer)
                continue
            rendered = render_layer(layer, outer, self.size)
            pixels = rendered.baked() if layer.mask_enabled else rendered.pixels
            if layer.id in bases:
                pixels = self._clipped(pixels, rendered.box, bases[layer.id], outer)
            self.add_pixels(stack, pixels, rendered.box, **_attributes(layer))

    def _clipped(self, pixels: Pixels, box: Rect, base: Layer, outer: Affine) -> Pixels:
        """OpenRaster knows no clipping: what the layer below covers goes into the alpha."""
        alone = replace(base, clipped=False)
        cover = place_layer(alone, size=self.size, box=box, transform=outer)[..., 3]
        if not base.visible:
            cover = np.zeros_like(cover)
        clipped = pixels.copy()
        clipped[..., 3] = (clipped[..., 3] * cover + 0.5).astype(np.uint8)
        return clipped

    def _add_group(self, stack: Element, layer: Layer, outer: Affine) -> None:
        placement = outer.after(layer.placement)
        inner = SubElement(stack, "stack", _attributes(layer))
        is_open = layer.blend is BlendMode.PASS_THROUGH and layer.mask is None
        inner.set("isolation", "auto" if is_open else "isolate")
        if layer.mask and layer.mask_enabled:
            self._add_mask(inner, *render_mask(layer.mask, placement, self.size))
        self.add_layers(inner, layer.children, placement)

    def _add_mask(self, stack: Element, box: Rect, mask: Pixels) -> None:
        """Over the whole canvas: programs do not composite outside a layer's own pixels."""
        canvas = Rect.of_size(self.size)
        pixels = np.zeros((canvas.height, canvas.width, 4), np.uint8)
        part = box.intersect(canvas)
        if not part.is_empty:
            inside = replace(
                part,
                left=part.left - box.left,
                top=part.top - box.top,
                right=part.right - box.left,
                bottom=part.bottom - box.top,
            )
            pixels[(*part.slices, 3)] = mask[inside.slices]
        operator = {"composite-op": MASK_OPERATOR}
        self.add_pixels(stack, pixels, canvas, name=MASK_NAME, **operator)

    def add_pixels(self, stack: Element, pixels: Pixels, box: Rect, **attributes: str) -> None:
        """Describe a layer of (h, w, 4) straight pixels in `stack`."""
        source = f"data/layer{self._count:03}.png"
        self._count += 1
        self._zip.add(source, encode_png(pixels, srgb_profile()))
        SubElement(stack, "layer", {"src": source, **_numbers(x=box.left, y=box.top), **attributes})

    def finish(self, root: Element, document: Document, recipe: str) -> None:
        """Write the description, the flat picture, the thumbnail, and `recipe` if not empty."""
        text = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
        self._zip.add(STACK, text)
        self._zip.add(MERGED, encode_png(final_picture(document), srgb_profile()))
        self._zip.add("Thumbnails/thumbnail.png", encode_png(preview_picture(document)))
        if recipe:
            self._zip.add("collage-studio/recipe.json", recipe.encode())
        self._zip.finish()


def _numbers(**values: int) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _attributes(layer: Layer) -> dict[str, str]:
    attributes = {
        "name": plain_name(layer.name),
        "opacity": f"{layer.opacity:.6g}",
        "visibility": "visible" if layer.visible else "hidden",
        "composite-op": OPERATORS.get(layer.blend, OPERATORS[BlendMode.NORMAL]),
    }
    if layer.locked:
        attributes["edit-locked"] = "true"
    return attributes
