"""The size told before an export is about that of the file."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from format_documents import variation

from collage_studio.app.writing_back import written_back
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.formats.export import EXPORT_FORMATS, ExportOptions, export_document
from collage_studio.formats.export_size import estimated_bytes

SIZE = Size(480, 640)
NEAR = 0.15
SUFFIXES = [item.suffix for item in EXPORT_FORMATS if item.suffix != ".gif"]


def photo(seed: int, width: int, height: int, *, dtype: type = np.uint8) -> Raster:
    """Large soft forms with grain, cut out round."""
    rng = np.random.default_rng(seed)
    forms = cv2.resize(rng.uniform(0, 1, (9, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    colours = np.clip(forms + rng.normal(0, 0.02, forms.shape), 0, 1)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((x - width / 2) / width, (y - height / 2) / height)
    alpha = np.clip((0.48 - distance) * 40, 0, 1)
    top = np.iinfo(dtype).max
    return Raster((np.dstack([colours, alpha]) * top + 0.5).astype(dtype))


@pytest.fixture(scope="module")
def document() -> Document:
    """A backdrop, a cutout on the grid, one turned and masked, and one of 4 times the size."""
    backdrop = Layer("b", "Backdrop", raster=Raster.from_rgb(photo(1, 480, 640).pixels[..., :3]))
    on_grid = Layer("g", "Grid", raster=photo(2, 200, 260), placement=Affine.translation(20, 30))
    turn = Affine.translation(260, 60).after(Affine.rotation(20))
    soft = Mask(np.tile(np.linspace(0, 255, 180).astype(np.uint8), (240, 1)))
    turned = Layer("t", "Turned", raster=photo(3, 180, 240), placement=turn, mask=soft)
    shrunk = Affine.translation(200, 320).after(Affine.scaling(0.25))
    large = Layer("l", "Large", raster=photo(4, 800, 1000), placement=shrunk)
    return Document(SIZE, (backdrop, on_grid, turned, large))


@pytest.fixture(scope="module")
def accepted(document: Document) -> Document:
    picture = Raster.from_rgb(photo(5, 480, 640).pixels[..., :3])
    made = replace(variation("v", 5, SIZE), picture=picture)
    return written_back(replace(document, accepted=made))


def miss(document: Document, path, options: ExportOptions) -> float:
    told = estimated_bytes(document, path.suffix, options)
    assert told is not None
    return abs(told / export_document(document, path, options).bytes - 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_size_told_is_near(tmp_path, document, suffix):
    assert miss(document, tmp_path / f"a{suffix}", ExportOptions()) < NEAR


@pytest.mark.parametrize(
    "options", [{}, {"originals": False}, {"recipe": False}, {"depth": 16}], ids=str
)
def test_a_psd_with_an_accepted_picture_is_told_too(tmp_path, accepted, options):
    assert miss(accepted, tmp_path / "a.psd", ExportOptions(**options)) < NEAR


def test_deep_pictures_are_counted_as_such(tmp_path, document):
    deep = replace(document.layers[0], raster=photo(1, 480, 640, dtype=np.uint16))
    document = replace(document, layers=(deep, *document.layers[1:]))
    for name in ("a.psd", "a.tif", "a.png"):
        assert miss(document, tmp_path / name, ExportOptions()) < NEAR


def test_nothing_is_told_where_a_sample_does_not_tell(document, accepted):
    assert estimated_bytes(document, ".gif") is None
    assert estimated_bytes(document, ".psd", ExportOptions(factor=2)) is None
    assert estimated_bytes(document, ".png", ExportOptions(each_layer=True)) is None
    assert estimated_bytes(replace(accepted, written_back=""), ".psd") is None
    assert estimated_bytes(document, ".collage", ExportOptions(factor=2)) is not None
