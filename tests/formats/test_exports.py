"""PSD, OpenRaster and PNG: what other programs find in them, and that they look right."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from format_documents import CANVAS, gradient_mask, group, layer, raster, rich_document
from PIL import Image, ImageCms
from psd_tools import PSDImage
from psd_tools.composite import composite
from psd_tools.constants import Resource

from collage_studio.document.compositing import flatten
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import BlendMode, Document, Layer, LayerKind, Mask, Raster
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export import EXPORT_FORMATS, export_document
from collage_studio.formats.openraster import write_ora
from collage_studio.formats.openraster_reading import read_merged, read_ora
from collage_studio.formats.picture import final_picture, preview_picture
from collage_studio.formats.png import read_recipe, write_png
from collage_studio.formats.psd import write_psd
from collage_studio.formats.recipe import recipe_json

TOLERANCE = 2
IDENTIFY, CONVERT = shutil.which("identify"), shutil.which("convert")
MODES = [mode for mode in BlendMode if mode is not BlendMode.PASS_THROUGH]

STEEP = {
    BlendMode.COLOR_DODGE,
    BlendMode.COLOR_BURN,
    BlendMode.HUE,
    BlendMode.SATURATION,
    BlendMode.LUMINOSITY,
    BlendMode.VIVID_LIGHT,
    BlendMode.HARD_MIX,
    BlendMode.DARKER_COLOR,
    BlendMode.LIGHTER_COLOR,
    BlendMode.DIVIDE,
}
"""Modes that blow up the rounding of resampled layers to 8 bit near black, white and grey."""


@pytest.fixture
def psd(tmp_path: Path) -> Path:
    path = tmp_path / "Lakeside camp.psd"
    write_psd(rich_document(), path)
    return path


def difference(picture: Image.Image, expected: np.ndarray) -> int:
    """The largest difference of premultiplied colours and alpha, in 1/255."""
    read = np.asarray(picture.convert("RGBA")).astype(float)
    expected = expected.astype(float)
    for pixels in (read, expected):
        pixels[..., :3] *= pixels[..., 3:] / 255
    return int(np.ceil(np.abs(read - expected).max() - 0.5))


def composited(path: Path) -> Image.Image:
    """psd-tools' own composite of the layers, rounded: its PIL form cuts decimals off."""
    colour, _, alpha = composite(PSDImage.open(path), force=True)
    pixels = np.concatenate([colour, alpha], axis=2) * 255 + 0.5
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def pixels_of(item) -> np.ndarray:
    """(h, w, 4) uint8 of a psd-tools layer of 8 or 16 bits, rounded."""
    values = np.concatenate([item.numpy("color"), item.numpy("shape")], axis=2)
    return (values * 255 + 0.5).astype(np.uint8)


def mask_of(item) -> np.ndarray:
    return (item.numpy("mask")[..., 0] * 255 + 0.5).astype(np.uint8)


def find(path: Path, name: str):
    return next(item for item in PSDImage.open(path).descendants() if item.name == name)


def test_psd_has_every_layer_in_order(psd):
    names = [item.name for item in PSDImage.open(psd).descendants()]
    document = rich_document()
    assert names == ["Background", *(item.name for item in document.walk())]


def test_psd_with_an_accepted_picture_has_a_group_for_each_state(tmp_path):
    path = tmp_path / "a.psd"
    document = rich_document(accepted=True)
    write_psd(document, path)
    groups = list(PSDImage.open(path))
    assert [(item.name, item.visible) for item in groups] == [("Original", False), ("Result", True)]
    inside = [item.name for item in groups[0].descendants()]
    assert inside == ["Background", *(item.name for item in document.walk())]


def test_psd_has_the_harmonised_layers_as_a_group(tmp_path):
    path = tmp_path / "a.psd"
    harmonised = replace(layer(1, "Tent", Affine.translation(4, 5)), harmonised=raster(9, 20, 10))
    harmonised = replace(harmonised, harmonised_placement=Affine.translation(2, 3))
    write_psd(Document(CANVAS, (harmonised,)), path)
    groups = {item.name: item for item in PSDImage.open(path)}
    assert list(groups) == ["Original", "Harmonised"]
    assert (groups["Original"].visible, groups["Harmonised"].visible) == (True, False)
    tent = next(item for item in groups["Harmonised"] if item.name == "Tent")
    assert (tent.left, tent.top) == (6, 8)
    assert np.array_equal(np.asarray(tent.topil()), raster(9, 20, 10).pixels)


