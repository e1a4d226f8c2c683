"""Models are found, recognised and refused with a sentence."""

from __future__ import annotations

import json
import struct

import pytest

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.models import PICKLE_REFUSED, load_model
from collage_studio.engine.runner import Engine
from collage_studio.resources_dir import resources_path
from tests.engine import tiny

PREFIX = "model.diffusion_model.input_blocks."
TEXT_KEY = PREFIX + "2.1.transformer_blocks.0.attn2.to_k.weight"
INPUT_KEY = PREFIX + "0.0.weight"


def header_only(path, shapes, metadata=None):
    """A .safetensors file that names tensors and holds none."""
    entries = {k: {"dtype": "F16", "shape": s, "data_offsets": [0, 0]} for k, s in shapes.items()}
    header = json.dumps(({"__metadata__": metadata} if metadata else {}) | entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


@pytest.mark.parametrize(
    ("name", "width", "metadata", "config", "prediction"),
    [
        ("dream", 768, None, "sd1", "epsilon"),
        ("v2-1_512-ema-pruned", 1024, None, "sd2", "epsilon"),
        ("v2-1_768-ema-pruned", 1024, None, "sd2", "v_prediction"),
        ("other", 768, {"modelspec.prediction_type": "v"}, "sd1", "v_prediction"),
    ],
)
def test_a_single_file_is_recognised(tmp_path, name, width, metadata, config, prediction):
    from collage_studio.engine.models import detect_single_file

    shapes = {TEXT_KEY: [320, width], INPUT_KEY: [320, 4, 3, 3]}
    kind = detect_single_file(header_only(tmp_path / f"{name}.safetensors", shapes, metadata))
    assert (kind.config, kind.prediction) == (config, prediction)


@pytest.mark.parametrize("config", ["sd1", "sd2"])
def test_each_layout_has_its_configuration(config):
    folder = resources_path("model_configs", config)
    for part in ("unet", "vae", "text_encoder"):
        assert (folder / part / "config.json").is_file()
    assert (folder / "scheduler" / "scheduler_config.json").is_file()


def test_the_shipped_tokenizer_gives_the_published_ids():
    from collage_studio.engine.models import clip_tokenizer

    words = clip_tokenizer("!")
    ids = words("a photo of an astronaut riding a horse on mars", padding="max_length").input_ids
    known = [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496, 49407, 0]
    assert ids[:13] == known
    assert len(ids) == 77


def test_an_inpainting_model_is_explained(tmp_path):
    shapes = {TEXT_KEY: [320, 768], INPUT_KEY: [320, 9, 3, 3]}
    path = header_only(tmp_path / "fill.safetensors", shapes)
    with pytest.raises(ModelUnavailable, match="made for inpainting"):
        load_model(str(path), tiny.CPU)


def test_another_familys_file_is_explained(tmp_path):
    path = header_only(tmp_path / "xl.safetensors", {"conditioner.embedders.1.x": [1, 1]})
    with pytest.raises(ModelUnavailable, match=r"no Stable Diffusion 1\.x or 2\.x model"):
        load_model(str(path), tiny.CPU)


def test_a_file_whose_weights_are_missing_is_explained(tmp_path):
    shapes = {TEXT_KEY: [320, 768], INPUT_KEY: [320, 4, 3, 3]}
    path = header_only(tmp_path / "cut.safetensors", shapes)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_model(str(path), tiny.CPU)


def test_the_engine_keeps_one_model(kl_folder, tiny_folder):
    engine = Engine("cpu")
    first = engine.family(str(kl_folder))
    assert engine.family(str(kl_folder)) is first
    engine.family(str(tiny_folder))
    assert engine.family(str(kl_folder)) is not first


@pytest.mark.parametrize("suffix", [".ckpt", ".PT", ".bin"])
def test_pickles_are_refused(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"never opened")
    with pytest.raises(ModelUnavailable) as caught:
        Engine("cpu").family(str(path))
    assert str(caught.value) == PICKLE_REFUSED


def test_a_folder_with_pickled_weights_is_refused(tmp_path):
    folder = tmp_path / "model"
    tiny.pipeline().save_pretrained(folder, safe_serialization=False)
    with pytest.raises(ModelUnavailable, match="is a pickle"):
        Engine("cpu").family(str(folder))


def test_models_that_cannot_run_are_explained(tmp_path):
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x01")
    engine = Engine("cpu")
    for name, sentence in [
        (tmp_path / "empty", "model_index.json is missing"),
        (other, "is a FluxPipeline"),
        (broken, "cannot be read"),
        (tmp_path / "gone.safetensors", "There is no model at"),
        (tmp_path / "gone", "There is no model at"),
    ]:
        with pytest.raises(ModelUnavailable, match=sentence):
            engine.family(str(name))
