"""Unsaved work outlives a crash of the program."""

from __future__ import annotations

import time
from pathlib import Path

from small_documents import collage

from collage_studio.app.autosave import Autosave
from collage_studio.app.editor import Editor
from collage_studio.document.edits import change_layer
from collage_studio.formats.collage_file import load_collage


def edited(noise: float = 0.25) -> Editor:
    editor = Editor(collage())
    editor.apply(lambda d: change_layer(d, "layer0", noise=noise), "Noise")
    return editor


def test_only_unsaved_edits_are_due_and_only_after_the_interval(tmp_path: Path):
    editor = Editor(collage())
    autosave = Autosave(editor, tmp_path, interval_seconds=60)
    later = time.monotonic() + 61
    assert not autosave.due(later)
    editor.apply(lambda d: change_layer(d, "layer0", noise=0.25), "Noise")
    assert not autosave.due()
    assert autosave.due(later)
    assert autosave.write()
    assert not autosave.due(time.monotonic() + 61)
    autosave.close()


def test_writing_soon_takes_the_document_of_that_moment(tmp_path: Path):
    editor = edited(0.25)
    autosave = Autosave(editor, tmp_path, interval_seconds=0)
    autosave.write_soon()
    assert autosave.write()
    editor.apply(lambda d: change_layer(d, "layer0", noise=0.75), "Noise")
    then = editor.document
    autosave.write_soon()
    editor.apply(lambda d: change_layer(d, "layer0", noise=0.5), "Noise")
    autosave._finish_writing()
    assert load_collage(next(tmp_path.glob("*.collage"))).document == then
    assert autosave.due()
    autosave.close()


def test_work_of_a_living_session_is_not_taken(tmp_path: Path):
    alive = Autosave(edited(), tmp_path)
    alive.write()
    assert Autosave(Editor(collage()), tmp_path).recover() == ()
    alive.close()
    assert list(tmp_path.iterdir()) == []


def test_work_of_a_crashed_session_comes_back_with_its_file(tmp_path: Path):
    editor = edited()
    crashed = Autosave(editor, tmp_path)
    crashed.write(tmp_path / "camp.collage")
    crashed.leave()  # gives up the lock, as the system does when a process dies
    survivor = Autosave(Editor(collage()), tmp_path)
    (found,) = survivor.recover()
    assert found.opened.document == editor.document
    assert found.path == tmp_path / "camp.collage"
    assert found.notice == f"Restored your work from {found.when:%H:%M}."
    survivor.forget(found)
    assert survivor.recover() == ()


def test_a_damaged_safety_copy_is_passed_over(tmp_path: Path):
    (tmp_path / "abc.collage").write_bytes(b"half a file")
    assert Autosave(Editor(collage()), tmp_path).recover() == ()


def test_a_clean_end_leaves_nothing(tmp_path: Path):
    autosave = Autosave(edited(), tmp_path)
    autosave.write()
    autosave.clear()
    autosave.close()
    assert list(tmp_path.iterdir()) == []


def test_the_copy_goes_once_the_work_lies_in_its_file(tmp_path: Path):
    editor = edited()
    autosave = Autosave(editor, tmp_path)
    autosave.write()
    autosave.drop_if_saved()
    assert list(tmp_path.glob("*.collage"))
    editor.mark_saved(editor.document)
    autosave.drop_if_saved()
    assert not list(tmp_path.glob("*.collage"))
    autosave.close()


def test_an_unwritable_place_is_no_reason_to_stop(tmp_path: Path):
    (tmp_path / "file").touch()
    assert not Autosave(edited(), tmp_path / "file").write()