def test_psd_keeps_opacity_blend_mode_visibility_and_lock(psd):
    items = {item.name: item for item in PSDImage.open(psd).descendants()}
    for source in rich_document().walk():
        found = items[source.name]
        assert found.opacity == round(source.opacity * 255)
        assert found.blend_mode.name == source.blend.name
        assert found.visible == source.visible
        assert bool(found.locks and found.locks.complete) == source.locked


def test_psd_layer_on_the_grid_keeps_its_exact_pixels_off_canvas_too(psd):
    found = find(psd, "Off canvas")
    assert (found.left, found.top) == (-15, 70)
    assert np.array_equal(pixels_of(found), raster(3).pixels)


def test_psd_mask_is_a_mask_channel_and_the_pixels_under_it_are_whole(psd):
    found = find(psd, "Masked")
    assert np.array_equal(mask_of(found), gradient_mask().values)
    assert found.mask.background_color == 0
    assert np.array_equal(pixels_of(found), raster(10).pixels)


def test_psd_keeps_a_mask_that_is_switched_off(psd):
    assert find(psd, "Mask off").mask.disabled


def test_psd_group_mask_survives(psd):
    mask = find(psd, "Inner").mask
    assert mask.bbox == (5, -3, 125, 87)
    assert np.array_equal(mask_of(find(psd, "Inner")), gradient_mask(120, 90).values)


@pytest.mark.parametrize("accepted", [False, True])
def test_psd_layers_composited_by_psd_tools_look_like_the_document(tmp_path, accepted):
    document = rich_document(accepted=accepted)
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), final_picture(document)) <= TOLERANCE


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode is not BlendMode.HARD_MIX])
def test_psd_blend_mode_looks_the_same_in_psd_tools(tmp_path, mode):
    below = layer(1, "Below", Affine.translation(2, 3))
    document = Document(Size(50, 40), (below, layer(2, "Above", blend=mode, opacity=0.9)))
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), flatten(document)) <= TOLERANCE


def test_psd_hard_mix_looks_the_same_but_where_it_jumps(tmp_path):
    below = layer(1, "Below", Affine.translation(2, 3))
    above = layer(2, "Above", blend=BlendMode.HARD_MIX, opacity=0.9)
    document = Document(Size(50, 40), (below, above))
    path = tmp_path / "a.psd"
    write_psd(document, path)
    read = np.asarray(composited(path)).astype(int)
    assert (np.abs(read - flatten(document)).max(axis=2) > TOLERANCE).mean() < 0.01


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in STEEP])
def test_psd_of_resampled_layers_looks_the_same_in_psd_tools(tmp_path, mode):
    below = layer(1, "Below", Affine.scaling(2.5))
    above = layer(2, "Above", Affine.scaling(2.2), blend=mode, opacity=0.8)
    document = Document(Size(80, 60), (below, above))
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), flatten(document)) <= TOLERANCE


def test_psd_of_turned_layer_and_mask_with_common_edges_looks_the_same(tmp_path):
    """Resampling alpha and mask apart would square the softness of their common edge."""
    pixels = raster(1).pixels.copy()
    pixels[..., 3] = 255
    values = (gradient_mask().values > 128).astype(np.uint8) * 255
    pixels[values == 0, 3] = 0
    turned = Affine.translation(30, 5).after(Affine.rotation(33))
    tent = replace(layer(1, "Tent", turned), raster=Raster(pixels), mask=Mask(values))
    document = Document(Size(80, 60), (tent,))
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), flatten(document)) <= TOLERANCE


def test_psd_over_a_transparent_canvas_keeps_its_transparency(tmp_path):
    background = Layer("background", "Background", LayerKind.FILL, visible=False)
    document = Document(CANVAS, (layer(1, "Tent"),), background=background)
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), flatten(document)) <= TOLERANCE
    assert PSDImage.open(path).topil().convert("RGBA").getpixel((119, 89))[3] == 0


def test_psd_result_is_the_top_layer(tmp_path):
    document = rich_document(accepted=True)
    path = tmp_path / "a.psd"
    write_psd(document, path)
    top = list(PSDImage.open(path))[-1]
    assert (top.name, top.visible, top.size) == ("Result", True, (120, 90))
    assert [item.name for item in top] == ["Seed 42"]
    assert np.array_equal(pixels_of(top[0]), document.accepted.picture.pixels)


