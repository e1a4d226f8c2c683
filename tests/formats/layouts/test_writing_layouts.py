"""Exported layouts read back with the same regions and texts, or are not written at all."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import add_layout, box_layer, layout_layer
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.formats.errors import FormatError
from collage_studio.formats.layouts.reading import read_layout
from collage_studio.formats.layouts.regions import box_of, regions_of
from collage_studio.formats.layouts.writing import LAYOUT_FORMATS, export_layout

CAT = Rect(2, 3, 20, 30)
TREE = Rect(24, 4, 47, 36)


def garden(cat: Rect = CAT, tree: Rect = TREE) -> Document:
    """A cat by its box, a tree by a round shape, and a picture of a path."""
    rows, columns = np.mgrid[: tree.height, : tree.width]
    middle = (tree.height - 1) / 2, (tree.width - 1) / 2
    far = ((rows - middle[0]) / (middle[0] + 1)) ** 2 + (
        (columns - middle[1]) / (middle[1] + 1)
    ) ** 2
    shape = Mask(np.where(far <= 1, 255, 0).astype(np.uint8))
    document = add_layout(Document(Size(48, 40)), box_layer(cat, text="a grey cat"))
    document = add_layout(document, layout_layer(shape, (tree.left, tree.top), text="a tree; old"))
    path = Layer("path", "Path", raster=Raster(np.full((3, 48, 4), 255, np.uint8)), text="a path")
    return replace(document, layers=(path, *document.layers))


def target(folder: Path, kind: str) -> Path:
    return folder / ("layout.json" if kind == "rich-context" else "layout")


@pytest.mark.parametrize("kind", LAYOUT_FORMATS)
def test_regions_and_texts_survive_a_round_trip(tmp_path: Path, kind: str):
    document = garden()
    report = export_layout(document, target(tmp_path, kind), kind, "garden")
    assert report.checked
    read = read_layout(target(tmp_path, kind)).document
    before = {one.text.replace(";", ""): one.covered for one in regions_of(document)}
    after = {one.text.replace(";", ""): one.covered for one in regions_of(read)}
    assert before.keys() == after.keys()
    for text, covered in before.items():
        if LAYOUT_FORMATS[kind].boxes:
            assert box_of(covered) == box_of(after[text])
        else:
            np.testing.assert_array_equal(covered, after[text])
    assert read.size == document.size


@settings(max_examples=15, deadline=None)
@given(
    left=st.integers(0, 40), top=st.integers(0, 30),
    width=st.integers(1, 8), height=st.integers(1, 10),
)  # fmt: skip
def test_boxes_anywhere_survive_in_order(
    tmp_path_factory: pytest.TempPathFactory, left: int, top: int, width: int, height: int
):
    document = garden(Rect(left, top, left + width, top + height))
    for kind in ("noise-collage", "rich-context"):
        out = target(tmp_path_factory.mktemp("layouts"), kind)
        export_layout(document, out, kind, "garden")
        texts = [layer.text.replace(";", "") for layer in read_layout(out).document.layers]
        assert texts == ["a path", "a grey cat", "a tree old"]


def test_a_noise_collage_case_has_the_files_the_released_code_opens(tmp_path: Path):
    export_layout(garden(), tmp_path / "cases", "noise-collage", "My garden")
    case = tmp_path / "cases" / "testcase_My garden"
    assert sorted(one.name for one in case.iterdir()) == ["P000", "P001", "P002", "PALL"]
    assert (case / "PALL" / "margin_mask_image.png").is_file()
    assert json.loads((case / "P001" / "self_caption.json").read_text()) == "a grey cat"
    with Image.open(case / "P002" / "bbox_mask_image.png") as mask:
        assert (mask.mode, mask.getbbox()) == ("L", (24, 4, 47, 36))


def test_a_dense_set_is_a_plain_pickle_with_every_text_in_its_caption(tmp_path: Path):
    export_layout(garden(), tmp_path / "set", "dense", "garden")
    case = pickle.loads((tmp_path / "set" / "layout.pkl").read_bytes())[0]
    assert case["segment_descriptions"][1:] == ["a tree; old", "a grey cat", "a path"]
    assert case["textual_condition"] == "a grey cat, a tree; old, a path"


def test_equal_areas_keep_their_texts_in_a_dense_set(tmp_path: Path):
    document = Document(Size(40, 20))
    for number in range(8):
        box = Rect(number * 5, 0, number * 5 + 4, 9)
        document = add_layout(document, box_layer(box, text=f"thing {number}"))
    export_layout(document, tmp_path / "set", "dense", "things")
    assert len(read_layout(tmp_path / "set").document.layers) == 8


@pytest.mark.parametrize(
    ("kind", "document", "words"),
    [
        ("dense", garden(cat=Rect(2, 3, 30, 30)), "overlap"),
        ("noise-collage", Document(Size(8, 8)), "no layers"),
        ("rich-context", garden(cat=Rect(60, 60, 70, 70)), "covers nothing"),
        ("noise-collage", Document(Size(8, 8), (box_layer(Rect(0, 0, 4, 4)),)), "no text"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused_and_nothing_is_written(
    tmp_path: Path, kind: str, document: Document, words: str
):
    with pytest.raises(FormatError, match=words):
        export_layout(document, target(tmp_path, kind), kind, "garden")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_in_it_is_never_written_over(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FormatError, match="already there"):
        export_layout(garden(), tmp_path, "dense", "garden")
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]
