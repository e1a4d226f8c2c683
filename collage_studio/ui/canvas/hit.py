"""Which layers lie under a point of the canvas, topmost first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Layer, LayerKind

MIN_ALPHA = 0.1


def layers_at(document: Document, x: float, y: float, *, groups: bool = False) -> tuple[str, ...]:
    """Ids of the layers seen at a canvas point, topmost first.

    Hidden and locked layers are skipped, and so is whatever a locked or hidden group holds.

    Args:
        groups: name the outermost group instead of the layer inside it.
    """
    found = _hits(document.layers, x, y, Affine())
    return tuple(dict.fromkeys(outer if groups else inner for outer, inner in found))


def pick(candidates: Sequence[str], selected: str) -> str:
    """The layer a click takes: the topmost, or one deeper than the selected one; "" for none."""
    if not candidates:
        return ""
    if selected in candidates:
        return candidates[(candidates.index(selected) + 1) % len(candidates)]
    return candidates[0]


def _hits(layers: Sequence[Layer], x: float, y: float, parent: Affine) -> Iterator[tuple[str, str]]:
    """(id at this level, id of the leaf), topmost first."""
    for layer in reversed(layers):
        if not layer.visible or layer.locked or layer.opacity <= 0.0:
            continue
        placed = parent.after(layer.placement)
        if layer.is_group:
            for _, leaf in _hits(layer.children, x, y, placed):
                yield layer.id, leaf
        elif alpha_at(layer, placed, x, y) > MIN_ALPHA:
            yield layer.id, layer.id


def alpha_at(layer: Layer, placed: Affine, x: float, y: float) -> float:
    """[0, 1]: how much of the point the layer's own pixels cover."""
    if layer.raster is None:
        return layer.fill[3] / 255.0
    if abs(placed.determinant) < 1e-9:
        return 0.0
    u, v = placed.inverse().apply(x, y)
    size = layer.raster.size
    if not (0 <= u < size.width and 0 <= v < size.height):
        return 0.0
    row, column = int(v), int(u)
    if layer.kind is LayerKind.LAYOUT:
        return float(layer.mask.values[row, column]) / 255.0 if layer.mask else 0.0
    limit = 65535.0 if layer.raster.depth == 16 else 255.0
    alpha = float(layer.raster.pixels[row, column, 3]) / limit
    if layer.mask is not None and layer.mask_enabled:
        alpha *= float(layer.mask.values[row, column]) / 255.0
    return alpha
