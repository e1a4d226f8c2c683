"""What every family keeps to, shown on tiny networks of the real classes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.model import CaptionSpan
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.attention.edits import CrossAttentionControl, Site
from collage_studio.engine.cancel import Stopped, stoppable
from collage_studio.engine.families.base import (
    Conditioning,
    Family,
    Frame,
    LearnedWords,
    ReadText,
)
from collage_studio.engine.guidance import AVOID_SCALE
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods import collage_diffusion
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.regions.ownership import Region, RegionWeights, layer_tokens
from tests.engine import tiny, tiny_families
from tests.engine.test_stock_equality import AVOID, WORDS, canvas

STEPS = 4


@dataclass(frozen=True)
class Both:
    """A family and the stock pipeline whose networks it runs."""

    name: str
    pipe: Any
    family: Family

    @property
    def is_flow(self) -> bool:
        return self.name.startswith(("sd3", "flux"))

    @property
    def more(self) -> dict[str, Any]:
        return {"max_sequence_length": tiny_families.T5_LENGTH} if self.is_flow else {}


MAIN = ("stable_diffusion", "sdxl", "sd3", "flux")
VARIANTS = tuple(name for name in tiny_families.PIPELINES if name not in MAIN)


def made(name: str) -> Both:
    pipe = tiny_families.PIPELINES[name]()
    return Both(name, pipe, tiny_families.family_of(pipe))


@pytest.fixture(scope="module", params=MAIN)
def both(request: pytest.FixtureRequest) -> Both:
    return made(request.param)


def settings_of(both: Both, avoid: str = "", sampler: str = "ddim") -> RunSettings:
    return RunSettings(sampler=sampler, steps=STEPS, guidance=3.5, avoid=avoid)


def ours(both: Both, picture: np.ndarray, strength: float, settings: RunSettings, seeds) -> Tensor:
    """The loop's pictures before they become uint8, (B, 3, H, W) in [0, 1]."""
    document = canvas(picture, strength, replace(settings, resolution=64))
    plan = plan_harmonise(document, document.settings, both.family)
    start = torch.from_numpy(plan.start.transpose(2, 0, 1).copy())[None] / 255 * 2 - 1
    with torch.inference_mode():
        materials = Materials(
            both.family.read_text(WORDS),
            both.family.read_text(settings.avoid),
            both.family.encode(start),
        )
        setup = collage_diffusion.prepare(both.family, plan, materials)
        *_, last = collage_diffusion.sample(both.family, plan, setup, seeds, lambda: False)
        return (both.family.decode(last.x) / 2 + 0.5).clamp(0, 1)


def stocks(
    both: Both, picture: np.ndarray, strength: float, settings: RunSettings, seed: int
) -> Tensor:
    height, width = picture.shape[:2]
    more = both.more | ({"height": height, "width": width} if both.is_flow else {})
    avoid = settings.avoid or None
    if both.name.startswith("flux") and avoid:
        more["true_cfg_scale"] = AVOID_SCALE
    return (
        tiny_families.img2img(both.pipe, settings.sampler)(
            prompt=WORDS,
            negative_prompt=avoid,
            image=PIL.Image.fromarray(picture),
            strength=strength,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="pt",
            **more,
        )
    ).images


def told(family: Family, text: ReadText, rows: int = 1, frame: Frame | None = None) -> Conditioning:
    return Conditioning([text] * rows, (frame or Frame.whole(8, 8),), 2.0)


