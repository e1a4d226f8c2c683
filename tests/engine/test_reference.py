"""Masked reference pictures: exact ends, equal to the stock adapter, gone afterwards, refusals."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from collage_studio.document.extras import Feature, why_not
from collage_studio.document.model import Mask, Raster
from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.reference import CLIP_MEAN, Reference, cutout_square, shown
from collage_studio.engine.extras.reference_loading import load_reference
from collage_studio.engine.regions.maps import network_of
from tests.engine import tiny, tiny_extras, tiny_families
from tests.engine.tiny_extras import answer, told

NAMES = tuple(name for name in tiny_extras.NAMES if not why_not(name, Feature.REFERENCE))
TEXTS = ("blurry", "a cat")


@pytest.fixture(params=NAMES)
def made(request, tmp_path):
    pipe = tiny_families.PIPELINES[request.param]()
    file = tiny_extras.ip_adapter(pipe, tmp_path)
    family = tiny_families.family_of(pipe)
    return family, load_reference(str(file), family), file


def picture(seed: int = 0):
    return (tiny.photograph(32, 32, seed=seed) / 255).astype(np.float32)


def two_rows(family, *attachments):
    """The answer to the rows [negative, positive]."""
    conditioning = told(family, *attachments, texts=TEXTS)
    return answer(family, conditioning), conditioning.texts[0]


def with_pictures(family, adapter, *references: Reference):
    with torch.inference_mode(), shown(network_of(family), adapter, references) as pictures:
        conditioning = told(family, texts=TEXTS)
        pictures.negative.append(conditioning.texts[0])
        placed = type(conditioning)(
            conditioning.texts, conditioning.frames, conditioning.guidance, (pictures,)
        )
        return answer(family, placed)


class StockPictures:
    """What the stock pipeline gives a UNet with an IP-Adapter in it."""

    def __init__(self, embeds: torch.Tensor) -> None:
        self.embeds = embeds

    def inputs(self, given):
        more = given.get("added_cond_kwargs") or {}
        return {"added_cond_kwargs": {**more, "image_embeds": [self.embeds]}}


def test_the_whole_mask_equals_the_stock_adapter(made):
    family, adapter, file = made
    ours = with_pictures(family, adapter, Reference(picture(), torch.ones(8, 8)))
    unet, state = network_of(family), load_file(file)
    below = {
        part: {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(part)}
        for part in ("image_proj", "ip_adapter")
    }
    mean = torch.tensor(CLIP_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(1, 3, 1, 1)
    pixels = (torch.from_numpy(picture()).permute(2, 0, 1)[None] - mean) / deviation
    unet._load_ip_adapter_weights([below])
    with torch.inference_mode():
        embeds = adapter.encoder(pixels).image_embeds
        embeds = torch.cat([torch.zeros_like(embeds), embeds])[:, None]
        expected, _ = two_rows(family, StockPictures(embeds))
    assert (ours - expected).abs().max() < 1e-5


def test_an_empty_mask_changes_nothing_and_nothing_is_left(made):
    family, adapter, _ = made
    before, _ = two_rows(family)
    processors = network_of(family).attn_processors
    none = Reference(picture(), torch.zeros(8, 8))
    assert torch.equal(with_pictures(family, adapter, none), before)
    full = Reference(picture(), torch.ones(8, 8))
    assert not torch.equal(with_pictures(family, adapter, full)[1], before[1])
    assert torch.equal(two_rows(family)[0], before)
    assert network_of(family).attn_processors == processors
    assert not any(m._forward_pre_hooks for m in network_of(family).modules())


def test_each_layer_sees_its_own_picture_most(made):
    family, adapter, _ = made
    left = torch.zeros(8, 8)
    left[:, :4] = 1.0
    one = with_pictures(
        family, adapter, Reference(picture(), left), Reference(picture(1), 1 - left)
    )
    two = with_pictures(
        family, adapter, Reference(picture(), left), Reference(picture(2), 1 - left)
    )
    change = (one - two)[1].abs().mean(0)
    assert change[:, 4:].mean() > 1.3 * change[:, :4].mean()


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_families_without_masked_adapters_say_why(name):
    with pytest.raises(BadRequest, match="its image adapters know no masks"):
        load_reference("x.safetensors", tiny_extras.family_of(name))


def test_what_does_not_fit_says_so(tmp_path):
    pipe = tiny_families.PIPELINES["sdxl"]()
    file = tiny_extras.ip_adapter(pipe, tmp_path)
    family = tiny_extras.family_of("stable_diffusion")
    with pytest.raises(BadRequest, match=r"The reference model ip.safetensors is made for"):
        load_reference(str(file), family)
    family = tiny_families.family_of(pipe)
    state = load_file(file)
    faces = {k: v for k, v in state.items() if "image_proj.proj" not in k}
    save_file(faces, tmp_path / "face.safetensors")
    with pytest.raises(BadRequest, match="reads faces by a model of their own"):
        load_reference(str(tmp_path / "face.safetensors"), family)
    state["image_proj.proj.weight"] = torch.zeros(4 * 80, 24)
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(BadRequest, match="needs another image encoder than the one beside it"):
        load_reference(str(tmp_path / "other.safetensors"), family)
    shutil.rmtree(tmp_path / "image_encoder")
    with pytest.raises(BadRequest, match="Put its folder, named image_encoder, beside the file"):
        load_reference(str(file), family)
    (tmp_path / "ip.bin").write_bytes(b"x")
    with pytest.raises(BadRequest, match="This reference model is a pickle"):
        load_reference(str(tmp_path / "ip.bin"), family)


def test_the_cutout_fills_the_square_on_a_neutral_ground():
    pixels = np.zeros((40, 30, 4), np.uint8)
    pixels[10:30, 5:15] = (255, 0, 0, 255)
    square = cutout_square(Raster(pixels), None, 32)
    assert square.shape == (32, 32, 3)
    assert np.allclose(square[16, 16], (1, 0, 0), atol=0.01)
    assert np.allclose(square[:, :6], CLIP_MEAN)
    hidden = cutout_square(Raster(pixels), Mask(np.zeros((40, 30), np.uint8)), 32)
    assert np.allclose(hidden, CLIP_MEAN)
