"""Edits are pure, leave missing layers alone and keep pictures in their place."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collage_studio.document import edits
from collage_studio.document.compositing import bounds, flatten
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.history import History
from collage_studio.document.model import (
    Caption,
    Document,
    LayerKind,
    LayerRef,
    NextState,
    Variation,
)
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.document.tree import find_node
from tests.document.collages import documents, group, leaf_layers, picture, raster, trees

CANVAS = Size(60, 40)


def stack(*layers, **changes):
    return Document(CANVAS, layers, **changes)


def ids_of(document):
    return [layer.id for layer in document.walk()]


def variation(name, run, layer_ids=()):
    recipe = Recipe("reroll" if layer_ids else "harmonise", 1, RunSettings(), "", layer_ids)
    return Variation(name, run, raster(60, 40, alpha=255), recipe)


EDITS = {
    "remove": lambda d, ids: edits.remove_layers(d, ids),
    "opacity": lambda d, ids: edits.change_layer(d, ids[0], opacity=0.123),
    "move": lambda d, ids: edits.move_layer(d, ids[0], index=0),
    "transform": lambda d, ids: edits.transform_layers(d, ids, Affine.translation(3, 4)),
    "duplicate": lambda d, ids: edits.duplicate_layers(d, ids),
    "group": lambda d, ids: edits.group_layers(d, ids, "New"),
    "ungroup": lambda d, ids: edits.ungroup(d, ids[0]),
    "flip": lambda d, ids: edits.flip_layers(d, ids, True),
    "align": lambda d, ids: edits.align_layers(d, ids, "right"),
    "noise": lambda d, ids: edits.set_noise(d, ids, 0.987),
    "state": lambda d, ids: edits.set_state(d, ids, NextState.REROLL),
    "chip": lambda d, ids: edits.add_chip(d, ids[0]),
}


@settings(max_examples=25, deadline=None)
@given(documents(), st.sampled_from(sorted(EDITS)), st.data())
def test_edits_are_pure_and_history_takes_them_back(document, name, data):
    assume(document.layers)
    chosen = tuple(data.draw(st.sets(st.sampled_from(ids_of(document)), min_size=1)))
    before = copy.deepcopy(document)
    after = EDITS[name](document, chosen)
    assert document == before
    history = History(document).pushed(after, name)
    assert history.undone().present is document
    assert history.undone().redone().present is after


@pytest.mark.parametrize("name", sorted(EDITS))
def test_missing_layer_is_left_alone(name):
    document = stack(picture("a"), group("g", picture("b")))
    assert EDITS[name](document, ("gone",)) is document


@settings(max_examples=25, deadline=None)
@given(documents(), st.data())
def test_moving_keeps_the_set_of_layers_and_their_places(document, data):
    ids = ids_of(document)
    assume(ids)
    chosen = data.draw(st.sampled_from(ids))
    parents = ["", *[layer.id for layer in document.walk() if layer.is_group]]
    parent, index = data.draw(st.sampled_from(parents)), data.draw(st.integers(-1, 5))
    moved = edits.move_layer(document, chosen, parent=parent, index=index)
    assert sorted(ids_of(moved)) == sorted(ids)
    for layer_id in ids:
        before, after = find_node(document, layer_id), find_node(moved, layer_id)
        assert before is not None
        assert after is not None
        placed = before.outer.after(before.layer.placement).as_tuple()
        assert after.outer.after(after.layer.placement).as_tuple() == pytest.approx(
            placed, abs=1e-9
        )


@settings(max_examples=25, deadline=None)
@given(documents(), st.floats(-200, 200), st.sampled_from([0.5, 1.0, 3.0]), st.data())
def test_transform_then_its_inverse_returns_each_placement(document, degrees, scale, data):
    assume(document.layers)
    chosen = tuple(data.draw(st.sets(st.sampled_from(ids_of(document)), min_size=1)))
    there = Affine.rotation(degrees).after(Affine.scaling(scale)).about(20, 10)
    moved = edits.transform_layers(document, chosen, there)
    back = edits.transform_layers(moved, chosen, there.inverse())
    for before, after in zip(document.walk(), back.walk(), strict=True):
        assert after.placement.as_tuple() == pytest.approx(before.placement.as_tuple(), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(documents(trees(leaf_layers(where=st.just(Affine())))))
def test_grouping_and_ungrouping_neighbours_keeps_the_picture(document):
    assume(len(document.layers) >= 2)
    chosen = [layer.id for layer in document.layers[:2]]
    grouped = edits.group_layers(document, chosen, "Pair", group_id="pair")
    assert [layer.id for layer in grouped.layers[:1]] == ["pair"]
    assert np.array_equal(flatten(grouped), flatten(document))
    assert edits.ungroup(grouped, "pair") == document


def test_new_layer_goes_on_top_or_to_its_index():
    document = stack(picture("a"), group("g", picture("b")))
    assert ids_of(edits.add_layer(document, picture("n"))) == ["a", "g", "b", "n"]
    assert ids_of(edits.add_layer(document, picture("n"), index=0)) == ["n", "a", "g", "b"]
    inside = edits.add_layer(document, picture("n"), parent="g", index=0)
    assert [layer.id for layer in inside.layers[1].children] == ["n", "b"]
    assert edits.add_layer(document, picture("n"), parent="a") is document


def test_a_group_cannot_move_into_itself():
    document = stack(group("g", group("h", picture("a"))))
    assert edits.move_layer(document, "g", parent="h", index=0) is document
    assert edits.move_layer(document, "g", parent="g", index=0) is document


def test_index_of_a_move_is_counted_without_the_layer():
    document = stack(picture("a"), picture("b"), picture("c"))
    assert ids_of(edits.move_layer(document, "a", index=1)) == ["b", "a", "c"]
    assert ids_of(edits.move_layer(document, "a", index=2)) == ["b", "c", "a"]
    assert edits.move_layer(document, "b", index=1) is document


def test_change_without_effect_returns_the_same_document():
    document = stack(picture("a", opacity=0.5))
    assert edits.change_layer(document, "a", opacity=0.5) is document
    assert edits.set_caption(document, Caption()) is document
    assert edits.set_settings(document, RunSettings()) is document
    assert edits.add_variations(document, ()) is document


def test_edits_reach_the_background():
    document = edits.change_layer(stack(), "background", text="a meadow")
    assert document.background.text == "a meadow"
    assert edits.set_noise(document, ("background",), 0.3).background.noise == 0.3


def test_untouched_layers_stay_the_same_objects():
    document = stack(picture("a"), group("g", picture("b")), picture("c"))
    after = edits.change_layer(document, "c", name="New")
    assert after.layers[0] is document.layers[0]
    assert after.layers[1] is document.layers[1]


def test_keep_remembers_the_noise():
    document = stack(picture("a", noise=0.7))
    kept = edits.set_noise(document, ("a",), 0.0)
    assert (kept.layers[0].state, kept.layers[0].noise) == (NextState.KEEP, 0.7)
    assert kept.layers[0].effective_noise == 0
    back = edits.set_state(kept, ("a",), NextState.HARMONISE)
    assert back.layers[0].effective_noise == 0.7
    dragged = edits.set_noise(kept, ("a",), 0.2)
    assert (dragged.layers[0].state, dragged.layers[0].noise) == (NextState.HARMONISE, 0.2)


def test_noise_of_a_marked_layer_keeps_the_mark():
    document = stack(picture("a", state=NextState.REROLL))
    assert edits.set_noise(document, ("a",), 0.9).layers[0].state is NextState.REROLL


def test_noise_of_a_group_goes_to_its_leaves():
    document = edits.set_noise(stack(group("g", picture("a"), picture("b"))), ("g",), 0.9)
    assert {layer.noise for layer in document.walk()} == {0.9}


def test_child_of_a_moved_group_moves_once():
    document = stack(group("g", picture("a")))
    moved = edits.transform_layers(document, ("g", "a"), Affine.translation(5, 0))
    assert bounds(moved.layers[0]) == Rect(5, 0, 13, 6)


def test_transform_acts_on_the_canvas_whatever_the_group_does():
    document = stack(group("g", picture("a"), placement=Affine.scaling(2)))
    moved = edits.transform_layers(document, ("a",), Affine.translation(5, 0))
    assert bounds(moved.layers[0]) == Rect(5, 0, 21, 12)


def test_duplicate_lies_directly_above_with_a_fresh_id():
    document = edits.duplicate_layers(stack(picture("a"), picture("b")), ("a",))
    first, copied, last = document.layers
    assert (first.id, last.id, copied.name) == ("a", "b", "A copy")
    assert copied.id not in ("a", "b")
    assert copied.placement == Affine.translation(12, 12)
    assert copied.raster is first.raster


def test_duplicate_of_a_group_renews_all_ids():
    document = edits.duplicate_layers(stack(group("g", picture("a"))), ("g", "a"))
    ids = ids_of(document)
    assert len(ids) == 4
    assert len(set(ids)) == 4


def test_group_stands_where_its_frontmost_member_was():
    inner = group("g", picture("b"), placement=Affine.translation(7, 0))
    document = edits.group_layers(stack(picture("a"), inner, picture("c")), ("a", "b"), "New")
    assert [layer.name for layer in document.layers] == ["G", "C"]
    new = document.layers[0].children[0]
    assert (new.kind, new.name) == (LayerKind.GROUP, "New")
    assert [child.id for child in new.children] == ["a", "b"]
    assert new.children[0].placement == Affine.translation(-7, 0)


def test_ungroup_hands_down_what_it_can():
    child = picture("a", opacity=0.5)
    placed = Affine.translation(3, 0)
    outer = group("g", child, opacity=0.5, placement=placed, visible=False, state=NextState.KEEP)
    (freed,) = edits.ungroup(stack(outer), "g").layers
    assert (freed.opacity, freed.visible, freed.state) == (0.25, False, NextState.KEEP)
    assert freed.placement == placed


def test_flip_keeps_the_joint_box():
    document = stack(picture("a"), picture("b", placement=Affine.translation(20, 5)))
    flipped = edits.flip_layers(document, ("a", "b"), True)
    assert bounds(flipped.layers[0]) == Rect(20, 0, 28, 6)
    assert bounds(flipped.layers[1]) == Rect(0, 5, 8, 11)
    assert edits.flip_layers(flipped, ("a", "b"), True) == document
    upside = edits.flip_layers(document, ("a", "b"), False)
    assert bounds(upside.layers[0]) == Rect(0, 5, 8, 11)


@pytest.mark.parametrize(
    ("edge", "box"),
    [
        ("left", Rect(0, 9, 8, 15)),
        ("centre", Rect(26, 9, 34, 15)),
        ("right", Rect(52, 9, 60, 15)),
        ("top", Rect(7, 0, 15, 6)),
        ("middle", Rect(7, 17, 15, 23)),
        ("bottom", Rect(7, 34, 15, 40)),
    ],
)
def test_one_layer_aligns_with_the_canvas(edge, box):
    document = stack(picture("a", placement=Affine.translation(7, 9)))
    assert bounds(edits.align_layers(document, ("a",), edge).layers[0]) == box


def test_several_layers_align_with_each_other():
    document = stack(picture("a"), picture("b", placement=Affine.translation(20, 5)))
    aligned = edits.align_layers(document, ("a", "b"), edits.Edge.RIGHT)
    assert [bounds(layer).right for layer in aligned.layers] == [28, 28]
    assert [bounds(layer).top for layer in aligned.layers] == [0, 5]


def test_chip_is_appended_once_after_a_comma():
    document = edits.set_caption(stack(picture("a"), picture("b")), Caption(("a photo of ",)))
    document = edits.add_chip(edits.add_chip(document, "a"), "b")
    expected = ("a photo of ", LayerRef("a"), ", ", LayerRef("b"))
    assert document.caption.parts == expected
    assert edits.add_chip(document, "a") is document


def test_chip_of_a_removed_layer_stays():
    document = edits.add_chip(stack(picture("a", text="a red car")), "a")
    after = edits.remove_layers(document, ("a",))
    assert after.caption.layer_ids == ("a",)
    assert after.written_caption() == ("", ())


def test_accepting_clears_the_run_and_its_marks():
    marked = picture("a", state=NextState.REROLL)
    other = picture("b", state=NextState.REROLL)
    document = edits.add_variations(
        stack(marked, other),
        [variation("v1", 1), variation("v2", 2, ("a",)), variation("v3", 2, ("a",))],
    )
    after = edits.accept_variation(document, "v2")
    assert after.accepted is document.variations[1]
    assert [one.id for one in after.variations] == ["v1"]
    assert [layer.state for layer in after.layers] == [NextState.HARMONISE, NextState.REROLL]
    assert edits.accept_variation(document, "gone") is document


def test_dropping_takes_one_variation_out():
    document = edits.add_variations(stack(), [variation("v1", 1), variation("v2", 1)])
    assert [one.id for one in edits.drop_variation(document, "v1").variations] == ["v2"]
    assert edits.drop_variation(document, "gone") is document
