"""The stream of events, cancelling, and what is left behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    Finished,
    HarmoniseRequest,
    OutOfMemory,
    Previewed,
    Produced,
    Started,
    Stepped,
)
from collage_studio.engine.memory import choose_device, explained_memory
from collage_studio.engine.runner import Engine
from tests.engine import tiny
from tests.engine.scenes import cat_and_dog


def never() -> bool:
    return False


def request(folder, seeds=(1,), **changes) -> HarmoniseRequest:
    settings = RunSettings(model=str(folder), **({"steps": 5} | changes))
    return HarmoniseRequest(cat_and_dog(settings, width=72, height=64), seeds, settings)


def hooks_and_processors(engine: Engine, folder) -> tuple[int, list[str]]:
    family = engine.family(str(folder))
    hooks = sum(len(m._forward_pre_hooks) for m in (*family.unet.modules(), *family.vae.modules()))
    return hooks, [type(p).__name__ for p in family.unet.attn_processors.values()]


def test_events_come_in_order_with_a_preview_for_each_step_and_seed(kl_folder):
    events = list(Engine("cpu", batch=2).run(request(kl_folder, (4, 5, 6)), never))
    started = events[0]
    assert isinstance(started, Started)
    assert started.seeds == (4, 5, 6)
    assert started.steps == 4  # the strongest noise is 0.8
    assert isinstance(events[-1], Finished)
    steps = [(e.seeds, e.step) for e in events if isinstance(e, Stepped)]
    assert steps == [((4, 5), i) for i in (1, 2, 3, 4)] + [((6,), i) for i in (1, 2, 3, 4)]
    previews = [(e.seed, e.step) for e in events if isinstance(e, Previewed)]
    assert sorted(previews) == [(seed, i) for seed in (4, 5, 6) for i in (1, 2, 3, 4)]
    assert [e.seed for e in events if isinstance(e, Produced)] == [4, 5, 6]


def test_pictures_have_the_canvas_size_and_previews_the_working_size(kl_folder):
    events = list(Engine("cpu").run(request(kl_folder, resolution=32), never))
    [produced] = [e for e in events if isinstance(e, Produced)]
    assert produced.picture.shape == (64, 72, 3)
    assert produced.picture.dtype == np.uint8
    preview = next(e for e in events if isinstance(e, Previewed))
    assert preview.picture.shape == (32, 36, 3)
    assert preview.picture.dtype == np.uint8
    assert preview.box is None


def test_the_recipe_holds_what_it_takes(kl_folder):
    wish = request(kl_folder, (3,))
    [produced] = [e for e in Engine("cpu").run(wish, never) if isinstance(e, Produced)]
    recipe = produced.recipe
    assert (recipe.kind, recipe.seed, recipe.settings) == ("harmonise", 3, wish.settings)
    assert recipe.caption == "a cat and a dog"
    assert [layer["id"] for layer in recipe.layers] == ["background", "cat", "dogdog"]
    assert recipe.app_version


def test_the_same_request_gives_the_same_pixels(kl_folder):
    wish = request(kl_folder, (0, 1))

    def pictures(engine):
        return [e.picture for e in engine.run(wish, never) if isinstance(e, Produced)]

    engine = Engine("cpu")
    first, again, elsewhere = pictures(engine), pictures(engine), pictures(Engine("cpu"))
    for a, b, c in zip(first, again, elsewhere, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)
    assert not np.array_equal(first[0], first[1])


def test_a_cancel_takes_effect_within_a_step(kl_folder):
    engine = Engine("cpu")
    polls = 0

    def after_some_polls() -> bool:
        nonlocal polls
        polls += 1
        return polls > 30

    before = hooks_and_processors(engine, kl_folder)
    events = list(engine.run(request(kl_folder, tuple(range(20))), after_some_polls))
    assert isinstance(events[-1], Cancelled)
    assert not any(isinstance(event, Finished) for event in events)
    assert polls == 31
    assert hooks_and_processors(engine, kl_folder) == before


def test_every_poll_may_be_the_last(kl_folder):
    engine = Engine("cpu")
    wish = request(kl_folder, steps=2)
    count = 0

    def counting() -> bool:
        nonlocal count
        count += 1
        return False

    list(engine.run(wish, never))  # what is encoded once is not polled for again
    list(engine.run(wish, counting))
    blocks = len(engine.family(str(kl_folder)).watched_modules())
    assert count > blocks / 2
    for last in range(0, count, 7):
        polls = iter(range(count))
        events = list(engine.run(wish, lambda last=last, polls=polls: next(polls) >= last))
        assert isinstance(events[-1], Cancelled)


def test_nothing_is_patched_while_the_consumer_holds_an_event(kl_folder):
    engine = Engine("cpu")
    before = hooks_and_processors(engine, kl_folder)
    stream = engine.run(request(kl_folder), never)
    for event in stream:
        assert hooks_and_processors(engine, kl_folder) == before
        assert not torch.is_inference_mode_enabled()
        if isinstance(event, Stepped):
            break
    stream.close()
    assert hooks_and_processors(engine, kl_folder) == before


def test_a_failure_inside_the_network_leaves_nothing_behind(kl_folder):
    engine = Engine("cpu")
    family = engine.family(str(kl_folder))
    before = hooks_and_processors(engine, kl_folder)

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: out of memory")

    handle = family.unet.mid_block.register_forward_hook(fail)
    with pytest.raises(OutOfMemory, match=r"Not enough memory: about .* GB needed"):
        list(engine.run(request(kl_folder, (1,)), never))
    handle.remove()
    assert hooks_and_processors(engine, kl_folder) == before
    assert isinstance(list(engine.run(request(kl_folder), never))[-1], Finished)


def test_a_batch_that_does_not_fit_is_halved(kl_folder):
    engine = Engine("cpu", batch=4)
    family = engine.family(str(kl_folder))

    def full(_module, args) -> None:
        if args[0].shape[0] > 4:
            raise torch.OutOfMemoryError

    handle = family.unet.conv_in.register_forward_pre_hook(full)
    events = list(engine.run(request(kl_folder, (1, 2, 3, 4)), never))
    handle.remove()
    assert [e.seed for e in events if isinstance(e, Produced)] == [1, 2, 3, 4]


def test_other_failures_are_not_called_memory():
    with pytest.raises(RuntimeError, match="shapes"), explained_memory(tiny.CPU, 1):
        raise RuntimeError("shapes differ")


def test_an_unknown_device_is_explained():
    with pytest.raises(BadRequest, match="is no device"):
        choose_device("abacus")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"sampler": "pndm"}, "no sampler 'pndm'"), ({"method": "magic"}, "no method 'magic'")],
)
def test_unknown_choices_are_explained(kl_folder, changes, sentence):
    with pytest.raises(BadRequest, match=sentence):
        list(Engine("cpu").run(request(kl_folder, **changes), never))


def test_no_seeds_is_explained(kl_folder):
    with pytest.raises(BadRequest, match="at least one seed"):
        list(Engine("cpu").run(request(kl_folder, ()), never))


def test_a_long_caption_is_warned_of(kl_folder):
    from collage_studio.document.model import Caption

    wish = request(kl_folder, steps=2)
    document = replace(wish.document, caption=Caption(("cat " * 80,)))
    started = next(iter(Engine("cpu").run(replace(wish, document=document), never)))
    assert isinstance(started, Started)
    assert any("words are skipped" in warning for warning in started.warnings)
