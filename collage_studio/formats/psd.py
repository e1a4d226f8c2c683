"""PSD export: every layer editable, the accepted picture on top, the recipe in the metadata."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape

from collage_studio import __version__
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Layer
from collage_studio.formats.atomic import replacing
from collage_studio.formats.errors import FormatError
from collage_studio.formats.picture import (
    accepted_pixels,
    count_layers,
    final_picture,
    render_layer,
    render_mask,
)
from collage_studio.formats.psd_writer import Look, PsdWriter
from collage_studio.formats.recipe import recipe_json
from collage_studio.formats.text import plain_text

RESULT_NAME = "Result"
MAX_LAYERS = 8000
_MAX_BYTES = 2_000_000_000


def write_psd(document: Document, path: Path) -> None:
    """Write `document` as PSD.

    Raises:
        FormatError: it could not be written; an older file is intact.
    """
    with replacing(path) as file:
        write_psd_to(document, file)


def write_psd_to(document: Document, file: IO[bytes]) -> None:
    """Write `document` as PSD into an open file.

    Raises:
        FormatError: more than a PSD can hold.
    """
    if count_layers(document) > MAX_LAYERS:
        raise FormatError(f"A PSD holds at most {MAX_LAYERS} layers. Merge some of them first.")
    writer = PsdWriter(document.size)
    _add_layers(writer, writer.root, (document.background, *document.layers), Affine(), document)
    result = accepted_pixels(document)
    if result is not None:
        writer.add_pixels(writer.root, Look(RESULT_NAME), result, 0, 0)
    writer.write(file, final_picture(document), xmp_packet(document))
    if file.tell() > _MAX_BYTES:
        raise FormatError("A PSD takes at most 2 GB, and this one is larger. Export fewer layers.")


def _add_layers(
    writer: PsdWriter, parent: Any, layers: Iterable[Layer], outer: Affine, document: Document
) -> None:
    for layer in layers:
        if layer.is_group:
            _add_group(writer, parent, layer, outer, document)
            continue
        rendered = render_layer(layer, outer, document.size)
        added = writer.add_pixels(
            parent, Look.of_layer(layer), rendered.pixels, rendered.box.left, rendered.box.top
        )
        if rendered.mask is not None:
            writer.add_mask(added, rendered.mask, rendered.box, enabled=layer.mask_enabled)


def _add_group(
    writer: PsdWriter, parent: Any, layer: Layer, outer: Affine, document: Document
) -> None:
    group = writer.add_group(parent, Look.of_layer(layer))
    placement = outer.after(layer.placement)
    _add_layers(writer, group, layer.children, placement, document)
    if layer.mask:
        box, mask = render_mask(layer.mask, placement, document.size)
        writer.add_mask(group, mask, box, enabled=layer.mask_enabled)


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:collage="https://collage-studio.invalid/ns/1.0/"
 xmp:CreatorTool="Collage Studio {version}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{caption}</rdf:li></rdf:Alt></dc:description>
<collage:recipe>{recipe}</collage:recipe>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def xmp_packet(document: Document) -> bytes:
    """Caption and recipe as an XMP packet in UTF-8."""
    caption, _ = document.written_caption()
    text = _XMP.format(
        version=__version__,
        caption=escape(plain_text(caption)),
        recipe=escape(recipe_json(document)),
    )
    return text.encode()
