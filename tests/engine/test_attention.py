"""Cross-attention control equals the paper's formula, acts where it should, and leaves nothing."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from collage_studio.document.geometry import Size
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.attention.edits import CrossAttentionControl, paper_strength
from collage_studio.engine.attention.processors import UNetSites
from collage_studio.engine.regions.ownership import Region, RegionWeights
from tests.engine import tiny


def attending(unet, edit, height: int = 8, width: int = 8):
    """The edit in the layers of `unet`, which is to see height x width cells."""
    sites = UNetSites(unet)
    sites.see(height, width)
    return sites.attending(edit)


def two_regions(height: int, width: int) -> list[Region]:
    generator = torch.Generator().manual_seed(0)
    left = torch.rand(height, width, generator=generator)
    left[:, width // 2 :] = 0
    small = torch.zeros(height, width)
    small[0, -1] = 0.8
    return [
        Region("left", (2, 3), left, float(left.max()), 0.6, 0.8),
        Region("small", (6,), small, 0.8, 0.3, 0.9),
    ]


def written_out(attn, hidden, text, regions, masks, strength, rows):
    """softmax(S') V with S' built logit by logit, as in the paper."""
    query, key, value = attn.to_q(hidden), attn.to_k(text), attn.to_v(text)
    batch, pixels, _ = query.shape
    d = query.shape[-1] // attn.heads
    out = torch.zeros_like(query)
    for b in range(batch):
        logits = torch.stack(
            [
                query[b, :, h * d : (h + 1) * d] @ key[b, :, h * d : (h + 1) * d].T / math.sqrt(d)
                for h in range(attn.heads)
            ]
        )  # (heads, n, T)
        if b >= batch - rows:
            for region, mask in zip(regions, masks, strict=True):
                for token in region.tokens:
                    peak = logits[:, :, token].max()
                    bias = region.inside * mask - region.outside * (1 - mask)
                    logits[:, :, token] += strength * peak * bias.reshape(pixels)
        weights = logits.softmax(dim=-1)
        for h in range(attn.heads):
            out[b, :, h * d : (h + 1) * d] = weights[h] @ value[b, :, h * d : (h + 1) * d]
    return attn.to_out[0](out)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 6), (9, 7), (5, 16)])
def test_every_layer_equals_the_written_out_formula(height, width):
    torch.manual_seed(1)
    unet = tiny.unet(4)
    regions = two_regions(height, width)
    weights = RegionWeights(regions)
    edit = CrossAttentionControl(weights, paper_strength(2.2), rows=2)
    seen = []

    def compare(attn, args, kwargs, output):
        hidden, text = args[0], kwargs["encoder_hidden_states"]
        masks = weights.mask_at(hidden.shape[1])
        expected = written_out(attn, hidden, text, regions, masks, edit.strength, edit.rows)
        seen.append(float((output - expected).abs().max()))

    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            module.register_forward_hook(compare, with_kwargs=True)
    x, text = torch.randn(4, 4, height, width), torch.randn(4, 77, 32) * 3
    with torch.inference_mode(), attending(unet, edit, height, width):
        unet(x, 500, encoder_hidden_states=text)
    sites = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    assert len(seen) == len(sites) > 2
    assert max(seen) <= 1e-5


def test_the_schedule_is_the_papers():
    published = {14.61: 1.321, 5.0: 1.027, 2.21: 0.775, 1.12: 0.562, 0.533: 0.360, 0.029: 0.038}
    for sigma, strength in published.items():
        assert paper_strength(sigma) == pytest.approx(strength, abs=2e-3)


@pytest.mark.parametrize("sampler", ["euler_a", "dpmpp_2m", "ddim"])
def test_sigma_is_the_schedulers_own_on_a_truncated_run(sampler):
    schedule = tiny.family(tiny.pipeline()).schedule(sampler, 50, Size(8, 8))
    first = schedule.first_step(0.8)
    assert first == 10
    timestep = float(schedule.timesteps[first])
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    sigmas = ((1 - alphas) / alphas) ** 0.5
    low, part = int(timestep), timestep - int(timestep)
    expected = float(sigmas[low] * (1 - part) + sigmas[min(low + 1, 999)] * part)
    assert schedule.before[first].sigma == pytest.approx(expected, rel=1e-4)


def test_rows_that_read_the_words_to_avoid_are_untouched():
    torch.manual_seed(1)
    unet = tiny.unet(4)
    weights = RegionWeights(two_regions(8, 8))
    edit = CrossAttentionControl(weights, 1.0, rows=1)
    x, text = torch.randn(2, 4, 8, 8), torch.randn(2, 77, 32)
    with torch.inference_mode():
        plain = unet(x, 500, encoder_hidden_states=text).sample
        with attending(unet, edit):
            edited = unet(x, 500, encoder_hidden_states=text).sample
        after = unet(x, 500, encoder_hidden_states=text).sample
    assert torch.equal(edited[0], plain[0])
    assert not torch.equal(edited[1], plain[1])
    assert torch.equal(after, plain)


def test_a_word_with_great_weight_stays_in_its_place():
    torch.manual_seed(3)
    unet = tiny.unet(4)
    attn = dict(unet.named_modules())["down_blocks.0.attentions.0.transformer_blocks.0.attn2"]
    mask = torch.zeros(8, 8)
    mask[:, :4] = 1
    weights = RegionWeights([Region("left", (2,), mask, 1.0, 0.0, 1e4)])
    edit = CrossAttentionControl(weights, 1.0, rows=1)
    hidden, text = torch.randn(1, 64, 32), torch.randn(1, 77, 32) * 3
    other = text.clone()
    other[:, 2] *= 1.5  # scales its logits and keeps the sign of their maximum
    with torch.inference_mode(), attending(unet, edit):
        before = attn(hidden, encoder_hidden_states=text).reshape(8, 8, 32)
        after = attn(hidden, encoder_hidden_states=other).reshape(8, 8, 32)
    assert torch.equal(before[:, 4:], after[:, 4:])
    assert not torch.equal(before[:, :4], after[:, :4])


def test_processors_are_restored_after_a_failure():
    unet = tiny.unet(4)
    before = dict(unet.attn_processors)
    weights = RegionWeights(two_regions(8, 8))
    edit = CrossAttentionControl(weights, 1.0, rows=1)

    def fail() -> None:
        with attending(unet, edit):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        fail()
    assert dict(unet.attn_processors) == before


class Adapter(torch.nn.Module):
    """A processor of another kind that is a module, as an IP-Adapter's is."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.masks = []

    def __call__(
        self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None
    ):
        self.masks.append(attention_mask)
        stock = AttnProcessor2_0()
        return self.gain * stock(attn, hidden_states, encoder_hidden_states, attention_mask, temb)


def test_a_processor_of_another_kind_goes_on_working_and_gets_the_bias():
    torch.manual_seed(1)
    unet = tiny.unet(4)
    weights = RegionWeights(two_regions(8, 8))
    edit = CrossAttentionControl(weights, 1.0, rows=1)
    x, text = torch.randn(2, 4, 8, 8), torch.randn(2, 77, 32)
    with torch.inference_mode():
        with attending(unet, edit):
            expected = unet(x, 500, encoder_hidden_states=text).sample
        adapters = {
            name: Adapter() if name.endswith("attn2.processor") else stock
            for name, stock in unet.attn_processors.items()
        }
        unet.set_attn_processor(dict(adapters))
        with attending(unet, edit):
            wrapped = unet(x, 500, encoder_hidden_states=text).sample
    assert (wrapped - expected).abs().max() <= 1e-5
    used = [item for item in adapters.values() if isinstance(item, Adapter)]
    assert used
    assert all(mask is not None for item in used for mask in item.masks)
    assert dict(unet.attn_processors) == adapters
    assert sum(isinstance(module, Adapter) for module in unet.modules()) == len(used)


def test_zero_weights_change_nothing():
    torch.manual_seed(1)
    unet = tiny.unet(4)
    region = Region("all", (2,), torch.ones(8, 8), 1.0, 0.0, 0.0)
    weights = RegionWeights([region])
    edit = CrossAttentionControl(weights, 1.0, rows=1)
    x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 32)
    with torch.inference_mode():
        plain = unet(x, 500, encoder_hidden_states=text).sample
        with attending(unet, edit):
            edited = unet(x, 500, encoder_hidden_states=text).sample
    assert (plain - edited).abs().max() <= 1e-5


def test_attention_weights_of_a_layer_reach_the_picture(kl_folder):
    from collage_studio.engine.api import HarmoniseRequest, Produced
    from collage_studio.engine.runner import Engine
    from tests.engine.scenes import cat_and_dog

    engine = Engine("cpu")

    def picture(**changes):
        settings = RunSettings(model=str(kl_folder), steps=4, resolution=64, **changes)
        request = HarmoniseRequest(cat_and_dog(settings), (0,), settings)
        events = engine.run(request, lambda: False)
        return next(event.picture for event in events if isinstance(event, Produced))

    assert (picture() != picture(ca_schedule="off")).any()
