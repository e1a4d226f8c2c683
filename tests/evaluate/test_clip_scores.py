"""CLIP similarities with a tiny checkpoint of the real class."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from collage_studio.engine.api import ModelUnavailable
from collage_studio.evaluate.clip_scores import Clip
from collage_studio.starter.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP model of a few thousand parameters with the starter's tokenizer."""
    folder = tmp_path_factory.mktemp("clip")
    words = build_tokenizer()
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    small["num_attention_heads"] = 2
    text = {**small, "vocab_size": len(words), "max_position_embeddings": 77}
    vision = {**small, "image_size": 32, "patch_size": 8}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        CLIPModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _picture() -> tuple[np.ndarray, np.ndarray]:
    picture = np.random.default_rng(1).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    mask = np.zeros((96, 96), np.float32)
    mask[20:60, 30:80] = 1
    return picture, mask


def test_object_is_like_itself_whatever_lies_around_it(checkpoint: Path) -> None:
    clip, (picture, mask) = Clip(checkpoint), _picture()
    around = picture.copy()
    around[mask == 0] = 0
    other = np.rot90(picture).copy()
    same, changed = (clip.to_cutouts(p, picture, [mask])[0] for p in (around, other))
    assert same == pytest.approx(1.0, abs=1e-5)
    assert changed < same


def test_words_are_compared_each_with_their_own_crop(checkpoint: Path) -> None:
    clip, (picture, mask) = Clip(checkpoint), _picture()
    beside = np.roll(mask, 12, axis=1)
    both = clip.to_words(picture, [mask, beside], ["a tent", "a red apple"])
    alone = [
        *clip.to_words(picture, [mask], ["a tent"]),
        *clip.to_words(picture, [beside], ["a red apple"]),
    ]
    assert both == pytest.approx(alone, abs=1e-4)
    assert all(-1 <= value <= 1 for value in both)


def test_folder_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds no CLIP model"):
        Clip(tmp_path)


def test_damaged_checkpoint_says_so(checkpoint: Path, tmp_path: Path) -> None:
    for path in checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        Clip(tmp_path)
