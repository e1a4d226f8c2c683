"""Drags become one edit each with the right geometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from canvas_stage import Stage, two_boxes
from PySide6.QtCore import QEvent, QRectF, Qt

from collage_studio.document import edits
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Layer, LayerKind
from collage_studio.ui.canvas.compare import knob_box
from collage_studio.ui.canvas.frame import Frame, frame_around, frame_of
from collage_studio.ui.canvas.gestures import Keys, Part, Rotate, Scale, grip_at, knob_of

Show = Callable[..., Stage]
NONE = Keys()


def test_a_drag_moves_the_layer_in_one_history_entry(stage: Show) -> None:
    on = stage(two_boxes())
    on.canvas.snap = False
    on.drag((60, 50), (83, 67))
    assert on.placement("red") == Affine.translation(63, 47)
    assert on.editor.undo_label == "Move Red"
    on.editor.undo()
    assert on.placement("red") == Affine.translation(40, 30)
    assert not on.editor.undo_label


def test_the_document_is_untouched_while_the_drag_runs(stage: Show) -> None:
    on = stage(two_boxes())
    on.drag((60, 50), (100, 90), release=False)
    assert on.placement("red") == Affine.translation(40, 30)
    assert on.canvas.scene.document is not on.editor.document
    assert not on.canvas.layer_bar.isVisible()
    on.send(QEvent.Type.MouseButtonRelease, 100, 90, Qt.KeyboardModifier.NoModifier)
    assert on.canvas.layer_bar.isVisible()


def test_escape_cancels_the_gesture_first_and_then_the_selection(stage: Show) -> None:
    on = stage(two_boxes())
    on.drag((60, 50), (120, 90), release=False)
    on.key(Qt.Key.Key_Escape)
    on.send(QEvent.Type.MouseButtonRelease, 120, 90, Qt.KeyboardModifier.NoModifier)
    assert on.placement("red") == Affine.translation(40, 30)
    assert not on.editor.undo_label
    assert on.selection.ids == ("red",)
    on.key(Qt.Key.Key_Escape)
    assert on.selection.ids == ()


def test_shift_keeps_the_axis_of_a_move(stage: Show) -> None:
    on = stage(two_boxes())
    on.canvas.snap = False
    on.drag((60, 50), (97, 60), Qt.KeyboardModifier.ShiftModifier)
    assert on.placement("red") == Affine.translation(77, 30)


def test_a_corner_handle_scales_from_the_opposite_corner(stage: Show) -> None:
    on = stage(two_boxes())
    on.selection.select(["red"])
    on.drag((120, 90), (200, 150))
    assert on.placement("red").as_tuple() == pytest.approx((2, 0, 40, 0, 2, 30), abs=0.02)
    assert on.editor.undo_label == "Scale Red"


def test_a_handle_drawn_past_the_other_side_flips(stage: Show) -> None:
    on = stage(two_boxes())
    on.selection.select(["red"])
    on.drag((120, 60), (0, 60))
    placed = on.placement("red")
    assert placed.a == pytest.approx(-0.5, abs=0.02)
    assert placed.e == pytest.approx(1.0)


def test_the_knob_turns_about_the_middle(stage: Show) -> None:
    on = stage(two_boxes())
    on.selection.select(["red"])
    frame = frame_of(on.editor.document, "red")
    assert frame is not None
    knob = knob_of(frame, 1.0)
    assert knob == pytest.approx((80, 10))
    on.drag(knob, (130, 60))
    after = frame_of(on.editor.document, "red")
    assert after is not None
    assert after.centre == pytest.approx((80, 60), abs=1e-6)
    assert on.placement("red").a == pytest.approx(0.0, abs=0.05)
    assert on.editor.undo_label == "Rotate Red"


def test_shift_turns_in_steps_of_15_degrees() -> None:
    frame = Frame(Affine(), 100, 100)
    outcome = Rotate(frame, (50, -20)).at((150, 12), Keys(shift=True))
    turn = math.degrees(math.atan2(outcome.map.d, outcome.map.a))
    assert turn % 15 == pytest.approx(0.0, abs=1e-6)


def test_alt_scales_from_the_centre_and_shift_keeps_the_proportion() -> None:
    frame = Frame(Affine(), 100, 50)
    from_centre = Scale(frame, (100, 50), (1.0, 1.0)).at((110, 55), Keys(alt=True))
    assert frame.moved(from_centre.map).box == pytest.approx((-10, -5, 110, 55))
    proportional = Scale(frame, (100, 50), (1.0, 1.0)).at((200, 60), Keys(shift=True))
    assert frame.moved(proportional.map).box == pytest.approx((0, 0, 200, 100))


def test_a_scaled_frame_never_collapses() -> None:
    outcome = Scale(Frame(Affine(), 100, 50), (100, 50), (1.0, 1.0)).at((0, 0), NONE)
    assert abs(outcome.map.determinant) > 0


def test_handles_turn_with_a_rotated_frame() -> None:
    frame = Frame(Affine.rotation(90), 100, 60)
    assert grip_at(frame, frame.at(1, 1), 1.0).part is Part.HANDLE
    assert grip_at(frame, frame.at(0.5, 0.3), 1.0).part is Part.INSIDE
    assert grip_at(frame, (frame.at(1, 1)[0] - 14, frame.at(1, 1)[1] + 14), 1.0).part is Part.ROTATE
    assert grip_at(frame, (500, 500), 1.0).part is Part.NONE


def test_several_layers_share_one_box_and_one_edit(stage: Show) -> None:
    on = stage(two_boxes())
    on.canvas.snap = False
    on.selection.select(["red", "blue"])
    frame = frame_around(on.editor.document, ("red", "blue"))
    assert frame is not None
    assert frame.box == (40, 30, 280, 180)
    on.drag((60, 50), (70, 55))
    assert on.placement("red") == Affine.translation(50, 35)
    assert on.placement("blue") == Affine.translation(210, 125)
    assert on.editor.undo_label == "Move 2 layers"


def test_a_layer_inside_a_scaled_group_follows_the_pointer(stage: Show) -> None:
    document = two_boxes()
    inner = replace(document.layers[0], placement=Affine.translation(10, 10))
    group = Layer("g", "Group", LayerKind.GROUP, children=(inner,), placement=Affine.scaling(2))
    on = stage(document.with_layers(group))
    on.canvas.snap = False
    on.drag((60, 60), (100, 80))
    frame = frame_of(on.editor.document, "red")
    assert frame is not None
    assert frame.at(0, 0) == pytest.approx((60, 40))


def test_a_locked_layer_cannot_be_dragged(stage: Show) -> None:
    document = edits.change_layer(two_boxes(), "red", locked=True)
    on = stage(document)
    on.selection.select(["red"])
    on.drag((60, 50), (100, 90))
    on.key(Qt.Key.Key_Right)
    assert on.editor.document is document


def test_arrows_nudge_and_steps_in_a_row_are_one_entry(stage: Show) -> None:
    on = stage(two_boxes())
    on.selection.select(["blue"])
    on.key(Qt.Key.Key_Right)
    on.key(Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert on.placement("blue") == Affine.translation(201, 130)
    on.editor.undo()
    assert on.placement("blue") == Affine.translation(200, 120)


def test_a_band_drawn_over_empty_canvas_selects_what_it_holds(stage: Show) -> None:
    on = stage(two_boxes())
    on.drag((20, 20), (150, 110))
    assert on.selection.ids == ("red",)
    assert not on.editor.undo_label


def test_a_moved_layer_snaps_to_the_edge_of_another(stage: Show) -> None:
    on = stage(two_boxes())
    on.drag((60, 50), (60 + 157, 50), release=False)
    assert on.canvas.pointer.outcome.guides
    on.send(QEvent.Type.MouseButtonRelease, 217, 50, Qt.KeyboardModifier.NoModifier)
    assert on.placement("red").c == 200


def test_alt_switches_snapping_off(stage: Show) -> None:
    on = stage(two_boxes())
    on.drag((60, 50), (60 + 157, 50), Qt.KeyboardModifier.AltModifier)
    assert on.placement("red").c == 197


def test_a_scaled_edge_is_pulled_to_the_edge_of_another_layer(stage: Show) -> None:
    on = stage(two_boxes())
    on.canvas.resize(800, 600)
    on.selection.select(["red"])
    on.drag((120, 60), (198, 60))
    assert frame_of(on.editor.document, "red").box[2] == pytest.approx(200)  # type: ignore[union-attr]
    on.editor.undo()
    on.canvas.snap = False
    on.drag((120, 60), (198, 60))
    assert frame_of(on.editor.document, "red").box[2] == pytest.approx(198, abs=0.6)  # type: ignore[union-attr]


def test_a_corner_pulled_in_proportion_keeps_it_and_shows_a_guide(stage: Show) -> None:
    on = stage(two_boxes())
    frame = frame_of(on.editor.document, "red")
    assert frame is not None
    canvas = (0.0, 0.0, 320.0, 240.0)
    scale = Scale(frame, (120, 90), (1.0, 1.0), ((200, 120, 280, 180),), canvas, 6.0)
    outcome = scale.at((158.0, 116.0), Keys(shift=True))
    left, top, right, bottom = frame.moved(outcome.map).box
    assert (right - left) / (bottom - top) == pytest.approx(80 / 60)
    assert (right, bottom) == (pytest.approx(160), pytest.approx(120))
    assert outcome.guides
    assert scale.at((140.0, 101.0), NONE).guides == ()


def test_a_turned_layer_scales_freely(stage: Show) -> None:
    on = stage(two_boxes())
    frame = frame_of(on.editor.document, "red")
    assert frame is not None
    turned = replace(frame, map=Affine.rotation(20).about(80, 60).after(frame.map))
    start = turned.at(1.0, 1.0)
    point = (start[0] + 7, start[1] + 9)
    free = Scale(turned, start, (1.0, 1.0)).at(point, NONE)
    near = Scale(turned, start, (1.0, 1.0), ((0, 0, *point),), (0, 0, 320, 240), 6.0)
    assert near.at(point, NONE).map == free.map


def test_dragging_with_alt_leaves_the_layer_and_moves_a_copy(stage: Show) -> None:
    on = stage(two_boxes())
    on.canvas.snap = False
    alt = Qt.KeyboardModifier.AltModifier
    on.send(QEvent.Type.MouseButtonPress, 60, 50, alt)
    on.send(QEvent.Type.MouseMove, 90, 80, alt)
    assert len(on.canvas.scene.document.layers) == 3
    assert len(on.editor.document.layers) == 2
    on.send(QEvent.Type.MouseButtonRelease, 90, 80, alt)
    names = [layer.name for layer in on.editor.document.layers]
    assert names == ["Red", "Red copy", "Blue"]
    copy = on.editor.document.layers[1]
    assert on.placement("red") == Affine.translation(40, 30)
    assert copy.placement == Affine.translation(70, 60)
    assert on.selection.ids == (copy.id,)
    assert on.editor.undo_label == "Copy Red"
    on.editor.undo()
    assert [layer.name for layer in on.editor.document.layers] == ["Red", "Blue"]


def test_escape_takes_the_dragged_copy_back(stage: Show) -> None:
    on = stage(two_boxes())
    alt = Qt.KeyboardModifier.AltModifier
    on.send(QEvent.Type.MouseButtonPress, 60, 50, alt)
    on.send(QEvent.Type.MouseMove, 120, 90, alt)
    on.key(Qt.Key.Key_Escape)
    on.send(QEvent.Type.MouseButtonRelease, 120, 90, alt)
    assert len(on.editor.document.layers) == 2
    assert not on.editor.undo_label


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7])
def test_the_layer_bar_leaves_the_knob_of_compare_free(stage: Show, share: float) -> None:
    on = stage(two_boxes())
    on.canvas.resize(700, 460)
    on.selection.select(["red"])
    on.canvas.wipe_share = share
    on.canvas.view = "compare"
    room = QRectF(on.canvas.rect())
    bar, picture = on.canvas.layer_bar, on.canvas.viewport.canvas_rect()
    # In the middle of the height, where the knob is.
    place = QRectF(picture.left() + 20, room.center().y() - 70, 60, 30)
    bar.place(place, room, knob_box(picture, share, room))
    assert not QRectF(bar.geometry()).intersects(knob_box(picture, share, room))
    assert on.canvas.rect().contains(bar.geometry())
