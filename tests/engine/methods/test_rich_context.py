"""Regional attention without training, and runs with a trained adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from safetensors.torch import save_file

from collage_studio.document.edits import change_layers
from collage_studio.document.extras import LoraUse, RunExtras
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import box_layer
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.method_settings import RichContext
from collage_studio.document.model import Document, Raster
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.document.region_plan import LayoutObject, RegionPlan, build_plan
from collage_studio.engine.api import (
    BadRequest,
    HarmoniseRequest,
    PictureRequest,
    Produced,
    RerollRequest,
    Started,
)
from collage_studio.engine.attention.edits import Site
from collage_studio.engine.attention.joint_processors import joint_attention
from collage_studio.engine.attention.regional_attention import RegionalReading, RegionTexts
from collage_studio.engine.extras.shelf import ExtrasShelf
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods.rich_context import prepare, sample
from collage_studio.engine.regions.layout_plan import layout_plan, layout_rows
from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.engine.rich_context.checkpoint import save_adapter
from collage_studio.engine.runner import Engine
from collage_studio.formats.adapter_files import FILE_NAME, NOT_THERE
from tests.engine import scenes, tiny, tiny_extras
from tests.engine.methods.layouts import SIDE, blank, cat_and_dog, materials_of
from tests.engine.methods.layouts import settings as run_settings
from tests.engine.rich_context.networks import randomised

CPU = torch.device("cpu")
GRID = Size(8, 8)


def two_boxes(overlap: Any = "all") -> RegionPlan:
    """A large object over the left, a small one in the middle that reaches over its edge."""
    large = LayoutObject.from_box("a dog", (0.0, 0.0, 0.625, 1.0), GRID, "dog")
    small = LayoutObject.from_box("a cat", (0.5, 0.25, 0.75, 0.5), GRID, "cat")
    return build_plan([large, small], GRID, overlap=overlap)


@tried(max_examples=25, deadline=None)
@given(
    caption=st.floats(0.0, 1.0),
    prior=st.floats(0.0, 3.0),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 99),
)
def test_the_texts_of_a_pixel_weigh_one_together(caption, prior, sides, seed):
    """So equal texts leave the attention as it was."""
    grid = Size(*sides)
    rng = np.random.default_rng(seed)
    objects = [
        LayoutObject.from_mask(f"object {i}", rng.random(grid.shape) * (rng.random() < 0.8))
        for i in range(3)
    ]
    texts = RegionTexts.of_plan(build_plan(objects, grid), CPU, caption=caption, prior=prior)
    height, width = grid.shape
    while True:
        total = texts.weights(height, width).logsumexp(0)
        assert total.abs().max() < 1e-5
        if height * width == 1:
            return
        height, width = -(-height // 2), -(-width // 2)


def test_the_smaller_object_leads_where_two_overlap_and_the_front_one_may_rule():
    weights = RegionTexts.of_plan(two_boxes(), CPU, caption=0.25, prior=2.0).weights(8, 8).exp()
    both, dog_only, nowhere = (weights.view(3, 8, 8)[:, y, x] for y, x in ((2, 4), (0, 0), (0, 7)))
    assert both[0] == dog_only[0] == pytest.approx(0.25)
    assert both[2] > 2 * both[1] > 0
    assert dog_only.tolist() == pytest.approx([0.25, 0.75, 0.0])
    assert nowhere.tolist() == [1.0, 0.0, 0.0]
    front = RegionTexts.of_plan(two_boxes("front"), CPU, caption=0.0).weights(8, 8).exp()
    assert front.view(3, 8, 8)[:, 2, 4].tolist() == pytest.approx([0.0, 0.0, 1.0])


def read(texts: torch.Tensor, reading: RegionalReading, *, joint: bool = False) -> torch.Tensor:
    """Pixels (2 rows, 64) that read the (3 texts x 5 rows) of both; the first row has no layout."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 2, 64, 4, generator=generator)
    site = Site("attn2", 8, 8)
    if not joint:
        bias = reading.text_bias(site, pixels, texts)
        return torch.nn.functional.scaled_dot_product_attention(
            pixels, texts, texts, attn_mask=bias
        )
    whole = torch.cat([pixels, texts], dim=2)
    out = joint_attention(reading, site, (whole, whole, whole), slice(0, 64), slice(64, None))
    return out[:, :, :64]


