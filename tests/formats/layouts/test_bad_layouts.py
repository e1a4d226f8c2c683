"""Bad layouts are refused with one clear sentence, and hostile pickles never run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collage_studio.document.geometry import Rect
from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.plain_pickle import read_plain_pickle
from collage_studio.formats.layouts.reading import layouts_in, read_layout
from tests.formats.layouts import layout_files as files

Spoil = Callable[[Path], Any]


def refusal(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        _read_all(path)
    text = str(caught.value)
    assert len(text) < 300
    assert text.endswith(".")
    return text


def _read_all(path: Path) -> None:
    for layout in layouts_in(path):
        layout.read()


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def blank(path: Path, width: int = files.SIDE, height: int = files.SIDE) -> None:
    files.write_mask(path, np.zeros((height, width), np.uint8))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda case: shutil.rmtree(case / "PALL"), "no folder PALL"),
        (lambda case: (case / "P000").rename(case / "P002"), "no P000"),
        (lambda case: (case / "P001" / "self_caption.json").unlink(), "self_caption.json"),
        (lambda case: files.write_json(case / "P001" / "self_caption.json", " "), "missing"),
        (lambda case: files.write_json(case / "P001" / "self_caption.json", 3), "no text"),
        (lambda case: blank(case / "P001" / "bbox_mask_image.png", 32, 64), "32 × 64 px"),
        (lambda case: cut_off(case / "P001" / "mask_image.png"), "mask_image.png"),
        (lambda case: blank(case / "PALL" / "margin_mask_image.png"), "leaves no picture"),
        (lambda case: (case / "P000" / "self_caption.json").write_text('"a'), "no complete JSON"),
    ],
)
def test_bad_noise_collage_cases_are_refused(tmp_path: Path, spoil: Spoil, words: str):
    case = files.noise_collage(tmp_path / "testcase_buses")
    spoil(case)
    assert words in refusal(case)


def test_an_empty_region_is_refused(tmp_path: Path):
    case = files.noise_collage(tmp_path / "testcase_buses")
    for name in ("mask_image.png", "bbox_mask_image.png"):
        blank(case / "P001" / name)
    assert "P001 of testcase_buses covers no pixel" in refusal(case)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"textual_condition": "c", "segment_descriptions": ["", "a", "b", "c"]}, "3 segments"),
        ({"textual_condition": "c", "segment_descriptions": ["", "a"]}, "picture with 2"),
        ({"textual_condition": "c", "segment_descriptions": ["", "a", ""]}, "Text 2"),
        ({"textual_condition": "", "segment_descriptions": ["", "a", "b"]}, "caption"),
        ({"segment_descriptions": "a"}, "caption"),
        ({"textual_condition": "c", "segment_descriptions": "a"}, "no list"),
    ],
)
def test_bad_dense_cases_are_refused(tmp_path: Path, case: dict[str, Any], words: str):
    assert words in refusal(files.dense(tmp_path, {0: case}))


def test_a_dense_set_needs_its_pictures(tmp_path: Path):
    path = files.dense(tmp_path)
    (tmp_path / "0.png").unlink()
    assert "0.png, which is missing" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fg_prompts", ["a dog"], "1 texts and 2 masks"),
        ("fg_prompts", ["a dog", None], "Text 2"),
        ("bg_prompt", "", "background"),
        ("mask_paths", ["dog.png", "../tree.png"], "elsewhere"),
        ("mask_paths", ["dog.png", "cat.png"], "cat.png, which is missing"),
    ],
)
def test_bad_multi_diffusion_sets_are_refused(tmp_path: Path, key: str, value: Any, words: str):
    path = files.multi_diffusion(tmp_path / "inner")
    shutil.copy(tmp_path / "inner" / "tree.png", tmp_path / "tree.png")
    edited(path, lambda data: data.update({key: value}))
    assert words in refusal(path)


def test_masks_of_different_sizes_and_empty_ones_are_refused(tmp_path: Path):
    path = files.multi_diffusion(tmp_path)
    blank(tmp_path / "tree.png", 32, 32)
    assert "same size" in refusal(path)
    blank(tmp_path / "tree.png")
    assert "covers no pixel" in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["one"]}, "2 boxes and 1 labels"),
        ({"labels": ["one", ";"]}, "missing"),
        ({"bboxes": [[0, 0, 5, 5], [9, 9, 9, 20]]}, "empty"),
        ({"bboxes": [[0, 0, 5, 5], [90, 9, 99, 20]]}, "outside"),
        ({"bboxes": [[0, 0, 5, 5], [1, 2, 3]]}, "3 numbers"),
        ({"bboxes": [[0, 0, 5, 5], [1, 2, 3, "4"]]}, "no number"),
        ({"bboxes": [], "labels": []}, "no regions"),
        ({"width": 10**6, "height": 5}, "1000000"),
    ],
)
def test_bad_rich_context_layouts_are_refused(tmp_path: Path, change: dict[str, Any], words: str):
    path = files.rich_context(tmp_path)
    edited(path, lambda data: data.update(change))
    assert words in refusal(path)


@pytest.mark.parametrize("text", ['{"bboxes": [[0, 0', '{"bboxes": [NaN]}', "\xff", "[" * 9999])
def test_incomplete_json_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "demo.json"
    path.write_bytes(text.encode("latin1"))
    assert "demo.json is no complete JSON" in refusal(path)


def _segments(data: Any) -> list[dict[str, Any]]:
    return data["annotations"][0]["segments_info"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: _segments(data).pop(), "does not name"),
        (lambda data: _segments(data).append({"id": 5, "category_id": 1}), "covers no pixel"),
        (lambda data: _segments(data).append({"id": 300, "category_id": 1}), "taken"),
        (lambda data: _segments(data)[0].update(category_id=9), "category's name"),
        (lambda data: data["images"][0].update(width=63), "63 × 48 px"),
    ],
)
def test_bad_panoptic_masks_are_refused(tmp_path: Path, change: Spoil, words: str):
    path = files.panoptic(tmp_path)
    edited(path, change)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"textPrompt": ""}, "text"),
        ({"originalImgUrl": "file:///etc/passwd"}, "nothing is downloaded"),
        ({"originalImgUrl": "https://example.invalid/.."}, "nothing is downloaded"),
        ({"noiseStrength": 3}, "noise_strength"),
        ({"key": "key-room"}, "same key"),
        ({"polygon": [{"x": 2, "y": 2}, {"x": 3, "y": 2}, {"x": 3, "y": 3}]}, "polygon"),
        ({"transform": {"position": {"x": "a"}}}, "no number"),
    ],
)
def test_bad_collage_diffusion_layers_are_refused(
    tmp_path: Path, change: dict[str, Any], words: str
):
    path = files.collage_diffusion(tmp_path)
    edited(path, lambda data: data["collage"]["layers"][0].update(change))
    assert words in refusal(path)


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_never_runs(tmp_path: Path, protocol: int):
    marker, path = tmp_path / "ran", tmp_path / "testset.pkl"
    path.write_bytes(pickle.dumps({0: _Hostile(marker)}, protocol=protocol))
    assert "Nothing was run or imported" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04cbuiltins\neval\n(V1+1\ntR.",
        b"cnumpy\nloadtxt\n(V/etc/passwd\ntR.",
        b"\x80\x02cnumpy.core.multiarray\nscalar\n}X\x05\x00\x00\x00helloK\x01sb.",
        b"\x80\x02cnumpy\ndtype\n(X\x01\x00\x00\x00OtR.",
        b"\x80\x04]r\xff\xff\xff\xff.",
        b"\x80\x04",
        b"",
    ],
)
def test_no_hand_made_pickle_gets_through(tmp_path: Path, data: bytes):
    path = tmp_path / "testset.pkl"
    path.write_bytes(data)
    refusal(path)


def test_a_pickle_that_unfolds_without_end_is_refused(tmp_path: Path):
    path, value = tmp_path / "testset.pkl", list[Any]()
    for _ in range(40):
        value = [value, value]
    path.write_bytes(pickle.dumps(value))
    assert "no complete pickle" in refusal(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_numbers_come_out_of_a_pickle_as_they_are(tmp_path: Path, protocol: int):
    path = tmp_path / "plain.pkl"
    value = {
        "mask": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "one": np.float64(0.25),
        "rest": [1, 2.5, "text", (True, None), {3}, b"bytes"],
    }
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    read = read_plain_pickle(path)
    for name in ("mask", "turned", "big"):
        np.testing.assert_array_equal(read[name], value[name])
    assert read["one"] == 0.25
    assert read["rest"] == value["rest"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_plain(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.mktemp("random") / "set.pkl"
    path.write_bytes(data)
    refusal(path)


def test_pictures_are_no_layouts(tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    assert "holds no layout" in refusal(tmp_path / "photo.png")
    assert "holds no layout" in refusal(tmp_path)
    with pytest.raises(FormatError, match="gone"):
        read_layout(tmp_path / "nowhere.json")


def test_a_damaged_file_beside_a_mask_does_not_hide_its_set(tmp_path: Path):
    files.dense(tmp_path)
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    assert len(read_layout(tmp_path / "0.png").document.layers) == 2
    (tmp_path / "testset.pkl").unlink()
    assert "a.json is no complete JSON" in refusal(tmp_path / "0.png")


def test_an_outline_that_covers_nothing_after_the_cut_is_refused(tmp_path: Path):
    case = files.noise_collage(tmp_path / "testcase_buses", bars=10)
    for name in ("mask_image.png", "bbox_mask_image.png"):
        files.write_mask(case / "P000" / name, files.box_mask(Rect(0, 0, 64, 5)))
    assert "P000 of testcase_buses covers no pixel" in refusal(case)
