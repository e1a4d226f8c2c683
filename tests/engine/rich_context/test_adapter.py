"""The adapter beside the written-out equations, and what it leaves of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from collage_studio.document.geometry import Size
from collage_studio.document.region_plan import RegionPlan
from collage_studio.engine.api import BadRequest
from collage_studio.engine.rich_context.adapter import RichContextAdapter, attached
from collage_studio.engine.rich_context.bases import SD15, SDXL, published, shapes_of
from collage_studio.engine.rich_context.encode import LayoutTokens, batch, layout_tokens
from collage_studio.resources_dir import resources_path
from tests.engine.rich_context import reference
from tests.engine.rich_context.networks import (
    OVERLAPPING,
    TEXTS,
    WIDTH,
    called,
    noise,
    plan_of,
    randomised,
    reader,
    sd15_unet,
    sdxl_unet,
)

LITE: dict[str, Any] = {
    "residual": True,
    "normed": True,
    "gated": True,
    "from_attn2": True,
    "hidden": 32,
}
UNETS = pytest.mark.parametrize("build", [sd15_unet, sdxl_unet])


def told(plan: RegionPlan, *, scale: float = 1.0) -> LayoutTokens:
    """Rows of a guided call: no layout, then the layout."""
    return batch([None, layout_tokens(plan, reader, scale=scale)])


def through(unet: Any, layout: LayoutTokens, size: tuple[int, int] = (16, 16)) -> torch.Tensor:
    return called(
        unet, noise(len(layout.atoms), *size), cross_attention_kwargs={"gligen": layout.inputs}
    )


@pytest.mark.parametrize(
    ("build", "scale", "grid"),
    [
        (sd15_unet, 1.0, Size(16, 16)),
        (sdxl_unet, 1.0, Size(16, 16)),
        (sd15_unet, 0.0, Size(24, 8)),
        (sd15_unet, 3.0, Size(8, 16)),
    ],
)
@torch.no_grad()
def test_the_adapted_network_equals_the_written_out_equations(
    build: Callable[[], UNet2DConditionModel], scale: float, grid: Size
) -> None:
    unet = build()
    adapter = randomised(RichContextAdapter.for_unet(unet), 0.7)
    plan = plan_of(grid=grid)
    x = noise(2, *grid.shape)
    with attached(unet, adapter):
        layout = told(plan, scale=scale)
        ours = called(unet, x, cross_attention_kwargs={"gligen": layout.inputs})
    row = reference.published(plan, reader, scale=scale)
    rows = {"rows": [reference.dropped(row), row]}
    with reference.installed(unet, dict(adapter.state_dict()), adapter.config.blocks):
        theirs = called(unet, x, cross_attention_kwargs={"gligen": rows})
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert (ours - called(unet, x)).abs().amax() > 0.05


@UNETS
@pytest.mark.parametrize("options", [{}, LITE])
@torch.no_grad()
def test_a_new_adapter_leaves_the_network_as_it_is_to_the_bit(
    build: Callable[[], UNet2DConditionModel], options: dict[str, Any]
) -> None:
    unet = build()
    base = called(unet, noise(2))
    with attached(unet, RichContextAdapter.for_unet(unet, **options)):
        assert torch.equal(through(unet, told(plan_of())), base)


@torch.no_grad()
def test_without_a_layout_and_afterwards_the_network_is_the_base() -> None:
    unet = sd15_unet()
    base, names = called(unet, noise(2)), set(unet.state_dict())
    adapter = randomised(RichContextAdapter.for_unet(unet))
    with attached(unet, adapter, strength=0.5):
        assert not torch.equal(through(unet, told(plan_of())), base)
        assert torch.equal(called(unet, noise(2)), base)
    with pytest.raises(ZeroDivisionError), attached(unet, adapter):
        raise ZeroDivisionError
    assert torch.equal(called(unet, noise(2)), base)
    assert set(unet.state_dict()) == names
    assert adapter.strength == 1.0


@torch.no_grad()
def test_a_dropped_layout_adds_the_null_feature_and_nothing_else() -> None:
    unet = sd15_unet()
    adapter = randomised(RichContextAdapter.for_unet(unet))
    none = LayoutTokens.dropped((16, 16), WIDTH)
    fuser = next(iter(adapter.fusers.values()))
    x = torch.randn(1, 256, fuser.null_text_feat.shape[0])
    out = fuser(x, adapter.position_net(**none.inputs))
    torch.testing.assert_close(out, x + fuser.null_text_feat)


@torch.no_grad()
def test_strength_scales_what_is_added() -> None:
    adapter = randomised(RichContextAdapter.for_unet(sd15_unet()))
    layout = adapter.position_net(**layout_tokens(plan_of(), reader).inputs)
    fuser = next(iter(adapter.fusers.values()))
    x = torch.randn(1, 256, fuser.null_text_feat.shape[0])
    whole = fuser(x, layout) - x
    adapter.strength = 0.25
    torch.testing.assert_close(fuser(x, layout) - x, 0.25 * whole)
    adapter.strength = 0.0
    assert torch.equal(fuser(x, layout), x)


@torch.no_grad()
def test_keys_and_values_serve_all_steps_of_a_layout_and_end_with_the_block() -> None:
    unet = sd15_unet()
    adapter = randomised(RichContextAdapter.for_unet(unet))
    calls = list[int]()
    for fuser in adapter.fusers.values():
        fuser.attn.to_k.register_forward_hook(lambda *_: calls.append(1))
    first, second = told(plan_of()), told(plan_of(scaled(0.5)))
    with attached(unet, adapter):
        once = through(unet, first)
        assert torch.equal(through(unet, first), once)
        assert len(calls) == 16
        assert not torch.equal(through(unet, second), once)
        assert torch.equal(through(unet, first), once)
        assert len(calls) == 32
        with torch.no_grad():
            adapter.position_net.linears[0].weight.mul_(2.0)
        assert not torch.equal(through(unet, first), once)
        assert len(calls) == 48
    with attached(unet, adapter):
        through(unet, first)
    assert len(calls) == 64


def scaled(factor: float) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((a * factor, b * factor, c * factor, d * factor) for a, b, c, d in OVERLAPPING)


@pytest.mark.parametrize("options", [{}, LITE])
def test_training_reaches_every_weight_and_keeps_nothing(options: dict[str, Any]) -> None:
    unet = sd15_unet()
    adapter = RichContextAdapter.for_unet(unet, **options)
    with attached(unet, adapter):
        none = LayoutTokens.dropped((16, 16), WIDTH)
        for layout in (told(plan_of()), batch([none, none])):
            adapter.zero_grad()
            through(unet, layout).square().mean().backward()
            assert all(weight.grad is not None for weight in adapter.parameters())
    assert not any(parameter.grad is not None for parameter in unet.parameters())


def test_gradients_are_those_of_the_equations() -> None:
    unet = sd15_unet()
    adapter = randomised(RichContextAdapter.for_unet(unet))
    plan = plan_of()
    layout = layout_tokens(plan, reader)
    path, fuser = next(iter(adapter.fusers.items()))
    x = torch.randn(1, 256, fuser.null_text_feat.shape[0])
    fuser(x, adapter.position_net(**layout.inputs)).square().sum().backward()
    ours = {name: weight.grad for name, weight in fuser.named_parameters()}
    state = {name: value.detach().clone() for name, value in adapter.state_dict().items()}
    weights = {name: state[f"{path}.fuser.{name}"].requires_grad_() for name in ours}
    grounding = reference.ReferenceGrounding(
        {k.removeprefix("position_net."): v for k, v in state.items() if k.startswith("position")}
    )
    rows = grounding([reference.published(plan, reader)])
    reference.ReferenceFuser(weights, fuser.heads)(x, rows).square().sum().backward()
    for name, weight in weights.items():
        torch.testing.assert_close(ours[name], weight.grad, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_sixty_objects_make_finite_pictures_of_odd_sizes() -> None:
    unet = sd15_unet()
    adapter = randomised(RichContextAdapter.for_unet(unet))
    generator = torch.Generator().manual_seed(5)
    corners = torch.rand(60, 4, generator=generator).sort(-1).values.tolist()
    boxes = [(a, b, c, d) for a, b, c, d in corners]
    plan = plan_of(boxes, [f"thing number {i}" for i in range(60)], Size(24, 16))
    with attached(unet, adapter):
        assert through(unet, told(plan), (16, 24)).isfinite().all()


def test_an_adapter_of_another_network_is_refused() -> None:
    adapter = RichContextAdapter.for_unet(sd15_unet())
    with pytest.raises(BadRequest, match="made for another model"), attached(sdxl_unet(), adapter):
        pass


def test_a_network_with_layout_attention_of_its_own_is_refused() -> None:
    unet = sd15_unet()
    adapter = RichContextAdapter.for_unet(unet)
    refused = pytest.raises(BadRequest, match="layout attention of its own")
    with attached(unet, adapter), refused, attached(unet, adapter):
        pass
    assert getattr(unet, "position_net", None) is None


@pytest.mark.parametrize(
    ("base", "folder", "tensors", "parameters"),
    [(SD15, "sd1", 103, 45_059_008), (SDXL, "sdxl", 427, 548_150_848)],
)
def test_the_published_names_and_shapes_are_complete(
    base: str, folder: str, tensors: int, parameters: int
) -> None:
    config = UNet2DConditionModel.load_config(str(resources_path("model_configs", folder, "unet")))
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
        adapter = RichContextAdapter.for_unet(unet)
    shapes = {name: tuple(value.shape) for name, value in adapter.state_dict().items()}
    assert shapes == shapes_of(published(base))
    assert adapter.config == published(base)
    assert len(shapes) == tensors
    assert sum(weight.numel() for weight in adapter.parameters()) == parameters


def test_the_names_are_the_published_ones() -> None:
    width = {SD15: 768, SDXL: 2048}
    block = {
        SD15: "mid_block.attentions.0.transformer_blocks.0",
        SDXL: "down_blocks.2.attentions.1.transformer_blocks.9",
    }
    for base in (SD15, SDXL):
        shapes, text = shapes_of(published(base)), width[base]
        assert shapes["position_net.null_text_feature"] == (text + 64,)
        assert shapes["position_net.linears.0.weight"] == (512, text + 64)
        assert shapes["position_net.linears.2.weight"] == (512, 512)
        assert shapes["position_net.linears.4.bias"] == (text,)
        names = {name.removeprefix(block[base]) for name in shapes if name.startswith(block[base])}
        assert names == {
            ".fuser.null_text_feat",
            ".fuser.attn.to_q.weight",
            ".fuser.attn.to_k.weight",
            ".fuser.attn.to_v.weight",
            ".fuser.attn.to_out.0.weight",
            ".fuser.attn.to_out.0.bias",
        }
        assert shapes[f"{block[base]}.fuser.attn.to_k.weight"] == (1280, text)


def test_processors_of_the_network_are_not_more() -> None:
    unet = sd15_unet()
    count = len(unet.attn_processors)
    with attached(unet, RichContextAdapter.for_unet(unet)):
        assert len(unet.attn_processors) == count
    assert len(TEXTS) == len(OVERLAPPING)
