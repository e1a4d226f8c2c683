"""Learning looks: only the vectors move, they are read where the layer's words are, and last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from collage_studio.document.edits import change_layer
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.model import Layer, LayerKind, Mask
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    Finished,
    HarmoniseRequest,
    Learned,
    LearnProgress,
    LearnRequest,
    LearnSettings,
    Produced,
)
from collage_studio.engine.looks.views import cutout_of, views_of
from collage_studio.engine.runner import Engine
from collage_studio.engine.text_plan import plan_text
from tests.engine.scenes import cat_and_dog

WIDTHS = {"clip_l": 32}


def never() -> bool:
    return False


def request(folder, ids=("cat",), steps=10, **more) -> LearnRequest:
    document = cat_and_dog(RunSettings(model=str(folder), steps=5), width=96, height=64)
    return LearnRequest(document, ids, document.settings, LearnSettings(steps=steps, **more))


def a_look(count=2, width=32) -> Look:
    return Look.of({"clip_l": np.full((count, width), 0.1, np.float32)}, LookRecipe("Cat"))


def learned(events) -> dict[str, Look]:
    return {event.layer_id: event.look for event in events if isinstance(event, Learned)}


def weights_of(engine, folder) -> list[torch.Tensor]:
    family = engine.family(str(folder))
    parts = (family.unet, family.vae, family.text_encoder)
    return [p.detach().clone() for part in parts for p in part.parameters()]


def test_only_the_vectors_learn(tiny_folder):
    engine = Engine("cpu")
    before = weights_of(engine, tiny_folder)
    events = list(engine.run(request(tiny_folder, ("cat", "dogdog")), never))
    assert isinstance(events[-1], Finished)
    looks = learned(events)
    assert looks.keys() == {"cat", "dogdog"}
    for look in looks.values():
        assert look.widths == {"clip_l": 32}
        assert look.count == LearnSettings().vectors
        assert look.recipe.loss < look.recipe.first_loss
        assert look.recipe.finished
    after = weights_of(engine, tiny_folder)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    family = engine.family(str(tiny_folder))
    assert not any(p.requires_grad or p.grad is not None for p in family.unet.parameters())
    assert not family.vocabularies["clip_l"].table._forward_hooks


def test_progress_counts_up_to_the_end(tiny_folder):
    events = list(Engine("cpu").run(request(tiny_folder, steps=10), never))
    progress = [event for event in events if isinstance(event, LearnProgress)]
    assert [event.step for event in progress] == list(range(11))
    assert {event.steps for event in progress} == {10}
    assert all(0 < share <= 1 for event in progress for share in event.shares)


def test_the_same_request_learns_the_same_look(tiny_folder):
    runs = [learned(Engine("cpu").run(request(tiny_folder, steps=10), never)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_learning_works_after_a_picture_was_made(tiny_folder):
    engine = Engine("cpu")
    wish = request(tiny_folder, steps=10)
    list(engine.run(HarmoniseRequest(wish.document, (1,), wish.settings), never))
    assert learned(engine.run(wish, never)).keys() == {"cat"}


def test_a_cancel_keeps_what_was_learned_and_the_rest_can_follow(tiny_folder):
    engine, seen = Engine("cpu"), [0]
    wish = request(tiny_folder, steps=40)
    events = []
    for event in engine.run(wish, lambda: seen[-1] >= 12):
        events.append(event)
        seen.append(event.step if isinstance(event, LearnProgress) else seen[-1])
    assert isinstance(events[-1], Cancelled)
    kept = learned(events)["cat"]
    assert (kept.recipe.steps, kept.recipe.planned) == (10, 40)
    assert not kept.recipe.finished
    document = change_layer(wish.document, "cat", look=kept)
    rest = replace(wish, document=document, goes_on=True, learning=LearnSettings(steps=30))
    more = list(engine.run(rest, never))
    final = learned(more)["cat"]
    assert final.recipe.planned == 40
    assert final.recipe.first_loss == pytest.approx(kept.recipe.loss, rel=0.2)


def test_a_look_changes_the_picture_and_no_look_changes_nothing(tiny_folder):
    engine = Engine("cpu")
    document = request(tiny_folder).document
    worn = change_layer(document, "cat", look=a_look())

    def picture(given):
        events = engine.run(HarmoniseRequest(given, (1,), given.settings), never)
        return next(event for event in events if isinstance(event, Produced))

    plain, with_look, again = picture(document), picture(worn), picture(document)
    assert not np.array_equal(plain.picture, with_look.picture)
    assert np.array_equal(plain.picture, again.picture)
    assert with_look.recipe.caption == "a cat and a dog"
    [cat] = [entry for entry in with_look.recipe.layers if entry["id"] == "cat"]
    assert cat["learned"] == a_look().key


def test_placeholders_stand_before_the_text_within_its_span():
    document = cat_and_dog(RunSettings())
    worn = change_layer(document, "dogdog", look=a_look(3))
    plan = plan_text(worn, WIDTHS)
    assert plan.caption == "a cat and a a a a dog"
    assert plan.written == "a cat and a dog"
    cat, dog = plan.spans
    assert plan.caption[cat.start : cat.end] == "cat"
    assert plan.caption[dog.start : dog.end] == "a a a dog"
    [place] = plan.looks
    assert [plan.caption[a:b] for a, b in place.places] == ["a", "a", "a"]
    assert place.places[0][0] == dog.start


def test_a_look_of_another_model_is_left_out_with_a_warning():
    document = cat_and_dog(RunSettings())
    worn = change_layer(document, "cat", look=a_look(width=8))
    plan = plan_text(worn, WIDTHS)
    assert plan.caption == "a cat and a dog"
    assert plan.warnings == ()
    assert plan.left_out == (
        "The look of “Cat” was learned with another kind of model, so it is left out. "
        "Learn again with this one."
    )


def test_a_learned_word_is_one_token_of_its_own(tiny_folder):
    family = Engine("cpu").family(str(tiny_folder))
    table = family.vocabularies["clip_l"]
    assert len(table.vectors("a a a cat")) == 4
    assert torch.equal(table.vectors("a a")[0], table.vectors("a")[0])


def test_picture_and_mask_move_together():
    cutout = np.zeros((40, 20, 4), np.uint8)
    cutout[:] = (255, 0, 0, 255)
    views = views_of(cutout, 64, 12, np.random.default_rng(1))
    places = set()
    for view in views:
        assert view.picture.shape == (64, 64, 3)
        inside = view.mask > 0.99
        assert np.allclose(view.picture[inside], (1, 0, 0), atol=1e-5)
        assert not np.allclose(view.picture[view.mask == 0][:1], (1, 0, 0), atol=0.01)
        assert view.mask.sum() == pytest.approx(2 * (0.5 * inside.any(axis=1).sum()) ** 2, rel=0.2)
        places.add(tuple(np.argwhere(inside)[0]))
    assert len(places) > 6


def test_the_mask_cuts_what_is_learned():
    pixels = np.full((32, 32, 4), 255, np.uint8)
    shown = np.zeros((32, 32), np.uint8)
    shown[4:24, 8:28] = 255
    layer = Layer("l", "L", raster=tiny_raster(pixels), mask=Mask(shown), text="cat")
    assert cutout_of(layer).shape == (20, 20, 4)
    assert cutout_of(replace(layer, mask_enabled=False)).shape == (32, 32, 4)


def tiny_raster(pixels):
    from collage_studio.document.model import Raster

    return Raster(pixels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text": " "}, "“Cat” has no text"),
        ({"kind": LayerKind.FILL, "raster": None}, "“Cat” has no picture"),
        ({"raster": tiny_raster(np.full((9, 60, 4), 255, np.uint8))}, "Too little of “Cat”"),
        ({"raster": tiny_raster(np.zeros((60, 60, 4), np.uint8))}, "Too little of “Cat”"),
    ],
)
def test_layers_that_cannot_be_learned_are_explained(tiny_folder, change, sentence):
    wish = request(tiny_folder)
    document = change_layer(wish.document, "cat", **change)
    with pytest.raises(BadRequest, match=sentence):
        list(Engine("cpu").run(replace(wish, document=document), never))


def test_a_layer_that_is_gone_is_explained(tiny_folder):
    with pytest.raises(BadRequest, match="no longer in the collage"):
        list(Engine("cpu").run(request(tiny_folder, ("bird",)), never))


@pytest.mark.parametrize("changes", [{"vectors": 0}, {"vectors": 5}, {"steps": 0}])
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match="got"):
        LearnSettings(**changes)


def test_where_memory_is_short_layers_learn_one_after_the_other(tiny_folder):
    engine = Engine("cpu")
    family = engine.family(str(tiny_folder))

    def full(_module, _args, given) -> None:
        if torch.is_grad_enabled() and len(given["sample"]) > 1:
            raise torch.OutOfMemoryError

    handle = family.unet.register_forward_pre_hook(full, with_kwargs=True)
    looks = learned(engine.run(request(tiny_folder, ("cat", "dogdog"), steps=5), never))
    handle.remove()
    assert looks.keys() == {"cat", "dogdog"}


def test_four_layers_take_turns_in_one_batch(tiny_folder):
    engine = Engine("cpu")
    wish = request(tiny_folder, steps=5)
    cat = wish.document.find("cat")
    layers = [replace(cat, id=f"c{i}", text="cat") for i in range(4)]
    document = wish.document.with_layers(*layers)
    rows = []
    family = engine.family(str(tiny_folder))
    handle = family.unet.register_forward_pre_hook(
        lambda _module, _args, given: rows.append(len(given["sample"])), with_kwargs=True
    )
    four = replace(wish, document=document, layer_ids=("c0", "c1", "c2", "c3"))
    assert len(learned(engine.run(four, never))) == 4
    handle.remove()
    assert min(rows) == 4
