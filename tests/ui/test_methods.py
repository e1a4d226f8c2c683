"""Choosing a method, its settings, comparing methods, layout boxes and extending the picture."""

from __future__ import annotations

import json
import struct
from dataclasses import fields, replace

import pytest
from PySide6.QtCore import Qt

from collage_studio.app.requests import title_of
from collage_studio.document.edits import add_variations
from collage_studio.document.method_settings import NAMES, MethodSettings
from collage_studio.document.model import LayerKind
from collage_studio.formats.adapter_files import KIND
from collage_studio.ui.panels.method_panel import MethodPanel
from collage_studio.ui.panels.methods import FIELDS, METHODS, SENTENCES, TAGS
from collage_studio.ui.panels.strip_looks import Pending, StripState, looks
from collage_studio.ui.widgets.choice import ChoiceButton
from tests.ui.ui_documents import camp, open_window, variation


@pytest.fixture
def opened(qtbot, tmp_path):
    made = open_window(tmp_path, camp())
    qtbot.addWidget(made.window)
    yield made
    made.close()


def test_every_method_has_a_sentence_a_tag_and_settings_that_exist():
    assert set(dict(METHODS)) == set(NAMES) == set(SENTENCES) == set(TAGS) == set(FIELDS)
    for method, settings in FIELDS.items():
        known = getattr(MethodSettings(), method, None)
        names = {item.name for item in fields(known)} if known is not None else set()
        assert {setting.name for setting in settings} <= names
        assert SENTENCES[method].endswith(".")


def panel(opened) -> MethodPanel:
    return opened.window.findChild(MethodPanel)


def test_choosing_a_method_shows_its_sentence_and_its_own_settings(opened):
    editor, shown = opened.session.editor, panel(opened)
    opened.window.options.method.chosen.emit("noise_collage")
    assert editor.document.settings.method == "noise_collage"
    assert set(shown.controls) == {setting.name for setting in FIELDS["noise_collage"]}
    shown.chooser.chosen.emit("dense_diffusion")
    assert opened.window.options.method.value == "dense_diffusion"
    assert set(shown.controls) == {setting.name for setting in FIELDS["dense_diffusion"]}
    editor.undo()
    assert editor.document.settings.method == "noise_collage"


def test_a_setting_of_a_method_is_an_edit_and_hides_what_does_not_matter(opened):
    editor, shown = opened.session.editor, panel(opened)
    shown.chooser.chosen.emit("noise_collage")
    outside = shown.controls["outside"]
    assert isinstance(outside, ChoiceButton)
    assert not shown.controls["drop_rate"].isHidden()
    outside.chosen.emit("caption")
    assert editor.document.settings.methods.noise_collage.outside == "caption"
    assert shown.controls["drop_rate"].isHidden()
    shown.controls["background_weight"].changed.emit(20.0)
    assert editor.document.settings.methods.noise_collage.background_weight == 0.2
    shown.controls["crops"].chosen.emit("False")
    assert editor.document.settings.methods.noise_collage.crops is False


def test_rich_context_says_which_adapter_it_uses_and_takes_a_file(opened, tmp_path):
    editor, shown = opened.session.editor, panel(opened)
    shown.chooser.chosen.emit("rich_context")
    setting = next(one for one in FIELDS["rich_context"] if one.takes_file)
    choice = shown.controls["adapter"]
    choice.chosen.emit("none")
    assert shown.adapter_line.text() == "Regional attention without training."
    assert not shown.controls["caption"].isHidden()
    other = tmp_path / "other.safetensors"
    write_header(other, {})
    shown.take_file(setting, other)
    assert "is no rich-context adapter" in shown.adapter_line.text()
    assert editor.document.settings.methods.rich_context.adapter == "none"
    trained = tmp_path / "mine.safetensors"
    write_header(trained, {"kind": KIND})
    shown.take_file(setting, trained)
    assert editor.document.settings.methods.rich_context.adapter == str(trained)
    assert shown.adapter_line.text() == "Uses the trained adapter mine.safetensors."
    assert choice.value == str(trained)
    assert shown.controls["caption"].isHidden()
    editor.undo()
    assert editor.document.settings.methods.rich_context.adapter == "none"