@pytest.mark.parametrize("joint", [False, True])
def test_the_text_of_an_object_changes_nothing_outside_it_and_nothing_in_other_rows(joint):
    plan = two_boxes()
    told = RegionTexts.of_plan(plan, CPU, caption=0.3)
    texts = torch.randn(2, 2, 15, 4, generator=torch.Generator().manual_seed(1))
    other = texts.clone()
    other[:, :, 10:] += 1.0  # what the small object says
    changed = (
        read(texts, RegionalReading(told, 3, 1), joint=joint)
        - read(other, RegionalReading(told, 3, 1), joint=joint)
    ).abs()
    inside = torch.from_numpy(plan.objects[1].mask).flatten()
    assert changed[0].max() == 0
    assert changed[1][:, ~inside].max() == 0
    assert changed[1][:, inside].amax(dim=(0, 2)).min() > 1e-3


def test_words_of_the_caption_that_are_tied_act_in_their_place_alone():
    plan = two_boxes()
    told = RegionTexts.of_plan(plan, CPU, caption=0.3)
    texts = torch.randn(2, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    other = texts.clone()
    other[:, :, 3] += 1.0
    tied = RegionalReading(told, 1, 1, {1: (3,)})
    changed = (read(texts, tied) - read(other, tied)).abs()[1].amax(dim=(0, 2))
    assert torch.equal(changed > 0, torch.from_numpy(plan.objects[1].mask).flatten())


def test_layout_layers_overlap_but_nothing_is_said_behind_a_picture():
    back = box_layer(Rect(0, 0, 64, 64), text="a dog", layer_id="back")
    front = box_layer(Rect(16, 16, 48, 48), text="a cat", layer_id="front")
    picture = scenes.cutout("tent", (0, 0, 32, 64), "a tent", 0.5)
    family = tiny.family(tiny.pipeline())
    run = run_settings("rich_context")
    document = blank(run, back, front)
    plan = layout_plan(plan_harmonise(document, run, family))
    assert len(plan.members) == 3
    assert plan.members[int(plan.atoms[4, 4])] == (0, 1)
    covered = document.with_layers(back, front, picture)
    plan = layout_plan(plan_harmonise(covered, run, family))
    assert [plan.objects[i].key for i in plan.members[int(plan.atoms[4, 2])]] == ["tent"]
    assert [plan.objects[i].key for i in plan.members[int(plan.atoms[4, 5])]] == ["back", "front"]


# Runs with an adapter


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A new adapter of the tiny UNet, which adds nothing, and one with random weights."""
    folder = tmp_path_factory.mktemp("adapters")
    torch.default_generator.manual_seed(0)
    network = tiny.pipeline("v_prediction", "tiny").unet
    new = RichContextAdapter.for_unet(network)
    save_adapter(new, folder / "new.safetensors", {}, half=False)
    save_adapter(randomised(new), folder / "random.safetensors", {}, half=False)
    return {"new": folder / "new.safetensors", "random": folder / "random.safetensors"}


def asked(model: Path, adapter: object, **own: Any) -> RunSettings:
    settings = run_settings(
        "rich_context", RichContext(adapter=str(adapter), **own), steps=4, guidance=3.0
    )
    return replace(settings, model=str(model))


def made(engine: Engine, request: PictureRequest) -> tuple[np.ndarray, Started, Produced]:
    started, *_, produced, _ = [
        event
        for event in engine.run(request, lambda: False)
        if isinstance(event, Started | Produced) or type(event).__name__ == "Finished"
    ]
    assert isinstance(started, Started)
    assert isinstance(produced, Produced)
    return produced.picture, started, produced


def picture(engine: Engine, settings: RunSettings, document: Document | None = None) -> np.ndarray:
    document = document or cat_and_dog(settings, words="a red")
    return made(engine, HarmoniseRequest(document, (3,), settings))[0]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("cpu")


def test_an_adapter_acts_in_its_steps_alone_and_a_new_one_not_at_all(engine, tiny_folder, adapters):
    plain = picture(engine, asked(tiny_folder, "none", strength=0.0))
    assert np.array_equal(picture(engine, asked(tiny_folder, adapters["new"])), plain)
    full = picture(engine, asked(tiny_folder, adapters["random"]))
    part = picture(engine, asked(tiny_folder, adapters["random"], until=0.5))
    never = picture(engine, asked(tiny_folder, adapters["random"], until=0.0))
    unfelt = picture(engine, asked(tiny_folder, adapters["random"], strength=0.0))
    assert np.array_equal(never, plain)
    assert np.array_equal(unfelt, plain)
    assert not np.array_equal(full, plain)
    assert not np.array_equal(full, part)
    network = engine.family(str(tiny_folder)).unet  # type: ignore[attr-defined]
    assert not any(name.endswith("fuser") for name, _ in network.named_modules())


def test_a_run_says_when_there_is_no_adapter_and_its_recipe_keeps_it(engine, tiny_folder, adapters):
    def told(adapter: object) -> tuple[tuple[str, ...], str]:
        settings = asked(tiny_folder, adapter)
        request = HarmoniseRequest(cat_and_dog(settings), (3,), settings)
        _, started, produced = made(engine, request)
        return started.warnings, produced.recipe.settings.methods.rich_context.adapter

    assert told("") == ((NOT_THERE,), "none")
    assert told("none") == ((), "none")
    assert told(adapters["random"]) == ((), str(adapters["random"]))


def test_an_adapter_in_the_folder_of_its_model_is_found(engine, tiny_folder, adapters):
    chosen = picture(engine, asked(tiny_folder, adapters["random"]))
    own = tiny_folder / FILE_NAME
    own.write_bytes(adapters["random"].read_bytes())
    try:
        assert np.array_equal(picture(engine, asked(tiny_folder, "")), chosen)
    finally:
        own.unlink()


def test_harmonising_and_rerolling_keep_what_may_not_change(engine, tiny_folder, adapters):
    settings = replace(asked(tiny_folder, adapters["random"]), resolution=96)
    document = scenes.cat_and_dog(settings, noises=(0.0, 0.7, 0.5))
    whole, _, _ = made(engine, HarmoniseRequest(document, (3,), settings))
    untouched = picture(engine, asked(tiny_folder, "none", strength=0.0), document)
    kept = scenes.cat_and_dog(settings, noises=(0.0, 0.0, 0.0))
    assert whole.shape == untouched.shape == (96, 128, 3)
    rolled, _, produced = made(engine, RerollRequest(document, ("cat",), (4,), settings))
    assert produced.box is not None
    rows, columns = produced.box.slices
    outside = np.ones(whole.shape[:2], bool)
    outside[rows, columns] = False
    from collage_studio.document.compositing import composite_picture

    assert np.array_equal(rolled[outside], composite_picture(kept)[..., :3][outside])
    fresh, _, _ = made(engine, RerollRequest(document, ("cat",), (4,), settings, start=Start.NOISE))
    assert not np.array_equal(fresh, rolled)


def test_loras_and_an_adapter_act_together_and_leave_nothing_behind(
    engine, tiny_folder, adapters, tmp_path
):
    pipe = tiny.pipeline("v_prediction", "tiny")
    save_file(tiny_extras.lora(pipe), tmp_path / "style.safetensors")
    uses = RunExtras(loras=(LoraUse(str(tmp_path / "style.safetensors"), 1.0),))
    alone = asked(tiny_folder, adapters["random"])
    before = picture(engine, alone)
    both = picture(engine, replace(alone, extras=uses))
    style = picture(engine, replace(asked(tiny_folder, "none", strength=0.0), extras=uses))
    assert not np.array_equal(both, before)
    assert not np.array_equal(both, style)
    assert np.array_equal(picture(engine, alone), before)


def test_files_that_do_not_fit_are_refused_with_a_sentence(engine, tiny_folder, tmp_path):
    other = tiny.pipeline("epsilon", "kl").unet
    from diffusers import UNet2DConditionModel

    config = dict(other.config) | {"block_out_channels": (64, 64)}
    wide: Any = UNet2DConditionModel.from_config(config)
    save_adapter(RichContextAdapter.for_unet(wide), tmp_path / "wide.safetensors", {})
    save_file({"a": torch.zeros(1)}, tmp_path / "none.safetensors")
    for name, words in (
        ("wide.safetensors", "made for another model"),
        ("none.safetensors", "is no rich-context adapter"),
        ("gone.safetensors", "gone"),
    ):
        with pytest.raises(BadRequest, match=words):
            picture(engine, asked(tiny_folder, tmp_path / name))


def test_a_caption_may_be_empty_and_regions_alone_are_drawn(engine, tiny_folder, adapters):
    settings = asked(tiny_folder, adapters["random"])
    cat = box_layer(Rect(0, 0, SIDE, SIDE), text="cat", layer_id="cat")
    document = replace(blank(settings, cat), caption=replace(blank(settings).caption, parts=()))
    assert picture(engine, settings, document).shape == (SIDE, SIDE, 3)
    assert Raster.from_rgb(picture(engine, settings, document)).size == Size(SIDE, SIDE)


def look_of(family: Any, word: str, width: int | None = None) -> Look:
    """A look whose vectors are those of a word, so that it reads like it."""
    known = {
        name: part.vectors(word)[-1:, :width].numpy() for name, part in family.vocabularies.items()
    }
    return Look.of(known, LookRecipe())


def told(family: Any, document: Document) -> torch.Tensor:
    plan = plan_harmonise(document, document.settings, family)
    rows = layout_rows(family, plan)
    return rows.rows((plan.workspace.window,), plan.workspace.window).tokens


@torch.inference_mode()
@pytest.mark.parametrize("name", ["stable_diffusion", "sdxl"])
def test_each_layer_is_read_with_the_look_it_learned(family_named, name):
    family: Any = family_named(name)
    run = run_settings("rich_context")
    cats = [
        box_layer(Rect(24 * at, 0, 24 * at + 40, 64), text="cat", layer_id=str(at))
        for at in range(2)
    ]
    plain = told(family, blank(run, *cats))
    first = replace(cats[0], look=look_of(family, "dog"))
    learned = told(family, blank(run, first, cats[1]))
    written = told(family, blank(run, replace(cats[0], text="dog cat"), cats[1]))
    torch.testing.assert_close(learned, written, rtol=1e-5, atol=1e-5)
    assert learned.shape != plain.shape
    second = replace(cats[1], look=look_of(family, "cat"))
    both = told(family, blank(run, first, second))
    same = told(family, blank(run, first, replace(second, look=first.look)))
    assert both.shape == same.shape
    assert not torch.allclose(both, same, atol=1e-4)


def test_a_look_acts_through_the_adapter_and_one_of_another_model_is_named(
    engine, tiny_folder, adapters
):
    settings = asked(tiny_folder, adapters["random"])
    family = engine.family(str(tiny_folder))
    document = cat_and_dog(settings)
    document = replace(document, caption=replace(document.caption, parts=("a picture",)))

    def with_look(look: Look) -> tuple[np.ndarray, Started, Produced]:
        worn = change_layers(document, ["cat"], lambda layer: replace(layer, look=look))
        return made(engine, HarmoniseRequest(worn, (3,), settings))

    plain = picture(engine, settings, document)
    seen, started, _ = with_look(look_of(family, "dog"))
    assert started.warnings == ()
    assert not np.array_equal(seen, plain)
    left, started, _ = with_look(look_of(family, "dog", 8))
    assert np.array_equal(left, plain)
    assert "learned with another kind of model" in started.warnings[0]


@torch.inference_mode()
def test_an_adapter_of_sdxl_reads_both_encoders(family_named, tmp_path):
    family: Any = family_named("sdxl")
    torch.default_generator.manual_seed(0)
    adapter = randomised(RichContextAdapter.for_unet(family.unet))
    save_adapter(adapter, tmp_path / "xl.safetensors", {}, half=False)
    found = list[torch.Tensor]()
    for own in (
        RichContext(adapter=str(tmp_path / "xl.safetensors")),
        RichContext("none", strength=0.0),
    ):
        run = run_settings("rich_context", own, steps=2)
        plan = plan_harmonise(cat_and_dog(run), run, family)
        with ExtrasShelf().attached(family, plan) as extras:
            materials = materials_of(family, plan)
            told = extras.told(materials.avoid)
            setup = prepare(family, plan, replace(materials, attachments=told))
            *_, last = sample(family, plan, setup, (3,), lambda: False)
        found.append(last.x)
    assert torch.isfinite(found[0]).all()
    assert (found[0] - found[1]).abs().max() > 1e-3
