"""TIFF, WebP, JPEG, AVIF, 16-bit PNG, single layers, before and after: what others read."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from format_documents import CANVAS, gradient_mask, layer, raster, rich_document
from PIL import Image, ImageCms

from collage_studio.document.compositing import flatten
from collage_studio.document.enlarging import enlarged
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, LayerKind
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export import (
    EXPORT_FORMATS,
    ExportOptions,
    export_document,
    export_layer,
    export_layers,
)
from collage_studio.formats.flat import can_write_avif, over_colour
from collage_studio.formats.images import load_image
from collage_studio.formats.picture import final_deep_picture, final_picture
from collage_studio.formats.png import read_recipe

SUFFIXES = [item.suffix for item in EXPORT_FORMATS]


def clear_document() -> Document:
    """A soft cutout over nothing."""
    background = Layer("background", "Background", LayerKind.FILL, visible=False)
    tent = replace(layer(1, "Tent", Affine.translation(20, 10)), mask=gradient_mask())
    return Document(CANVAS, (tent,), background=background)


def has_srgb(picture: Image.Image) -> bool:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    return "sRGB" in ImageCms.getProfileDescription(profile)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("make", [clear_document, rich_document])
def test_lossless_pictures_are_exact(tmp_path, suffix, make):
    path, document = tmp_path / f"a{suffix}", make()
    assert export_document(document, path, ExportOptions(depth=8)).checked
    with Image.open(path) as picture:
        assert has_srgb(picture)
        pixels = np.asarray(picture.convert("RGBA"))
    assert np.array_equal(pixels, final_picture(document))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("make", [clear_document, rich_document])
def test_sixteen_bits_are_exact_and_come_back_through_our_own_reader(tmp_path, suffix, make):
    path, document = tmp_path / f"a{suffix}", make()
    assert export_document(document, path, ExportOptions(depth=16)).checked
    read = load_image(path)
    assert read.depth == 16
    assert np.array_equal(read.pixels, final_deep_picture(document))
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_depth_follows_the_sources(tmp_path):
    for document, depth in ((clear_document(), 8), (rich_document(), 16)):
        path = tmp_path / "a.tif"
        export_document(document, path)
        assert load_image(path).depth == depth


def test_a_deep_png_holds_the_recipe(tmp_path):
    path = tmp_path / "a.png"
    export_document(rich_document(accepted=True), path, ExportOptions(depth=16))
    assert read_recipe(path)["recipe"]["seed"] == 42
    with Image.open(path) as picture:
        assert picture.text["parameters"].startswith("a tent by a lake")
        assert has_srgb(picture)


def test_jpeg_lies_on_the_background_and_says_its_caption(tmp_path):
    path, document = tmp_path / "a.jpg", clear_document()
    export_document(document, path, ExportOptions(background=(200, 30, 40)))
    with Image.open(path) as picture:
        assert has_srgb(picture)
        assert b"collage:recipe" in picture.info["xmp"]
        pixels = np.asarray(picture).astype(int)
    expected = over_colour(final_picture(document), (200, 30, 40))
    assert np.abs(pixels - expected).mean() < 2
    assert np.abs(pixels[-1, -1] - (200, 30, 40)).max() <= 4


@pytest.mark.skipif(not can_write_avif(), reason="this Pillow has no AVIF")
def test_avif_keeps_transparency(tmp_path):
    path, document = tmp_path / "a.avif", clear_document()
    export_document(document, path)
    with Image.open(path) as picture:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3].astype(int)
    assert np.abs(alpha - final_picture(document)[..., 3]).max() <= 16


@pytest.mark.parametrize(("name", "options"), [
    ("a.webp", ExportOptions(before_after=True)), ("a.gif", ExportOptions()),
])  # fmt: skip
def test_before_and_after_take_turns(tmp_path, name, options):
    document = rich_document(accepted=True)
    export_document(document, tmp_path / name, options)
    with Image.open(tmp_path / name) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (2, 0)
        frames = []
        for index in range(2):
            picture.seek(index)
            frames.append(np.asarray(picture.convert("RGB")).astype(int))
    before, after = flatten(document), final_picture(document)
    for frame, expected in zip(frames, (before, after), strict=True):
        assert np.abs(frame - over_colour(expected, (255, 255, 255))).mean() < 12


def test_before_and_after_needs_an_accepted_picture(tmp_path):
    with pytest.raises(FormatError, match="accept a variation first"):
        export_document(rich_document(), tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_one_layer_is_cut_to_what_shows_of_it(tmp_path):
    path = tmp_path / "tent.png"
    report = export_layer(clear_document(), path, "id-1")
    assert report.checked
    pixels = load_image(path).pixels
    whole = flatten(clear_document())
    rows, columns = np.flatnonzero(whole[..., 3].any(1)), np.flatnonzero(whole[..., 3].any(0))
    assert np.array_equal(
        pixels, whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    )  # fmt: skip


def test_a_layer_with_harmonised_pixels_shows_those(tmp_path):
    tent = replace(layer(1, "Tent", Affine.translation(5, 5)), harmonised=raster(9))
    export_layer(Document(CANVAS, (tent,)), tmp_path / "a.png", "id-1")
    pixels = load_image(tmp_path / "a.png").pixels
    centre = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
    assert np.array_equal(centre, raster(9).pixels[15, 20])


def test_each_layer_has_its_own_file(tmp_path):
    twins = (layer(1, "Tent"), layer(2, "tent"), layer(3, "a/b:c"), layer(4, "Off", visible=False))
    document = Document(CANVAS, (*twins, layer(5, "Far", Affine.translation(900, 0))))
    report = export_layers(document, tmp_path / "layers")
    assert sorted(p.name for p in (tmp_path / "layers").iterdir()) == [
        "Tent 2.png", "a-b-c.png", "tent.png",
    ]  # fmt: skip
    assert report.sentence.startswith("Exported 3 layers to layers, ")


def test_a_layer_outside_the_canvas_is_told(tmp_path):
    document = Document(CANVAS, (layer(5, "Far", Affine.translation(900, 0)),))
    with pytest.raises(FormatError, match="Nothing of Far lies on the canvas"):
        export_layer(document, tmp_path / "a.png", "id-5")


def test_a_canvas_too_large_for_webp_is_told(tmp_path):
    with pytest.raises(FormatError, match=r"at most 16383 px on a side. Export a TIFF"):
        export_document(Document(Size(16_384, 1)), tmp_path / "a.webp")


def test_other_spellings_of_endings_work(tmp_path: Path):
    for name in ("a.jpeg", "a.TIFF"):
        assert export_document(clear_document(), tmp_path / name).checked


def test_a_larger_export_has_the_pixels_of_its_sources(tmp_path):
    fine = raster(7, 2 * CANVAS.width, 2 * CANVAS.height)
    document = Document(CANVAS, (replace(layer(1, "Tent", Affine.scaling(0.5)), raster=fine),))
    path = tmp_path / "a.png"
    assert export_document(document, path, ExportOptions(depth=8, factor=2)).checked
    larger = np.asarray(Image.open(path).convert("RGBA"))
    expected = flatten(Document(fine.size, (replace(layer(1, "Tent"), raster=fine),)))
    assert np.array_equal(larger, expected)


@pytest.mark.parametrize("suffix", [".psd", ".ora", ".tif"])
def test_an_accepted_picture_grows_with_its_layers(tmp_path, suffix):
    document, path = rich_document(accepted=True), tmp_path / f"a{suffix}"
    assert export_document(document, path, ExportOptions(factor=2)).checked
    larger = enlarged(document, 2)
    assert larger.size == Size(2 * CANVAS.width, 2 * CANVAS.height)
    assert larger.accepted is not None
    assert larger.accepted.picture.size == larger.size
    canvas = document.size.shape[::-1]
    kept = cv2.resize(final_picture(larger), canvas, interpolation=cv2.INTER_AREA)
    assert np.abs(kept.astype(int) - final_picture(document)).mean() < 3


def test_a_collage_keeps_its_size_and_too_large_is_one_sentence(tmp_path):
    document, path = rich_document(), tmp_path / "a.collage"
    assert export_document(document, path, ExportOptions(factor=4)).checked
    wide = Document(Size(20_000, 8), (layer(1, "Tent"),))
    with pytest.raises(FormatError, match="The export is 80000 × 32 px"):
        export_document(wide, tmp_path / "a.png", ExportOptions(factor=4))
