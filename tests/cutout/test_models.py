"""Background models and click segmentation, proven with tiny ONNX files built here."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collage_studio.cutout.rembg_models import (
    MODELS,
    CutoutModel,
    download,
    is_there,
    model_named,
    path_of,
)
from collage_studio.cutout.removal import fed, open_session, read_answer, remove_background
from collage_studio.cutout.scribbles import CutoutError
from collage_studio.cutout.segment import Click, OnnxSegmenter
from tests.cutout.blobs import over, soft_disc

HAS_ONNX = importlib.util.find_spec("onnx") is not None
HAS_RUNTIME = importlib.util.find_spec("onnxruntime") is not None
needs_onnx = pytest.mark.skipif(
    not (HAS_ONNX and HAS_RUNTIME), reason="onnx and onnxruntime are not installed"
)
SMALL = replace(MODELS[0], side=32)


# Table and downloads


def test_every_model_says_licence_and_size_before_a_download():
    for model in MODELS:
        assert model.licence in {"Apache-2.0", "MIT"}
        assert "MB" in model.terms
        assert len(model.md5) == 32
        assert model.url.startswith("https://github.com/danielgatis/rembg/releases/")


@pytest.mark.parametrize("name", ["withoutbg", "atlascloud", "bria-rmbg", ""])
def test_cloud_sessions_and_restricted_models_are_not_offered(name: str):
    with pytest.raises(CutoutError, match="no model"):
        model_named(name)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without writing to the terminal."""

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address it is served at on this computer."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_with_the_right_sum_is_kept(served: tuple[Path, str], tmp_path: Path):
    data = b"x" * 3_000_000
    (served[0] / "m.onnx").write_bytes(data)
    model = replace(SMALL, md5=hashlib.md5(data).hexdigest())
    told: list[tuple[int, int]] = []
    path = download(
        model, tmp_path / "models", url=f"{served[1]}/m.onnx",
        progress=lambda there, total: told.append((there, total)),
    )  # fmt: skip
    assert path.read_bytes() == data
    assert is_there(model, tmp_path / "models")
    assert told[-1] == (3_000_000, 3_000_000)


def test_a_download_with_another_sum_is_deleted(served: tuple[Path, str], tmp_path: Path):
    (served[0] / "m.onnx").write_bytes(b"something else")
    with pytest.raises(CutoutError, match="not the published one"):
        download(SMALL, tmp_path / "models", url=f"{served[1]}/m.onnx")
    assert list((tmp_path / "models").iterdir()) == []


def test_without_a_connection_the_sentence_offers_strokes(tmp_path: Path):
    with pytest.raises(CutoutError, match=r"no connection to 127\.0\.0\.1:9.*by strokes"):
        download(SMALL, tmp_path, url="http://127.0.0.1:9/m.onnx")


def test_a_missing_file_is_said(tmp_path: Path):
    with pytest.raises(CutoutError, match="no model file"):
        open_session(path_of(SMALL, tmp_path))


@pytest.mark.skipif(HAS_RUNTIME, reason="onnxruntime is installed")
def test_without_onnxruntime_the_sentence_says_what_to_install(tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"")
    with pytest.raises(CutoutError, match="cutout extra"):
        open_session(path)


# What models are fed and answer


def test_a_model_is_fed_what_rembg_feeds_it():
    picture = np.full((10, 20, 3), 128, np.uint8)
    picture[0, 0] = 255
    planes = fed(picture, SMALL)
    assert planes.shape == (1, 3, 32, 32)
    # The brightest value is averaged down to something between 128 and 255 first.
    darkest, brightest = (128 / 255 - 0.485) / 0.229, (1.0 - 0.485) / 0.229
    assert planes[0, 0].max() == pytest.approx(brightest, abs=1e-3)
    assert darkest - 0.01 < planes[0, 0, -1, -1] <= brightest