def write_header(path, facts) -> None:
    header = json.dumps({"__metadata__": facts} if facts else {}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_comparing_queues_every_method_with_the_same_seeds_in_one_run(opened):
    runs = opened.session.runs
    jobs = runs.compare_methods()
    assert [job.request.settings.method for job in jobs] == list(NAMES)
    assert len({job.seeds for job in jobs}) == 1
    assert title_of(jobs[1].request) == "Harmonise, NoiseCollage"
    assert len({runs._run_of(job.id) for job in jobs}) == 1


def test_tiles_of_a_comparison_say_their_method(opened):
    document = camp()
    made = []
    for number, method in enumerate(NAMES):
        one = variation(document, number)
        settings = replace(one.recipe.settings, method=method)
        made.append(replace(one, id=method, recipe=replace(one.recipe, settings=settings)))
    compared = looks(add_variations(document, made), StripState(run=1))
    notes = {look.key: look.note for look in compared}
    assert notes["noise_collage"] == "Noise 1"
    alone = looks(add_variations(document, made[:1]), StripState(run=1))
    assert {look.key: look.note for look in alone}["collage_diffusion"] == "seed 0"


def test_the_best_of_a_finished_run_comes_first_and_keeps_its_number():
    document = camp()
    made = []
    for seed, share in ((1, 0.2), (2, 0.9), (3, 0.6)):
        one = variation(document, seed)
        layers = tuple({**entry, "quality": {"text": share}} for entry in one.recipe.layers)
        made.append(replace(one, recipe=replace(one.recipe, layers=layers)))
    document = add_variations(document, made)
    shown = [look for look in looks(document, StripState(run=1)) if look.key.startswith("v")]
    assert [(look.title, look.note) for look in shown] == [
        ("2", "best · 2"),
        ("3", "seed 3"),
        ("1", "seed 1"),
    ]
    pending = (Pending("job:9", 9, "running"),)
    unfinished = looks(document, StripState(run=1, pending=pending))
    assert [look.title for look in unfinished if look.key.startswith("v")] == ["1", "2", "3"]


def test_a_layout_box_is_added_selected_and_waits_for_its_text(opened):
    session = opened.session
    opened.window.table.run("layer.add_box")
    [layer] = [one for one in session.editor.document.layers if one.kind is LayerKind.LAYOUT]
    assert session.selection.ids == (layer.id,)
    assert layer.name == "Box 1"
    assert layer.id in session.editor.document.caption.layer_ids
    opened.window.canvas.grab()


def test_extending_widens_the_canvas_and_queues_a_run(opened):
    session = opened.session
    opened.window.table.run("harmonise.extend_right")
    document = session.editor.document
    assert document.size.width == 160 + 64
    assert document.settings.method == "multi_diffusion"
    assert session.runs.board.jobs
    session.editor.undo()
    assert session.editor.document.size.width == 160


def test_dragging_with_the_layout_tool_draws_a_box_and_alt_a_free_shape(opened, qtbot):
    window, editor = opened.window, opened.session.editor
    window.resize(1200, 800)
    window.show()
    qtbot.waitExposed(window)
    canvas, view = window.canvas, window.canvas.viewport
    window.table.run("tool.layout")
    tool = canvas.hand_tool
    assert tool is not None
    tool.press(view.to_widget(20, 30), Qt.KeyboardModifier.NoModifier)
    tool.move(view.to_widget(40, 60))
    canvas.grab()
    tool.release(view.to_widget(60, 70))
    box = editor.document.layers[-1]
    assert box.kind is LayerKind.LAYOUT
    assert abs(box.raster.size.width - 40) <= 1
    assert abs(box.raster.size.height - 40) <= 1
    assert canvas.tool == "move"
    window.table.run("tool.layout")
    tool.press(view.to_widget(80, 20), Qt.KeyboardModifier.AltModifier)
    for x, y in ((120, 20), (120, 60), (80, 20)):
        tool.move(view.to_widget(x, y))
    tool.release(view.to_widget(80, 20))
    shape = editor.document.layers[-1]
    assert shape.name.startswith("Shape")
    assert 0.3 < shape.mask.values.mean() / 255 < 0.7


def test_a_click_with_the_layout_tool_makes_nothing(opened):
    window, editor = opened.window, opened.session.editor
    window.table.run("tool.layout")
    tool = window.canvas.hand_tool
    tool.press(window.canvas.viewport.to_widget(20, 30), Qt.KeyboardModifier.NoModifier)
    assert tool.cancel()
    tool.press(window.canvas.viewport.to_widget(20, 30), Qt.KeyboardModifier.NoModifier)
    tool.release(window.canvas.viewport.to_widget(21, 30))
    assert not any(layer.kind is LayerKind.LAYOUT for layer in editor.document.walk())
