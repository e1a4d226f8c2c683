"""LoRAs for the whole picture, for a region, for rows: exact ends, both layouts, no traces."""

from __future__ import annotations

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file

from collage_studio.document.extras import Feature, LoraUse, why_not
from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.lora import adapter_rows, loras, text_encoders_of
from collage_studio.engine.extras.lora_regions import LoraRegion
from collage_studio.engine.regions.maps import network_of
from tests.engine import tiny, tiny_extras, tiny_families
from tests.engine.tiny_extras import NAMES, answer, crop, told


@pytest.fixture(params=NAMES)
def made(request, tmp_path):
    """A family and two LoRA files for it."""
    assert not why_not(request.param, Feature.LORA)
    pipe = tiny_families.PIPELINES[request.param]()
    files = [tmp_path / "ink.safetensors", tmp_path / "oil.safetensors"]
    for seed, file in enumerate(files):
        save_file(tiny_extras.lora(pipe, seed=seed), file)
    return tiny_families.family_of(pipe), *(str(file) for file in files)


def region(mask: torch.Tensor, *uses: LoraUse, name: str = "cat") -> LoraRegion:
    return LoraRegion(name, uses, mask)


def modules_of(family) -> list[type]:
    parts = (network_of(family), *text_encoders_of(family))
    return [type(module) for part in parts for module in part.modules()]


def test_ends_of_the_mask_are_exact_and_nothing_is_left(made):
    family, ink, _ = made
    before, weights = answer(family, told(family)), tiny_extras.state_of(family)
    kinds = modules_of(family)
    with loras(family, [LoraUse(ink, 0.8)]) as stack:
        whole = answer(family, told(family, stack))
    assert not torch.equal(whole, before)
    with loras(family, [], [region(torch.ones(8, 8), LoraUse(ink, 0.8))]) as stack:
        assert torch.equal(answer(family, told(family, stack)), whole)
    with loras(family, [], [region(torch.zeros(8, 8), LoraUse(ink, 0.8))]) as stack:
        assert torch.equal(answer(family, told(family, stack)), before)
    assert torch.equal(answer(family, told(family)), before)
    assert modules_of(family) == kinds
    after = tiny_extras.state_of(family)
    assert after.keys() == weights.keys()
    assert all(torch.equal(after[name], value) for name, value in weights.items())
    assert not any(module._forward_hooks for module in network_of(family).modules())


def test_several_at_once_and_weights_count(made):
    family, ink, oil = made
    with loras(family, [LoraUse(ink, 0.5), LoraUse(oil, -1.0)]) as stack:
        both = answer(family, told(family, stack))
    with loras(family, [LoraUse(ink, 0.5)]) as stack:
        one = answer(family, told(family, stack))
    with loras(family, [LoraUse(ink, 0.5), LoraUse(oil, 0.0)]) as stack:
        assert torch.equal(answer(family, told(family, stack)), one)
    ones = torch.ones(8, 8)
    with loras(family, [LoraUse(ink, 0.5)], [region(ones, LoraUse(oil, -1.0))]) as stack:
        assert (answer(family, told(family, stack)) - both).abs().max() < 1e-5


def test_a_region_changes_its_place_most(made):
    family, ink, oil = made
    left = torch.zeros(8, 8)
    left[:, :4] = 1.0
    before = answer(family, told(family))
    regions = [region(left, LoraUse(ink)), region(1 - left, LoraUse(oil), name="dog")]
    with loras(family, [], regions[:1]) as stack:
        change = (answer(family, told(family, stack)) - before).abs().mean((0, 1))
        two = [answer(family, told(family, stack, frames=(crop(0, 0, 4, 8),)))]
    assert change[:, :4].mean() > change[:, 4:].mean()
    with loras(family, [LoraUse(ink)]) as stack:
        two.append(answer(family, told(family, stack, frames=(crop(0, 0, 4, 8),))))
    assert torch.equal(*two), "a window inside the region has the whole LoRA"


def first_of(family, conditioning, *, kind: str) -> torch.Tensor:
    """What the network's first block of that kind gives; its input is the same with any LoRA."""
    found = list[torch.Tensor]()

    def listen(module, inputs, out) -> None:
        found.append(out[0] if isinstance(out, tuple) else out)

    blocks = (
        module
        for name, module in network_of(family).named_modules()
        if name.endswith((".attn", ".attn1")) or type(module).__name__ == "ResnetBlock2D"
    )
    block = next(b for b in blocks if (type(b).__name__ == "ResnetBlock2D") == (kind == "resnet"))
    handle = block.register_forward_hook(listen)
    answer(family, conditioning)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("kind", ["attention", "resnet"])
