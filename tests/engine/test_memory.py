"""Where weights wait and when pictures go in pieces, decided by the memory that is free."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from collage_studio.engine import memory
from collage_studio.engine.families.parts import Autoencoder
from collage_studio.engine.loading import placing
from collage_studio.engine.loading.placing import Offload, Target, chosen_offload, dtypes_of
from tests.engine import tiny

GIB = 2**30


@pytest.mark.parametrize(
    ("free_gib", "expected"),
    [(None, Offload.NONE), (24, Offload.NONE), (9, Offload.PARTS), (5, Offload.LAYERS)],
)
def test_weights_wait_in_main_memory_when_the_device_is_small(monkeypatch, free_gib, expected):
    free = None if free_gib is None else free_gib * GIB
    monkeypatch.setattr(placing, "free_bytes", lambda _device: free)
    with torch.device("meta"):
        parts = {"net": nn.Linear(2**15, 2**15), "text": nn.Linear(2**15, 2**15)}  # 4 GB each
    assert chosen_offload(parts, Target(tiny.CPU)) == expected
    asked = Target(tiny.CPU, offload=Offload.LAYERS)
    assert chosen_offload(parts, asked) == Offload.LAYERS


def test_parts_have_types_that_hold_their_numbers():
    index = {"unet": ["diffusers", "X"], "text_encoder_3": ["transformers", "T5EncoderModel"]}
    found = dtypes_of(index, torch.float16)
    assert found == {
        "default": torch.float16,
        "vae": torch.float32,
        "text_encoder_3": torch.bfloat16,
    }
    assert Target(tiny.CPU).dtype(is_transformer=True) == torch.float32
    cuda = Target(torch.device("cuda"))
    assert cuda.dtype(is_transformer=True) == torch.bfloat16
    assert cuda.dtype(is_transformer=False) == torch.float16


def test_large_pictures_go_through_the_autoencoder_in_pieces(monkeypatch):
    vae = tiny.kl_autoencoder()
    whole = Autoencoder(vae, tiny.CPU)
    picture = torch.rand(1, 3, 96, 128) * 2 - 1
    sizes = list[int]()
    vae.decoder.register_forward_pre_hook(lambda _m, inputs: sizes.append(inputs[0].shape[-1]))
    with torch.inference_mode():
        latent = whole.encode(picture).mean
        plain = whole.decode(latent)
        monkeypatch.setattr(memory, "free_bytes", lambda _device: 100_000)
        pieces = whole.decode(latent)
    assert max(sizes[1:]) <= 8 < sizes[0]
    assert pieces.shape == plain.shape
    assert not vae.use_tiling
