"""ControlNets with a map of strengths: exact ends, windows, stock equality, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import (
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
)
from safetensors.torch import save_file

from collage_studio.document.extras import ControlKind, Feature, why_not
from collage_studio.document.geometry import Rect, Size
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.control import Control, PlacedControl
from collage_studio.engine.extras.control_loading import flux_position_warning_ignored, load_control
from collage_studio.engine.families.base import Frame
from collage_studio.engine.families.diffusion_schedule import stock_scheduler
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.methods import collage_diffusion
from collage_studio.engine.methods.collage_diffusion import Materials
from tests.engine import tiny, tiny_extras, tiny_families
from tests.engine.tiny_extras import AVOID, NAMES, WORDS, answer, canvas, crop, told


def control(family, net, strength: torch.Tensor, side: int = 64) -> Control:
    generator = torch.Generator().manual_seed(5)
    picture = torch.rand(1, 3, side, side, generator=generator)
    return Control(family, net, ControlKind.CANNY, picture, strength)


class Unscaled(PlacedControl):
    """The net's residuals as they come."""

    def at(self, conditioning):
        return Unscaled(self.control, tuple(conditioning.frames))

    def _scaled(self, residuals):
        return list(residuals)


@pytest.fixture(params=NAMES)
def pair(request):
    pipe = tiny_families.PIPELINES[request.param]()
    net = tiny_extras.control_net(pipe)
    assert not why_not(request.param, Feature.CONTROL)
    return tiny_families.family_of(pipe), net


def test_strength_one_is_the_whole_control_net_and_zero_is_none(pair):
    family, net = pair
    full = control(family, net, torch.ones(8, 8))
    plain = answer(family, told(family))
    whole = answer(family, told(family, Unscaled(full, ())))
    assert not torch.equal(plain, whole)
    assert torch.equal(answer(family, told(family, full)), whole)
    none = replace(full, strength=torch.zeros(8, 8))
    assert torch.equal(answer(family, told(family, none)), plain)


def test_half_of_the_canvas_feels_it_more(pair):
    family, net = pair
    strength = torch.zeros(8, 8)
    strength[:, :4] = 1.0
    plain = answer(family, told(family))
    held = answer(family, told(family, control(family, net, strength)))
    change = (held - plain).abs().mean((0, 1))
    assert change[:, :4].mean() > 1.5 * change[:, 4:].mean()


def test_a_window_gets_its_part_of_picture_and_map(pair):
    family, net = pair
    strength = torch.linspace(0, 1, 64).view(8, 8)
    whole = control(family, net, strength)
    frame = crop(4, 2, 8, 8)
    part = replace(
        whole, picture=whole.picture[..., 16:64, 32:64].clone(), strength=strength[2:8, 4:8]
    )

    class Moved:
        """Shows the part as if it were all there is."""

        def inputs(self, given):
            size = Size(4, 6)
            return PlacedControl(part, (Frame(size, Rect.of_size(size)),)).inputs(given)

    ours = answer(family, told(family, whole, frames=(frame,)))
    assert torch.equal(ours, answer(family, told(family, Moved(), frames=(frame,))))


def test_rows_of_several_frames_equal_single_rows(pair):
    family, net = pair
    frames = (crop(0, 0, 4, 4), crop(4, 4, 8, 8))
    whole = control(family, net, torch.rand(8, 8, generator=torch.Generator().manual_seed(1)))
    both = answer(family, told(family, whole, frames=frames, texts=("a cat", "a cat")))
    for row, frame in enumerate(frames):
        alone = answer(family, told(family, whole, frames=(frame,)))
        assert (both[row] - alone[0]).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["stable_diffusion", "sdxl"])
def test_own_loop_equals_stock_control_net_img2img(name):
    pipe = tiny_families.PIPELINES[name]()
    net = tiny_extras.control_net(pipe)
    picture, hint = tiny.photograph(64, 64), tiny.photograph(64, 64, seed=3)
    settings = RunSettings(sampler="ddim", steps=6, guidance=4.0, avoid=AVOID, ca_schedule="off")
    scheduler = stock_scheduler("ddim", dict(pipe.scheduler.config))
    parts = pipe.components | {"scheduler": scheduler, "controlnet": net}
    if name == "sdxl":
        stock = StableDiffusionXLControlNetImg2ImgPipeline(**parts, add_watermarker=False)
    else:
        stock = StableDiffusionControlNetImg2ImgPipeline(**parts, requires_safety_checker=False)
    stock.set_progress_bar_config(disable=True)
    expected = stock(
        prompt=WORDS,
        negative_prompt=AVOID,
        image=PIL.Image.fromarray(picture),
        control_image=PIL.Image.fromarray(hint),
        controlnet_conditioning_scale=1.0,
        strength=0.7,
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
    ).images
    family = tiny_families.family_of(pipe)
    plan = plan_harmonise(canvas(picture, 0.7, settings), settings, family)
    start = torch.from_numpy(plan.start.transpose(2, 0, 1).copy())[None] / 255 * 2 - 1
    pixels = torch.from_numpy(hint.transpose(2, 0, 1).copy())[None] / 255
    held = Control(family, net, ControlKind.CANNY, pixels, torch.ones(8, 8))
    with torch.inference_mode():
        materials = Materials(
            family.read_text(WORDS), family.read_text(AVOID), family.encode(start), (held,)
        )
        setup = collage_diffusion.prepare(family, plan, materials)
        *_, last = collage_diffusion.sample(family, plan, setup, [3], lambda: False)
        ours = (family.decode(last.x) / 2 + 0.5).clamp(0, 1)
    assert (ours - expected).abs().max() <= 1e-4


