"""Whole runs with extras: control pictures of collages, the engine's own door, the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from collage_studio.document.extras import (
    FAMILY_NAMES,
    ControlKind,
    Feature,
    LayerExtras,
    LoraUse,
    RunExtras,
    why_not,
)
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import BadRequest, HarmoniseRequest, Produced, RerollRequest, Started
from collage_studio.engine.extras.control_picture import control_picture, feathered
from collage_studio.engine.extras.edges import cutout_lines
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.regions.maps import network_of
from collage_studio.engine.runner import Engine
from tests.engine import scenes, tiny, tiny_extras, tiny_families


def plain(height: int, width: int, colour=(90, 120, 60)) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def disc(side: int, radius: float) -> np.ndarray:
    """A round cutout of one colour, (side, side, 4), garbage where it is clear."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (side, side, 4), np.uint8)
    inside = np.hypot(x, y) < radius
    pixels[inside] = (200, 40, 40, 255)
    pixels[~inside, 3] = 0
    return pixels


def plan_of(document: Document):
    return plan_harmonise(document, document.settings, tiny.family(tiny.pipeline()))


def test_the_outline_of_a_cutout_counts_once():
    lines = cutout_lines(Raster(disc(64, 20)), None, 1.0, scribble=False)
    y, x = np.mgrid[:64, :64] - 31.5
    distance = np.hypot(x, y)
    assert not lines[distance > 20.5].any()
    assert not lines[distance < 17].any(), "the flat inside has no edges"
    ring = lines[(distance > 18) & (distance < 20)]
    assert ring.size * 0.4 < np.count_nonzero(ring), "the outline is closed"
    along = np.count_nonzero(lines) / (2 * np.pi * 19.5)
    assert 0.8 < along < 1.6, "and about one pixel wide"


def test_a_picture_without_clear_parts_has_no_frame():
    assert not cutout_lines(Raster.from_rgb(plain(40, 50)), None, 1.0, scribble=False).any()


def test_low_contrast_is_found_and_noise_is_not():
    picture = plain(60, 60, (100, 100, 100))
    picture[:, 30:] += 18
    lines = cutout_lines(Raster.from_rgb(picture), None, 1.0, scribble=False)
    assert lines[5:-5, 28:32].any(axis=1).all()
    rng = np.random.default_rng(1)
    noisy = (plain(60, 60).astype(int) + rng.integers(-3, 4, (60, 60, 3))).astype(np.uint8)
    assert np.count_nonzero(cutout_lines(Raster.from_rgb(noisy), None, 1.0, scribble=False)) < 20


def test_seams_between_layers_are_no_edges():
    """Two plain pictures side by side and one over both: only a cutout's outline is drawn."""
    left = Layer("left", "Left", raster=Raster.from_rgb(plain(64, 40)), noise=0.5)
    right = Layer(
        "right",
        "Right",
        raster=Raster.from_rgb(plain(64, 40, (10, 20, 200))),
        placement=Affine.translation(30, 0),
    )
    seams = Document(Size(64, 64), (left, right))
    assert not control_picture(plan_of(seams), ControlKind.CANNY).picture.any()
    ball = Layer("ball", "Ball", raster=Raster(disc(48, 16)), placement=Affine.translation(8, 8))
    shown = control_picture(plan_of(seams.with_layers(left, right, ball)), ControlKind.CANNY)
    y, x = np.mgrid[:64, :64] - 31.5
    far = np.abs(np.hypot(x, y) - 16) > 3
    assert shown.picture.max() == 1.0
    assert not shown.picture[far].any()


def test_hidden_lines_are_not_drawn():
    under = Layer("under", "Under", raster=Raster(disc(64, 25)))
    over = Layer("over", "Over", raster=Raster.from_rgb(plain(64, 32)))
    document = Document(Size(64, 64), (under, over))
    shown = control_picture(plan_of(document), ControlKind.CANNY).picture[..., 0]
    assert not shown[:, :31].any()
    assert shown[:, 33:].any()