def test_nothing_of_a_lora_is_read_outside_its_region_within_a_block(made, kind):
    """Keys, values and the statistics of norms are read everywhere."""
    family, ink, oil = made
    network = network_of(family)
    if kind == "resnet" and not hasattr(network, "down_blocks"):
        pytest.skip("Joint transformers have no residual blocks of convolutions.")
    if kind == "attention":
        for file in (ink, oil):  # what lies before it shall be the same
            state = load_file(file)
            save_file({key: value for key, value in state.items() if "conv1" not in key}, file)
    left = torch.zeros(8, 8)
    left[:, :4] = 1.0
    regions = [region(left, LoraUse(ink)), region(1 - left, LoraUse(oil), name="dog")]
    before = first_of(family, told(family), kind=kind)
    with loras(family, [], regions[:1]) as stack:
        one = first_of(family, told(family, stack), kind=kind)
    with loras(family, [], regions) as stack:
        both = first_of(family, told(family, stack), kind=kind)
    in_left = inside(one - before, left)
    assert in_left[0].max() > 1e-4
    assert in_left[1].max() == 0
    second = inside(both - one, left)
    assert second[1].max() > 1e-4
    assert second[0].max() == 0


def inside(change: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sizes of the changes (1, n, c) or (1, c, h, w) inside and outside a mask of cells."""
    moved = change.abs()
    moved = moved.amax(1).flatten() if moved.ndim == 4 else moved[0].amax(-1)
    side = int(len(moved) ** 0.5)
    cells = torch.nn.functional.adaptive_avg_pool2d(mask[None, None], side).flatten() > 0.5
    return moved[cells], moved[~cells]


def test_rows_equal_separate_runs(made):
    family, ink, oil = made
    half = torch.full((8, 8), 0.5)
    regions = [region(half, LoraUse(ink, 0.7)), region(half, LoraUse(oil), name="dog")]
    with loras(family, [], regions) as stack:
        texts = ("a cat",) * 3
        with adapter_rows((stack,), [{"cat"}, (), {"dog"}]):
            rows = answer(family, told(family, stack, texts=texts))
    assert (rows[1:2] - answer(family, told(family))).abs().max() < 1e-5
    for row, use in ((0, LoraUse(ink, 0.7)), (2, LoraUse(oil))):
        with loras(family, [use]) as stack:
            alone = answer(family, told(family, stack))
        assert (rows[row : row + 1] - alone).abs().max() < 1e-5


def test_modules_are_back_after_an_error(made):
    family, ink, _ = made
    kinds = modules_of(family)
    with (
        pytest.raises(RuntimeError, match="stop"),
        loras(family, [LoraUse(ink)], [region(torch.ones(8, 8), LoraUse(ink))]),
    ):
        raise RuntimeError("stop")
    with pytest.raises(BadRequest, match="is gone"), loras(family, [LoraUse(ink), LoraUse("no")]):
        pass
    assert modules_of(family) == kinds


def test_kohya_files_equal_diffusers_files(tmp_path):
    pipe = tiny.pipeline()
    state = tiny_extras.lora(pipe, texts=True)
    state = {key: value for key, value in state.items() if "conv1" not in key}
    save_file(state, tmp_path / "a.safetensors")
    save_file(tiny_extras.kohya(state, alpha=1.0), tmp_path / "b.safetensors")
    family = tiny.family(pipe)
    with loras(family, [LoraUse(str(tmp_path / "a.safetensors"), 0.5)]) as stack:
        ours = answer(family, told(family, stack))
        text = family.read_text("a cat").rows
    assert not torch.equal(text, family.read_text("a cat").rows)
    with loras(family, [LoraUse(str(tmp_path / "b.safetensors"), 1.0)]) as stack:
        assert (answer(family, told(family, stack)) - ours).abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_lora_of_another_family_is_refused(tmp_path, name):
    other = "flux" if name != "flux" else "sdxl"
    file = tmp_path / "ink.safetensors"
    save_file(tiny_extras.lora(tiny_families.PIPELINES[other]()), file)
    family = tiny_extras.family_of(name)
    with (
        pytest.raises(BadRequest, match=r"The LoRA ink.safetensors is made for .* go together\."),
        loras(family, [LoraUse(str(file))]),
    ):
        pass
    assert not any(isinstance(part, BaseTunerLayer) for part in network_of(family).modules())


def test_pickles_and_cut_files_are_refused(tmp_path):
    family = tiny_extras.family_of("stable_diffusion")
    (tmp_path / "a.pt").write_bytes(b"x")
    cut = tmp_path / "b.safetensors"
    save_file(tiny_extras.lora(tiny.pipeline()), cut)
    cut.write_bytes(cut.read_bytes()[:-10])
    for name, sentence in (("a.pt", "is a pickle"), ("b.safetensors", "is damaged or not")):
        with (
            pytest.raises(BadRequest, match=sentence),
            loras(family, [LoraUse(str(tmp_path / name))]),
        ):
            pass
