"""What a person's hand does to layers, as named edits with their merge keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from collage_studio.app.editor import Editor
from collage_studio.document import edits
from collage_studio.document.model import Document, Layer, NextState

SMALLEST_NOISE = 0.05
"""A layer taken out of Keep gets at least this much, else DEFAULT_NOISE."""
DEFAULT_NOISE = 0.5


def names_of(document: Document, ids: Sequence[str]) -> str:
    """ "Tent", or "3 layers": for labels of edits."""
    if len(ids) == 1:
        layer = document.find(ids[0])
        return layer.name if layer else "layer"
    return f"{len(ids)} layers"


def change(
    editor: Editor, ids: Sequence[str], what: str, fn: Callable[[Layer], Layer], *, merge: str = ""
) -> None:
    """Apply `fn` to each of the layers as one edit named "`what` of Tent"."""
    if ids:
        label = f"{what} of {names_of(editor.document, ids)}"
        key = f"{merge}:{','.join(ids)}" if merge else ""
        editor.apply(lambda document: edits.change_layers(document, ids, fn), label, merge=key)


def shown_noise(layer: Layer) -> float | None:
    """Noise in [0, 1] as rows and bars show it: 0 for Keep; None for a group of differing ones."""
    if not layer.is_group:
        return layer.effective_noise
    values = {leaf.effective_noise for leaf in layer.walk() if not leaf.is_group}
    if layer.state is NextState.KEEP or not values:
        return layer.effective_noise
    return values.pop() if len(values) == 1 else None


def set_noise(editor: Editor, ids: Sequence[str], noise: float) -> None:
    """Give the layers `noise` in [0, 1]; a drag is one edit until `editor.seal`."""
    value = min(max(noise, 0.0), 1.0)
    label = f"Noise of {names_of(editor.document, ids)}"
    merge = f"noise:{','.join(ids)}"
    editor.apply(lambda document: edits.set_noise(document, ids, value), label, merge=merge)


def shift_noise(editor: Editor, ids: Sequence[str], by: float) -> None:
    """Move the layers' noise by the same amount."""

    def shifted(document: Document) -> Document:
        for layer_id in ids:
            layer = document.find(layer_id)
            if layer is not None:
                value = min(max((shown_noise(layer) or 0.0) + by, 0.0), 1.0)
                document = edits.set_noise(document, (layer_id,), round(value, 4))
        return document

    label = f"Noise of {names_of(editor.document, ids)}"
    editor.apply(shifted, label, merge=f"noise:{','.join(ids)}")


def set_state(editor: Editor, ids: Sequence[str], state: NextState) -> None:
    """Choose Keep, Harmonise or Re-roll; out of Keep a layer gets some noise if it has none."""

    def chosen(document: Document) -> Document:
        document = edits.set_state(document, ids, state)
        if state is NextState.KEEP:
            return document
        return edits.change_layers(document, ids, _with_some_noise)

    editor.apply(chosen, f"Next run of {names_of(editor.document, ids)}")


def _with_some_noise(layer: Layer) -> Layer:
    has_some = layer.noise >= SMALLEST_NOISE or layer.noise_paint is not None
    return layer if has_some else replace(layer, noise=DEFAULT_NOISE)


def clear_paint(editor: Editor, ids: Sequence[str]) -> None:
    """Take painted noise off the layers, and off what groups of them hold."""
    layers = (layer for layer in map(editor.document.find, ids) if layer is not None)
    painted = {leaf.id for one in layers for leaf in one.walk() if leaf.noise_paint is not None}
    if painted:
        label = f"Clear painted noise of {names_of(editor.document, ids)}"
        editor.apply(
            lambda document: edits.change_layers(
                document, tuple(painted), lambda layer: replace(layer, noise_paint=None)
            ),
            label,
        )


def set_text(editor: Editor, ids: Sequence[str], text: str) -> None:
    """Give the layers their words."""
    change(editor, ids, "Text", lambda layer: replace(layer, text=text), merge="text")


def set_visible(editor: Editor, ids: Sequence[str], visible: bool) -> None:
    """Show or hide layers."""
    change(editor, ids, "Visibility", lambda layer: replace(layer, visible=visible))


def set_locked(editor: Editor, ids: Sequence[str], locked: bool) -> None:
    """Lock layers against moving, or free them."""
    change(editor, ids, "Lock", lambda layer: replace(layer, locked=locked))


def rename(editor: Editor, layer_id: str, name: str) -> None:
    """Call a layer `name`; an empty name changes nothing."""
    if name.strip():
        change(editor, (layer_id,), "Name", lambda layer: replace(layer, name=name.strip()))


def show_only(editor: Editor, layer_id: str) -> None:
    """Show this layer, hide its siblings; again shows all."""
    document = editor.document
    others = [layer.id for layer in document.layers if layer.id != layer_id]
    hide = any(layer.visible for layer in document.layers if layer.id in others)
    wanted = {layer_id: True} | dict.fromkeys(others, not hide)
    change(
        editor,
        tuple(wanted),
        "Visibility",
        lambda layer: replace(layer, visible=wanted[layer.id]),
    )
