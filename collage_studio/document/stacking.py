"""Edits of the layer stack: pure functions Document -> Document.

An edit that hits a missing layer, or changes nothing, returns the very same document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from collage_studio.document.geometry import IDENTITY, Affine
from collage_studio.document.model import (
    BlendMode,
    Caption,
    Document,
    Layer,
    LayerKind,
    LayerRef,
    NextState,
    new_id,
)
from collage_studio.document.recipe import RunSettings
from collage_studio.document.tree import (
    Node,
    find_node,
    inserted,
    leaves,
    mapped,
    nodes,
    outer_placement,
    outermost,
)

COPY_OFFSET_PX = 12.0


def add_layer(
    document: Document, layer: Layer, *, parent: str = "", index: int | None = None
) -> Document:
    """Put `layer` into group `parent` (the top level if empty) at `index`; None = on top."""
    siblings = children_of(document, parent)
    if siblings is None:
        return document
    at = len(siblings) if index is None else max(0, min(index, len(siblings)))
    return with_layers(document, inserted(document.layers, parent, at, (layer,)))


def remove_layers(document: Document, ids: Collection[str]) -> Document:
    """Take layers and groups out. Their chips stay in the caption, where they show as broken."""
    return with_layers(document, mapped(document.layers, set(ids), lambda _layer: ()))


def move_layer(document: Document, layer_id: str, *, parent: str = "", index: int) -> Document:
    """Move a layer to `index` among the children of `parent`, counted without the layer itself.

    It keeps its place on the canvas. A group cannot move into itself.
    """
    node, target = find_node(document, layer_id), _find_group(document, parent)
    if node is None or (parent and target is None):
        return document
    path = (*target.path, target.layer) if target else ()
    if any(group.id == layer_id for group in path):
        return document
    siblings = [one for one in children_of(document, parent) or () if one.id != layer_id]
    index = max(0, min(index, len(siblings)))
    if node.parent_id == parent and node.index == index:
        return document
    moved = _seen_from(node, outer_placement(path))
    without = remove_layers(document, {layer_id})
    return with_layers(without, inserted(without.layers, parent, index, (moved,)))


def change_layer(document: Document, layer_id: str, **changes: Any) -> Document:
    """Replace fields of one layer, group or the background, as `dataclasses.replace` does."""
    return change_layers(document, (layer_id,), lambda layer: _with(layer, changes))


def change_layers(
    document: Document, ids: Collection[str], change: Callable[[Layer], Layer]
) -> Document:
    """Replace each named layer, the background too, by what `change` makes of it."""
    changed = with_layers(
        document, mapped(document.layers, set(ids), lambda layer: (change(layer),))
    )
    background = changed.background
    if background.id not in ids:
        return changed
    after = change(background)
    return changed if after is background else replace(changed, background=after)


def set_noise(document: Document, ids: Collection[str], value: float) -> Document:
    """Set the noise of layers and of all layers inside groups.

    0 keeps the layer and leaves its old value remembered; more lets a kept layer run again.
    """
    return change_layers(document, _with_contents(document, ids), lambda one: _noisy(one, value))


def set_state(document: Document, ids: Collection[str], state: NextState) -> Document:
    """Choose what the next run does with layers; their noise is remembered."""
    return change_layers(document, ids, lambda layer: _with(layer, {"state": state}))


def transform_layers(document: Document, ids: Collection[str], transform: Affine) -> Document:
    """Apply a map in canvas px to layers and groups; a child moves with its group, not twice."""
    if transform == IDENTITY:
        return document
    placed = {
        node.layer.id: _through(node.outer, transform).after(node.layer.placement)
        for node in outermost(document, ids)
    }
    return change_layers(document, placed, lambda one: replace(one, placement=placed[one.id]))


def duplicate_layers(document: Document, ids: Collection[str]) -> Document:
    """Put a copy 12 px right and below each layer, directly above it, under a new id."""
    offset = Affine.translation(COPY_OFFSET_PX, COPY_OFFSET_PX)
    copies: dict[str, Layer] = {}
    for node in outermost(document, ids):
        placement = _through(node.outer, offset).after(node.layer.placement)
        copies[node.layer.id] = replace(
            _renewed(node.layer), name=f"{node.layer.name} copy", placement=placement
        )
    return with_layers(
        document, mapped(document.layers, copies, lambda layer: (layer, copies[layer.id]))
    )


def group_layers(
    document: Document, ids: Collection[str], name: str, *, group_id: str = ""
) -> Document:
    """Gather layers in a new group where the frontmost of them was; each keeps its place."""
    members = outermost(document, ids)
    if not members:
        return document
    front = members[-1]
    group = Layer(
        group_id or new_id(),
        name,
        LayerKind.GROUP,
        blend=BlendMode.PASS_THROUGH,
        children=tuple(_seen_from(member, front.outer) for member in members),
    )
    others = {member.layer.id for member in members} - {front.layer.id}
    rest = mapped(document.layers, others, lambda _layer: ())
    return with_layers(document, mapped(rest, {front.layer.id}, lambda _layer: (group,)))


def ungroup(document: Document, group_id: str) -> Document:
    """Put a group's children in its place; they take over what can be passed on to each."""
    node = _find_group(document, group_id)
    if node is None:
        return document
    return with_layers(document, mapped(document.layers, {group_id}, _released))


