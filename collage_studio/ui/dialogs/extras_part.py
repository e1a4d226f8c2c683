"""The part of the run settings that holds for the whole picture: edges, LoRAs, who judges."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QVBoxLayout, QWidget

from collage_studio.app.editor import Editor
from collage_studio.app.extras_library import ExtrasLibrary
from collage_studio.app.models import ModelLibrary
from collage_studio.document.extras import ControlKind, RunExtras
from collage_studio.formats.extra_files import ExtraKind
from collage_studio.formats.quality_models import CLIP, SAM
from collage_studio.ui.panels.document_page import change_settings
from collage_studio.ui.widgets.basics import Label, listen
from collage_studio.ui.widgets.choice import ChoiceButton
from collage_studio.ui.widgets.extra_files import ExtraChoice, FolderChoice, LoraRows

KINDS = (
    (str(ControlKind.CANNY), "fine edges"),
    (str(ControlKind.SCRIBBLE), "scribbles"),
    (str(ControlKind.TILE), "colours"),
    (str(ControlKind.DEPTH), "depth"),
    (str(ControlKind.POSE), "pose"),
)


class RunExtrasPart(QWidget):
    """Two models to choose, what the first one reads, and LoRAs for the whole picture."""

    def __init__(self, editor: Editor, models: ModelLibrary, library: ExtrasLibrary) -> None:
        super().__init__()
        self._editor, self._models = editor, models
        self._family = ("", "")
        self.control = ExtraChoice(
            library, ExtraKind.CONTROL, "Edges by", "Edges by: The model that follows edges.",
            self._say,
        )  # fmt: skip
        self.kind = ChoiceButton(
            KINDS, caption="Reads", tooltip="Reads: What that model was trained to read."
        )
        self.reference = ExtraChoice(
            library, ExtraKind.REFERENCE, "Likeness by",
            "Likeness by: The model that looks at the cutouts.", self._say,
        )  # fmt: skip
        self.loras = LoraRows(
            library, "Add LoRA: A style or a subject for the whole picture.", self._say
        )
        self.clip = FolderChoice(
            CLIP, "Texts judged by",
            "Texts judged by: A CLIP model that says how well each layer matches its text.",
            self._say,
        )  # fmt: skip
        self.sam = FolderChoice(
            SAM, "Places judged by",
            "Places judged by: A SAM model that says how well each layer fits its box.",
            self._say,
        )  # fmt: skip
        self._said = Label("", "danger")
        self._said.setWordWrap(True)
        self._said.hide()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        parts = (self.control, self.kind, self.reference, self.loras, self.clip, self.sam)
        for part in (*parts, self._said):
            rows.addWidget(part)
        listen(self.control.taken, lambda path: self._change("Edges by", control_model=path))
        listen(self.kind.chosen, lambda kind: self._change("Reads", control_kind=ControlKind(kind)))
        listen(self.reference.taken, lambda path: self._change("Likeness", reference_model=path))
        listen(self.loras.changed, lambda uses: self._change("LoRAs", merge="loras", loras=uses))
        self.loras.finished.connect(editor.seal)
        listen(self.clip.taken, lambda path: self._change("Texts judged by", clip_model=path))
        listen(self.sam.taken, lambda path: self._change("Places judged by", sam_model=path))

    def show_extras(self, extras: RunExtras) -> None:
        """Show what the document's runs are given."""
        family = self._model_family()
        self.control.show_file(extras.control_model, family)
        self.kind.show_value(str(extras.control_kind))
        self.kind.setVisible(bool(extras.control_model))
        self.reference.show_file(extras.reference_model, family)
        self.loras.show_uses(extras.loras, family)
        self.clip.show_folder(extras.clip_model)
        self.sam.show_folder(extras.sam_model)

    def _model_family(self) -> str:
        model = self._editor.document.settings.model
        if self._family[0] != model:
            self._family = model, self._models.find(model).family
        return self._family[1]

    def _change(self, what: str, *, merge: str = "", **changes: object) -> None:
        self._say("")
        now = self._editor.document.settings.extras
        extras = replace(now, **changes)  # pyright: ignore[reportArgumentType]  names are fields
        change_settings(self._editor, what, merge=merge, extras=extras)

    def _say(self, words: str) -> None:
        self._said.show_text(words)
        self._said.setVisible(bool(words))


def summary(extras: RunExtras) -> str:
    """What is on, in a few words."""
    words = ["edges"] if extras.control_model else []
    words += ["likeness"] if extras.reference_model else []
    count = len(extras.loras)
    words += [f"{count} LoRA" + ("s" if count > 1 else "")] if count else []
    words += ["quality"] if extras.clip_model or extras.sam_model else []
    return " · ".join(words) or "none"