def test_psd_holds_profile_resolution_thumbnail_and_recipe(psd):
    resources = PSDImage.open(psd).image_resources
    profile = ImageCms.ImageCmsProfile(io.BytesIO(resources.get_data(Resource.ICC_PROFILE)))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert resources.get_data(Resource.RESOLUTION_INFO).horizontal == 72 << 16
    thumbnail = resources.get_data(Resource.THUMBNAIL_RESOURCE)
    with Image.open(io.BytesIO(thumbnail.data)) as picture:
        assert picture.size == (120, 90)
    packet = resources.get_data(Resource.XMP_METADATA)
    tree = ElementTree.fromstring(packet)
    recipe = next(tree.iter("{https://collage-studio.invalid/ns/1.0/}recipe")).text
    assert json.loads(recipe)["caption"] == "Camp: a red tent by a lake"


def test_psd_of_a_layer_far_outside_is_written(tmp_path):
    document = Document(CANVAS, (layer(1, "Far", Affine(0.5, 0.1, 9e6, 0, 0.5, -9e6)),))
    path = tmp_path / "a.psd"
    write_psd(document, path)
    assert difference(composited(path), flatten(document)) == 0


@pytest.mark.skipif(IDENTIFY is None, reason="ImageMagick is not installed")
def test_imagemagick_finds_the_same_layers(psd):
    form = "%s|%[label]|%wx%h%O|%[compose]|%[psd:layer.opacity]\n"
    lines = subprocess.run(
        [IDENTIFY, "-quiet", "-format", form, psd], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = dict(line.split("|", 2)[1:] for line in lines[1:])
    assert list(found)[:4] == ["Background", "Tent", "Lanterne", "Off canvas"]
    assert found["Off canvas"] == "40x30-15+70|Overlay|65535"
    assert found["Hidden"] == "40x30+50+40|None|65535"
    assert found["Multiply me"] == "40x30+35+27|Multiply|65535"
    assert found["Screen me"].endswith("|Screen|52428")
    assert found["Lanterne"].endswith(f"|{153 * 257}")


@pytest.mark.skipif(CONVERT is None, reason="ImageMagick is not installed")
@pytest.mark.parametrize("accepted", [False, True])
def test_imagemagick_shows_the_same_picture(tmp_path, accepted):
    document = rich_document(accepted=accepted)
    path, flat = tmp_path / "a.psd", tmp_path / "flat.png"
    write_psd(document, path)
    subprocess.run([CONVERT, f"{path}[0]", f"PNG32:{flat}"], check=True, timeout=60)
    with Image.open(flat) as picture:
        assert difference(picture, final_picture(document)) <= TOLERANCE


def test_png_is_the_final_picture_with_recipe_and_profile(tmp_path):
    document = rich_document(accepted=True)
    path = tmp_path / "a.png"
    write_png(document, path)
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        assert difference(picture, final_picture(document)) == 0
        assert "sRGB" in ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        )
        parameters = picture.text["parameters"]
    assert parameters.startswith("a tent by a lake, naïve 絵\nNegative prompt: blurry\nSteps: 12")
    recipe = read_recipe(path)
    assert recipe["recipe"]["seed"] == 42
    assert [item["name"] for item in recipe["layers"]][:2] == ["Background", "Tent"]


def test_recipe_of_a_huge_document_stays_readable(tmp_path):
    document = Document(CANVAS, (layer(1, "Tent", text="word " * 300_000),))
    assert len(recipe_json(document)) < 1_000_000
    path = tmp_path / "a.png"
    write_png(document, path)
    assert read_recipe(path)["layers"] == []


def test_png_without_recipe_is_told(tmp_path):
    path = tmp_path / "plain.png"
    Image.new("RGB", (2, 2)).save(path)
    with pytest.raises(FormatError, match=r"plain\.png holds no recipe"):
        read_recipe(path)
    path.write_bytes(b"no png")
    with pytest.raises(FormatError, match="is no PNG"):
        read_recipe(path)