def test_strengths_follow_the_visible_masks():
    layers = tuple(
        Layer(
            name,
            name,
            raster=Raster.from_rgb(plain(64, 64)),
            placement=Affine.translation(left, 0),
            extras=LayerExtras(control=strength),
        )
        for name, left, strength in (("a", 0, 0.25), ("b", 32, 1.0))
    )
    settings = RunSettings(softness=0.0)
    document = Document(Size(64, 64), layers, settings=settings)
    strength = control_picture(plan_of(document), ControlKind.CANNY).strength
    assert np.allclose(strength[:, :32], 0.25)
    assert np.all(strength[:, 32:] == 1.0)
    assert np.array_equal(feathered(np.ones((9, 9), np.float32), 3.0), np.ones((9, 9)))
    soft = feathered(strength, 4.0)
    assert soft.min() >= 0.25
    assert soft.max() <= 1.0


@pytest.mark.parametrize("kind", ControlKind)
def test_every_kind_has_its_picture(kind):
    own = Raster.from_rgb(plain(8, 8, (255, 0, 255)))
    cat = scenes.cutout("cat", (16, 16, 32, 32), "cat", 0.5)
    document = Document(Size(64, 64), (cat,))
    shown = control_picture(plan_of(document), kind)
    assert shown.is_felt == kind.is_drawn_from_cutouts
    given = replace(cat, extras=LayerExtras(1.0, own))
    shown = control_picture(plan_of(document.with_layers(given)), kind)
    assert np.allclose(shown.picture[20:44, 20:44], (1, 0, 1), atol=0.01)
    ground = replace(document.background, extras=LayerExtras(1.0, own))
    shown = control_picture(plan_of(replace(document, background=ground)), kind)
    assert np.allclose(shown.picture[:8, :8], (1, 0, 1), atol=0.01)


def test_a_mask_and_an_enlarged_cutout_draw_their_outline():
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    layer = Layer(
        "m", "M", raster=Raster.from_rgb(plain(32, 32)), mask=Mask(mask),
        placement=Affine.scaling(2.0),
    )  # fmt: skip
    shown = control_picture(plan_of(Document(Size(64, 64), (layer,))), ControlKind.CANNY).picture
    assert shown[32, 16:20].any()
    assert not shown[24:40, 24:40].any()


# Whole runs


