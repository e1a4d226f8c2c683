"""A model named by a hub id: asked about once, then fetched in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow

from collage_studio.app.models import is_hub_name
from collage_studio.engine.api import Downloaded, FetchRequest, Finished, ModelNotFetched
from collage_studio.engine.loading.hub import fetch
from collage_studio.jobs.board import JobState
from collage_studio.ui.dialogs.hub_sheet import HubSheet
from collage_studio.ui.dialogs.queue_popover import second_line
from tests.hub_server import NAME, Hub, served
from tests.ui.test_model_popover import model_folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one small folder, and an empty cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    root = model_folder(tmp_path / "remote", "StableDiffusionPipeline")
    with served(root) as hub:
        hub.licence = "openrail"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        yield hub


def asked_sheet(qtbot: QtBot, opened: OpenWindow) -> HubSheet:
    """The sheet after the name was typed into the models' popover."""
    overlays = opened.window.overlays
    overlays.open_models()
    popover = overlays._model_popover()
    popover.name.setText(NAME)
    popover.look_up.click()
    sheet = overlays._hub
    assert sheet is not None
    qtbot.waitUntil(lambda: not sheet.says.text().startswith("Asking"))
    return sheet


def test_the_sheet_tells_size_licence_and_place(qtbot: QtBot, opened: OpenWindow, hub: Hub):
    sheet = asked_sheet(qtbot, opened)
    assert sheet.value("Size").endswith("KB")
    assert sheet.value("Licence").startswith("openrail")
    assert sheet.value("From").endswith(NAME)
    assert "cache" in sheet.value("Kept in")
    sheet.close_sheet()
    assert opened.session.runs.board.jobs == ()
    assert opened.session.store.current.hub_agreed == ()
    assert [path for path, _ in hub.asked] == [path for path, _ in hub.asked if "/api/" in path]


def test_what_was_agreed_to_is_fetched_in_the_queue_and_not_asked_again(
    qtbot: QtBot, opened: OpenWindow, hub: Hub
):
    sheet = asked_sheet(qtbot, opened)
    sheet.fetch.click()
    session = opened.session
    runs, editor = session.runs, session.editor
    assert editor.document.settings.model == NAME
    [job] = runs.board.jobs
    assert job.request == FetchRequest(NAME)
    assert job.title == f"Fetch {NAME}"
    for event in fetch(NAME, lambda: False):
        runs.handle(job.id, event)
    running = runs.board.find(job.id)
    assert running is not None
    assert running.progress == 1.0
    assert " of " in second_line(running)[0]
    opened.window.overlays._show_model(again=True)
    runs.handle(job.id, Finished())
    done = runs.board.find(job.id)
    assert done is not None
    assert (done.state, second_line(done)[0]) == (JobState.DONE, "done, it is on this computer")
    assert session.library.find(NAME).is_available
    assert session.library.find(NAME).family == "Stable Diffusion 1"
    asked = len(hub.asked)
    opened.window.overlays.ask_hub(NAME)
    assert not sheet.isVisible()
    assert len(hub.asked) == asked
    assert len(runs.board.jobs) == 1


def test_a_fetch_goes_on_while_another_document_is_opened(opened: OpenWindow):
    runs = opened.session.runs
    job = runs.fetch(NAME)
    assert runs.fetch(NAME).id == job.id
    runs.handle(job.id, Downloaded(NAME, 1, 4))
    runs.abandon()
    kept = runs.board.find(job.id)
    assert kept is not None
    assert kept.progress == 0.25


def test_the_hubs_refusal_is_said_in_the_sheet(qtbot: QtBot, opened: OpenWindow, hub: Hub):
    hub.status = 404
    sheet = asked_sheet(qtbot, opened)
    assert "There is no model" in sheet.says.text()
    assert not sheet.fetch.isEnabled()


def test_a_run_with_a_model_that_is_not_here_offers_the_download(opened: OpenWindow):
    runs, heard = opened.session.runs, []
    subscription = runs.notice.subscribe(heard.append)
    job = runs.harmonise()
    assert job is not None
    from collage_studio.engine.api import Failed

    runs.handle(job.id, Failed("It is not here.", ModelNotFetched.remedy))
    assert heard[-1].buttons[0] == ("Download", "harmonise.fetch_model")
    subscription.close()


def test_names_and_paths_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert is_hub_name("stabilityai/sdxl-turbo")
    for text in ("starter", "/a/b", "./a/b", "../a", "~/a", "a/b/c", "a b/c", ""):
        assert not is_hub_name(text)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not is_hub_name("a/b")
