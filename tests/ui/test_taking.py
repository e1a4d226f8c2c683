"""Taking a layer from another variation, and harmonising what changed, from the window."""

from __future__ import annotations

from ui_documents import OpenWindow, camp, variation

from collage_studio.app.stale import what_changed
from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.engine.api import RerollRequest
from collage_studio.ui.panels.strip_looks import ACCEPTED, COLLAGE


def _with_two(opened: OpenWindow) -> None:
    document = camp()
    made = [variation(document, 5), variation(document, 6)]
    opened.session.editor.apply(lambda d: edits.add_variations(d, made), "Add variations")


def _entry(opened: OpenWindow, key: str):
    menu = opened.window.tile_menu.menu(key)
    assert menu is not None
    menu.setParent(opened.window)
    [entry] = [action for action in menu.actions() if action.text().startswith("Take ")]
    return entry


def _finish(opened: OpenWindow) -> None:
    opened.window.slow_work.finish()


def test_a_layer_can_be_taken_once_one_is_selected_and_a_picture_is_shown(
    opened: OpenWindow,
) -> None:
    _with_two(opened)
    window, session = opened.window, opened.session
    window.run_view.show("v5")
    session.selection.select([])
    assert _entry(opened, "v6").text() == "Take the selected layer from this one"
    assert not _entry(opened, "v6").isEnabled()
    session.selection.select(["dog"])
    assert not _entry(opened, "v5").isEnabled(), "It is the picture shown."
    window.run_view.show(COLLAGE)
    assert not _entry(opened, "v6").isEnabled()
    window.run_view.show("v5")
    entry = _entry(opened, "v6")
    assert (entry.text(), entry.isEnabled()) == ("Take Dog from this one", True)
    entry.trigger()
    _finish(opened)
    [job] = session.runs.board.jobs
    assert job.title == "Join variations"
    assert isinstance(job.request, RerollRequest)
    assert dict(job.request.taken)["dog"] == 6
    assert dict(job.request.taken)["tent"] == 5


def test_the_badge_of_what_is_stale_harmonises_that_alone(opened: OpenWindow) -> None:
    _with_two(opened)
    window, session = opened.window, opened.session
    action = window.table.get("harmonise.changed")
    window.run_view.accept("v5")
    _finish(opened)
    assert not action.isEnabled()
    move = Affine.translation(20, 30)
    session.editor.apply(lambda d: edits.transform_layers(d, ["tent"], move), "Move")
    assert window.run_view.shown == ACCEPTED
    assert what_changed(session.editor.document) == ("tent",)
    assert action.isEnabled()
    window.canvas.harmonise_requested.emit()
    _finish(opened)
    [job] = session.runs.board.jobs
    assert job.title == "Harmonise what changed"
    assert isinstance(job.request, RerollRequest)
    assert job.request.layer_ids == ("tent",)