def latent(family: Family, height: int = 8, width: int = 8, rows: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(rows, family.latent_channels, height, width, generator=generator)


class NoEdit:
    """An edit that adds nothing anywhere."""

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        return None

    def pixel_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        return None


class Forbidden(NoEdit):
    """Some columns of the text cannot be read from the right half."""

    def __init__(self, columns: tuple[int, ...]) -> None:
        self.columns = list(columns)
        self.sites: list[Site] = []

    def text_bias(self, site: Site, query: Tensor, key: Tensor) -> Tensor | None:
        self.sites.append(site)
        assert query.shape[2] == site.pixels
        bias = torch.zeros(1, 1, site.height, site.width, key.shape[2])
        bias[:, :, :, site.width // 2 :, self.columns] = -torch.inf
        return bias.flatten(2, 3)


def first_site(family: Family) -> Any:
    """The first layer of the network in which pixels read words."""
    network = getattr(family, "unet", None) or family.transformer
    return next(
        module
        for name, module in network.named_modules()
        if name.endswith(".attn2" if hasattr(family, "unet") else ".attn")
    )


def state(family: Family) -> dict[str, Any]:
    """Everything that a run could have left changed in the networks."""
    networks = [
        module
        for part in vars(family).values()
        if isinstance(part, torch.nn.Module)
        for module in part.modules()
    ]
    return {
        "modules": [id(module) for module in networks],
        "attributes": [sorted(vars(module)) for module in networks],
        "processors": [id(vars(module).get("processor")) for module in networks],
        "hooks": [
            (len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m))
            for m in networks
        ],
        "weights": [p.data_ptr() for module in networks for p in module.parameters(False)],
    }


@contextmanager
def no_new_tensors() -> Iterator[None]:
    """What the block makes is gone with it."""
    gc.collect()
    gc.freeze()
    try:
        yield
        gc.collect()
        left = [item for item in gc.get_objects() if issubclass(type(item), Tensor)]
    finally:
        gc.unfreeze()
    assert not left


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_equal_stock_img2img_too(name):
    both = made(name)
    picture = tiny.photograph(64, 48)
    for avoid in ("", AVOID):
        settings = settings_of(both, avoid)
        expected = stocks(both, picture, 0.6, settings, 3)
        assert (ours(both, picture, 0.6, settings, [3]) - expected).abs().max() <= 1e-4


class TestFamily:
    @pytest.mark.parametrize(("width", "height", "strength"), [(64, 48, 0.55), (32, 64, 1.0)])
    def test_a_neutral_run_equals_stock_img2img(self, both: Both, width, height, strength):
        picture, settings = tiny.photograph(width, height), settings_of(both)
        expected = stocks(both, picture, strength, settings, 3)
        assert (ours(both, picture, strength, settings, [3]) - expected).abs().max() <= 1e-4

    def test_words_to_avoid_equal_the_stock_pipelines(self, both: Both):
        picture, settings = tiny.photograph(64, 64), settings_of(both, AVOID)
        expected = stocks(both, picture, 0.7, settings, 0)
        found = ours(both, picture, 0.7, settings, [0])
        assert (found - expected).abs().max() <= 1e-4
        without = ours(both, picture, 0.7, settings_of(both), [0])
        assert (found - without).abs().max() > 1e-4

    @pytest.mark.parametrize("sampler", ["euler_a", "dpmpp_2m"])
    def test_other_samplers_run_and_repeat(self, both: Both, sampler):
        picture, settings = tiny.photograph(64, 64), settings_of(both, sampler=sampler)
        once = ours(both, picture, 1.0, settings, [1])
        assert torch.isfinite(once).all()
        assert torch.equal(once, ours(both, picture, 1.0, settings, [1]))

    def test_batched_seeds_equal_single_seeds(self, both: Both):
        picture, settings = tiny.photograph(64, 64), settings_of(both, AVOID)
        together = ours(both, picture, 0.6, settings, [0, 7])
        alone = torch.cat([ours(both, picture, 0.6, settings, [seed]) for seed in (0, 7)])
        assert (together - alone).abs().max() <= 1e-4

    def test_a_cancel_takes_effect_within_a_step(self, both: Both):
        family, looks = both.family, list[None]()
        schedule = family.schedule("ddim", STEPS, Size(8, 8))
        text, x = family.read_text(WORDS), latent(family)

        def run(limit: int) -> None:
            def is_cancelled() -> bool:
                looks.append(None)
                return len(looks) > limit

            looks.clear()
            with torch.inference_mode(), stoppable(family.watched_modules(), is_cancelled):
                family.forward(x, schedule, 1, told(family, text))

        run(1000)
        assert len(looks) >= 4
        with pytest.raises(Stopped):
            run(2)
        assert len(looks) == 3

    def test_an_edit_that_adds_nothing_changes_no_bit(self, both: Both):
        family = both.family
        schedule, x = family.schedule("ddim", STEPS, Size(8, 8)), latent(family, rows=2)
        conditioning = told(family, family.read_text(WORDS), 2)
        with torch.inference_mode():
            plain = family.forward(x, schedule, 1, conditioning)
            with family.attending(NoEdit()):
                edited = family.forward(x, schedule, 1, conditioning)
        assert torch.equal(plain, edited)

    def test_forbidden_words_do_not_reach_the_pixels(self, both: Both):
        family, text = both.family, both.family.read_text(WORDS)
        schedule, x = family.schedule("ddim", STEPS, Size(8, 8)), latent(family)
        columns = layer_tokens([CaptionSpan("cat", 2, 5)], text.offsets)["cat"]
        rows = text.rows.clone()
        rows[:, list(columns)] *= -3.0
        edit, outputs = Forbidden(columns), list[Tensor]()

        def keep(_module: Any, _inputs: Any, out: Any) -> None:
            outputs.append(out[0] if isinstance(out, tuple) else out)

        handle = first_site(family).register_forward_hook(keep)
        with torch.inference_mode(), family.attending(edit):
            family.forward(x, schedule, 1, told(family, text))
            family.forward(x, schedule, 1, told(family, replace(text, rows=rows)))
        handle.remove()
        site = edit.sites[0]
        before, after = (out.unflatten(1, (site.height, site.width)) for out in outputs)
        half = site.width // 2
        assert torch.equal(before[:, :, half:], after[:, :, half:])
        assert not torch.equal(before[:, :, :half], after[:, :, :half])

    def test_nothing_is_left_behind(self, both: Both):
        family, picture = both.family, tiny.photograph(64, 64)
        before = state(family)
        ours(both, picture, 0.5, settings_of(both, AVOID), [0])
        with no_new_tensors():
            ours(both, picture, 0.5, settings_of(both, AVOID), [0])
        x, schedule = latent(family), family.schedule("ddim", STEPS, Size(8, 8))
        frame = Frame(Size(16, 16), Rect(4, 4, 12, 12))

        def fail(*_: object) -> bool:
            raise RuntimeError("in the middle")

        class Failing(NoEdit):
            text_bias = fail

        with pytest.raises(RuntimeError, match="middle"), family.attending(Failing()):
            family.forward(x, schedule, 1, told(family, family.read_text("cat"), frame=frame))
        assert state(family) == before

    def test_encoding_and_decoding_are_the_stock_autoencoders(self, both: Both):
        family, vae = both.family, both.pipe.vae
        picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
        with torch.inference_mode():
            encoded = family.encode(picture)
            assert encoded.mean.shape == (1, family.latent_channels, 6, 8)
            coded = vae.encode(picture)
            plain = coded.latents if encoded.deviation is None else coded.latent_dist.mean
            back = family.decode(encoded.mean)
            assert back.shape == picture.shape
            assert (back - vae.decode(plain).sample).abs().max() <= 1e-5

    @pytest.mark.parametrize(("height", "width"), [(5, 7), (4, 9), (3, 2)])
    def test_any_size_runs_with_layers_in_it(self, both: Both, height, width):
        family, text = both.family, both.family.read_text(WORDS)
        columns = layer_tokens([CaptionSpan("cat", 2, 5)], text.offsets)["cat"]
        mask = torch.zeros(height, width)
        mask[:, : width // 2] = 1
        weights = RegionWeights([Region("cat", columns, mask, 1.0, 0.6, 0.8)])
        schedule = family.schedule("ddim", STEPS, Size(width, height))
        x = latent(family, height, width, rows=2)
        frame = Frame.whole(height, width)
        with torch.inference_mode():
            plain = family.forward(x, schedule, 1, told(family, text, 2, frame))
            with family.attending(CrossAttentionControl(weights, 1.0, 1)):
                steered = family.forward(x, schedule, 1, told(family, text, 2, frame))
        assert plain.shape == steered.shape == x.shape
        assert (plain[0] - steered[0]).abs().max() <= 1e-5
        assert (plain[1] - steered[1]).abs().max() > 1e-5

    def test_every_layer_has_its_tokens_in_every_encoder(self, both: Both):
        parts = ["red cat", "red cat", "a çä dog", "日本", "ℌello"]
        caption, spans, start = "", list[CaptionSpan](), 0
        for number, part in enumerate(parts):
            caption += ("" if number == 0 else ", ") + part
            start = len(caption) - len(part)
            spans.append(CaptionSpan(str(number), start, len(caption)))
        long = caption if not both.name.startswith("flux") else caption[: spans[2].end]
        read = both.family.read_text(long)
        tables = [read.offsets]
        if both.name == "sd3":
            tables = [read.offsets[:77], read.offsets[77:]]
        assert len(read.offsets) == read.rows.shape[1]
        for table in tables:
            tokens = layer_tokens(spans[:3], table)
            assert all(tokens[str(number)] for number in range(2))
            assert set(tokens["0"]).isdisjoint(tokens["1"])
            for span in spans[:2]:
                covered = {c for t in tokens[span.layer_id] for c in range(*table[t])}
                letters = {i for i in range(span.start, span.end) if not long[i].isspace()}
                assert covered >= letters
                assert covered <= set(range(span.start, span.end))

    def test_what_does_not_fit_is_reported(self, both: Both):
        family = both.family
        assert family.read_text("cat " * 8).skipped == ""
        read = family.read_text("cat " * family.text_limit + "dog dog")
        assert read.skipped == "dog dog"

    def test_learned_vectors_take_the_place_of_words(self, both: Both):
        family = both.family
        vectors = {
            name: vocabulary.vectors("dog")[-1:] for name, vocabulary in family.vocabularies.items()
        }
        assert vectors
        learned = LearnedWords(((2, 5),), vectors)
        with torch.inference_mode():
            swapped = family.read_text("a cat on", (learned,))
            plain, written = family.read_text("a cat on"), family.read_text("a dog on")
        assert (swapped.rows - written.rows).abs().max() <= 1e-5
        assert not torch.equal(swapped.rows, plain.rows)
        if written.pooled is not None:
            assert (swapped.pooled - written.pooled).abs().max() <= 1e-5
        assert torch.equal(family.read_text("a cat on").rows, plain.rows)

    def test_frames_of_rows_are_their_own(self, both: Both):
        family, text = both.family, both.family.read_text(WORDS)
        grid = Size(16, 12)
        schedule, x = (
            family.schedule("ddim", STEPS, grid),
            latent(family, rows=1).repeat(2, 1, 1, 1),
        )
        frames = (Frame(grid, Rect(0, 0, 8, 8)), Frame(grid, Rect(6, 4, 14, 12)))
        with torch.inference_mode():
            mixed = family.forward(x, schedule, 1, Conditioning([text] * 2, frames, 2.0))
            alone = [
                family.forward(x[:1], schedule, 1, Conditioning([text], (frame,), 2.0))
                for frame in frames
            ]
        assert (mixed - torch.cat(alone)).abs().max() <= 1e-5
        knows_places = both.name.startswith(("sdxl", "sd3", "flux"))
        assert bool((mixed[0] - mixed[1]).abs().max() > 1e-6) == knows_places
