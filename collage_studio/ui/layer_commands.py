"""The Edit and Layer menus: functions over the selected layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication

from collage_studio.app.editor import Editor
from collage_studio.app.notices import Notice
from collage_studio.app.selection import Selection
from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Layer, NextState, new_id
from collage_studio.document.tree import find_node
from collage_studio.ui import layer_edits
from collage_studio.ui.action_table import ActionTable
from collage_studio.ui.widgets.thumbs import eight_bit, image_of

LAYERS_MIME = "application/x-collage-studio-layers"
_EDGES = {
    "left": "left", "center": "centre", "right": "right",
    "top": "top", "middle": "middle", "bottom": "bottom",
}  # fmt: skip
LAYER_MENU = (
    "layer.rename", "layer.text", "layer.add_chip", "", "layer.keep", "layer.harmonise",
    "layer.reroll", "harmonise.reroll_now", "harmonise.reroll_original",
    "harmonise.reroll_noise", "layer.fill_behind", "",
    "mask.remove_background", "mask.refine", "mask.edge", "",
    "layer.raise", "layer.lower", "layer.to_front", "layer.to_back", "",
    "edit.duplicate", "layer.group", "layer.ungroup", "layer.clip", "",
    "layer.flip_horizontal", "layer.flip_vertical", "layer.reset_transform", "",
    "layer.visible", "layer.lock", "edit.delete",
)  # fmt: skip


class LayerCommands:
    """Binds what acts on layers."""

    def __init__(
        self,
        editor: Editor,
        selection: Selection,
        notice: Callable[[Notice], None],
        paste_foreign: Callable[[], bool],
    ) -> None:
        self._editor, self._selection = editor, selection
        self._notice, self._paste_foreign = notice, paste_foreign
        self._copied: tuple[Layer, ...] = ()

    def bind(self, table: ActionTable) -> None:
        """Give the table its functions."""
        plain: dict[str, Callable[[], object]] = {
            "edit.undo": self._editor.undo,
            "edit.redo": self._editor.redo,
            "edit.copy": self.copy,
            "edit.cut": self.cut,
            "edit.paste": self.paste,
            "edit.duplicate": self.duplicate,
            "edit.delete": self.delete,
            "edit.select_all": self.select_all,
            "edit.select_none": lambda: self._selection.select(()),
            "layer.group": self.group,
            "layer.ungroup": self.ungroup,
            "layer.clip": self.toggle_clip,
            "layer.raise": lambda: self.reorder(lambda place, last: place + 1),
            "layer.lower": lambda: self.reorder(lambda place, last: place - 1),
            "layer.to_front": lambda: self.reorder(lambda place, last: last),
            "layer.to_back": lambda: self.reorder(lambda place, last: 0),
            "layer.add_chip": self.add_chip,
            "layer.flip_horizontal": lambda: self.flip(horizontal=True),
            "layer.flip_vertical": lambda: self.flip(horizontal=False),
            "layer.reset_transform": self.reset_transform,
            "layer.visible": self.toggle_visible,
            "layer.lock": self.toggle_lock,
            "layer.noise_less": lambda: self.shift_noise(-0.05),
            "layer.noise_more": lambda: self.shift_noise(0.05),
            "layer.clear_paint": lambda: layer_edits.clear_paint(self._editor, self._ids),
        }
        for action_id, call in plain.items():
            table.bind(action_id, call)
        for name, edge in _EDGES.items():
            table.bind(f"layer.align_{name}", lambda edge=edge: self.align(edge))
        for state in NextState:
            table.bind(f"layer.{state}", lambda state=state: self.set_state(state))
        for percent in range(10, 100, 10):
            table.bind(f"layer.noise_{percent}", lambda p=percent: self.set_noise(p / 100))
        for percent in range(10, 101, 10):
            table.bind(f"layer.opacity_{percent}", lambda p=percent: self.set_opacity(p / 100))

    @property
    def _ids(self) -> tuple[str, ...]:
        return self._selection.ids

    def _free_ids(self) -> tuple[str, ...]:
        """The selected layers without the background."""
        return tuple(i for i in self._ids if i != self._editor.document.background.id)

    def _name(self) -> str:
        return layer_edits.names_of(self._editor.document, self._free_ids())

    def delete(self) -> None:
        """Remove the layers; a notice offers Undo instead of a question before."""
        ids, name = self._free_ids(), self._name()
        if not ids:
            return
        self._editor.apply(lambda d: edits.remove_layers(d, ids), f"Delete {name}")
        undo = (("Undo", "edit.undo"),)
        self._notice(Notice(f"Deleted {name}.", "info", undo, key="deleted"))

    def duplicate(self) -> None:
        """Copy the layers beside themselves and select the copies."""
        ids = self._free_ids()
        before = {layer.id for layer in self._editor.document.walk()}
        self._editor.apply(lambda d: edits.duplicate_layers(d, ids), f"Duplicate {self._name()}")
        fresh = [layer.id for layer in self._editor.document.walk() if layer.id not in before]
        self._selection.select(fresh)

    def group(self) -> None:
        """Put the layers into a new group and select it."""
        ids, group_id = self._free_ids(), new_id()
        self._editor.apply(
            lambda d: edits.group_layers(d, ids, "Group", group_id=group_id), "Group"
        )
        if self._editor.document.find(group_id) is not None:
            self._selection.select((group_id,))

    def ungroup(self) -> None:
        """Take the layers of the selected groups out."""
        document = self._editor.document
        groups = [i for i in self._ids if (layer := document.find(i)) and layer.is_group]

        def ungrouped(document: Document) -> Document:
            for group_id in groups:
                document = edits.ungroup(document, group_id)
            return document

        children = [c.id for g in groups if (layer := document.find(g)) for c in layer.children]
        self._editor.apply(ungrouped, "Ungroup")
        self._selection.select(children)

    def toggle_clip(self) -> None:
        """Clip the layers to what lies below them, or free them if the active one is clipped."""
        ids, document = self._free_ids(), self._editor.document
        active = document.find(self._selection.active)
        if active is None or not ids:
            return
        on = not active.clipped
        if on and all(edits.clip_base(document, layer_id) is None for layer_id in ids):
            self._notice(Notice(f"Nothing lies below {active.name} to clip it to.", key="clip"))
            return
        label = "Clip" if on else "Release"
        self._editor.apply(lambda d: edits.set_clipped(d, ids, on), f"{label} {self._name()}")

    def reorder(self, place_of: Callable[[int, int], int]) -> None:
        """Move the layer among its siblings: from its place and the last one to a new place."""
        ids = self._free_ids()
        node = find_node(self._editor.document, ids[0]) if len(ids) == 1 else None
        if node is None:
            return
        parent = self._editor.document.find(node.parent_id) if node.parent_id else None
        siblings = parent.children if parent else self._editor.document.layers
        index = min(max(place_of(node.index, len(siblings) - 1), 0), len(siblings) - 1)
        self._editor.apply(
            lambda d: edits.move_layer(d, ids[0], parent=node.parent_id, index=index),
            f"Order of {self._name()}",
        )

    def add_chip(self) -> None:
        """Put the layer's text into the caption."""
        ids = self._ids
        self._editor.apply(lambda d: edits.add_chip(d, ids[-1]), "Add to caption")

    def flip(self, *, horizontal: bool) -> None:
        """Mirror the layers."""
        ids = self._free_ids()
        self._editor.apply(lambda d: edits.flip_layers(d, ids, horizontal), f"Flip {self._name()}")

    def align(self, edge: str) -> None:
        """Line the layers up."""
        ids = self._free_ids()
        self._editor.apply(lambda d: edits.align_layers(d, ids, edge), f"Align {self._name()}")

    def reset_transform(self) -> None:
        """Own size, upright, the centre where it was."""
        layer_edits.change(self._editor, self._free_ids(), "Transform", _reset)

    def toggle_visible(self) -> None:
        """Hide the layers, or show them if the active one is hidden."""
        active = self._editor.document.find(self._selection.active)
        if active is not None:
            layer_edits.set_visible(self._editor, self._ids, not active.visible)

    def toggle_lock(self) -> None:
        """Lock the layers, or free them if the active one is locked."""
        active = self._editor.document.find(self._selection.active)
        if active is not None:
            layer_edits.set_locked(self._editor, self._free_ids(), not active.locked)

    def set_state(self, state: NextState) -> None:
        """Choose what the next run does; the same choice again goes back to Harmonise."""
        active = self._editor.document.find(self._selection.active)
        again = active is not None and active.state is state is NextState.REROLL
        layer_edits.set_state(self._editor, self._ids, NextState.HARMONISE if again else state)

    def set_noise(self, noise: float) -> None:
        """Give the layers noise in [0, 1]."""
        layer_edits.set_noise(self._editor, self._ids, noise)
        self._editor.seal()

    def shift_noise(self, by: float) -> None:
        """More or less noise for the layers."""
        layer_edits.shift_noise(self._editor, self._ids, by)

    def set_opacity(self, opacity: float) -> None:
        """Give the layers opacity in [0, 1]."""
        layer_edits.change(
            self._editor, self._free_ids(), "Opacity", lambda one: replace(one, opacity=opacity)
        )

    def select_all(self) -> None:
        """Select every layer at the top."""
        self._selection.select(layer.id for layer in self._editor.document.layers)

    def copy(self) -> None:
        """Keep the layers for paste, and their picture for other programs."""
        document = self._editor.document
        found = (document.find(i) for i in self._free_ids())
        self._copied = tuple(layer for layer in found if layer is not None)
        if not self._copied:
            return
        data = QMimeData()
        data.setData(LAYERS_MIME, b"1")
        last = next((one for one in reversed(self._copied) if one.raster is not None), None)
        if last is not None and last.raster is not None:
            data.setImageData(image_of(eight_bit(last.raster)))
        QGuiApplication.clipboard().setMimeData(data)

    def release(self) -> None:
        """Take copied layers off the clipboard; they die with this window.

        Qt's own clipboard destroys what it still holds after the application object is gone,
        which ends the process with a segmentation fault.
        """
        clipboard = QGuiApplication.clipboard()
        if self._copied and LAYERS_MIME in (clipboard.mimeData() or QMimeData()).formats():
            clipboard.clear()

    def cut(self) -> None:
        """Copy, then remove."""
        self.copy()
        ids, name = self._free_ids(), self._name()
        self._editor.apply(lambda d: edits.remove_layers(d, ids), f"Cut {name}")

    def paste(self) -> None:
        """Paste copied layers, or what another program copied."""
        data = QGuiApplication.clipboard().mimeData()
        if not (data.hasFormat(LAYERS_MIME) and self._copied):
            if not self._paste_foreign():
                self._notice(Notice("There is no picture on the clipboard.", key="paste"))
            return
        fresh = tuple(_renewed(layer) for layer in self._copied)

        def pasted(document: Document) -> Document:
            for layer in fresh:
                document = edits.add_layer(document, layer)
            return document

        self._editor.apply(pasted, "Paste")
        self._selection.select(layer.id for layer in fresh)


def _reset(layer: Layer) -> Layer:
    if layer.raster is None:
        return replace(layer, placement=Affine())
    width, height = layer.raster.size.width, layer.raster.size.height
    x, y = layer.placement.apply(width / 2, height / 2)
    return replace(layer, placement=Affine.translation(x - width / 2, y - height / 2))


def _renewed(layer: Layer) -> Layer:
    """The layer under fresh ids, 12 px right and below."""
    moved = Affine.translation(12, 12).after(layer.placement)
    children = tuple(_with_new_ids(child) for child in layer.children)
    return replace(layer, id=new_id(), placement=moved, children=children)


def _with_new_ids(layer: Layer) -> Layer:
    return replace(layer, id=new_id(), children=tuple(_with_new_ids(c) for c in layer.children))
