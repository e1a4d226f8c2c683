"""The model library tells families from headers and refuses what could run code."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from collage_studio.app.checkpoints import ModelRefused, inspect
from collage_studio.app.models import STARTER, ModelLibrary, with_model
from collage_studio.app.settings import PreferencesStore
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.checkpoint import Header, identify

KEY = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def safetensors(path: Path, shapes: dict[str, tuple[int, ...]], *, cut: int = 0) -> Path:
    """A file whose tensors are all one byte long, so that only the header matters."""
    header = {
        name: {"dtype": "U8", "shape": shape, "data_offsets": [index, index + 1]}
        for index, (name, shape) in enumerate(shapes.items())
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(len(shapes))
    path.write_bytes(data[: len(data) - cut])
    return path


def folder(path: Path, pipeline: str, width: int = 768, weights: str = ".safetensors") -> Path:
    """A model folder in diffusers layout."""
    (path / "unet").mkdir(parents=True)
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DConditionModel"]}
    (path / "model_index.json").write_text(json.dumps(index))
    (path / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": width}))
    safetensors(path / "unet" / f"diffusion_pytorch_model{weights}", {"a": (1,)})
    return path


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({KEY: (320, 768), FIRST: (320, 4, 3, 3)}, "Stable Diffusion 1"),
        ({KEY: (320, 1024), FIRST: (320, 4, 3, 3)}, "Stable Diffusion 2"),
        ({KEY: (320, 768), FIRST: (320, 9, 3, 3)}, "Inpainting or instruct model"),
        (
            {"conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_fc.weight": (1,)},
            "SDXL",
        ),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (1,)}, "FLUX.1"),
        (
            {"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias": (1,)},
            "Stable Diffusion 3",
        ),
        ({"conditioner.embedders.0.model.transformer.resblocks.9.x": (1,)}, "SDXL refiner"),
        ({"single_stream_modulation.lin.weight": (1,)}, "FLUX.2"),
        ({"distilled_guidance_layer.in_proj.bias": (1,)}, "Chroma"),
        ({"lora_unet_down_blocks_0.lora_up.weight": (1,)}, "LoRA"),
        ({"transformer_blocks.0.attn.to_q.weight": (1,)}, "Part of a model"),
        ({"something.else": (3, 3)}, "Unknown"),
        ({}, "Unknown"),
    ],
)
def test_families_are_told_from_names_and_shapes(shapes: dict[str, tuple[int, ...]], family: str):
    assert identify(Header(shapes)).family == family


def test_a_single_file_is_inspected_by_its_header(tmp_path: Path):
    file = safetensors(tmp_path / "m.safetensors", {KEY: (320, 1024), FIRST: (320, 4, 3, 3)})
    assert inspect(file).family == "Stable Diffusion 2"


@pytest.mark.parametrize(
    ("pipeline", "width", "family"),
    [
        ("StableDiffusionPipeline", 768, "Stable Diffusion 1"),
        ("StableDiffusionPipeline", 1024, "Stable Diffusion 2"),
        ("StableDiffusionXLPipeline", 2048, "SDXL"),
        ("FluxPipeline", 0, "FLUX.1"),
        ("SomethingNew", 0, "Unknown"),
    ],
)
def test_a_folder_is_inspected_by_its_index(tmp_path: Path, pipeline: str, width: int, family: str):
    assert inspect(folder(tmp_path / "model", pipeline, width)).family == family


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "model.bin", "MODEL.CKPT"])
def test_pickles_are_refused(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelRefused, match=r"pickle, which can run code\. Use its \.safetensors"):
        inspect(tmp_path / name)


def test_a_folder_of_pickles_is_refused(tmp_path: Path):
    path = folder(tmp_path / "model", "StableDiffusionPipeline", weights=".bin")
    with pytest.raises(ModelRefused, match="pickle"):
        inspect(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path):
    file = safetensors(tmp_path / "m.safetensors", {KEY: (320, 768)}, cut=1)
    with pytest.raises(ModelRefused, match="damaged or not complete"):
        inspect(file)
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 10)
    with pytest.raises(ModelRefused, match="damaged or not complete"):
        inspect(tmp_path / "junk.safetensors")


def test_what_is_gone_or_no_model_is_refused(tmp_path: Path):
    with pytest.raises(ModelRefused, match="is gone"):
        inspect(tmp_path / "gone.safetensors")
    with pytest.raises(ModelRefused, match="model_index"):
        inspect(tmp_path)
    (tmp_path / "text.txt").touch()
    with pytest.raises(ModelRefused, match="is no model"):
        inspect(tmp_path / "text.txt")


def test_added_models_are_remembered_and_can_be_removed(tmp_path: Path):
    store = PreferencesStore(tmp_path / "settings.json")
    library = ModelLibrary(store)
    path = folder(tmp_path / "mine", "StableDiffusionPipeline")
    added = library.add(path)
    assert (added.name, added.family, added.is_available) == ("mine", "Stable Diffusion 1", True)
    again = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    assert [model.id for model in again.models] == [STARTER, str(path)]
    again.remove(str(path))
    assert [model.id for model in again.models] == [STARTER]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ({"guidance_in.in_layer.bias": (1,)}, "flux_dev"),
        ({}, "flux_schnell"),
    ],
)
def test_the_two_kinds_of_flux_are_told_apart(kind: dict[str, tuple[int, ...]], config: str):
    shapes = {"double_blocks.0.img_attn.norm.key_norm.scale": (1,), "img_in.weight": (3072, 64)}
    assert identify(Header(shapes | kind)).config == config


@pytest.mark.parametrize(
    ("shapes", "config"),
    [
        ({"pos_embed": (1, 36864, 1536)}, "sd3"),
        ({"pos_embed": (1, 147456, 1536)}, "sd35_medium"),
        ({"joint_blocks.37.x_block.attn.qkv.weight": (1,)}, "sd35_large"),
    ],
)
def test_the_sizes_of_stable_diffusion_3_are_told_apart(
    shapes: dict[str, tuple[int, ...]], config: str
):
    sign = {"joint_blocks.0.context_block.adaLN_modulation.1.bias": (1,)}
    found = identify(Header(sign | shapes))
    assert (found.config, found.has_texts) == (config, False)


@pytest.mark.parametrize(
    ("name", "width", "facts", "config", "prediction", "cells"),
    [
        ("dream", 768, {}, "sd1", "epsilon", 64),
        ("v2-1_512-ema-pruned", 1024, {}, "sd2", "epsilon", 64),
        ("v2-1_768-ema-pruned", 1024, {}, "sd2", "v_prediction", 96),
        ("other", 768, {"modelspec.prediction_type": "v"}, "sd1", "v_prediction", 64),
        ("v2-768", 1024, {"modelspec.prediction_type": "epsilon"}, "sd2", "epsilon", 96),
    ],
)
def test_what_a_unet_predicts_is_found_out(
    name: str, width: int, facts: dict[str, str], config: str, prediction: str, cells: int
):
    found = identify(Header({KEY: (320, width), FIRST: (320, 4, 3, 3)}, facts), name)
    assert (found.config, found.prediction, found.native_cells) == (config, prediction, cells)


def test_a_flux_file_needs_the_folder_around_it(tmp_path: Path):
    library = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    shapes = {"double_blocks.0.img_attn.norm.key_norm.scale": (1,)}
    file = safetensors(tmp_path / "flux1-dev.safetensors", shapes)
    with pytest.raises(ModelRefused, match=r"holds the transformer of FLUX\.1 only"):
        library.add(file)
    inside = folder(tmp_path / "FLUX", "FluxPipeline")
    assert library.add(safetensors(inside / file.name, shapes)).family == "FLUX.1"


def test_a_family_that_does_not_run_is_not_added(tmp_path: Path):
    library = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    path = folder(tmp_path / "chroma", "ChromaPipeline")
    with pytest.raises(ModelRefused, match="family Chroma, which does not run here"):
        library.add(path)
    found = library.find(str(path))
    assert not found.is_available
    assert "Chroma" in found.note


@pytest.mark.parametrize(
    ("pipeline", "guidance"),
    [("StableDiffusionXLPipeline", 5.0), ("StableDiffusion3Pipeline", 5.0), ("FluxPipeline", 3.5)],
)
def test_each_family_brings_its_usual_guidance(tmp_path: Path, pipeline: str, guidance: float):
    path = folder(tmp_path / pipeline, pipeline)
    assert with_model(RunSettings(), str(path)).guidance == guidance


def test_a_model_whose_files_went_away_stays_listed_as_missing(tmp_path: Path):
    library = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    path = folder(tmp_path / "mine", "StableDiffusionPipeline")
    library.add(path)
    (path / "model_index.json").unlink()
    assert not library.models[1].is_available
    assert library.models[1].note


def test_another_model_brings_its_usual_guidance_unless_one_was_chosen():
    plain = RunSettings()
    assert with_model(plain, "/models/sd15").guidance == 7.5
    assert with_model(with_model(plain, "/models/sd15"), STARTER) == plain
    assert with_model(replace(plain, guidance=4.0), "/models/sd15").guidance == 4.0