def test_ora_comes_back_with_names_places_opacities_and_modes(tmp_path):
    path = tmp_path / "a.ora"
    document = rich_document()
    write_ora(document, path)
    opened = read_ora(path)
    assert opened.notices == ()
    background, *found = opened.document.walk()
    assert background.name == "Background"
    for read, source in zip(found, document.walk(), strict=True):
        assert read.name == source.name
        assert read.opacity == pytest.approx(source.opacity, abs=1e-6)
        assert (read.blend, read.visible, read.locked, read.kind is LayerKind.GROUP) == (
            source.blend,
            source.visible,
            source.locked,
            source.is_group,
        )
    assert opened.document.layers[3].placement == Affine.translation(-15, 70)


def test_ora_read_back_looks_like_the_document(tmp_path):
    path = tmp_path / "a.ora"
    document = rich_document()
    write_ora(document, path)
    again = Image.fromarray(flatten(read_ora(path).document))
    assert difference(again, flatten(document)) <= TOLERANCE
    assert np.array_equal(read_merged(path), final_picture(document))


def test_ora_is_built_as_the_standard_says(tmp_path):
    path = tmp_path / "a.ora"
    write_ora(rich_document(accepted=True), path)
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"image/openraster"
        root = ElementTree.fromstring(archive.read("stack.xml"))
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
        data = Image.open(io.BytesIO(archive.read("data/layer000.png")))
        assert "icc_profile" in data.info
    assert (root.get("w"), root.get("h")) == ("120", "90")
    assert root[0][0].get("name") == "Result"
    assert max(thumbnail.size) <= 256


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        (b"<image w='9' h='9'>", "unreadable"),
        (b"<!DOCTYPE x><image w='9' h='9'><stack/></image>", "not plain XML"),
        (b"<image w='30000' h='30000'><stack/></image>", "30000 × 30000 px"),
        (b"<image w='nan' h='9'><stack/></image>", "is no number"),
        (b"<image w='9' h='9'/>", "lists no layers"),
    ],
)
def test_damaged_ora_is_one_sentence(tmp_path, stack, words):
    path = tmp_path / "bad.ora"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stack.xml", stack)
    with pytest.raises(FormatError, match=words):
        read_ora(path)


def test_ora_layer_without_pixels_is_told(tmp_path):
    path = tmp_path / "bad.ora"
    text = b"<image w='9' h='9'><stack><layer name='Tent' src='data/no.png'/></stack></image>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stack.xml", text)
    opened = read_ora(path)
    assert opened.notices == ("The pixels of Tent in bad.ora are missing or damaged.",)
    assert opened.read_only


@pytest.mark.parametrize("item", EXPORT_FORMATS, ids=lambda item: item.suffix)
def test_every_export_is_read_back_and_checked(tmp_path, item):
    path = tmp_path / f"Lakeside camp{item.suffix.upper()}"
    report = export_document(rich_document(accepted=True), path)
    assert report.checked
    assert report.bytes == path.stat().st_size
    assert re.fullmatch(
        rf"Exported Lakeside camp\{item.suffix.upper()}, \d+ KB, checked\.", report.sentence
    )
    assert item.holds


def test_unknown_ending_is_told(tmp_path):
    with pytest.raises(FormatError, match=r"Use one of \.psd, \.psb, \.png, "):
        export_document(rich_document(), tmp_path / "a.bmp")


def test_names_that_xml_refuses_are_made_writable(tmp_path):
    odd = group("g", "a\x00b\ud800\x1f", layer(1, "\ufffe"), layer(2, "x" * 400))
    document = Document(CANVAS, (odd,))
    for suffix in (".psd", ".ora", ".png", ".collage"):
        assert export_document(document, tmp_path / f"a{suffix}").checked


def test_accepted_picture_of_another_size_does_not_stand_for_the_document(tmp_path):
    document = replace(rich_document(accepted=True), size=Size(100, 80))
    assert np.array_equal(final_picture(document), flatten(document))
    assert export_document(document, tmp_path / "a.ora").checked


def test_preview_is_small_and_looks_like_the_picture():
    large = replace(layer(1, "Big"), raster=raster(1, 900, 700))
    document = Document(Size(900, 700), (large, layer(2, "Small", Affine.scaling(9))))
    preview = preview_picture(document)
    assert preview.shape == (199, 256, 4)
    exact = flatten(document, size=Size(256, 199))
    assert np.abs(preview.astype(int) - exact).mean() < 1
