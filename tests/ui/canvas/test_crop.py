"""Cropping in the window: frame, proportion, one edit, and nothing of a layer lost."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from ui_documents import OpenWindow

from collage_studio.document.geometry import Rect, Size
from collage_studio.ui.crop_commands import CropCommands


@pytest.fixture
def crop(opened: OpenWindow) -> CropCommands:
    opened.window.table.run("tool.crop")
    return opened.window._crop


def _at(opened: OpenWindow, x: float, y: float) -> QPoint:
    return opened.window.canvas.viewport.to_widget(x, y).toPoint()


def _drag(opened: OpenWindow, start: tuple[float, float], end: tuple[float, float]) -> None:
    canvas, tool = opened.window.canvas, opened.window._crop.tool
    canvas.pointer_at = QPointF(_at(opened, *start))
    tool.press(QPointF(_at(opened, *start)), Qt.KeyboardModifier.NoModifier)
    tool.move(QPointF(_at(opened, *end)))
    tool.release(QPointF(_at(opened, *end)))


def _near(frame: Rect, wanted: tuple[float, float, float, float], slack: float = 2.0) -> bool:
    sides = (frame.left, frame.top, frame.right, frame.bottom)
    return all(abs(side - other) <= slack for side, other in zip(sides, wanted, strict=True))


def test_a_drawn_frame_becomes_the_canvas_with_return_and_undo_brings_it_back(
    opened: OpenWindow, crop: CropCommands
) -> None:
    before = opened.session.editor.document
    size = before.size
    _drag(opened, (size.width * 0.3, size.height * 0.3), (size.width * 0.8, size.height * 0.9))
    frame = crop.tool.frame
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Return)
    after = opened.session.editor.document
    assert after.size == Size(frame.width, frame.height)
    assert after.layers[0].raster is before.layers[0].raster
    assert opened.window.canvas.tool == "move"
    assert not crop.tool.is_changed
    assert opened.session.editor.undo_label == "Crop"
    opened.window.table.run("edit.undo")
    assert opened.session.editor.document is before


def test_edges_are_pulled_in_and_out_and_jump_to_the_canvas(
    opened: OpenWindow, crop: CropCommands
) -> None:
    size = opened.session.editor.document.size
    _drag(opened, (size.width, size.height / 2), (size.width * 0.7, size.height / 2))
    assert _near(crop.tool.frame, (0, 0, size.width * 0.7, size.height))
    scale = opened.window.canvas.viewport.logical_scale
    _drag(opened, (size.width * 0.7, size.height / 2), (size.width - 3 / scale, size.height / 2))
    assert crop.tool.frame == Rect.of_size(size)
    _drag(opened, (0, 0), (-40, -20))
    assert _near(crop.tool.frame, (-40, -20, size.width, size.height))
    assert crop.tool.is_changed


def test_a_frame_is_moved_by_its_inside_and_esc_gives_it_up(
    opened: OpenWindow, crop: CropCommands
) -> None:
    size = opened.session.editor.document.size
    quarter = (size.width * 0.25, size.height * 0.25)
    _drag(opened, quarter, (size.width * 0.75, size.height * 0.75))
    first = crop.tool.frame
    _drag(opened, (size.width / 2, size.height / 2), (size.width / 2 + 30, size.height / 2 - 10))
    second = crop.tool.frame
    assert (second.width, second.height) == (first.width, first.height)
    assert abs(second.left - first.left - 30) <= 2
    assert opened.window.canvas.hand_tool is not None
    QTest.keyClick(opened.window.canvas, Qt.Key.Key_Escape)
    assert crop.tool.frame == Rect.of_size(size)
    assert opened.session.editor.document.size == size


def test_a_proportion_is_kept_by_handles_and_by_typing(
    opened: OpenWindow, crop: CropCommands
) -> None:
    size = opened.session.editor.document.size
    crop.tool.set_ratio(1.0)
    frame = crop.tool.frame
    assert frame.width == frame.height == min(size.width, size.height)
    _drag(opened, (frame.right, frame.bottom), (frame.right - 50, frame.bottom - 10))
    assert abs(crop.tool.frame.width - crop.tool.frame.height) <= 1
    width = crop.strip.fields["W"]
    QTest.keyClick(width, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(width, "120")
    QTest.keyClick(width, Qt.Key.Key_Return)
    assert (crop.tool.frame.width, crop.tool.frame.height) == (120, 120)


def test_a_frame_beside_the_picture_is_refused_in_one_sentence(
    opened: OpenWindow, crop: CropCommands
) -> None:
    before = opened.session.editor.document
    crop.tool.set_frame(Rect(-300, -300, -100, -100))
    assert crop.strip.take.isEnabled()
    crop.strip.take.click()
    assert opened.session.editor.document is before
    notice = opened.window.notices.notices[-1]
    assert notice.text.startswith("Nothing of the picture lies inside the frame.")


def test_a_frame_typed_beyond_the_view_is_brought_into_sight(
    opened: OpenWindow, crop: CropCommands
) -> None:
    size = opened.session.editor.document.size
    opened.window.canvas.zoom_to(4.0)
    crop.tool.set_frame(Rect(-200, -100, size.width + 50, size.height + 300))
    canvas = opened.window.canvas
    assert canvas.rect().contains(crop.tool.box_in(canvas.viewport).toRect())


def test_another_tool_gives_the_frame_up_and_a_click_draws_none(
    opened: OpenWindow, crop: CropCommands
) -> None:
    size = opened.session.editor.document.size
    _drag(opened, (size.width / 2, size.height / 2), (size.width / 2, size.height / 2))
    assert not crop.tool.is_changed
    assert not crop.strip.take.isEnabled()
    crop.tool.set_frame(Rect(0, 0, 50, 50))
    opened.window.table.run("tool.move")
    assert not crop.tool.is_changed
    assert opened.window.canvas.hand_tool is None
