"""Text layers of a PSD that became pictures are text again in the next PSD, wherever they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_documents import CANVAS, group, layer, raster, variation
from hypothesis import given, settings
from hypothesis import strategies as st
from psd_tools import PSDImage

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer
from collage_studio.formats.export import ExportOptions, export_document
from collage_studio.formats.psd import PsdOptions, write_psd
from collage_studio.formats.psd_kept import (
    KEY,
    kept_of_document,
    kept_of_layer,
    kept_text,
    text_layers,
)
from collage_studio.formats.psd_reading import read_psd
from collage_studio.formats.psd_text import (
    TextStyle,
    block_words,
    layer_type_block,
    reworded_block,
    type_block,
)

ORIGIN, PLACE = Affine.translation(14, 32), Affine.translation(10, 8)
TURNED = Affine.translation(60, 20).after(Affine.rotation(30)).after(Affine.scaling(1.5))
STYLE = TextStyle("Inter-Bold", 24.0, (200, 30, 250))
WORDS = "Sommer (neu)\n提灯 🏮 \\"
ON = PsdOptions(whole=False, editable_text=True)

words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n()\\尨⤨Ŝ"),
    min_size=1,
    max_size=20,
)


def title(text: str = WORDS, **more: Any) -> Layer:
    """A layer that came from a text layer."""
    source = layer(1, "Title", PLACE, **more)
    return kept_of_layer({"TySh": type_block(text, STYLE, ORIGIN)}, source, text)


def with_kept(source: Layer, kept: Mapping[str, Any]) -> Layer:
    return replace(source, unknown={KEY: {**source.unknown[KEY], **kept}})


def type_layers(document: Document, path: Path, options: PsdOptions = ON) -> list[Any]:
    write_psd(document, path, options)
    return [item for item in PSDImage.open(path).descendants() if item.kind == "type"]


def as_affine(transform: tuple[float, ...]) -> Affine:
    xx, xy, yx, yy, tx, ty = transform
    return Affine(xx, yx, tx, xy, yy, ty)


def style_of(item: Any) -> tuple[str, float, list[float]]:
    data = item.engine_dict["StyleRun"]["RunArray"][0]["StyleSheet"]["StyleSheetData"]
    font = item.resource_dict["FontSet"][data["Font"]]["Name"].value
    return font, float(data["FontSize"]), [float(value) for value in data["FillColor"]["Values"]]


@settings(max_examples=12, deadline=None)
@given(words)
def test_any_words_come_back_from_a_new_block_and_a_changed_one(text):
    block = type_block(text, STYLE, ORIGIN)
    assert block_words(block) == text
    assert block_words(reworded_block(type_block("x\ny", STYLE, ORIGIN), text)) == text


def test_runs_cover_all_of_the_words_counted_in_utf16(tmp_path):
    moved = replace(title(), placement=TURNED)
    for source in (moved, with_kept(moved, {"text": "a\n🏮b\nc"})):
        (item,) = type_layers(Document(CANVAS, (source,)), tmp_path / "a.psd")
        text = item.engine_dict["Editor"]["Text"].value
        units = len(text.encode("utf-16-le")) // 2
        for runs in ("StyleRun", "ParagraphRun"):
            lengths = [int(n) for n in item.engine_dict[runs]["RunLengthArray"]]
            assert sum(lengths) == units
            assert len(item.engine_dict[runs]["RunArray"]) == len(lengths)
        assert text.endswith("\r")


def test_a_moved_text_layer_is_text_at_its_new_place(tmp_path):
    document = Document(CANVAS, (replace(title(), placement=TURNED.after(PLACE)),))
    (item,) = type_layers(document, tmp_path / "a.psd")
    assert (item.name, item.text) == ("Title", WORDS.replace("\n", "\r"))
    assert style_of(item) == (
        "Inter-Bold",
        24.0,
        pytest.approx([1, 200 / 255, 30 / 255, 250 / 255]),
    )
    wanted = TURNED.after(ORIGIN).as_tuple()
    assert as_affine(item.transform).as_tuple() == pytest.approx(wanted)


def test_the_pixels_are_the_same_with_and_without(tmp_path):
    document = Document(CANVAS, (layer(2, "Below"), replace(title(), placement=TURNED)))
    plain, text = tmp_path / "plain.psd", tmp_path / "text.psd"
    assert type_layers(document, plain, PsdOptions(whole=False)) == []
    assert len(type_layers(document, text)) == 1
    pairs = zip(PSDImage.open(plain).descendants(), PSDImage.open(text).descendants(), strict=True)
    for one, other in pairs:
        assert one.bbox == other.bbox
        assert np.array_equal(one.numpy(), other.numpy())
    merged = [PSDImage.open(path).numpy() for path in (plain, text)]
    assert np.array_equal(*merged)


def test_without_the_switch_text_goes_back_only_where_it_was(tmp_path):
    off = PsdOptions(whole=False)
    document = Document(CANVAS, (title(),))
    (item,) = type_layers(document, tmp_path / "a.psd", off)
    assert as_affine(item.transform) == ORIGIN
    shifted = group("g", "Group", title(), placement=Affine.translation(5, 0))
    assert type_layers(Document(CANVAS, (shifted,)), tmp_path / "b.psd", off) == []


def test_text_in_a_moved_group_moves_with_it(tmp_path):
    inner = group("g", "Group", title(), placement=Affine.translation(5, -3))
    (item,) = type_layers(Document(CANVAS, (inner,)), tmp_path / "a.psd")
    assert as_affine(item.transform) == Affine.translation(5, -3).after(ORIGIN)


def test_other_words_are_set_in_the_kept_style(tmp_path):
    changed = with_kept(title(), {"text": "Winter\n(alt)"})
    (item,) = type_layers(Document(CANVAS, (changed,)), tmp_path / "a.psd")
    assert item.text == "Winter\r(alt)"
    assert style_of(item)[:2] == ("Inter-Bold", 24.0)
    assert as_affine(item.transform) == ORIGIN


@pytest.mark.parametrize("blocks", [{}, {"TySh": "AAEA"}])
def test_words_without_a_sound_block_get_a_plain_one(tmp_path, blocks):
    bare = with_kept(title(), {"blocks": blocks})
    (item,) = type_layers(Document(CANVAS, (bare,)), tmp_path / "a.psd")
    font, size, colour = style_of(item)
    assert item.text == WORDS.replace("\n", "\r")
    assert font == "ArialMT"
    assert 5 < size < 30
    pixels = raster(1).pixels.astype(float)
    mean = (pixels[..., :3] * pixels[..., 3:]).sum((0, 1)) / pixels[..., 3].sum() / 255
    assert colour[1:] == pytest.approx(mean, abs=0.01)
    inside = as_affine(item.transform).apply(0, 0)
    assert 10 <= inside[0] <= 50
    assert 8 <= inside[1] <= 38


@pytest.mark.parametrize("change", [{}, {"text": "Winter"}])
def test_what_photoshop_knows_of_all_texts_goes_once_one_is_changed(tmp_path, change):
    source = with_kept(replace(title(), placement=TURNED), change)
    all_texts = kept_of_document({"Txt2": b"about all texts."}, {})
    type_layers(Document(CANVAS, (source,), unknown={KEY: all_texts}), tmp_path / "a.psd")
    assert (b"about all texts." in (tmp_path / "a.psd").read_bytes()) is not bool(change)


def test_other_pixels_are_no_text_any_more(tmp_path):
    painted = replace(title(), raster=raster(9))
    document = Document(CANVAS, (painted, layer(2, "Plain"), replace(title(), id="t")))
    assert [item.id for item in text_layers(document)] == ["t"]
    assert len(type_layers(document, tmp_path / "a.psd")) == 1
    assert layer_type_block(painted, PLACE) == b""
    assert layer_type_block(layer(2, "Plain"), PLACE) == b""


def test_a_layer_flattened_to_a_line_is_written_as_pixels(tmp_path):
    flat = replace(title(), placement=Affine.scaling(1, 0))
    path = tmp_path / "a.psd"
    assert export_document(Document(CANVAS, (flat,)), path, ExportOptions(editable_text=True))
    assert type_layers(Document(CANVAS, (flat,)), path) == []


def test_text_comes_back_as_pixels_with_its_words(tmp_path):
    document = Document(CANVAS, (replace(title(), placement=TURNED),))
    path = tmp_path / "a.psd"
    write_psd(document, path, ON)
    opened = read_psd(path)
    found = opened.document.layers[-1]
    assert kept_text(found) == WORDS
    assert any(loss.startswith("Text becomes a picture") for loss in opened.losses)
    again = type_layers(opened.document, tmp_path / "b.psd")
    wanted = TURNED.after(PLACE.inverse()).after(ORIGIN).as_tuple()
    assert as_affine(again[0].transform).as_tuple() == pytest.approx(wanted)


@pytest.mark.parametrize("suffix", [".psd", ".psb"])
@pytest.mark.parametrize("factor", [1, 2])
def test_the_export_checks_the_words_and_opens_whole(tmp_path, suffix, factor):
    document = Document(CANVAS, (replace(title(), placement=TURNED),))
    document = replace(document, accepted=variation("v", 5))
    path = tmp_path / f"a{suffix}"
    options = ExportOptions(editable_text=True, factor=factor)
    assert export_document(document, path, options).checked
    (item,) = [one for one in PSDImage.open(path).descendants() if one.kind == "type"]
    grown = Affine.scaling(factor).after(TURNED).after(PLACE.inverse()).after(ORIGIN)
    assert as_affine(item.transform).as_tuple() == pytest.approx(grown.as_tuple())
    opened = read_psd(path).document
    assert opened.size == Size(CANVAS.width * factor, CANVAS.height * factor)
    assert kept_text(opened.layers[0]) == WORDS
