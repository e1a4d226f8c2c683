"""The personal library of looks, and looks inside saved documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_documents import collage

from collage_studio.app.learning import again, go_on_request
from collage_studio.app.looks import (
    LookLibrary,
    LookRefused,
    learn_request,
    reason_against_learning,
    with_looks,
)
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.engine.api import LearnSettings
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.stored_zip import Archive


def look_for(layer: Layer, steps: int = 100, planned: int = 100, count: int = 2) -> Look:
    recipe = LookRecipe(
        layer.name,
        layer.text,
        "starter",
        "stable_diffusion",
        layer.picture_key,
        steps,
        planned,
        steps == planned,
        0.5,
        1.0,
    )
    return Look.of({"clip_l": np.full((count, 4), steps, np.float32)}, recipe)


@pytest.fixture
def document() -> Document:
    return collage(2)


@pytest.fixture
def library(tmp_path: Path) -> LookLibrary:
    return LookLibrary(tmp_path / "looks")


def test_a_look_is_found_again_for_the_same_picture_and_model(library, document):
    layer, other = document.layers
    assert library.for_picture(layer, "starter") is None
    library.add(look_for(layer))
    assert library.for_picture(layer, "starter") == look_for(layer)
    assert library.for_picture(layer, "elsewhere") is None
    assert library.for_picture(other, "starter") is None


def test_a_better_look_of_the_same_kind_takes_the_old_ones_place(library, document):
    layer = document.layers[0]
    library.add(look_for(layer, 50))
    library.add(look_for(layer, 100))
    library.add(look_for(layer, 100, count=4))
    assert {item.look.count for item in library.looks()} == {2, 4}
    assert len(library.looks()) == 2


def test_damaged_files_on_the_shelf_are_passed_over(library, document):
    library.add(look_for(document.layers[0]))
    (library.folder / "broken.safetensors").write_bytes(b"nothing")
    assert len(library.looks()) == 1


def test_removing_a_look_leaves_documents_alone(library, document):
    look = look_for(document.layers[0])
    worn = with_looks(document, {document.layers[0].id: look})
    library.add(look)
    library.remove(look)
    assert library.looks() == ()
    assert worn.layers[0].look == look


def test_files_of_other_tools_are_taken_in_by_their_name(library, tmp_path):
    numpy_format = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "my-style.safetensors"
    path.write_bytes(numpy_format.save({"emb_params": np.ones((2, 4), np.float32)}))
    look = library.take_in(path)
    assert look.recipe.name == "my-style"
    assert [item.name for item in library.looks()] == ["my-style"]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [("a.pt", b"", "Pickled looks"), ("a.safetensors", b"{}", "no learned look")],
)
def test_other_files_are_refused_with_a_sentence(library, tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LookRefused, match=sentence):
        library.take_in(tmp_path / name)


def test_looks_travel_in_the_document_once_each(document, tmp_path):
    first, second = document.layers
    look = look_for(first)
    worn = with_looks(document, {first.id: look, second.id: look})
    path = tmp_path / "worn.collage"
    save_collage(worn, path)
    with Archive(path) as archive:
        assert [name for name in archive.members if name.startswith("looks/")] == [
            f"looks/{look.key}.safetensors"
        ]
        assert archive.read(f"looks/{look.key}.safetensors") == look.data
    assert load_collage(path).document == worn
    save_collage(worn, path)
    assert load_collage(path).document == worn


def test_a_lost_look_costs_the_look_only(document, tmp_path):
    path = tmp_path / "worn.collage"
    worn = with_looks(document, {document.layers[0].id: look_for(document.layers[0])})
    save_collage(worn, path)
    data = bytearray(path.read_bytes())
    at = data.index(b"clip_l")
    data[at : at + 6] = b"xxxxxx"
    path.write_bytes(bytes(data))
    opened = load_collage(path)
    assert opened.read_only
    assert "look" in opened.notices[0]
    assert opened.document == document


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text": " "}, "has no text"),
        ({"kind": LayerKind.FILL, "raster": None}, "has no picture"),
    ],
)
def test_what_cannot_be_learned_is_told(document, change, sentence):
    assert reason_against_learning(document.layers) == ""
    assert sentence in reason_against_learning([replace(document.layers[0], **change)])
    assert reason_against_learning([])


def test_going_on_asks_for_the_steps_still_owed(document):
    layer = document.layers[0]
    worn = with_looks(document, {layer.id: look_for(layer, 50, 200, count=3)})
    request = go_on_request(worn, [layer.id], 1)
    assert request.goes_on
    assert (request.learning.steps, request.learning.vectors) == (150, 3)
    repeated = again(learn_request(document, [layer.id], LearnSettings(steps=200)), worn)
    assert repeated.goes_on
    assert repeated.document.find(layer.id).look is not None
