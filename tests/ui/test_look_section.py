"""Learning looks in the window: the button, the bar, stopping, going on, taking another look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ui_documents import OpenWindow

from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.model import Layer
from collage_studio.engine.api import (
    Cancelled,
    Finished,
    Learned,
    LearnProgress,
    LearnRequest,
    Started,
)
from collage_studio.ui.panels.look_section import LookSection


def section_of(opened: OpenWindow) -> LookSection:
    opened.session.selection.select(["tent"])
    return opened.window.inspector.layer_page.findChild(LookSection)


def layer_of(opened: OpenWindow, layer_id: str = "tent") -> Layer:
    layer = opened.session.editor.document.find(layer_id)
    assert layer is not None
    return layer


def look(opened: OpenWindow, steps: int, planned: int = 200, *, finished: bool = True) -> Look:
    layer = layer_of(opened)
    recipe = LookRecipe(
        "Tent",
        layer.text,
        "starter",
        "stable_diffusion",
        layer.picture_key,
        steps,
        planned,
        finished,
        0.8,
        1.0,
    )
    return Look.of({"clip_l": np.full((2, 192), steps, np.float32)}, recipe)


def running_job(opened: OpenWindow) -> str:
    job = opened.session.runs.board.running
    assert job is not None
    return job.id


def test_one_press_learns_and_undo_takes_the_look_off(opened: OpenWindow) -> None:
    section, runs = section_of(opened), opened.session.runs
    section._learn.click()
    job = running_job(opened)
    request = runs.board.find(job).request
    assert isinstance(request, LearnRequest)
    assert request.layer_ids == ("tent",)
    assert not section._busy.isHidden()
    assert section._idle.isHidden()
    runs.handle(job, Started((), 200))
    runs.handle(job, LearnProgress(50, 200, (0.9,)))
    assert section._bar.value() == 250
    assert "Step 50 of 200" in section._step.full_text
    runs.handle(job, Learned("tent", look(opened, 50, finished=False)))
    assert layer_of(opened).look is None
    runs.handle(job, Learned("tent", look(opened, 120)))
    runs.handle(job, Finished())
    assert layer_of(opened).look == look(opened, 120)
    assert not section._idle.isHidden()
    assert section._said.full_text == "Learned in 120 steps, error 20 % lower."
    assert opened.session.editor.undo_label == "Learn look of Tent"
    opened.session.editor.undo()
    assert layer_of(opened).look is None
    assert opened.session.looks.find(look(opened, 120).key) is not None


def test_stopping_keeps_what_was_learned_and_offers_to_go_on(opened: OpenWindow) -> None:
    section, runs = section_of(opened), opened.session.runs
    section._learn.click()
    job = running_job(opened)
    runs.handle(job, Learned("tent", look(opened, 50, finished=False)))
    runs.handle(job, Cancelled())
    assert section._learn.text() == "Go on"
    assert section._said.full_text.startswith("Stopped at step 50 of 200")
    section._learn.click()
    request = runs.board.find(running_job(opened)).request
    assert isinstance(request, LearnRequest)
    assert request.goes_on
    assert request.learning.steps == 150
    assert request.document.find("tent").look == look(opened, 50, finished=False)


def test_a_deleted_layer_is_left_alone(opened: OpenWindow) -> None:
    section, editor = section_of(opened), opened.session.editor
    section._learn.click()
    job = running_job(opened)
    opened.session.runs.handle(job, Learned("tent", look(opened, 50)))
    editor.apply(lambda document: document.with_layers(*document.layers[1:]), "Delete")
    before = editor.document
    opened.session.runs.handle(job, Finished())
    assert editor.document is before


def test_a_look_of_the_library_can_be_worn_and_taken_off(opened: OpenWindow) -> None:
    opened.session.looks.add(look(opened, 99))
    section = section_of(opened)
    section._take(look(opened, 99).key)
    assert layer_of(opened).look == look(opened, 99)
    section._take("")
    assert layer_of(opened).look is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"text": ""}, "has no text"), ({"look": None, "text": " "}, "has no text")],
)
def test_what_cannot_be_learned_says_why(opened: OpenWindow, change, sentence: str) -> None:
    section, editor = section_of(opened), opened.session.editor
    layers = [replace(layer_of(opened), **change), *editor.document.layers[1:]]
    editor.apply(lambda document: document.with_layers(*layers), "Change")
    assert not section._learn.isEnabled()
    assert sentence in section._learn.toolTip()


def test_groups_have_no_look(opened: OpenWindow) -> None:
    section = section_of(opened)
    opened.session.selection.select(["trees"])
    assert section.isHidden()


def test_a_look_of_another_model_is_told(opened: OpenWindow) -> None:
    section, editor = section_of(opened), opened.session.editor
    worn = look(opened, 10)
    other = Look.of(worn.vectors, replace(worn.recipe, model="/models/other"))
    layers = [replace(layer_of(opened), look=other), *editor.document.layers[1:]]
    editor.apply(lambda document: document.with_layers(*layers), "Change")
    assert section._said.full_text.startswith("Learned with another model")
