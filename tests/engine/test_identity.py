"""Identity: encoders of real classes, tiny and untrained, compare layers with themselves."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from collage_studio.document.compositing import composite_picture
from collage_studio.document.extras import RunExtras
from collage_studio.document.model import Document
from collage_studio.document.quality import quality_of
from collage_studio.engine.api import HarmoniseRequest, ModelUnavailable, Produced, Started
from collage_studio.engine.quality.identity import IdentityMeter, OnnxEncoder, open_encoder
from collage_studio.engine.runner import Engine
from tests.engine.methods.layouts import cat_and_dog, settings

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
HAS_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


@pytest.fixture(scope="module", params=["clip", "dino"])
def encoder_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        if request.param == "clip":
            config = CLIPVisionConfig(
                **SMALL, intermediate_size=32, image_size=32, patch_size=8, projection_dim=12
            )
            CLIPVisionModelWithProjection(config).save_pretrained(folder)
        else:
            Dinov2Model(Dinov2Config(**SMALL, image_size=28, patch_size=7)).save_pretrained(folder)
    return folder


def document() -> Document:
    return cat_and_dog(settings("collage_diffusion", steps=2))


def spoiled(picture: np.ndarray, share: float, left: int) -> np.ndarray:
    """Stripes mixed into everything right of `left`."""
    stripes = np.zeros_like(picture)
    stripes[::3] = 255
    mixed = picture * (1 - share) + stripes * share
    mixed[:, :left] = picture[:, :left]
    return mixed.astype(np.uint8)


def test_equal_pixels_are_the_same_whatever_lies_around_them(encoder_folder: Path) -> None:
    meter = IdentityMeter(open_encoder(encoder_folder), document())
    picture = composite_picture(document())[..., :3]
    same = meter.measure(picture)
    assert set(same) == {"background", "cat", "dog"}
    assert all(value == pytest.approx(1, abs=1e-4) for value in same.values())
    half = picture.shape[1] // 2
    changed = [meter.measure(spoiled(picture, share, half)) for share in (0.1, 0.4, 0.9)]
    values = [found["dog"] for found in changed]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.995
    assert all(found["cat"] == same["cat"] for found in changed)


def test_a_run_writes_identities_into_its_recipe(tiny_folder: Path, encoder_folder: Path) -> None:
    run = settings("collage_diffusion", steps=2)
    run = replace(run, model=str(tiny_folder), extras=RunExtras(identity_model=str(encoder_folder)))
    request = HarmoniseRequest(cat_and_dog(run), (1, 2), run)
    events = list(Engine("cpu").run(request, lambda: False))
    made = [event for event in events if isinstance(event, Produced)]
    meter = IdentityMeter(open_encoder(encoder_folder), request.document)
    for event in made:
        expected = meter.measure(event.picture)
        assert {key: quality_of(event.recipe, key).identity for key in expected} == expected
        assert expected["cat"] < 1


def test_a_wrong_folder_is_told_in_a_sentence_and_the_run_goes_on(
    tiny_folder: Path, tmp_path: Path
) -> None:
    run = replace(settings("collage_diffusion", steps=2), model=str(tiny_folder))
    run = replace(run, extras=RunExtras(identity_model=str(tmp_path)))
    events = list(Engine("cpu").run(HarmoniseRequest(cat_and_dog(run), (1,), run), lambda: False))
    [started] = [event for event in events if isinstance(event, Started)]
    assert [w for w in started.warnings if "holds no image encoder such as CLIP or DINO" in w]
    assert any(isinstance(event, Produced) for event in events)


def test_damaged_and_incomplete_encoders_are_told(encoder_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((encoder_folder / "config.json").read_bytes())
    with pytest.raises(ModelUnavailable, match=r"no \.safetensors file"):
        open_encoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelUnavailable, match="cannot be read: fetch it again"):
        open_encoder(tmp_path)
    (tmp_path / "weights.pt").touch()
    with pytest.raises(ModelUnavailable, match=r"is no \.onnx file"):
        open_encoder(tmp_path / "weights.pt")


def test_a_processor_beside_the_model_says_how_pictures_are_read(
    encoder_folder: Path, tmp_path: Path
) -> None:
    for path in encoder_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    usual = open_encoder(tmp_path).wanted
    said = {"crop_size": {"height": 56}, "image_mean": [0, 0.5, 1], "image_std": [1, 0.5, 2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    wanted = open_encoder(tmp_path).wanted
    assert (wanted.side, wanted.mean, wanted.spread) == (56, (0, 0.5, 1), (1, 0.5, 2))
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": "red", "size": true}')
    assert open_encoder(tmp_path).wanted == usual


@pytest.mark.skipif(not HAS_ONNX, reason="onnx and onnxruntime are not installed")
@pytest.mark.parametrize("shape", [[1, 3, 32, 32], ["batch", 3, "height", "width"]])
def test_an_onnx_file_answers_as_well(tmp_path: Path, shape: list[int | str]) -> None:
    meter = IdentityMeter(OnnxEncoder(onnx_file(tmp_path, shape, "image_embeds")), document())
    picture = composite_picture(document())[..., :3]
    assert meter.measure(picture)["dog"] == pytest.approx(1, abs=1e-4)
    half = picture.shape[1] // 2
    assert meter.measure(spoiled(picture, 0.9, half))["dog"] < 0.999


@pytest.mark.skipif(not HAS_ONNX, reason="onnx and onnxruntime are not installed")
def test_an_onnx_file_without_embeddings_is_told(tmp_path: Path) -> None:
    masks = OnnxEncoder(onnx_file(tmp_path, [1, 3, 32, 32], "mask"))
    with pytest.raises(ModelUnavailable, match="gives no embedding of a picture"):
        IdentityMeter(masks, document())
    (tmp_path / "bad.onnx").write_bytes(b"no model at all")
    with pytest.raises(ModelUnavailable, match="damaged or no ONNX model"):
        open_encoder(tmp_path / "bad.onnx")


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is not None, reason="onnxruntime is installed"
)
def test_without_onnxruntime_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").touch()
    with pytest.raises(ModelUnavailable, match="needs onnxruntime"):
        open_encoder(tmp_path / "face.onnx")


def onnx_file(folder: Path, shape: list[int | str], output: str) -> Path:
    """Eight filters of 5 x 5 px; "image_embeds" averages their strength, "mask" does not."""
    import onnx

    weights = np.random.default_rng(3).normal(size=(8, 3, 5, 5)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"]),
        onnx.helper.make_node("Relu", ["c"], ["mask"]),
        onnx.helper.make_node("GlobalAveragePool", ["mask"], ["image_embeds"]),
    ]
    kind, sides = onnx.TensorProto.FLOAT, ["b", 8, "h", "w"]
    graph = onnx.helper.make_graph(
        nodes[: 3 if output == "image_embeds" else 2],
        "encoder",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info(output, kind, sides)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = onnx.helper.make_opsetid("", 13)
    path = folder / f"{output}.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path
