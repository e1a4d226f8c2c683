"""Caption and recipe as an XMP packet, for PSD, TIFF, JPEG, WebP and AVIF."""

from __future__ import annotations

from xml.sax.saxutils import escape

from collage_studio import __version__
from collage_studio.document.model import Document
from collage_studio.formats.recipe import recipe_json
from collage_studio.formats.text import plain_text

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:collage="https://collage-studio.invalid/ns/1.0/"
 xmp:CreatorTool="Collage Studio {version}">
{made}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_MADE = """<dc:description><rdf:Alt>
<rdf:li xml:lang="x-default">{caption}</rdf:li></rdf:Alt></dc:description>
<collage:recipe>{recipe}</collage:recipe>
"""


def xmp_packet(document: Document, *, recipe: bool = True) -> bytes:
    """Caption and recipe as an XMP packet in UTF-8; the program's name alone without `recipe`."""
    made = _made(document) if recipe else ""
    return _XMP.format(version=__version__, made=made).encode()


def _made(document: Document) -> str:
    caption, _ = document.written_caption()
    return _MADE.format(caption=escape(plain_text(caption)), recipe=escape(recipe_json(document)))