def test_an_answer_is_stretched_to_the_whole_range():
    answer = np.linspace(0.2, 0.4, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    alpha = read_answer(answer, SMALL, (40, 30))
    assert alpha.shape == (40, 30)
    assert alpha.min() == 0.0
    assert alpha.max() == 1.0


def test_an_answer_of_another_shape_is_refused():
    with pytest.raises(CutoutError, match="not one mask"):
        read_answer(np.zeros((2, 8)), SMALL, (40, 30))


# Real sessions

Save = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    """Writes nodes, inputs and outputs as an ONNX file."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")

    def save(name: str, nodes: list[Any], inputs: Any, outputs: Any, constants: Any = ()) -> Path:
        kind = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            nodes,
            name,
            [onnx.helper.make_tensor_value_info(n, kind, shape) for n, shape in inputs],
            [onnx.helper.make_tensor_value_info(n, kind, shape) for n, shape in outputs],
            [onnx.numpy_helper.from_array(value, n) for n, value in constants],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8
        )
        path = tmp_path / f"{name}.onnx"
        onnx.save(model, str(path))
        return path

    return save


def redness(saved: Save) -> Path:
    """A model that answers red minus blue."""
    import onnx

    weights = np.array([1, 0, -1], np.float32).reshape(1, 3, 1, 1)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    shape = [1, 3, 32, 32]
    return saved("red", [node], [("x", shape)], [("y", [1, 1, 32, 32])], [("w", weights)])


@needs_onnx
def test_a_real_session_cuts_out_what_its_model_finds(saved: Save):
    truth = soft_disc()
    alpha = remove_background(over(truth), SMALL, redness(saved))
    assert alpha.shape == truth.shape
    assert np.abs(alpha - truth).sum() / truth.sum() < 0.1


@needs_onnx
def test_a_damaged_file_gives_one_sentence(tmp_path: Path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(CutoutError, match="damaged"):
        open_session(path)


@needs_onnx
def test_a_model_of_another_kind_gives_one_sentence(saved: Save):
    other: CutoutModel = replace(SMALL, side=48)
    with pytest.raises(CutoutError, match="refused"):
        remove_background(over(soft_disc()), other, redness(saved))


def tiny_sam(saved: Save) -> tuple[Path, Path]:
    """Its embedding is the red plane; its mask is that plane plus the first click's label."""
    import onnx

    make = onnx.helper.make_node
    weights = np.array([1, 0, -1], np.float32).reshape(1, 3, 1, 1)
    encoder = saved(
        "encoder", [make("Conv", ["x", "w"], ["e"])], [("x", [1, 3, 64, 64])],
        [("e", [1, 1, 64, 64])], [("w", weights)],
    )  # fmt: skip
    nodes = [
        make("ReduceMax", ["point_labels"], ["top"], keepdims=0),
        make("Mul", ["image_embeddings", "top"], ["masks"]),
        make("ReduceMean", ["point_coords"], ["mean"], keepdims=0),
        make("Reshape", ["mean", "one"], ["iou_predictions"]),
    ]
    import onnx.numpy_helper as helper

    one = np.array([1, 1], np.int64)
    kind = onnx.TensorProto.FLOAT
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "decoder",
        [info("image_embeddings", kind, [1, 1, 64, 64]), info("point_coords", kind, [1, None, 2]),
         info("point_labels", kind, [1, None])],
        [info("masks", kind, [1, 1, 64, 64]), info("iou_predictions", kind, [1, 1])],
        [helper.from_array(one, "one")],
    )  # fmt: skip
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8
    )
    decoder = encoder.with_name("decoder.onnx")
    onnx.save(model, str(decoder))
    return encoder, decoder


@needs_onnx
def test_a_click_finds_the_object_and_the_encoder_runs_once(saved: Save):
    truth = np.zeros((60, 96), np.float32)
    truth[:, 18:78] = soft_disc(60, 16, 1)
    segmenter = OnnxSegmenter(*tiny_sam(saved))
    segmenter.set_picture("a", over(truth))
    first = segmenter._seen["a"]
    alpha, _sure = segmenter.predict([Click(48, 30)])
    segmenter.set_picture("a", over(truth))
    assert segmenter._seen["a"] is first
    assert alpha.shape == truth.shape
    assert np.abs((alpha > 0.5) - truth).sum() / truth.sum() < 0.2


@needs_onnx
def test_a_click_on_nothing_gives_the_known_sentence(saved: Save):
    segmenter = OnnxSegmenter(*tiny_sam(saved))
    segmenter.set_picture("blue", np.full((40, 40, 3), (0, 0, 255), np.uint8))
    with pytest.raises(CutoutError, match="No object found at this point"):
        segmenter.predict([Click(5, 5)])


@needs_onnx
def test_old_embeddings_are_forgotten(saved: Save):
    segmenter = OnnxSegmenter(*tiny_sam(saved))
    for name in "abcdef":
        segmenter.set_picture(name, over(soft_disc(40, 10, 1)))
    assert list(segmenter._seen) == ["c", "d", "e", "f"]


@needs_onnx
def test_a_background_model_is_no_decoder(saved: Save):
    encoder, _ = tiny_sam(saved)
    with pytest.raises(CutoutError, match="no decoder"):
        OnnxSegmenter(encoder, encoder)
