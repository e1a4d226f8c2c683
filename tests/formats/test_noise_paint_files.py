"""Painted noise in files: kept whole where the document is, told where it is lost."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_documents import CANVAS, layer, noise_paint, raster, rich_document
from psd_tools import PSDImage

from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import describe_layers
from collage_studio.formats.collage_file import bitmaps_of, load_collage, save_collage
from collage_studio.formats.collage_json import pixels_member
from collage_studio.formats.errors import FormatError
from collage_studio.formats.export import ExportOptions, export_document
from collage_studio.formats.export_losses import export_losses
from collage_studio.formats.export_size import estimated_bytes
from collage_studio.formats.picture import preview_picture
from collage_studio.formats.psd import PsdOptions, write_psd
from collage_studio.formats.psd_reading import read_psd
from collage_studio.formats.recipe import document_recipe

ONLY = "Painted noise stays in the .collage only: Tent."
LEFT_OUT = "Painted noise is left out, layers have one noise everywhere: Tent."


def painted(one: Layer) -> Layer:
    assert one.raster is not None
    return replace(one, noise_paint=noise_paint(one.raster.size))


def painted_document(*, accepted: bool = False) -> Document:
    """The rich document with paint on its first layer, which is harmonised where accepted."""
    document = rich_document(accepted=accepted)
    tent = painted(document.layers[0])
    if accepted:
        to = Affine.translation(-5, -5)
        tent = replace(tent, harmonised=raster(77, 50, 40), harmonised_placement=to)
    back = document.accepted.id if document.accepted else ""
    return replace(document, layers=(tent, *document.layers[1:]), written_back=back)


def paint_of(document: Document) -> Raster:
    paint = document.layers[0].noise_paint
    assert paint is not None
    return paint


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "Camp.collage"
    save_collage(painted_document(accepted=True), path)
    return path


def rewritten(path: Path, *, change: object = None, drop: str = "") -> Path:
    """A copy whose first layer has `change` as its painted noise, without the member `drop`."""
    target = path.with_name("changed.collage")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "collage.json" and change is not None:
                content = json.loads(data)
                content["layers"][0]["noise_paint"] = change
                data = json.dumps(content).encode()
            if name != drop:
                new.writestr(name, data)
    return target


def test_paint_survives_saving_and_is_stored_only_where_there_is_any(saved: Path):
    opened = load_collage(saved)
    assert opened.document == painted_document(accepted=True)
    assert opened.notices == ()
    with zipfile.ZipFile(saved) as archive:
        told = json.loads(archive.read("collage.json"))["layers"]
    assert told[0]["noise_paint"]["key"] == paint_of(opened.document).key
    assert all("noise_paint" not in other for other in told[1:])


def test_paint_of_sixteen_bits_is_kept(tmp_path: Path):
    deep = Raster(paint_of(painted_document()).pixels.astype(np.uint16) * 257)
    document = Document(CANVAS, (replace(layer(1, "Tent"), noise_paint=deep),))
    save_collage(document, tmp_path / "a.collage")
    assert load_collage(tmp_path / "a.collage").document == document


def test_missing_paint_leaves_the_layer_its_noise_and_is_told(saved: Path):
    member = pixels_member(paint_of(painted_document()).key)
    opened = load_collage(rewritten(saved, drop=member))
    tent = painted_document(accepted=True).layers[0]
    assert opened.document.layers[0] == replace(tent, noise_paint=None)
    assert opened.notices == (
        "The painted noise of Tent is missing in changed.collage. "
        "Everything else was opened; the file itself will not be overwritten.",
    )
    assert opened.read_only


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "noise_paint of a layer is no list of named values"),
        ({"key": "../../etc/passwd", "width": 4, "height": 4}, "has no proper key"),
        ({"key": "a", "width": 40, "height": 30, "depth": 9}, "has 9 bits"),
        ({"key": "a", "width": 0, "height": 30}, "is out of range"),
    ],
)
def test_hostile_paint_is_named(saved: Path, value: object, words: str):
    with pytest.raises(FormatError, match=words):
        load_collage(rewritten(saved, change=value))


def test_paint_of_another_size_is_named(saved: Path):
    other = rich_document().layers[5].raster
    assert other is not None
    size = other.size
    told = {"key": other.key, "width": size.width, "height": size.height, "depth": 8}
    with pytest.raises(FormatError, match="Painted noise of layer 'Tent' has not its raster's"):
        load_collage(rewritten(saved, change=told))


def test_a_recipe_names_the_paint_only_where_there_is_any():
    plain, document = rich_document(), painted_document()
    key = paint_of(document).key
    known = {entry["id"]: entry for entry in describe_layers(document)}
    assert known["id-1"].pop("noise_paint") == key
    assert tuple(known.values()) == describe_layers(plain)
    told = document_recipe(document)["layers"]
    assert [entry["name"] for entry in told if "noise_paint" in entry] == ["Tent"]
    assert [{k: v for k, v in entry.items() if k != "noise_paint"} for entry in told] == (
        document_recipe(plain)["layers"]
    )


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("suffix", [".psd", ".psb"])
def test_our_own_psd_gives_the_paint_back(tmp_path: Path, suffix: str, accepted: bool):
    document = painted_document(accepted=accepted)
    report = export_document(document, tmp_path / f"a{suffix}")
    opened = read_psd(report.path)
    assert opened.document == document
    assert (opened.losses, opened.notices, report.losses) == ((), (), ())


def test_a_psd_changed_elsewhere_says_that_the_paint_is_lost(tmp_path: Path):
    path = tmp_path / "a.psd"
    write_psd(painted_document(), path)
    psd = PSDImage.open(path)
    next(item for item in psd if item.name == "Tent").opacity = 128
    psd.save(path)
    opened = read_psd(path)
    assert opened.document.layers[1].noise == 0.3
    assert opened.document.layers[1].noise_paint is None
    assert LEFT_OUT in opened.losses


def test_a_psd_without_originals_says_that_the_paint_is_lost(tmp_path: Path):
    options = ExportOptions(originals=False)
    document = painted_document(accepted=True)
    report = export_document(document, tmp_path / "a.psd", options)
    assert report.losses == (ONLY,)
    opened = read_psd(report.path)
    assert all(one.noise_paint is None for one in opened.document.walk())
    assert LEFT_OUT in opened.losses
    write_psd(rich_document(accepted=True), report.path, PsdOptions(originals=False))
    assert LEFT_OUT not in read_psd(report.path).losses


def test_an_open_raster_says_that_the_paint_is_lost(tmp_path: Path):
    report = export_document(painted_document(), tmp_path / "a.ora")
    assert report.sentence.endswith(f"checked. {ONLY}")
    assert export_document(rich_document(), tmp_path / "b.ora").losses == ()


@pytest.mark.parametrize(
    ("suffix", "options", "is_lost"),
    [
        (".psd", ExportOptions(), False),
        (".psb", ExportOptions(recipe=False), True),
        (".psd", ExportOptions(originals=False), True),
        (".ora", ExportOptions(), True),
        (".collage", ExportOptions(recipe=False, originals=False), False),
        (".png", ExportOptions(), False),
        ("", ExportOptions(each_layer=True), False),
    ],
)
def test_only_layered_files_without_the_document_lose_paint(
    suffix: str, options: ExportOptions, is_lost: bool
):
    document = painted_document(accepted=True)
    assert export_losses(document, suffix, options) == ((ONLY,) if is_lost else ())
    assert export_losses(rich_document(accepted=True), suffix, options) == ()


def test_without_an_accepted_picture_a_psd_has_its_originals_and_the_paint():
    options = ExportOptions(originals=False)
    assert export_losses(painted_document(), ".psd", options) == ()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".ora", ".psd", ".collage"])
def test_every_export_of_a_painted_document_is_checked(tmp_path: Path, suffix: str):
    options = ExportOptions(factor=2)
    document = painted_document(accepted=True)
    assert export_document(document, tmp_path / f"a{suffix}", options).checked
    assert estimated_bytes(document, suffix, ExportOptions())


def test_the_paint_counts_in_the_size_told():
    noisy = Raster(np.random.default_rng(0).integers(0, 256, (200, 300, 4), np.uint8))
    plain = Document(Size(300, 200), (Layer("a", "A", raster=raster(1, 300, 200)),))
    document = plain.with_layers(replace(plain.layers[0], noise_paint=noisy))
    before, after = (estimated_bytes(one, ".collage") for one in (plain, document))
    assert before is not None
    assert after is not None
    assert after - before > 200_000
    assert len(bitmaps_of(document)) == 2


def test_a_preview_of_a_large_painted_layer_looks_as_without_paint():
    large = Layer("a", "A", raster=raster(3, 900, 700), placement=Affine.scaling(0.1))
    plain = Document(Size(90, 70), (large,), settings=RunSettings())
    document = plain.with_layers(painted(large))
    np.testing.assert_array_equal(preview_picture(document, 40), preview_picture(plain, 40))
