"""What rows and canvas say about change is counted in the pictures, and agrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtTest import QTest
from ui_documents import OpenWindow, camp

from collage_studio.app.stale import stale_layers
from collage_studio.document import edits
from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.noise_map import noise_map
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import Finished, Produced, Started, describe_layers
from collage_studio.ui.proofs import outside_words, proof_of
from collage_studio.ui.run_view import COUNT_AFTER_MS

SETTINGS = RunSettings(softness=4.0)


def made(document: Document, rgb: np.ndarray, *rolled: str) -> Variation:
    recipe = Recipe("run", 1, SETTINGS, "", rolled, layers=describe_layers(document))
    return Variation("v", 1, Raster.from_rgb(rgb), recipe)


def test_an_equal_picture_is_proven_equal_in_every_layer() -> None:
    document = camp()
    proof = proof_of(document, made(document, composite_picture(document)))
    assert set(proof.changes) == {"background", "tent", "dog", "left", "right"}
    assert all(change.is_same and change.amount == 0 for change in proof.changes.values())
    assert proof.changes["tent"].badge == "0 px"
    assert proof.outside is None


def test_one_changed_pixel_is_no_longer_equal() -> None:
    document = camp()
    rgb = composite_picture(document).copy()
    rgb[30, 20] ^= 1
    proof = proof_of(document, made(document, rgb))
    assert proof.changes["tent"].differing == 1
    assert not proof.changes["tent"].is_same
    assert proof.changes["tent"].amount == 1
    assert proof.changes["dog"].is_same


def test_a_greater_change_has_a_greater_number() -> None:
    document = camp()
    amounts = []
    for strength in (10, 40, 120):
        rgb = composite_picture(document).astype(int)
        rgb[10:50, :40] = np.clip(rgb[10:50, :40] - strength, 0, 255)
        proof = proof_of(document, made(document, rgb.astype(np.uint8)))
        amounts.append(proof.changes["tent"].amount)
    assert amounts == sorted(set(amounts))
    assert 0 < amounts[0] < amounts[-1] <= 100


def test_a_measured_identity_stands_beside_colour_and_structure() -> None:
    document = camp()
    rgb = composite_picture(document).copy()
    rgb[10:50, :40] //= 2
    plain = made(document, rgb)
    layers = tuple(
        {**entry, "quality": {"identity": 0.8714}} if entry["id"] != "left" else entry
        for entry in plain.recipe.layers
    )
    measured = replace(plain, recipe=replace(plain.recipe, layers=layers))
    assert "identity" not in proof_of(document, plain).changes["tent"].sentence
    changes = proof_of(document, measured).changes
    assert changes["tent"].sentence.endswith(", identity kept 0.87.")
    assert "identity" not in changes["dog"].sentence, "Not one of its pixels differs."


@pytest.mark.parametrize("spoiled", [0, 3])
def test_a_reroll_is_counted_outside_its_own_noise_map(spoiled: int) -> None:
    document = camp()
    before = made(document, composite_picture(document))
    document = replace(document, accepted=before)
    rgb = composite_picture(document).copy()
    may_change = noise_map(document, SETTINGS, only=("tent",)) > 0
    rgb[may_change] = 7
    rgb[100, :spoiled] ^= 1
    variation = made(document, rgb, "tent")
    proof = proof_of(document, variation)
    assert proof.outside == spoiled
    assert outside_words(document, variation, proof) == f"{spoiled} px changed outside Tent"


def test_what_moves_a_group_moves_the_layers_in_it() -> None:
    document = camp()
    variation = made(document, composite_picture(document))
    assert stale_layers(document, variation) == {}
    moved = edits.transform_layers(document, ["trees"], Affine.translation(5, 0))
    words = {key: found.word for key, found in stale_layers(moved, variation).items()}
    assert words == {"left": "moved", "right": "moved"}
    faded = edits.change_layer(moved, "dog", opacity=0.5)
    renamed = edits.change_layer(faded, "tent", text="a yellow tent")
    found = stale_layers(renamed, variation)
    assert (found["dog"].word, found["dog"].is_seen) == ("edited", True)
    assert (found["tent"].word, found["tent"].is_seen) == ("edited", False)


def _run(opened: OpenWindow, rgb: np.ndarray, *rolled: str) -> None:
    runs, document = opened.session.runs, opened.session.editor.document
    job = runs.reroll(rolled, (1,)) if rolled else runs.harmonise((1,))
    assert job is not None
    runs.handle(job.id, Started((1,), 10))
    runs.handle(job.id, Produced(1, rgb, made(document, rgb, *rolled).recipe))
    runs.handle(job.id, Finished())
    QTest.qWait(2 * COUNT_AFTER_MS)
    opened.window.canvas.background.finish()
    QTest.qWait(1)


def test_rows_show_what_was_counted_and_agree_with_the_canvas(opened: OpenWindow) -> None:
    window, editor = opened.window, opened.session.editor
    rows = window.layers.tree.layers_model
    first = composite_picture(editor.document).copy()
    first[10:50, :40] //= 2

    def badge(layer_id: str) -> str:
        layer = editor.document.find(layer_id)
        assert layer is not None
        found = rows.badge(layer)
        return f"{found.kind} {found.words}" if found else ""

    _run(opened, first)
    assert badge("dog") == "same 0 px"
    assert badge("tent").startswith("changed ")
    window.run_view.accept()
    assert badge("dog") == "same 0 px"

    second = first.copy()
    second[20, 60] += 9
    _run(opened, second, "dog")
    assert badge("tent") == "same 0 px"
    assert badge("dog") == "changed 1"
    assert window.canvas.proof == "0 px changed outside Dog"
    window.run_view.accept()
    assert window.canvas.proof == ""

    editor.apply(lambda d: edits.transform_layers(d, ["tent"], Affine.translation(9, 0)), "Move")
    assert badge("tent") == "stale moved"
    assert window.canvas.stale_badge.accessibleName() == "Tent moved since the last run"
    third = second.copy()
    third[20, 60] += 9
    _run(opened, third, "dog")
    window.run_view.accept()
    assert badge("tent") == "stale moved"
    assert window.canvas.stale_badge.accessibleName() == "Tent moved since the last run"
    window.run_view.show_view("collage")
    assert badge("dog") == ""
