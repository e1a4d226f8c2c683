"""A learned look as a value: its bytes, its recipe, and what it refuses to be."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collage_studio.document.looks import BadLook, Look, LookRecipe, fits, picture_key

RECIPE = LookRecipe("Tent", "a tent", "starter", "stable_diffusion", "k", 150, 200, True, 0.5, 0.9)


def look(count: int = 2, width: int = 8, encoder: str = "clip_l") -> Look:
    vectors = np.arange(count * width, dtype=np.float32).reshape(count, width)
    return Look.of({encoder: vectors}, RECIPE)


@given(arrays.arrays(np.float32, (3, 5), elements=st.floats(-9, 9, width=32)))
def test_vectors_and_recipe_come_back_from_the_bytes(vectors):
    made = Look.of({"clip_l": vectors, "t5": vectors[:, :2]}, RECIPE)
    again = Look(made.data)
    assert again == made
    assert again.key == made.key
    assert again.recipe == RECIPE
    assert again.count == 3
    assert np.array_equal(again.vectors["clip_l"], vectors)
    assert np.array_equal(again.vectors["t5"], vectors[:, :2])


def test_other_tools_can_read_it_and_it_reads_theirs(tmp_path):
    numpy_format = pytest.importorskip("safetensors.numpy")
    made = look()
    read = numpy_format.load(made.data)
    assert np.array_equal(read["clip_l"], made.vectors["clip_l"])
    theirs = Look(numpy_format.save({"emb_params": np.ones((4, 6), np.float16)}))
    assert theirs.widths == {"clip_l": 6}
    assert theirs.recipe == LookRecipe()
    assert theirs.vectors["clip_l"].dtype == np.float32


def test_looks_differ_by_content_only():
    assert look() == look()
    assert hash(look()) == hash(look())
    assert look() != look(width=9)
    assert pickle.loads(pickle.dumps(look())) == look()


def test_vectors_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        look().vectors["clip_l"][0, 0] = 1.0


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_cut_bytes_are_refused(cut):
    with pytest.raises(BadLook, match="look"):
        Look(look().data[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_look_or_refused_with_a_sentence(data):
    with pytest.raises(BadLook, match="look"):
        Look(data)


def test_a_look_fits_models_of_its_width():
    assert fits(look(), {"clip_l": 8})
    assert fits(look(), {"clip_l": 8, "t5": 64})
    assert not fits(look(), {"clip_l": 9})
    assert not fits(look(), {"t5": 8})


def test_a_picture_key_tells_pixels_and_masks_apart():
    assert picture_key("a", "b") != picture_key("a", "")
    assert picture_key("a", "b") == picture_key("a", "b")
