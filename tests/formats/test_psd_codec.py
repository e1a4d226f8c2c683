"""Planes and their packed form, also against psd-tools."""

from __future__ import annotations

import numpy as np
import pytest
from psd_tools.compression import decompress
from psd_tools.constants import Compression

from collage_studio.document.model import Mask, Raster
from collage_studio.formats.collage_reading import Asset
from collage_studio.formats.errors import FormatError
from collage_studio.formats.psd_adjustments import natural_spline
from collage_studio.formats.psd_codec import pack_plane, unpack_plane
from collage_studio.formats.psd_colours import CMYK, GREY, INDEXED, LAB, RGB, Colours
from collage_studio.formats.psd_embedded import pack_bitmap, unpack_bitmap


def planes():
    rng = np.random.default_rng(2)
    yield rng.integers(0, 256, (7, 300), dtype=np.uint8)
    yield np.full((9, 40), 255, np.uint8)
    yield np.repeat(rng.integers(0, 256, (5, 1), dtype=np.uint8), 33, axis=1)
    yield rng.integers(0, 65536, (6, 21), dtype=np.uint16)
    yield np.full((4, 4), 513, np.uint16)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("predicted", [False, True])
def test_planes_come_back_and_psd_tools_reads_the_same(big, predicted):
    for plane in planes():
        packed = pack_plane(plane, big=big, predicted=predicted)
        kind, depth = int.from_bytes(packed[:2], "big"), plane.dtype.itemsize * 8
        size, version = plane.shape[::-1], 2 if big else 1
        assert np.array_equal(unpack_plane(packed[2:], kind, *size, depth, version), plane)
        raw = decompress(packed[2:], Compression(kind), *size, depth, version)
        assert raw == plane.astype(f">u{depth // 8}").tobytes()


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 7])
def test_damaged_channels_are_told(kind):
    with pytest.raises(FormatError, match="a channel"):
        unpack_plane(b"\x01\x02\x03", kind, 50, 50, 8, 1)


def test_a_channel_cannot_claim_more_than_it_holds():
    with pytest.raises(FormatError, match="ends too early"):
        unpack_plane(b"\0" * 100, 1, 16_000, 16_000, 8, 1)


def test_bitmaps_come_back():
    rng = np.random.default_rng(4)
    for kind in (np.uint8, np.uint16):
        raster = Raster(rng.integers(0, 200, (9, 13, 4)).astype(kind))
        asset = Asset(raster.key, 13, 9, raster.depth)
        assert unpack_bitmap(pack_bitmap(raster), asset) == raster
    mask = Mask(rng.integers(0, 256, (9, 13), dtype=np.uint8))
    assert unpack_bitmap(pack_bitmap(mask), Asset(mask.key, 13, 9, 1)) == mask


def colour(mode, depth, *values, profile=b"", palette=None):
    kind = {8: np.uint8, 16: np.uint16, 32: np.float32}[depth]
    channels = [np.full((1, 1), value, kind) for value in values]
    pixels = Colours(mode, depth, profile, palette).picture(channels, None)
    return (pixels[0, 0, :3] / (257 if pixels.dtype == np.uint16 else 1)).round().tolist()


def test_colours_of_every_mode_become_srgb():
    assert colour(RGB, 8, 10, 20, 30) == [10, 20, 30]
    assert colour(RGB, 16, 2570, 5140, 7710) == [10, 20, 30]
    assert colour(RGB, 32, 0.0, 0.2159, 1.0) == [0, 128, 255]
    assert colour(GREY, 8, 77) == [77, 77, 77]
    assert colour(CMYK, 8, 255, 255, 255, 255) == [255, 255, 255]
    assert colour(CMYK, 8, 255, 255, 255, 0) == [0, 0, 0]
    assert colour(INDEXED, 8, 3, palette=np.arange(768, dtype=np.uint8).reshape(256, 3)) == [
        9,
        10,
        11,
    ]
    assert colour(LAB, 8, 255, 128, 128) == pytest.approx([255, 255, 255], abs=1)
    assert colour(LAB, 16, 32768, 32896, 32896) == pytest.approx([119, 119, 119], abs=1)
    assert colour(LAB, 8, 138, 209, 198) == pytest.approx([255, 0, 0], abs=6)


def test_missing_channels_are_told():
    with pytest.raises(FormatError, match="colour channel is missing"):
        colour(RGB, 8, 1, 2)


def test_the_spline_goes_through_its_points_and_is_straight_where_they_are():
    xs, ys = np.array([0, 0.3, 0.7, 1]), np.array([0, 0.5, 0.6, 1])
    assert natural_spline(xs, ys, xs) == pytest.approx(ys)
    assert natural_spline(xs, xs, np.linspace(0, 1, 9)) == pytest.approx(np.linspace(0, 1, 9))
    assert natural_spline(xs[:2], ys[:2], np.array([0.15, 9])) == pytest.approx([0.25, 0.5])
