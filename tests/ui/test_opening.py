"""Opening files: beside the main thread, with a way to give it up."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, camp

from collage_studio.formats.collage_file import save_collage


def _texts(opened: OpenWindow) -> list[str]:
    return [notice.text for notice in opened.window.notices.notices]


def test_a_file_opens_once_it_is_read(qtbot: QtBot, opened: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "other.collage"
    save_collage(camp(), path)
    before = opened.session.editor.document
    opened.window.files.open(path)
    assert opened.session.files.is_reading
    assert opened.session.editor.document is before
    qtbot.waitUntil(lambda: opened.session.files.path == path, timeout=10_000)
    assert not opened.session.files.is_reading
    assert _texts(opened) == []


def test_a_file_that_takes_long_says_so_and_can_be_given_up(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "big.collage"
    save_collage(camp(), path)
    before = opened.session.editor.document
    opened.window.files.open(path)
    opened.window.files._tell_of_reading()
    assert _texts(opened) == ["Opening big.collage…"]
    opened.window.table.run("file.stop_opening")
    assert _texts(opened) == []
    opened.session.writer.finish()
    qtbot.wait(20)
    assert opened.session.editor.document is before


def test_the_newest_of_two_files_is_opened(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    paths = [tmp_path / "one.collage", tmp_path / "two.collage"]
    for path in paths:
        save_collage(camp(), path)
        opened.window.files.open(path)
    qtbot.waitUntil(lambda: not opened.session.files.is_reading, timeout=10_000)
    assert opened.session.files.path == paths[1]


def test_a_damaged_file_is_told_and_the_document_stays(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "broken.collage"
    path.write_bytes(b"not a zip at all")
    before, failed = opened.session.editor.document, list[int]()
    opened.window.files.open(path, failed=lambda: failed.append(1))
    qtbot.waitUntil(lambda: failed == [1], timeout=10_000)
    assert opened.session.editor.document is before
    assert any("broken.collage" in text for text in _texts(opened))


def test_a_layout_of_another_program_becomes_a_document_without_a_file(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "street.json"
    path.write_text('{"bboxes": [[0, 0, 60, 40]], "labels": ["a red bus"]}', encoding="utf-8")
    opened.window.files.import_layout(path)
    qtbot.waitUntil(lambda: not opened.session.files.is_reading, timeout=10_000)
    (layer,) = opened.session.editor.document.layers
    assert layer.text == "a red bus"
    assert opened.session.files.title == "street"
    assert opened.session.files.needs_path


def test_a_bad_layout_is_told_and_the_document_stays(
    qtbot: QtBot, opened: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "street.json"
    path.write_text('{"bboxes": [[0, 0, 60, 40]], "labels": []}', encoding="utf-8")
    before = opened.session.editor.document
    opened.window.files.import_layout(path)
    qtbot.waitUntil(lambda: not opened.session.files.is_reading, timeout=10_000)
    assert opened.session.editor.document is before
    assert _texts(opened) == ["street.json has 1 boxes and 0 labels. Give each box one label."]
