"""Marks the end of a caption that the built-in model does not read."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextEdit

from collage_studio.app.editor import Editor
from collage_studio.app.models import STARTER
from collage_studio.document.model import Caption, Document
from collage_studio.resources_dir import resources_path
from collage_studio.ui.background import Background
from collage_studio.ui.panels.caption_edit import CAPTION_TIP, CaptionEdit
from collage_studio.ui.panels.caption_words import unread
from collage_studio.ui.style import tokens

_log = logging.getLogger(__name__)

LIMIT = 75
"""Tokens that CLIP's text encoder reads beside its own two."""
_WAIT_MS = 400


def read_until(text: str) -> int:
    """How many characters of `text` the built-in model reads; all where that cannot be known."""
    tokenizer = _tokenizer()
    if tokenizer is None:
        return len(text)
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    return int(offsets[LIMIT][0]) if len(offsets) > LIMIT else len(text)


def position_in(caption: Caption, document: Document, characters: int) -> int:
    """Where `characters` of the written caption end in the field, where a chip is one character.

    A chip that is cut counts as read.
    """
    position = 0
    for part in caption.parts:
        if characters <= 0:
            break
        if isinstance(part, str):
            position += min(len(part), characters)
            characters -= len(part)
        else:
            layer = document.find(part.layer_id)
            position += 1
            characters -= len(layer.text.strip()) if layer is not None else 0
    return position


class CaptionLimit(QObject):
    """Underlines in amber what is past the limit, and names it in the tooltip.

    Signals:
        unread_found(frozenset[str]): layers whose words lie past the limit.
    """

    unread_found = Signal(object)

    def __init__(self, edit: CaptionEdit, editor: Editor, background: Background) -> None:
        super().__init__(edit)
        self._edit, self._editor, self._background = edit, editor, background
        self._counted: tuple[str, str] = ("", "")
        self._timer = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._timer.timeout.connect(self._count)
        self._subscription = editor.changed.subscribe(lambda _change: self._timer.start())
        self._timer.start()

    def close(self) -> None:
        """Stop listening; called when the window closes."""
        self._subscription.close()
        self._timer.stop()

    def _count(self) -> None:
        document = self._editor.document
        text, _ = document.written_caption()
        wanted = (text, document.settings.model)
        if wanted == self._counted:
            return
        self._counted = wanted
        if document.settings.model != STARTER:
            self._mark(document, text, len(text))
            return
        self._background.submit(
            lambda: read_until(text), lambda read: self._mark(document, text, read)
        )

    def _mark(self, document: Document, text: str, read: int) -> None:
        if self._editor.document.written_caption()[0] != text:
            return
        skipped = text[read:].strip()
        self._edit.setExtraSelections([self._selection(document, read)] if skipped else [])
        named = f"\nThe model does not read the end: “{skipped}”." if skipped else ""
        self._edit.setToolTip(CAPTION_TIP + named)
        self.unread_found.emit(unread(document, read))

    def _selection(self, document: Document, read: int) -> QTextEdit.ExtraSelection:
        cursor = QTextCursor(self._edit.document())
        last = self._edit.document().characterCount() - 1
        cursor.setPosition(min(position_in(document.caption, document, read), last))
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        look = QTextCharFormat()
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        look.setUnderlineColor(tokens.current().color("warn"))
        selection = QTextEdit.ExtraSelection()
        selection.cursor = cursor  # pyright: ignore[reportAttributeAccessIssue]  missing in the stubs
        selection.format = look  # pyright: ignore[reportAttributeAccessIssue]
        return selection


@cache
def _tokenizer() -> Any:
    """The built-in model's tokenizer; None where it or its library is not installed."""
    file = resources_path("starter", "model", "tokenizer", "tokenizer.json")
    try:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(file)) if file.is_file() else None
    except Exception:  # noqa: BLE001  tokenizers raises bare Exception for a damaged file
        _log.exception("The built-in model's tokenizer cannot be read.")
        return None