def pictures(engine: Engine, request) -> tuple[np.ndarray, tuple[str, ...]]:
    events = list(engine.run(request, lambda: False))
    [picture] = [event.picture for event in events if isinstance(event, Produced)]
    [warnings] = [event.warnings for event in events if isinstance(event, Started)]
    return picture, warnings


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A tiny model folder of each family with files that go with it."""
    root = tmp_path_factory.mktemp("extras")
    for name in tiny_extras.NAMES:
        pipe = tiny_families.PIPELINES[name]()
        pipe.save_pretrained(root / name / "model", safe_serialization=True)
        tiny_extras.saved(tiny_extras.control_net(pipe), root / name / "control")
        save_file(tiny_extras.lora(pipe), root / name / "lora.safetensors")
        if not why_not(name, Feature.REFERENCE):
            tiny_extras.ip_adapter(pipe, root / name)
    return root


def collage(settings: RunSettings) -> Document:
    return scenes.cat_and_dog(settings, width=64, height=64, noises=(0.6, 0.0, 0.6))


def felt(feature: Feature, folder: Path, document: Document) -> tuple[Document, RunSettings]:
    """The collage with one feature in use."""
    settings, lora = document.settings, LoraUse(str(folder / "lora.safetensors"))
    match feature:
        case Feature.CONTROL:
            extras = RunExtras(control_model=str(folder / "control"))
        case Feature.REFERENCE:
            extras = RunExtras(reference_model=str(folder / "ip.safetensors"))
        case _:
            extras = RunExtras()
            dog = replace(document.layers[1], extras=LayerExtras(loras=(lora,)))
            document = document.with_layers(document.layers[0], dog)
    settings = replace(settings, extras=extras)
    return replace(document, settings=settings), settings


@pytest.fixture(scope="module")
def bare(files):
    """By family: its engine, a collage, and what a run without extras makes of it."""
    made: dict[str, tuple[Engine, Document, np.ndarray]] = {}

    def of(name: str) -> tuple[Engine, Document, np.ndarray]:
        if name not in made:
            settings = RunSettings(
                model=str(files / name / "model"),
                sampler="ddim",
                steps=2,
                guidance=2.0,
                resolution=64,
                softness=0.0,
            )
            engine, document = Engine("cpu"), collage(settings)
            picture, _ = pictures(engine, HarmoniseRequest(document, (1,), settings))
            made[name] = engine, document, picture
        return made[name]

    return of


@pytest.mark.parametrize("feature", [Feature.CONTROL, Feature.LORA, Feature.REFERENCE])
@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_every_cell_of_the_table(files, bare, name, feature):
    """A run with the feature differs, keeps kept pixels, and leaves nothing for the next run."""
    engine, document, before = bare(name)
    settings = document.settings
    using, chosen = felt(feature, files / name, document)
    picture, warnings = pictures(engine, HarmoniseRequest(using, (1,), chosen))
    reason = why_not(name, feature)
    assert np.array_equal(picture, before) == bool(reason)
    assert not reason or reason in warnings
    kept = slice(18, 46), slice(10, 26)
    assert np.array_equal(picture[kept], before[kept])
    again, _ = pictures(engine, HarmoniseRequest(document, (1,), settings))
    assert np.array_equal(again, before)
    assert not any(m._forward_hooks for m in network_of(engine.family(settings.model)).modules())


def test_a_reroll_uses_them_in_its_window(files):
    folder = files / "stable_diffusion"
    extras = RunExtras(
        control_model=str(folder / "control"),
        reference_model=str(folder / "ip.safetensors"),
        loras=(LoraUse(str(folder / "lora.safetensors"), 0.5),),
    )
    settings = RunSettings(model=str(folder / "model"), steps=3, extras=extras)
    document = scenes.cat_and_dog(settings, width=160, height=64)
    request = RerollRequest(document, ("dogdog",), (1,), settings)
    with_all, warnings = pictures(Engine("cpu"), request)
    bare = replace(settings, extras=RunExtras())
    without, _ = pictures(Engine("cpu"), replace(request, settings=bare))
    assert not warnings
    assert not np.array_equal(with_all, without)
    assert np.array_equal(with_all[:, :40], without[:, :40])


def test_control_without_anything_to_hold_warns(files):
    folder = files / "stable_diffusion"
    extras = RunExtras(str(folder / "control"), ControlKind.DEPTH)
    settings = RunSettings(model=str(folder / "model"), steps=2, resolution=64, extras=extras)
    _, warnings = pictures(Engine("cpu"), HarmoniseRequest(collage(settings), (1,), settings))
    assert any("depth needs a picture" in warning for warning in warnings)


def test_a_missing_file_is_one_sentence_and_the_engine_goes_on(files):
    settings = RunSettings(model=str(files / "stable_diffusion" / "model"), steps=2, resolution=64)
    gone = replace(settings, extras=RunExtras(loras=(LoraUse("/gone/ink.safetensors"),)))
    engine = Engine("cpu")
    with pytest.raises(BadRequest, match=r"The file of the LoRA ink.safetensors is gone\. Find"):
        list(engine.run(HarmoniseRequest(collage(gone), (1,), gone), lambda: False))
    picture, _ = pictures(engine, HarmoniseRequest(collage(settings), (1,), settings))
    assert picture.shape == (64, 64, 3)
    assert torch.is_inference_mode_enabled() is False
