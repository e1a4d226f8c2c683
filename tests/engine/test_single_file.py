"""A single file in the published layout gives the same network as the folder it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from collage_studio.engine.loading import single_file
from collage_studio.engine.models import load_model
from tests.engine import tiny
from tests.engine.ldm_layout import published
from tests.engine.test_models import velocity


def wide_pipeline() -> StableDiffusionPipeline:
    """Tiny but for what tells a 1.x model: two layers per block, and words 768 wide."""
    torch.manual_seed(0)
    words = tiny.tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=768,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    base = tiny.pipeline()
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(32, 32),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=768,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()
    return StableDiffusionPipeline(
        unet=unet,
        vae=base.vae,
        text_encoder=CLIPTextModel(text).eval(),
        tokenizer=words,
        scheduler=base.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def test_a_single_file_gives_what_its_folder_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Shapes are shipped for the published sizes; here those of a tiny model take their place."""
    pipe = wide_pipeline()
    folder = tmp_path / "folder"
    pipe.save_pretrained(folder)
    file = tmp_path / "dream.safetensors"
    save_file(published(pipe), file)
    monkeypatch.setattr(single_file, "_config", lambda _kind: str(folder))
    monkeypatch.setattr(single_file, "clip_tokenizer", lambda _padding: tiny.tokenizer())
    loaded, expected = load_model(str(file), tiny.CPU), load_model(str(folder), tiny.CPU)
    assert loaded.native_px == 64 * loaded.factor
    assert (velocity(loaded) - velocity(expected)).abs().max() <= 1e-5
    picture = torch.rand(1, 3, 32, 48) * 2 - 1
    with torch.inference_mode():
        ours, theirs = loaded.encode(picture), expected.encode(picture)
        assert (ours.mean - theirs.mean).abs().max() <= 1e-5
        assert (loaded.decode(ours.mean) - expected.decode(ours.mean)).abs().max() <= 1e-5
