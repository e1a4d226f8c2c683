"""PSD and PSB export: every layer editable, the recipe in the metadata, our document inside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.compositing import Composition
from collage_studio.document.geometry import Affine
from collage_studio.document.harmonised import harmonised_stack, has_harmonised
from collage_studio.document.model import BlendMode, Document, Layer
from collage_studio.document.tree import clip_stacks
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_json import mask_member, pixels_member
from collage_studio.formats.errors import FormatError
from collage_studio.formats.picture import (
    Lay,
    accepted_raster,
    final_deep_picture,
    final_picture,
    is_deep,
    is_resampled,
    render_layer,
    render_mask,
)
from collage_studio.formats.psd_embedded import RESOURCE, Links, write_embedded
from collage_studio.formats.psd_kept import (
    ALL_TEXT_BLOCK,
    TYPE_BLOCK,
    document_blocks,
    document_resources,
    layer_blocks,
)
from collage_studio.formats.psd_writer import (
    PSD_BYTES,
    Look,
    PlacedMask,
    PsdWriter,
    Resource,
)
from collage_studio.formats.xmp import xmp_packet

ORIGINAL_NAME, HARMONISED_NAME, RESULT_NAME = "Original", "Harmonised", "Result"
MAX_LAYERS = 8000
_XMP_RESOURCE = 1060
_WORKERS = min(8, os.cpu_count() or 1)
_COMPOSED_PIXELS = 1 << 24
"""A canvas of at most this many is drawn as its layers are; a larger one takes too much memory."""


@dataclass(frozen=True, slots=True)
class PsdOptions:
    """How a PSD is written.

    Args:
        depth: 8 or 16 bits per channel; 0 = 16 where a picture in the document has them.
        big: a PSB, for more than 30,000 px or 2 GB.
        whole: put the document inside, so that opening the PSD again gives it back.
        recipe: caption and recipe go along in the metadata.
        originals: the layers as placed go along beside an accepted picture. Without them the
            document inside only reminds of texts and noise.
        editable_text: what came from text layers is written as text layers wherever it lies now,
            else only where it was; the pixels stay.
    """

    depth: int = 0
    big: bool = False
    whole: bool = True
    recipe: bool = True
    originals: bool = True
    editable_text: bool = False


def write_psd(document: Document, path: Path, options: PsdOptions | None = None) -> None:
    """Write `document` as PSD, or as PSB if the file is called so.

    Raises:
        FormatError: it could not be written; an older file is intact.
    """
    options = options or PsdOptions(big=path.suffix.lower() == ".psb")
    with replacing(path) as file:
        write_psd_to(document, file, options)


def write_psd_to(document: Document, file: IO[bytes], options: PsdOptions | None = None) -> None:
    """Write `document` as PSD into an open file.

    Raises:
        FormatError: more than a PSD can hold.
    """
    options = options or PsdOptions()
    if count_psd_layers(document, options) > MAX_LAYERS:
        raise FormatError(f"A PSD holds at most {MAX_LAYERS} layers. Merge some of them first.")
    depth = options.depth or (16 if is_deep(document) else 8)
    with ThreadPoolExecutor(_WORKERS) as pool:
        stacks = _Stacks(document, depth, options, pool)
        stacks.add_all()

        def resources(checksum: int) -> Mapping[int, Resource]:
            found: dict[int, Resource] = {**document_resources(document)}
            found[_XMP_RESOURCE] = xmp_packet(document, recipe=options.recipe)
            if options.whole:
                found[RESOURCE] = partial(write_embedded, document, stacks.links, checksum, pool)
            return found

        stacks.writer.write(file, stacks.merged(), resources, stacks.document_blocks())
    if not options.big and file.tell() > PSD_BYTES:
        raise FormatError("A PSD takes at most 2 GB, and this one is larger. Export it as .psb.")


def has_originals(document: Document, options: PsdOptions) -> bool:
    """Whether the layers as placed are in a PSD: without an accepted picture they are all of it."""
    return options.originals or accepted_raster(document) is None


def count_psd_layers(document: Document, options: PsdOptions | None = None) -> int:
    """Layers and groups in a PSD of `document`."""
    originals = 1 + sum(1 for _ in document.walk())
    has_result, is_given_back = accepted_raster(document) is not None, has_harmonised(document)
    originals += 1 if has_result or is_given_back else 0
    count = originals if has_originals(document, options or PsdOptions()) else 0
    count += 2 if has_result else 0
    if is_given_back:
        count += 1 + sum(1 for stack in _harmonised(document) for _ in stack.walk())
    return count


class _Stacks:
    """Fills a writer with the groups Original, Harmonised and Result, as far as there are any."""

    def __init__(self, document: Document, depth: int, options: PsdOptions, pool: Executor) -> None:
        self._document, self._depth, self._pool = document, depth, pool
        self._editable_text, self._has_new_words = options.editable_text, False
        self.writer = PsdWriter(document.size, pool, depth=depth, big=options.big)
        self.links = Links(originals=has_originals(document, options))
        size, self._composition = document.size, None
        is_flat = accepted_raster(document) is not None
        if not is_flat and size.width * size.height <= _COMPOSED_PIXELS:
            self._composition = Composition(size)

    def merged(self) -> npt.NDArray[Any]:
        """The flat picture, (H, W, 4) straight uint8 or uint16; once, after all layers."""
        composition, self._composition = self._composition, None
        if composition is not None:
            return composition.picture(np.uint16 if self._depth == 16 else np.uint8)
        return (final_deep_picture if self._depth == 16 else final_picture)(self._document)

    def add_all(self) -> None:
        document = self._document
        layers = (document.background, *document.layers)
        result = accepted_raster(document)
        if result is None and not has_harmonised(document):
            self._add_drawn(layers)
            return
        through = BlendMode.PASS_THROUGH
        if self.links.originals:
            self.writer.begin_group()
            self._add_drawn(layers)
            self.writer.end_group(Look(ORIGINAL_NAME, blend=through, visible=result is None))
        if has_harmonised(document):
            self.writer.begin_group()
            self._add_layers(_harmonised(document), Affine(), are_own=False)
            self.writer.end_group(Look(HARMONISED_NAME, blend=through, visible=False))
        if result is not None and document.accepted is not None:
            self.writer.begin_group()
            name = f"Seed {document.accepted.recipe.seed}"
            record = self.writer.add_pixels(Look(name), result.pixels, 0, 0)
            self._link(pixels_member(result.key), record, result.depth)
            self.writer.end_group(Look(RESULT_NAME, blend=through))

    def _link(self, member: str, record: int, depth: int = 8) -> None:
        if depth <= self._depth:
            self.links.bitmaps.setdefault(member, record)

    def _add_drawn(self, layers: Iterable[Layer]) -> None:
        """The document's own layers; each is drawn onto the flat picture right away."""
        composition = self._composition
        for base, clips in clip_stacks(layers):
            if composition is not None and not clips and is_resampled(base, Affine()):
                self._add_layers([base], Affine(), lay=partial(composition.lay, base))
                continue
            self._add_layers((base, *clips), Affine())
            if composition is not None:
                composition.draw(base, *clips, pool=self._pool)

    def _add_layers(
        self,
        layers: Iterable[Layer],
        outer: Affine,
        *,
        are_own: bool = True,
        lay: Lay | None = None,
    ) -> None:
        for layer in layers:
            if layer.is_group:
                self._add_group(layer, outer, are_own)
            else:
                self._add_layer(layer, outer, are_own, lay)
            if are_own or not self.links.originals:
                self.links.layers[self.writer.count - 1] = layer.id

    def _add_layer(self, layer: Layer, outer: Affine, is_own: bool, lay: Lay | None) -> None:
        size, depth = self._document.size, self._depth
        rendered = render_layer(layer, outer, size, depth, lay=lay, pool=self._pool)
        box, mask = rendered.box, None
        if rendered.mask is not None:
            mask = PlacedMask(box, rendered.mask, layer.mask_enabled)
        look = Look.of_layer(layer, self._blocks(layer, outer) if is_own else None)
        record = self.writer.add_pixels(look, rendered.pixels, box.left, box.top, mask)
        if rendered.is_exact and layer.raster is not None:
            self._link(pixels_member(layer.raster.key), record, layer.raster.depth)
            if layer.mask is not None:
                self._link(mask_member(layer.mask.key), record)

    def _blocks(self, layer: Layer, outer: Affine) -> dict[str, bytes]:
        """Foreign blocks that are still true, and where asked for those of text layers."""
        blocks = layer_blocks(layer, outer)
        if self._editable_text:
            # psd-tools is slow to import
            from collage_studio.formats.psd_text import is_only_moved, layer_type_block

            if text := layer_type_block(layer, outer.after(layer.placement)):
                blocks[TYPE_BLOCK] = text
                self._has_new_words = self._has_new_words or not is_only_moved(text, layer)
        return blocks

    def document_blocks(self) -> dict[str, bytes]:
        """Foreign blocks of the whole document; once, after all layers."""
        blocks = document_blocks(self._document)
        if self._has_new_words:
            blocks.pop(ALL_TEXT_BLOCK, None)
        return blocks

    def _add_group(self, layer: Layer, outer: Affine, is_own: bool) -> None:
        self.writer.begin_group()
        placement = outer.after(layer.placement)
        self._add_layers(layer.children, placement, are_own=is_own)
        mask = None
        if layer.mask:
            box, values = render_mask(layer.mask, placement, self._document.size)
            mask = PlacedMask(box, values, layer.mask_enabled)
        blocks = layer_blocks(layer, outer) if is_own else None
        self.writer.end_group(Look.of_layer(layer, blocks), mask)


def _harmonised(document: Document) -> tuple[Layer, ...]:
    """The stack with the pixels that an accepted picture gave back to the layers."""
    return document.background, *harmonised_stack(document).layers
