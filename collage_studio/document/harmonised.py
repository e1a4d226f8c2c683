"""The harmonised stack: the layers with the pixels that an accepted picture gave back to them."""

from __future__ import annotations

from dataclasses import replace

from collage_studio.document.model import BlendMode, Document, Layer, LayerKind
from collage_studio.document.tree import mapped, nodes

GROUND, SHADOW, LIGHT = "written-back-ground", "written-back-shadow", "written-back-light"
"""Ids of the layers beside the user's own: the canvas's pixels, shadows cast, light thrown."""


def cast_id(layer_id: str, caster: str) -> str:
    """Id of the shadow (SHADOW) or light (LIGHT) that a layer casts."""
    return f"{layer_id}:{caster}"


def caster_of(layer: Layer) -> str:
    """Id of the layer that casts this shadow or light; empty for what nobody casts alone."""
    return layer.id.partition(":")[2] if layer.id.startswith((SHADOW, LIGHT)) else ""


def has_harmonised(document: Document) -> bool:
    """Whether any layer carries harmonised pixels."""
    return any(layer.harmonised is not None for layer in document.walk()) or bool(document.beside)


def harmonised_stack(document: Document) -> Document:
    """The stack of harmonised pixels as an ordinary document: normal blending, full opacity.

    The layers keep id, name and place. Shadow and light lie directly above what they fall on: the
    ground, or the lowest layer. They move with the layer that casts them, and go with it. Layers
    without harmonised pixels, such as new ones, show their own.
    """
    ids = {layer.id for layer in document.walk()}
    layers = mapped(document.layers, ids, lambda layer: (_shown(layer),))
    ground = [layer for layer in document.beside if layer.id == GROUND]
    falling = _falling(document)
    lowest = next((one.id for one in document.walk() if one.harmonised is not None), None)
    if ground or lowest is None:
        layers = (*ground, *falling, *layers)
    elif falling:
        layers = mapped(layers, {lowest}, lambda layer: (layer, *falling))
    return replace(document, layers=layers, beside=())


def _falling(document: Document) -> list[Layer]:
    """Shadows and light where their casters lie now; none of hidden or missing ones."""
    there = {node.layer.id: node for node in nodes(document.layers) if node.is_shown}
    found = list[Layer]()
    for layer in document.beside:
        caster = caster_of(layer)
        if layer.id == GROUND or (caster and caster not in there):
            continue
        if caster:
            node = there[caster]
            place = node.outer.after(node.layer.placement).after(layer.placement)
            layer = replace(layer, placement=place)
        found.append(layer)
    return found


def without_harmonised(document: Document) -> Document:
    """The document with the layers' own pixels alone."""
    if not has_harmonised(document):
        return document
    plain = Layer("", "", LayerKind.GROUP)
    ids = {layer.id for layer in document.walk() if layer.harmonised is not None}
    layers = mapped(
        document.layers,
        ids,
        lambda layer: (
            replace(layer, harmonised=None, harmonised_placement=plain.harmonised_placement),
        ),
    )
    return replace(document, layers=layers, beside=(), written_back="")


def _shown(layer: Layer) -> Layer:
    if layer.harmonised is None and not layer.is_group:
        return layer
    if layer.is_group:
        through = BlendMode.PASS_THROUGH
        return replace(layer, opacity=1.0, blend=through, mask=None, clipped=False)
    return replace(
        layer,
        kind=LayerKind.PICTURE,
        opacity=1.0,
        blend=BlendMode.NORMAL,
        mask=None,
        clipped=False,
        raster=layer.harmonised,
        placement=layer.placement.after(layer.harmonised_placement),
        noise_paint=None,
    )
