"""Brings edges, likeness and LoRAs into a window: the inspector's section for layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collage_studio.ui.session import Session

if TYPE_CHECKING:
    from collage_studio.ui.panels.extras_section import ExtrasSection


def extras_section(session: Session) -> ExtrasSection:
    """The section for the layers' page of this session's window."""
    from collage_studio.app.extras_library import ExtrasLibrary
    from collage_studio.ui.panels.extras_section import ExtrasSection

    library = ExtrasLibrary(session.store)
    return ExtrasSection(session.editor, session.library, library, session.store)
