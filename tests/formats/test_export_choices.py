"""Exports with and without original cutouts, and with and without the recipe."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from format_documents import raster, rich_document
from PIL import Image
from psd_tools import PSDImage

from collage_studio.document.geometry import Affine
from collage_studio.document.model import Document
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export import ExportOptions, export_document
from collage_studio.formats.flat import can_write_avif
from collage_studio.formats.png import read_recipe
from collage_studio.formats.psd_embedded import RESOURCE
from collage_studio.formats.psd_reading import read_psd

WITHOUT = ExportOptions(recipe=False)
WORDS = b"a red tent"


def harmonised() -> Document:
    document = rich_document(accepted=True)
    tent = replace(
        document.layers[0],
        harmonised=raster(77, 50, 40),
        harmonised_placement=Affine.translation(-5, -5),
    )
    return replace(document, layers=(tent, *document.layers[1:]))


def embedded(path) -> zipfile.ZipFile:
    resources = PSDImage.open(path).image_resources
    data = next(resources[key].data for key in resources if int(key) == RESOURCE)
    return zipfile.ZipFile(io.BytesIO(data))


@pytest.mark.parametrize("suffix", [".psd", ".psb"])
def test_without_originals_only_harmonised_layers_and_the_result_are_there(tmp_path, suffix):
    document = harmonised()
    path, full = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert export_document(document, path, ExportOptions(originals=False)).checked
    export_document(document, full)
    assert [item.name for item in PSDImage.open(path)] == ["Harmonised", "Result"]
    assert [item.name for item in PSDImage.open(full)] == ["Original", "Harmonised", "Result"]
    assert path.stat().st_size < 0.8 * full.stat().st_size
    assert not [name for name in embedded(path).namelist() if name.startswith("planes/")]


def test_without_originals_texts_and_noise_still_come_back(tmp_path):
    path = tmp_path / "a.psd"
    document = harmonised()
    export_document(document, path, ExportOptions(depth=8, originals=False))
    opened = read_psd(path)
    tent = next(item for item in opened.document.walk() if item.name == "Tent")
    assert (tent.id, tent.text, tent.noise) == ("id-1", "a red tent", 0.3)
    assert tent.raster == document.layers[0].harmonised
    assert opened.document.caption == document.caption
    assert any("exported without its original cutouts" in loss for loss in opened.losses)
    assert not opened.notices


def test_a_collage_without_a_picture_is_its_originals(tmp_path):
    document = rich_document()
    path = tmp_path / "a.psd"
    assert export_document(document, path, ExportOptions(originals=False)).checked
    assert read_psd(path).document == document


@pytest.mark.parametrize("suffix", [".psd", ".psb", ".png", ".tif", ".webp", ".jpg", ".ora"])
def test_without_the_recipe_nothing_tells_how_it_was_made(tmp_path, suffix):
    document = harmonised()
    told, silent = tmp_path / f"told{suffix}", tmp_path / f"silent{suffix}"
    assert export_document(document, told).checked
    assert export_document(document, silent, WITHOUT).checked
    marks = (WORDS, b"collage:recipe>", b"recipe.json")
    assert any(mark in told.read_bytes() for mark in marks)
    for mark in (*marks, b"parameters", b"by a lake", RESOURCE.to_bytes(2, "big") + b"\0\0"):
        assert mark not in silent.read_bytes()


@pytest.mark.skipif(not can_write_avif(), reason="this Pillow has no AVIF")
def test_an_avif_without_the_recipe_says_only_the_program(tmp_path):
    export_document(harmonised(), tmp_path / "a.avif", WITHOUT)
    with Image.open(tmp_path / "a.avif") as picture:
        assert b"Collage Studio" in picture.info["xmp"]
        assert WORDS not in picture.info["xmp"]


def test_a_png_without_the_recipe_has_none_to_read(tmp_path):
    path = tmp_path / "a.png"
    export_document(harmonised(), path, WITHOUT)
    with pytest.raises(FormatError, match="holds no recipe"):
        read_recipe(path)


def test_a_psd_without_the_recipe_opens_as_its_layers(tmp_path):
    path = tmp_path / "a.psd"
    export_document(harmonised(), path, WITHOUT)
    opened = read_psd(path).document
    assert [item.name for item in opened.layers] == ["Original", "Harmonised", "Result"]
    assert not any(item.text for item in opened.walk())
