"""Brush, eraser, lasso and pick in the window: strokes become edits of the layer's mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, Stylus, open_window

from collage_studio.document.edits import change_layer, remove_layers
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.ui.canvas.sources import Sources

NONE = Qt.KeyboardModifier.NoModifier
ALT = Qt.KeyboardModifier.AltModifier


def photo() -> Document:
    """A red disc on blue, 80 x 80 px, laid on a canvas of 160 x 120 at (20, 10)."""
    y, x = np.mgrid[:80, :80] + 0.5
    disc = np.hypot(x - 40, y - 40) < 22
    rgb = np.where(disc[..., None], (220, 40, 30), (30, 60, 200)).astype(np.uint8)
    layer = Layer(
        "photo", "Photo", raster=Raster.from_rgb(rgb), placement=Affine.translation(20, 10)
    )
    return Document(Size(160, 120), (layer,))


class Hand(Stylus):
    """A hand at the canvas of a window."""

    def __init__(self, opened: OpenWindow) -> None:
        self.opened, self.window = opened, opened.window
        self.canvas, self.editor = opened.window.canvas, opened.session.editor

    def tool(self, name: str) -> None:
        self.window.table.run(f"tool.{name}")

    def mask(self) -> np.ndarray | None:
        layer = self.editor.document.find("photo")
        assert layer is not None
        return layer.mask.values if layer.mask is not None else None

    def wait(self) -> None:
        self.canvas.background.finish()


@pytest.fixture
def hand(qtbot: QtBot, tmp_path: Path) -> Iterator[Hand]:
    """A window on the photo, the photo selected."""
    opened = open_window(tmp_path, photo())
    opened.window.show()
    qtbot.waitExposed(opened.window)
    opened.session.selection.select(["photo"])
    yield Hand(opened)
    opened.close()
    opened.window.deleteLater()
    assert len(opened.session.editor.changed) == 0


def around(steps: int = 24) -> list[tuple[float, float]]:
    """A loop around the disc, canvas px."""
    return [(60 + 29 * np.cos(t), 50 + 29 * np.sin(t)) for t in np.linspace(0, 6.5, steps)]


def test_a_stroke_of_the_eraser_is_one_edit_that_undo_takes_back(hand: Hand):
    hand.tool("eraser")
    hand.stroke((30, 20), (60, 20), (80, 20))
    mask = hand.mask()
    assert mask is not None
    assert mask[10, 30] == 0
    assert mask[70, 40] == 255
    assert hand.editor.undo_label == "Erase Photo"
    hand.editor.undo()
    assert hand.mask() is None


def test_the_mask_brush_brings_erased_parts_back(hand: Hand):
    hand.tool("eraser")
    hand.stroke((30, 20), (80, 20))
    hand.tool("brush")
    hand.stroke((30, 20), (80, 20))
    mask = hand.mask()
    assert mask is not None
    assert mask[10, 12:58].min() == 255


def test_alt_does_the_opposite(hand: Hand):
    hand.tool("brush")
    hand.stroke((50, 50), keys=ALT)
    mask = hand.mask()
    assert mask is not None
    assert mask[40, 30] == 0


def test_the_document_changes_on_release_only(hand: Hand):
    before = hand.editor.document
    hand.tool("eraser")
    hand.stroke((30, 20), (80, 20), release=False)
    assert hand.editor.document is before
    QTest.keyClick(hand.canvas, Qt.Key.Key_Escape)
    assert hand.editor.document is before
    assert hand.canvas.scene.document is before


def test_a_locked_layer_is_not_painted(hand: Hand):
    hand.editor.apply(lambda d: change_layer(d, "photo", locked=True), "Lock")
    hand.tool("eraser")
    hand.stroke((30, 20), (80, 20))
    assert hand.mask() is None


def test_without_a_selection_the_first_press_selects_the_layer_below(hand: Hand):
    hand.opened.session.selection.select([])
    hand.tool("eraser")
    hand.stroke((60, 50))
    assert hand.opened.session.selection.active == "photo"
    assert hand.mask() is None


def test_a_lasso_keeps_what_is_inside(hand: Hand):
    hand.tool("lasso")
    hand.stroke(*around())
    mask = hand.mask()
    assert mask is not None
    assert mask[40, 40] == 255
    assert mask[2, 2] == 0


def test_two_strokes_and_return_cut_the_object_out(hand: Hand, qtbot: QtBot):
    hand.tool("pick")
    hand.stroke((45, 50), (75, 50))
    hand.stroke(*around(), keys=ALT)
    hand.wait()
    assert hand.window._cutouts.kit.pick.can_cut
    qtbot.waitUntil(lambda: not hand.window._cutouts.kit.pick.is_busy)
    QTest.keyClick(hand.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: hand.mask() is not None, timeout=10_000)
    mask = hand.mask()
    assert mask is not None
    truth = np.hypot(*(np.mgrid[:80, :80] + 0.5 - 40)) < 22
    assert np.abs(mask / 255 - truth).sum() / truth.sum() < 0.1
    assert hand.editor.undo_label == "Cut out Photo"
    assert hand.window._cutouts.kit.pick.stroke_count == 0


def test_a_layer_deleted_while_its_cut_is_made_is_left_alone(hand: Hand, qtbot: QtBot):
    hand.tool("pick")
    hand.stroke((45, 50), (75, 50))
    hand.wait()
    tool = hand.window._cutouts.kit.pick
    qtbot.waitUntil(lambda: not tool.is_busy)
    tool.cut()
    hand.editor.apply(lambda d: remove_layers(d, ("photo",)), "Delete")
    hand.wait()
    assert hand.editor.undo_label == "Delete"


def test_escape_forgets_the_strokes_before_the_selection(hand: Hand, qtbot: QtBot):
    hand.tool("pick")
    hand.stroke((45, 50), (75, 50))
    hand.wait()
    QTest.keyClick(hand.canvas, Qt.Key.Key_Escape)
    assert hand.window._cutouts.kit.pick.stroke_count == 0
    assert hand.opened.session.selection.active == "photo"


def test_hidden_parts_are_red_until_the_red_is_switched_off(hand: Hand):
    hand.tool("eraser")
    hand.stroke((60, 50))
    hand.canvas.settle()
    at = hand.canvas.viewport.to_widget(60, 50).toPoint()

    def shown() -> tuple[int, int, int]:
        hand.canvas.pointer_at = None
        hand.canvas.settle()
        color = hand.canvas.grab().toImage().pixelColor(at * hand.canvas.devicePixelRatioF())
        return color.red(), color.green(), color.blue()

    # The grey of the background, 150, under red at 45 %.
    red = shown()
    assert red[0] > red[1] + 30
    hand.window.table.run("mask.show")
    plain = shown()
    assert abs(plain[0] - plain[1]) < 8


def test_the_edge_bars_change_one_entry_of_the_history(hand: Hand, qtbot: QtBot):
    hand.tool("lasso")
    hand.stroke(*around())
    before = hand.mask()
    assert before is not None
    hand.window.table.run("mask.edge")
    popover = hand.window._cutouts._edge
    assert popover is not None
    for px in (2, 4):
        popover.grow.set_by_hand(px)
        popover._pause.stop()
        popover._work()
        hand.wait()
    grown = hand.mask()
    assert grown is not None
    assert grown.sum() > before.sum()
    hand.editor.undo()
    assert np.array_equal(hand.mask(), before)
    popover.close_popover()


def test_refining_inverting_and_removing_the_mask_are_edits(hand: Hand):
    hand.tool("lasso")
    hand.stroke(*around())
    for action in ("refine", "clean", "invert", "toggle", "drop"):
        hand.window.table.run(f"mask.{action}")
        hand.wait()
    names = [entry.label for entry in hand.editor._history.past]
    assert names == [
        "Lasso Photo",
        "Refine edge of Photo",
        "Clean colours of Photo",
        "Invert mask of Photo",
        "Mask of Photo",
        "Remove mask of Photo",
    ]


def test_keys_change_the_brush(hand: Hand):
    hand.tool("brush")
    brush = hand.window._cutouts.kit.brush
    size, hardness = brush.size, brush.hardness
    hand.window.table.run("mask.bigger")
    hand.window.table.run("mask.softer")
    assert brush.size > size
    assert brush.hardness < hardness
    hand.window.table.run("mask.swap")
    assert hand.canvas.tool == "eraser"
    assert not brush.adds


def test_another_tool_gets_its_own_options_back(hand: Hand):
    pages = hand.window.options._pages
    hand.tool("pick")
    assert pages.currentIndex() > 1
    hand.tool("move")
    assert pages.currentIndex() == 0
    assert hand.canvas.hand_tool is None


def test_models_show_licence_and_size_and_ask_before_a_download(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("COLLAGE_STUDIO_CUTOUT_MODELS", str(tmp_path / "models"))
    hand.window.table.run("mask.remove_background")
    popover = hand.window._cutouts._removal
    assert popover is not None
    assert all("MB" in row.accessibleName() for row in popover.rows)
    assert popover._buttons.isHidden()
    monkeypatch.setattr("collage_studio.ui.cutout.background_popover.has_runtime", lambda: True)
    popover.rows[0].click()
    assert popover.agree.text() == "Download 4.6 MB"
    assert "Apache-2.0" in popover.says.full_text
    popover.leave.click()
    assert popover._buttons.isHidden()
    assert not (tmp_path / "models").exists()
    popover.strokes.click()
    assert hand.canvas.tool == "pick"


def test_a_model_runs_in_a_process_of_its_own_and_its_failure_is_told(
    hand: Hand, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("COLLAGE_STUDIO_CUTOUT_MODELS", str(tmp_path / "models"))
    hand.window.table.run("mask.remove_background")
    process = hand.window._cutouts._process
    assert process is not None
    layer = hand.editor.document.find("photo")
    assert layer is not None
    assert layer.raster is not None
    with qtbot.waitSignal(process.failed, timeout=30_000) as caught:
        process.remove(layer.raster, "u2netp")
    assert caught.args == [
        "U²-Net small is not downloaded (Apache-2.0 · 4.6 MB). Add --download to fetch it."
    ]
    assert not process.is_running


@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_patched_picture_is_the_one_made_anew(level: int):
    rng = np.random.default_rng(level)
    raster = Raster(rng.integers(0, 256, (61, 83, 4), np.uint8))
    values = np.full((61, 83), 255, np.uint8)
    box = Rect(13, 21, 83, 61)
    values[box.slices] = rng.integers(0, 256, (40, 70), np.uint8)
    before = Layer("a", "A", raster=raster)
    after = replace(before, mask=Mask(values))
    patched, anew = Sources(), Sources()
    patched.image(before, level)
    patched.patch(before, after, box)
    assert patched.has(after, level)
    assert not patched.has(before, level)
    assert patched.image(after, level) == anew.image(after, level)
