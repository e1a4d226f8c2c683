"""The inspector's folded lines for edges, likeness and LoRAs of the selected layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.extras_library import ExtrasLibrary, reason_against
from collage_studio.app.models import ModelLibrary
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.extras import LoraUse
from collage_studio.document.model import Layer, LayerKind, Raster
from collage_studio.document.tree import leaves
from collage_studio.formats.errors import FormatError
from collage_studio.formats.extra_files import ExtraKind
from collage_studio.formats.images import load_image
from collage_studio.ui import layer_edits
from collage_studio.ui.panels.document_page import change_settings
from collage_studio.ui.widgets.basics import Label, line, listen
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.extra_files import ExtraChoice, LoraRows
from collage_studio.ui.widgets.fold import Fold
from collage_studio.ui.widgets.value_bar import ValueBar

EDGES_TIP = "Edges: How closely the outline is followed."
LIKENESS_TIP = "Likeness: How firmly the model keeps to this cutout's look."
LORA_TIP = "Add LoRA: A style or a subject for this layer's place alone."
_DRAWN, _OWN, _CHOOSE = "", "own", "choose"


class ExtrasSection(QWidget):
    """A fold with a bar for edges, one for likeness, and the layer's LoRAs.

    A bar that nothing listens to is disabled, says why, and has the button that changes it.
    """

    def __init__(
        self,
        editor: Editor,
        models: ModelLibrary,
        library: ExtrasLibrary,
        store: PreferencesStore,
    ) -> None:
        super().__init__()
        self._editor, self._models, self._library = editor, models, library
        self._layers: tuple[Layer, ...] = ()
        self._family = ("", "")
        self._dialog: QFileDialog | None = None
        self.fold = Fold("Edges and style")
        self.edges = ValueBar("Edges")
        self.control = ExtraChoice(
            library, ExtraKind.CONTROL, "Edges by", "Edges by: The model that follows edges.",
            self._say,
        )  # fmt: skip
        self.picture = ChoiceButton(
            caption="From",
            tooltip="From: What is followed, the cutout's own edges or another picture.",
        )
        self.likeness = ValueBar("Likeness")
        self.reference = ExtraChoice(
            library, ExtraKind.REFERENCE, "Likeness by",
            "Likeness by: The model that looks at the cutouts.", self._say,
        )  # fmt: skip
        self.loras = LoraRows(library, LORA_TIP, self._say)
        self._why_edges, self._why_likeness = Label("", "small"), Label("", "small")
        self._said = Label("", "danger")
        self._build()
        self._connect()
        self._subscriptions = [
            editor.changed.subscribe(lambda change: self._on_changed(change.before, change.after)),
            store.changed.subscribe(lambda preferences: self._refresh()),
        ]

    def widget(self) -> QWidget:
        """The section itself."""
        return self

    def close_subscriptions(self) -> None:
        """Stop listening; called when the window closes."""
        for subscription in self._subscriptions:
            subscription.close()

    def _build(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(line("h"))
        whole.addWidget(self.fold)
        body = self.fold.body
        body.setSpacing(6)
        body.addWidget(self.edges)
        body.addWidget(self._why_edges)
        body.addWidget(self.control)
        body.addWidget(self.picture)
        body.addSpacing(4)
        body.addWidget(self.likeness)
        body.addWidget(self._why_likeness)
        body.addWidget(self.reference)
        body.addSpacing(4)
        body.addWidget(self.loras)
        body.addWidget(self._said)
        for label in (self._why_edges, self._why_likeness, self._said):
            label.setWordWrap(True)
            label.hide()

    def _connect(self) -> None:
        listen(self.edges.changed, lambda v: self._change_leaves("Edges", control=v / 100))
        listen(self.likeness.changed, lambda v: self._change_leaves("Likeness", reference=v / 100))
        listen(self.loras.changed, self._take_loras)
        for part in (self.edges, self.likeness, self.loras):
            part.finished.connect(self._editor.seal)
        listen(self.control.taken, lambda path: self._choose("Edges by", control_model=path))
        listen(self.reference.taken, lambda path: self._choose("Likeness by", reference_model=path))
        listen(self.picture.chosen, self._take_picture)

    # What there is

    def show_layers(self, layers: Sequence[Layer]) -> None:
        """Show what these layers are given."""
        self._layers = tuple(layers)
        self._say("")
        self._refresh()

    def _on_changed(self, before: Any, after: Any) -> None:
        if before.settings != after.settings:
            self._refresh()

    def _refresh(self) -> None:
        inside = self._leaves()
        self.setVisible(bool(inside))
        if not inside:
            return
        family, extras = self._model_family(), self._editor.document.settings.extras
        self.control.show_file(extras.control_model, family)
        self.reference.show_file(extras.reference_model, family)
        _show(self.edges, EDGES_TIP, [leaf.extras.control for leaf in inside])
        _show(self.likeness, LIKENESS_TIP, [leaf.extras.reference for leaf in inside])
        self._explain(self.edges, self._why_edges, self._against_edges(inside))
        self._explain(self.likeness, self._why_likeness, self._against_likeness(inside, family))
        self._show_picture(inside)
        lists = {layer.extras.loras for layer in self._layers}
        self.loras.show_uses(lists.pop() if len(lists) == 1 else (), family)
        self.fold.line.show_values(self._summary(extras.control_model, extras.reference_model))

    def _summary(self, control: str, reference: str) -> str:
        words = [f"edges {self.edges.text()}"] if control and self.edges.isEnabled() else []
        words += [f"likeness {self.likeness.text()}"] if reference else []
        count = len(self.loras.uses)
        words += [f"{count} LoRA" + ("s" if count > 1 else "")] if count else []
        return " · ".join(words) or "none"

    def _model_family(self) -> str:
        """The family of the document's model; its file is read once."""
        model = self._editor.document.settings.model
        if self._family[0] != model:
            self._family = model, self._models.find(model).family
        return self._family[1]

    def _explain(self, bar: ValueBar, label: Label, reason: str) -> None:
        bar.setEnabled(not reason)
        if reason:
            bar.setToolTip(reason)
        label.show_text(reason)
        label.setVisible(bool(reason))

    def _against_edges(self, inside: Sequence[Layer]) -> str:
        extras = self._editor.document.settings.extras
        if not extras.control_model:
            known = self._library.fitting(ExtraKind.CONTROL, self._model_family())
            way = f"Choose {known[0].name} or another one below." if known else "Add one below."
            return f"Edges need a model that follows them. {way}"
        note = self._library.find(extras.control_model, ExtraKind.CONTROL).note
        kind = extras.control_kind
        has_own = any(leaf.extras.control_picture for leaf in inside)
        if note or has_own or self._editor.document.background.extras.control_picture:
            return note
        if not kind.is_drawn_from_cutouts:
            return f"For {kind} a picture is needed. Choose one below."
        if all(leaf.kind is LayerKind.FILL for leaf in inside):
            return "A plain colour has no edges. Choose a picture below."
        return ""

    def _against_likeness(self, inside: Sequence[Layer], family: str) -> str:
        reason = reason_against(ExtraKind.REFERENCE, family)
        path = self._editor.document.settings.extras.reference_model
        if reason:
            return reason
        if not path:
            return "Likeness needs a model that looks at pictures. Choose or add one below."
        if all(leaf.raster is None for leaf in inside):
            return "A plain colour has no look to keep."
        return self._library.find(path, ExtraKind.REFERENCE).note

    def _show_picture(self, inside: Sequence[Layer]) -> None:
        owned = [leaf.extras.control_picture for leaf in inside]
        drawn = "the cutout" if any(leaf.raster for leaf in inside) else "nothing"
        options = [(_DRAWN, drawn), (_CHOOSE, "Choose picture")]
        self.picture.set_options([*options, (_OWN, "own picture")] if any(owned) else options)
        self.picture.show_value(_OWN if any(owned) else _DRAWN)
        wanted = bool(self._editor.document.settings.extras.control_model)
        self.picture.setVisible(wanted and len(inside) == 1)

    # What a person does

    def _leaves(self) -> tuple[Layer, ...]:
        """The selected layers, or what lies in selected groups."""
        found = (leaf for layer in self._layers for leaf in leaves(layer))
        return tuple({leaf.id: leaf for leaf in found}.values())

    def _change_leaves(self, what: str, **changes: float) -> None:
        layer_edits.change(
            self._editor,
            tuple(leaf.id for leaf in self._leaves()),
            what,
            lambda layer: replace(layer, extras=replace(layer.extras, **changes)),
            merge=what.lower(),
        )

    def _take_loras(self, uses: tuple[LoraUse, ...]) -> None:
        layer_edits.change(
            self._editor,
            tuple(layer.id for layer in self._layers),
            "LoRAs",
            lambda layer: replace(layer, extras=replace(layer.extras, loras=uses)),
            merge="loras",
        )

    def _choose(self, what: str, **changes: str) -> None:
        extras = replace(self._editor.document.settings.extras, **changes)
        change_settings(self._editor, what, extras=extras)
        self._refresh()

    def _take_picture(self, value: str) -> None:
        if value == _DRAWN:
            self.give_picture(None)
        elif value == _CHOOSE:
            self._show_picture(self._leaves())
            dialog = QFileDialog(self.window(), "Choose picture")
            dialog.setNameFilter("Pictures (*.png *.jpg *.jpeg *.webp *.tif *.tiff)")
            listen(dialog.fileSelected, lambda text: self.open_picture(Path(text)))
            self._dialog = dialog
            dialog.open()

    def open_picture(self, path: Path) -> None:
        """Give the layer the control picture in a file; why not is told."""
        try:
            self.give_picture(load_image(path))
        except FormatError as error:
            self._say(str(error))

    def give_picture(self, picture: Raster | None) -> None:
        """Follow this picture, or the cutout again."""
        layer_edits.change(
            self._editor,
            tuple(leaf.id for leaf in self._leaves()),
            "Edge picture",
            lambda layer: replace(layer, extras=replace(layer.extras, control_picture=picture)),
        )

    def _say(self, words: str) -> None:
        self._said.show_text(words)
        self._said.setVisible(bool(words))


def _show(bar: ValueBar, tip: str, values: Sequence[float]) -> None:
    bar.show_value(values[-1] * 100, mixed=len(set(values)) > 1)
    bar.setToolTip(tip)