def test_folder_and_single_file_load_the_same_net(pair, tmp_path):
    family, net = pair
    folder = tiny_extras.saved(net, tmp_path / "canny")
    loose = tmp_path / "loose"
    loose.mkdir()
    file = loose / "canny.safetensors"
    file.write_bytes((folder / "diffusion_pytorch_model.safetensors").read_bytes())
    from_folder = load_control(str(folder), family)
    same = answer(family, told(family, control(family, net, torch.ones(8, 8))))
    held = control(family, from_folder, torch.ones(8, 8))
    assert torch.equal(answer(family, told(family, held)), same)
    if family.name in {"stable_diffusion", "sdxl"}:
        alone = load_control(str(file), family)
        held = control(family, alone, torch.ones(8, 8))
        assert torch.equal(answer(family, told(family, held)), same)


def test_a_file_with_the_original_names_loads_the_same_net(tmp_path):
    pipe = tiny.pipeline()
    net, family = tiny_extras.control_net(pipe), tiny.family(pipe)
    save_file(tiny_extras.original_layout(net), tmp_path / "control_v11p.safetensors")
    loaded = load_control(str(tmp_path / "control_v11p.safetensors"), family)
    given = net.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in loaded.state_dict().items())


def test_the_net_of_another_family_is_refused_in_one_sentence(pair, tmp_path):
    family, _ = pair
    other = "sdxl" if family.name != "sdxl" else "stable_diffusion"
    net = tiny_extras.control_net(tiny_families.PIPELINES[other]())
    folder = tiny_extras.saved(net, tmp_path / "other")
    with pytest.raises(
        BadRequest, match=r"The control model other is made for .* Choose files that"
    ):
        load_control(str(folder), family)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "net.pth",
            b"x",
            "This control model is a pickle, which can run code. Use its .safetensors",
        ),
        ("net.safetensors", b"\x08\0\0\0\0\0\0\0{}", "is damaged or not complete"),
        ("net.safetensors", b"\xff" * 40, "is damaged or not complete"),
        ("net.png", b"x", "is no control model. Choose a .safetensors file or a folder."),
        (None, b"", "is gone. Find it or choose another."),
    ],
)
def test_what_is_no_control_net_says_so(tmp_path, name, content, sentence):
    path = tmp_path / (name or "gone.safetensors")
    if name:
        path.write_bytes(content)
    with pytest.raises(BadRequest, match=sentence):
        load_control(str(path), tiny_extras.family_of("stable_diffusion"))


def test_a_truncated_net_says_so(tmp_path):
    pipe = tiny.pipeline()
    folder = tiny_extras.saved(tiny_extras.control_net(pipe), tmp_path / "canny")
    weights = folder / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadRequest, match="is damaged or not complete"):
        load_control(str(folder), tiny.family(pipe))


def test_a_lora_is_no_control_net(tmp_path):
    path = tmp_path / "ink.safetensors"
    save_file({"lora_unet_x_attn2_to_k.lora_down.weight": torch.zeros(2, 32)}, path)
    with pytest.raises(BadRequest, match="is no control model but a LoRA"):
        load_control(str(path), tiny_extras.family_of("stable_diffusion"))


def test_a_folder_with_a_pickle_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "ControlNetModel"}))
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(BadRequest, match="is a pickle"):
        load_control(str(tmp_path), tiny_extras.family_of("stable_diffusion"))


def test_the_picture_of_a_union_net_says_its_kind():
    pipe = tiny_families.PIPELINES["flux"]()
    plain = tiny_extras.control_net(pipe)
    config = {k: v for k, v in plain.config.items() if k[0] != "_"} | {"num_mode": 10}
    torch.manual_seed(2)
    with flux_position_warning_ignored():
        net = tiny_extras.shaken(type(plain).from_config(config))
    family = tiny_families.family_of(pipe)
    held = control(family, net, torch.ones(8, 8))
    depth = replace(held, kind=ControlKind.DEPTH)
    assert not np.array_equal(
        answer(family, told(family, held)), answer(family, told(family, depth))
    )
