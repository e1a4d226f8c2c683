"""The start of the program: what is not loaded before the first paint, and what comes after it."""

from __future__ import annotations

import builtins
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from collage_studio.ui.later import Later
from collage_studio.ui.qt_import import PatternLater
from collage_studio.ui.written_code import WrittenCode

UNTIL_PAINTED = """
import json, sys
from pathlib import Path
from collage_studio.ui.start import prepare_interpreter
_written, waiting = prepare_interpreter()
from PySide6.QtWidgets import QApplication
app = QApplication([])
from collage_studio.ui.canvas import canvas_view
from collage_studio.ui.program import start
from collage_studio.ui.program import Program
canvas_view.FIRST_SLICE_MS = 60_000.0  # however slow this machine is now
loaded, begin = [], Program.begin
def painted(self, *rest):
    loaded.extend(sorted(sys.modules))
    begin(self, *rest)
    self.window.later.add(opened)
def opened():
    print(json.dumps([loaded, program.window.canvas.scene.shot(0) is not None]))
    app.quit()
Program.begin = painted
program = start(app, None, waiting)
app.exec()
program.window.close()
"""
WAITS = (
    "torch", "numpy.linalg", "cv2.version", "PIL", "psd_tools", "multiprocessing", "xml",
    "urllib.request", "ssl", "asyncio",
    "collage_studio.jobs.supervisor", "collage_studio.formats.export",
    "collage_studio.formats.images", "collage_studio.ui.dialogs.export_sheet",
    "collage_studio.ui.dialogs.find_popover", "collage_studio.ui.dialogs.settings_popover",
    "collage_studio.ui.dialogs.queue_popover", "collage_studio.ui.dialogs.model_popover",
    "collage_studio.ui.panels.layer_page", "collage_studio.ui.panels.layer_picker",
    "collage_studio.ui.canvas.noise_overlay", "collage_studio.ui.proofs",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Point:
    x: int
    y: int = 2


def _fields_of(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def test_the_window_is_painted_before_what_can_wait_is_loaded_and_then_the_sample(
    tmp_path: Path,
) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", UNTIL_PAINTED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLLAGE_STUDIO_HOME": str(tmp_path)},
    )
    modules, has_picture = json.loads(outcome.stdout.splitlines()[-1])
    loaded = set(modules)
    assert sorted(loaded & set(WAITS)) == []
    assert "collage_studio.ui.main_window" in loaded
    assert has_picture, "The first thing on the canvas is the picture, not an empty document."


def test_pieces_are_done_in_order_after_begin(qtbot: QtBot) -> None:
    later, done = Later(), list[int]()
    later.add(*(lambda i=i: done.append(i) for i in range(3)))
    qtbot.wait(10)
    assert done == []
    with qtbot.waitSignal(later.finished):
        later.begin()
    assert done == [0, 1, 2]
    with qtbot.waitSignal(later.finished):
        later.add(lambda: done.append(3))
    assert done[-1] == 3


def test_pieces_of_a_closed_window_are_dropped(qtbot: QtBot) -> None:
    later, done = Later(), list[int]()
    later.add(lambda: done.append(1))
    later.begin()
    later.close()
    qtbot.wait(20)
    assert done == []


def test_kept_byte_code_makes_the_same_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "kept.pyc"
    points = list[type]()
    for _ in range(2):
        written = WrittenCode(path)
        written.begin()
        points.append(dataclasses.make_dataclass("P", [("x", int), ("y", int, 2)], frozen=True))
        written.end()
    assert path.is_file()
    assert not hasattr(dataclasses, "exec")
    for kind in points:
        assert _fields_of(kind) == _fields_of(_Point)
        assert repr(kind(1)) == "P(x=1, y=2)"
        assert kind(1) == kind(1, 2)
        assert hash(kind(1)) == hash(kind(1, 2))
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind(1).x = 5
    del points, kind


def test_modules_that_an_importer_compiles_are_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    text = b"from __future__ import annotations\ntwice = lambda number: 2 * number\n"
    plain, found = builtins.compile, list[dict[str, Any]]()
    for _ in range(2):
        written = WrittenCode(tmp_path / "kept.pyc")
        with written.in_place_of_compile():
            code = compile(text, "its_file.py", "exec")
            assert eval(compile("1 + 1", "sum", "eval")) == 2
        written.end()
        found.append({})
        exec(code, found[-1])
        assert code.co_filename == "its_file.py"
    assert builtins.compile is plain
    assert not written._is_new
    assert [names["twice"](4) for names in found] == [8, 8]


def test_a_pattern_is_compiled_when_it_is_used() -> None:
    find, split = PatternLater("a+").findall, PatternLater(" , ", re.VERBOSE).split
    assert find("caab a") == ["aa", "a"]
    assert split("1,2") == ["1", "2"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"half"])
def test_damaged_byte_code_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "kept.pyc"
    _make_point(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == b"half" else damage)
    assert _make_point(path)(1, 3).y == 3
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert _make_point(blocked / "kept.pyc")(1).y == 2


def test_known_code_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "kept.pyc"
    _make_point(path)
    again = WrittenCode(path)
    assert all(isinstance(code, CodeType) for code in again._known.values())
    again.begin()
    dataclasses.make_dataclass("P", [("x", int), ("y", int, 2)])
    again.end()
    assert not again._is_new


def _make_point(path: Path) -> type:
    written = WrittenCode(path)
    written.begin()
    try:
        return dataclasses.make_dataclass("P", [("x", int), ("y", int, 2)])
    finally:
        written.end()
