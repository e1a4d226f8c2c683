"""Brings learned looks into a window: the inspector's section, and the personal library."""

from __future__ import annotations

from collage_studio.document.looks import Look
from collage_studio.ui.panels.look_section import LookSection
from collage_studio.ui.session import Session


def look_section(session: Session) -> LookSection:
    """The section for the layers' page of this session's window."""
    return LookSection(session.editor, session.runs, session.looks)


def keep_finished(session: Session, look: Look) -> None:
    """Put a finished look into the personal library; one that was stopped stays in its document."""
    if look.recipe.finished:
        session.looks.add(look)
