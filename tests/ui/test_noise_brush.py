"""The noise brush in the window: strokes become painted noise, shown as the map that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from ui_documents import OpenWindow, Stylus, open_window

from collage_studio.app.actions import find_actions
from collage_studio.cutout.noise_brush import PaintMode
from collage_studio.document.edits import change_layer, group_layers
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, LayerKind, NextState, Raster
from collage_studio.document.noise_paint import share_painted
from collage_studio.ui import layer_edits
from collage_studio.ui.canvas.noise_overlay import values_of
from collage_studio.ui.cutout.kit import Kit
from collage_studio.ui.cutout.noise_strip import NoiseStrip
from collage_studio.ui.panels.layer_row import shown_state
from collage_studio.ui.panels.layers_tree import _tooltip

NONE = Qt.KeyboardModifier.NoModifier
ALT = Qt.KeyboardModifier.AltModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
PLAIN = "Click a picture layer to paint its noise"


def pond() -> Document:
    """A disc on 80 x 80 px at (20, 10) over a canvas of 160 x 120, and a square beside it."""
    y, x = np.mgrid[:80, :80] + 0.5
    disc = np.hypot(x - 40, y - 40) < 36
    pixels = np.full((80, 80, 4), (220, 40, 30, 0), np.uint8)
    pixels[..., 3] = np.where(disc, 255, 0)
    pad = Layer("pad", "Pad", raster=Raster(pixels), placement=Affine.translation(20, 10))
    square = Raster.from_rgb(np.full((30, 30, 3), 90, np.uint8))
    stone = Layer("stone", "Stone", raster=square, placement=Affine.translation(120, 10))
    layers = (replace(stone, noise=0.8), replace(pad, noise=0.3))
    return Document(Size(160, 120), layers, background=replace(Document(Size(1, 1)).background))


class Hand(Stylus):
    """A hand at the canvas of a window."""

    def __init__(self, opened: OpenWindow, qtbot: QtBot) -> None:
        self.opened, self.window, self._qtbot = opened, opened.window, qtbot
        self.canvas, self.editor = opened.window.canvas, opened.session.editor

    @property
    def kit(self) -> Kit:
        return self.window._cutouts.kit

    @property
    def strip(self) -> NoiseStrip:
        return self.kit._noise_strip

    @property
    def hint(self) -> str:
        return self.kit.noise.hint()

    def tool(self, name: str) -> None:
        self.window.table.run(f"tool.{name}")

    def select(self, *ids: str) -> None:
        self.opened.session.selection.select(ids)

    def layer(self, layer_id: str = "pad") -> Layer:
        found = self.editor.document.find(layer_id)
        assert found is not None
        return found

    def share(self, x: float, y: float) -> float:
        """How far paint stands for the noise at a source px of the disc."""
        return share_painted(self.layer(), x, y)

    def map(self) -> npt.NDArray[np.float32]:
        """The map that is shown, once it is the one asked for."""
        self._qtbot.waitUntil(lambda: self.canvas.noise.is_current, timeout=10_000)
        values = self.canvas.noise.values
        assert values is not None
        return values


@pytest.fixture
def hand(qtbot: QtBot, tmp_path: Path) -> Iterator[Hand]:
    """The noise brush over the pond, the disc selected."""
    opened = open_window(tmp_path, pond())
    opened.window.show()
    qtbot.waitExposed(opened.window)
    opened.session.selection.select(["pad"])
    made = Hand(opened, qtbot)
    made.tool("noise")
    made.kit.noise.brush.size, made.kit.noise.brush.noise = 20.0, 1.0
    yield made
    opened.close()
    opened.window.deleteLater()
    assert len(opened.session.editor.changed) == 0
    assert len(opened.session.selection.changed) == 0


def test_a_stroke_raises_the_map_under_it_and_nowhere_else_and_is_one_edit(hand: Hand):
    before = hand.map().copy()
    hand.stroke((60, 50), (20, 50), (5, 50))
    after = hand.map()
    assert np.array_equal(after, values_of(hand.editor.document))
    assert after[50, 55] > 0.9
    assert after[75, 60] == pytest.approx(before[75, 60], abs=0.02)
    # Left of the disc the layer is not seen: its paint has no effect there.
    assert after[50, 6] == pytest.approx(before[50, 6], abs=0.02)
    assert hand.editor.undo_label == "Paint noise of Pad"
    hand.editor.undo()
    assert hand.layer().noise_paint is None
    assert hand.editor.undo_label == ""
    assert np.array_equal(hand.map(), before)


def test_the_map_follows_a_stroke_that_is_still_drawn(hand: Hand, qtbot: QtBot):
    before, document = hand.map().copy(), hand.editor.document
    hand.stroke((60, 50), (62, 50), release=False)

    def follows() -> bool:
        values = hand.canvas.noise.values
        return values is not None and values[50, 60] > before[50, 60] + 0.3

    qtbot.waitUntil(follows, timeout=10_000)
    assert hand.editor.document is document
    hand.canvas.pointer_at = hand.canvas.viewport.to_widget(60, 50)
    assert hand.canvas._painting.pointer_words().endswith("Pad, painted")
    QTest.keyClick(hand.canvas, Qt.Key.Key_Escape)
    assert np.array_equal(hand.map(), before)
    assert hand.editor.document is document
    assert hand.opened.session.selection.active == "pad"
    hand.stroke((60, 50))
    assert hand.layer().noise_paint is not None


def test_another_tool_ends_the_stroke(hand: Hand):
    hand.stroke((60, 50), (62, 50), release=False)
    hand.tool("move")
    hand.tool("noise")
    assert not hand.kit.noise.is_drawing
    assert hand.layer().noise_paint is None


def test_alt_picks_the_noise_under_the_brush(hand: Hand):
    hand.map()
    hand.kit.noise.brush.mode = PaintMode.RAISE
    hand.stroke((135, 25), keys=ALT)
    assert hand.kit.noise.brush.noise == pytest.approx(0.8, abs=0.02)
    assert hand.kit.noise.brush.mode is PaintMode.SET
    assert hand.strip.noise.text() == "80"
    assert hand.editor.undo_label == ""
    assert hand.opened.session.selection.active == "pad"


def test_shift_draws_straight_from_where_the_last_stroke_of_this_layer_ended(hand: Hand):
    hand.stroke((60, 25), keys=SHIFT)
    assert hand.share(40, 40) == 0
    hand.stroke((60, 75), keys=SHIFT)
    assert hand.share(40, 40) == pytest.approx(1.0)
    hand.select("stone")
    hand.stroke((135, 25), keys=SHIFT)
    assert share_painted(hand.layer("stone"), 1, 15) == 0


def test_a_stroke_beside_what_is_seen_of_the_layer_is_no_edit(hand: Hand):
    before = hand.map().copy()
    layer_edits.set_state(hand.editor, ("pad",), NextState.KEEP)
    label = hand.editor.undo_label
    hand.kit.noise.brush.size = 6.0
    for at in ((5, 100), (22, 12)):  # off the layer, and in its clear corner
        hand.stroke(at)
        assert hand.layer().noise_paint is None
        assert hand.layer().state is NextState.KEEP
    assert hand.editor.undo_label == label
    hand.editor.undo()
    hand.stroke((60, 50))
    hand.stroke((22, 12))
    hand.editor.undo()
    assert hand.layer().noise_paint is None
    assert np.array_equal(hand.map(), before)


def test_raise_and_lower_go_a_part_of_the_way(hand: Hand):
    start = hand.map()[50, 60]
    hand.strip.kind._take(1)
    assert not hand.strip.noise.isEnabled()
    hand.stroke((60, 50))
    higher = hand.map()[50, 60]
    assert start < higher < 0.8
    hand.window.table.run("mask.swap")
    assert hand.kit.noise.brush.mode is PaintMode.LOWER
    assert hand.strip.kind.value == "lower"
    hand.stroke((60, 50))
    assert hand.map()[50, 60] < higher


def test_keys_change_this_brush_and_not_that_of_the_mask(hand: Hand):
    brush, other = hand.kit.noise.brush, hand.kit.brush
    size, hardness, kept = brush.size, brush.hardness, (other.size, other.hardness)
    hand.window.table.run("mask.bigger")
    hand.window.table.run("mask.harder")
    assert brush.size > size
    assert brush.hardness > hardness
    assert hand.strip.size_bar.value == brush.size
    assert (other.size, other.hardness) == kept
    hand.window.table.run("mask.swap")
    assert brush.mode is PaintMode.SET


def test_painted_noise_is_told_everywhere_and_cleared_in_one_step(hand: Hand):
    page, clear = hand.window.inspector.layer_page, hand.window.table.get("layer.clear_paint")
    assert page._paint.isHidden()
    assert not hand.strip.clear.isEnabled()
    assert hand.strip.clear.toolTip() == "The selected layers have no painted noise"
    assert not clear.isEnabled()
    hand.stroke((60, 50))
    assert not page._paint.isHidden()
    assert clear.isEnabled()
    model = hand.window.layers.tree.model()
    spoken = model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "painted" in spoken
    assert "Painted" in _tooltip("words", hand.layer(), None)
    hand.strip.clear.click()
    assert hand.layer().noise_paint is None
    assert hand.editor.undo_label == "Clear painted noise of Pad"
    assert page._paint.isHidden()
    hand.editor.undo()
    assert hand.layer().noise_paint is not None


def test_clearing_a_group_clears_what_it_holds(hand: Hand):
    hand.stroke((60, 50))
    hand.editor.apply(lambda d: group_layers(d, ["pad", "stone"], "Both"), "Group")
    group = hand.editor.document.layers[0].id
    hand.select(group)
    assert not hand.window.inspector.layer_page._paint.isHidden()
    hand.window.table.run("layer.clear_paint")
    assert hand.layer().noise_paint is None
    assert hand.editor.undo_label == "Clear painted noise of Both"
    layer_edits.clear_paint(hand.editor, (group,))
    hand.editor.undo()
    assert hand.editor.undo_label == "Group"


def test_paint_lets_a_kept_layer_change_there_alone(hand: Hand):
    layer_edits.set_state(hand.editor, ("pad",), NextState.KEEP)
    assert hand.hint == "Paint lets this kept layer change here; the rest of it stays"
    hand.stroke((60, 50))
    layer = hand.layer()
    assert (layer.state, layer.noise) == (NextState.HARMONISE, 0.0)
    assert shown_state(layer) is NextState.HARMONISE
    noise = hand.window.inspector.layer_page._noise
    assert noise.text() == "0"
    after = hand.map()
    assert after[50, 60] > 0.9
    assert after[78, 60] == 0
    # Kept again nothing changes, and back again the rest still stays.
    layer_edits.set_state(hand.editor, ("pad",), NextState.KEEP)
    assert hand.map()[50, 60] == 0
    assert noise.text() == "0, kept"
    layer_edits.set_state(hand.editor, ("pad",), NextState.HARMONISE)
    assert hand.layer().noise == 0
    hand.window.table.run("layer.clear_paint")
    assert shown_state(hand.layer()) is NextState.KEEP


def test_the_noise_map_is_on_while_the_brush_is_and_then_as_it_was(hand: Hand):
    shown = hand.window.options.noise_map
    assert hand.canvas.show_noise_map
    assert shown.isChecked()
    hand.tool("move")
    assert not hand.canvas.show_noise_map
    assert not shown.isChecked()
    hand.window.table.run("view.noise_map")
    hand.tool("noise")
    hand.tool("noise")
    hand.tool("hand")
    assert hand.canvas.show_noise_map
    hand.tool("noise")
    hand.window.table.run("view.noise_map")
    hand.tool("brush")
    assert not hand.canvas.show_noise_map


def test_what_cannot_be_painted_says_so_and_a_press_selects_what_is_below(hand: Hand):
    background = hand.editor.document.background.id
    hand.select(background)
    assert hand.hint == PLAIN
    assert hand.canvas.hand_tool is not None
    assert hand.canvas.hand_tool.cursor() is Qt.CursorShape.PointingHandCursor
    hand.stroke((60, 50))
    assert hand.opened.session.selection.active == "pad"
    assert hand.editor.undo_label == ""
    hand.editor.apply(lambda d: group_layers(d, ["pad", "stone"], "Both"), "Group")
    hand.select(hand.editor.document.layers[0].id)
    assert hand.hint == PLAIN
    for change in ({"visible": False}, {"locked": True}, {"kind": LayerKind.FILL}):
        hand.editor.apply(lambda d, change=change: change_layer(d, "stone", **change), "Change")
        hand.select("stone")
        assert hand.kit.noise.target() is None
        assert hand.hint != PLAIN or "kind" in change
        hand.stroke((135, 25))
        assert hand.layer("stone").noise_paint is None
        hand.editor.undo()


def test_a_narrow_strip_leaves_out_what_has_keys_first(hand: Hand):
    run, around = hand.window.table.run, QWidget(hand.window)
    strip = NoiseStrip(hand.kit.noise, hand.editor, hand.opened.session.selection, run)
    strip.setParent(around)
    strip.show()
    around.show()
    shown = list[tuple[bool, bool]]()
    for width in (800, 560, 448, 800):
        strip.resize(width, 35)
        shown.append((not strip.hardness.isHidden(), not strip.flow.isHidden()))
    assert shown == [(True, True), (False, True), (False, False), (True, True)]
    strip.close_subscriptions()


def test_large_layers_show_their_stroke_as_a_line(hand: Hand, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("collage_studio.ui.cutout.noise_tool.LIVE_PIXELS", 100)
    hand.map()
    hand.stroke((60, 50), (70, 50), (75, 52), release=False)
    assert not hand.kit.noise._timer.isActive()
    assert not hand.canvas.grab().isNull()
    hand.send(QEvent.Type.MouseButtonRelease, hand.canvas.viewport.to_widget(75, 52), NONE)
    assert hand.map()[50, 70] > 0.8


def test_find_knows_the_brush_and_its_end():
    assert [action.id for action in find_actions("noise brush")] == ["tool.noise"]
    assert [action.id for action in find_actions("clear painted noise")] == ["layer.clear_paint"]


def test_the_status_bar_keeps_the_hint_while_the_pill_reads_the_map(hand: Hand):
    hand.map()
    with_hint = []
    hand.canvas.status_hint.connect(with_hint.append)
    hand.send(QEvent.Type.MouseMove, hand.canvas.viewport.to_widget(60, 50), NONE)
    assert with_hint == [
        "[ and ] change the size · Alt picks the noise under the brush · Shift draws straight"
    ]
    assert hand.canvas._painting.pointer_words() == "30   Pad"