def set_caption(document: Document, caption: Caption) -> Document:
    """Replace the caption."""
    return document if caption == document.caption else replace(document, caption=caption)


def add_chip(document: Document, layer_id: str) -> Document:
    """Append a layer's chip to the caption, after a comma; nothing if it is there already."""
    if document.find(layer_id) is None or layer_id in document.caption.layer_ids:
        return document
    parts = document.caption.parts
    ends_open = not parts or (isinstance(parts[-1], str) and parts[-1][-1:] in ("", " ", "\n"))
    comma = () if ends_open else (", ",)
    return set_caption(document, Caption((*parts, *comma, LayerRef(layer_id))))


def set_settings(document: Document, settings: RunSettings) -> Document:
    """Replace what the next run needs beside the layers."""
    return document if settings == document.settings else replace(document, settings=settings)


def children_of(document: Document, parent: str) -> tuple[Layer, ...] | None:
    """The layers in group `parent`, or at the top level if empty; None if there is no such one."""
    if not parent:
        return document.layers
    group = _find_group(document, parent)
    return group.layer.children if group else None


def with_layers(document: Document, layers: tuple[Layer, ...]) -> Document:
    """The document with these layers; the same one if they are the same."""
    return document if layers is document.layers else replace(document, layers=layers)


def _with(layer: Layer, changes: Mapping[str, Any]) -> Layer:
    same = all(getattr(layer, name) == value for name, value in changes.items())
    return layer if same else replace(layer, **changes)


def _noisy(layer: Layer, value: float) -> Layer:
    if value == 0:
        return _with(layer, {"state": NextState.KEEP})
    woken = NextState.HARMONISE if layer.state is NextState.KEEP else layer.state
    return _with(layer, {"noise": value, "state": woken})


def _with_contents(document: Document, ids: Collection[str]) -> set[str]:
    named = set(ids)
    for node in nodes(document.layers):
        if node.layer.id in ids:
            named.update(leaf.id for leaf in leaves(node.layer))
    return named


def _find_group(document: Document, group_id: str) -> Node | None:
    node = find_node(document, group_id)
    return node if node and node.layer.is_group else None


def _through(outer: Affine, transform: Affine) -> Affine:
    """A canvas map as seen by a layer that lies under `outer`."""
    return transform if outer == IDENTITY else outer.inverse().after(transform).after(outer)


def _seen_from(node: Node, outer: Affine) -> Layer:
    """The layer with the placement that shows it at its present place under `outer`."""
    if node.outer == outer:
        return node.layer
    placement = outer.inverse().after(node.outer).after(node.layer.placement)
    return replace(node.layer, placement=placement)


def _renewed(layer: Layer) -> Layer:
    """A copy under fresh ids, all the way down."""
    return replace(layer, id=new_id(), children=tuple(_renewed(one) for one in layer.children))


def _released(group: Layer) -> tuple[Layer, ...]:
    state = group.state if group.state is not NextState.HARMONISE else None
    return tuple(
        replace(
            child,
            placement=group.placement.after(child.placement),
            opacity=group.opacity * child.opacity,
            visible=group.visible and child.visible,
            state=state or child.state,
        )
        for child in group.children
    )
