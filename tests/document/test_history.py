"""Undo and redo of whole documents, merged gestures, and the budget in bytes."""

from dataclasses import replace

import pytest

from collage_studio.document.geometry import Size
from collage_studio.document.history import History
from collage_studio.document.model import Document, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from tests.document.collages import picture, raster


def doc(*layers):
    return Document(Size(8, 6), layers)


def test_undo_and_redo_walk_the_same_values():
    first, second, third = doc(), doc(picture("a")), doc(picture("b"))
    history = History(first).pushed(second, "Add").pushed(third, "Swap")
    assert [entry.label for entry in history.past] == ["Add", "Swap"]
    back = history.undone().undone()
    assert back.present is first
    assert back.undone() is back
    assert back.redone().present is second
    again = back.redone().redone()
    assert again.present is third
    assert again.redone() is again
    assert [entry.label for entry in again.past] == ["Add", "Swap"]


def test_new_edit_forgets_what_was_undone():
    history = History(doc()).pushed(doc(picture("a")), "Add").undone()
    assert history.pushed(doc(picture("b")), "Other").future == ()


def test_gesture_is_one_entry_until_it_is_sealed():
    start = doc()
    history = History(start)
    for step in range(3):
        history = history.pushed(doc(picture(str(step))), "Drag", "drag")
    assert len(history.past) == 1
    assert history.undone().present is start
    sealed = history.sealed()
    assert len(sealed.pushed(doc(), "Drag", "drag").past) == 2
    assert sealed.sealed() is sealed


def test_gesture_after_undo_does_not_join_an_older_one():
    history = History(doc()).pushed(doc(picture("a")), "Drag", "drag")
    dragged = history.present
    history = history.pushed(doc(picture("b")), "Add").undone()
    history = history.pushed(doc(picture("c")), "Drag", "drag")
    assert history.undone().present is dragged


@pytest.mark.parametrize(("budget", "kept"), [(10**9, 5), (8 * 6 * 4 * 3, 2), (1, 1)])
def test_oldest_entries_go_when_their_pixels_exceed_the_budget(budget, kept):
    history = History(doc(), budget_bytes=budget)
    for seed in range(5):
        history = history.pushed(doc(picture("a", raster(seed=seed))), str(seed))
    assert len(history.past) == kept
    assert history.past[-1].label == "4"


def test_shared_pixels_are_counted_once():
    shared = picture("a", raster(seed=1))
    history = History(doc(shared), budget_bytes=8 * 6 * 4)
    for opacity in (0.1, 0.2, 0.3, 0.4):
        history = history.pushed(doc(replace(shared, opacity=opacity)), "Opacity")
    assert len(history.past) == 4


def test_variations_count_too():
    recipe = Recipe("harmonise", 1, RunSettings(), "")
    history = History(doc(), budget_bytes=8 * 6 * 4 * 2)
    for seed in range(4):
        one = Variation(str(seed), 1, raster(seed=seed), recipe)
        history = history.pushed(replace(doc(), variations=(one,), accepted=one), "Run")
    assert len(history.past) == 1
