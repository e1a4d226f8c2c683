"""Pictures from outside: every mode becomes sRGB RGBA, and nothing is read in part."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from format_documents import raster
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from collage_studio.document.geometry import Size
from collage_studio.formats.colour import srgb_profile
from collage_studio.formats.errors import FormatError
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import decode_png, encode_png

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PIXELS = raster(3, 24, 16).pixels


def packed(picture: Image.Image, kind: str, **options) -> bytes:
    output = io.BytesIO()
    picture.save(output, kind, **options)
    return output.getvalue()


def header_only_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_rgba_pictures_are_read_exactly(kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = packed(Image.fromarray(PIXELS), kind, **options)
    assert np.array_equal(load_image(data).pixels, PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgba(mode):
    picture = Image.fromarray(PIXELS).convert("RGBA").convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr", "PA") else "PNG"
    if mode == "PA":
        picture, kind = Image.fromarray(PIXELS).quantize(8), "PNG"
    read = load_image(packed(picture, kind)).pixels
    assert read.shape == (16, 24, 4)
    assert read.dtype == np.uint8


def test_palette_keeps_its_transparency():
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.putpixel((0, 0), 0)
    read = load_image(packed(picture, "PNG", transparency=0)).pixels
    assert read[0, 0, 3] == 0
    assert tuple(read[1, 1]) == (255, 0, 0, 255)


def test_photo_is_turned_upright():
    picture = Image.fromarray(PIXELS[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    read = load_image(packed(picture, "PNG", exif=exif)).pixels
    assert np.array_equal(read[..., :3], np.rot90(PIXELS[..., :3], -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_picture_is_turned_like_a_shallow_one(orientation):
    deep = (PIXELS.astype(np.uint16) * 257)[..., :3]
    exif = Image.Exif()
    exif[0x0112] = orientation
    shallow = load_image(packed(Image.fromarray(PIXELS[..., :3]), "PNG", exif=exif)).pixels
    data = encode_png(deep)
    marker = exif.tobytes().removeprefix(b"Exif\0\0")
    body = b"eXIf" + marker
    chunk = struct.pack(">I", len(marker)) + body + struct.pack(">I", zlib.crc32(body))
    read = load_image(data[:33] + chunk + data[33:])
    assert read.depth == 16
    assert np.array_equal(read.pixels >> 8, shallow)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_stay_sixteen(suffix):
    deep = raster(4, dtype=np.uint16).pixels
    done, data = cv2.imencode(suffix, cv2.cvtColor(deep, cv2.COLOR_RGBA2BGRA))
    assert done
    assert np.array_equal(load_image(data.tobytes()).pixels, deep)


def test_sixteen_bit_grey_is_read():
    grey = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    done, data = cv2.imencode(".png", grey)
    assert done
    pixels = load_image(data.tobytes()).pixels
    assert np.array_equal(pixels[..., 0], grey)
    assert (pixels[..., 3] == 65535).all()


def test_colours_are_converted_from_their_profile():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    assert lab.profile.xcolor_space == "XYZ "
    # A copy of sRGB whose red and green change places.
    swapped = bytearray(srgb_profile())
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    name = swapped.index("sRGB".encode("utf-16-be"))
    swapped[name : name + 8] = "test".encode("utf-16-be")
    picture = Image.new("RGBA", (2, 2), (255, 0, 0, 90))
    read = load_image(packed(picture, "PNG", icc_profile=bytes(swapped))).pixels
    assert read[0, 0, 1] > 250
    assert read[0, 0, 0] < 5
    assert read[0, 0, 3] == 90


def test_srgb_pictures_are_left_exactly_as_they_are():
    data = packed(Image.fromarray(PIXELS), "PNG", icc_profile=srgb_profile())
    assert np.array_equal(load_image(data).pixels, PIXELS)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 0.999), deep=st.booleans())
def test_truncated_png_is_never_read_in_part(share, deep):
    pixels = raster(3, 24, 16, dtype=np.uint16 if deep else np.uint8).pixels
    data = encode_png(pixels)
    with pytest.raises(FormatError):
        load_image(data[: int(share * len(data))])


def test_truncated_png_is_one_sentence(tmp_path):
    path = tmp_path / "tent.png"
    path.write_bytes(encode_png(PIXELS)[:-40])
    with pytest.raises(FormatError) as caught:
        load_image(path)
    assert str(caught.value) == (
        "tent.png ends too early. Nothing was added; get a complete copy of it."
    )


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "BMP"])
def test_other_truncated_pictures_are_refused(kind):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    data = packed(picture, kind)
    with pytest.raises(FormatError, match="damaged or incomplete"):
        load_image(data[: len(data) // 2])


def test_picture_of_30000_px_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(header_only_png(30_000, 30_000))
    with pytest.raises(FormatError) as caught:
        load_image(path)
    assert str(caught.value) == (
        "huge.png is 30000 × 30000 px. At most 16384 px on a side and 200 megapixels "
        "can be opened; make it smaller first."
    )


def test_picture_of_too_many_pixels_is_refused():
    with pytest.raises(FormatError, match="200 megapixels"):
        load_image(header_only_png(16_000, 16_000))


def test_unsupported_kind_gets_the_advice(tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(FormatError) as caught:
        load_image(path)
    assert str(caught.value) == "photo.heic cannot be read. Save it as PNG, JPEG, WebP or TIFF."


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(FormatError, match=r"a\.png is gone"):
        load_image(tmp_path / "a.png")
    with pytest.raises(FormatError, match="is a folder"):
        load_image(tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_our_png_is_exact_for_any_depth(dtype):
    pixels = raster(8, dtype=dtype).pixels
    assert np.array_equal(decode_png(encode_png(pixels)), pixels)


def test_real_layout_pictures_are_read():
    pictures = sorted(SHARED.glob("layouts/*/valset_layout/*.png"))
    if not pictures:
        pytest.skip("the folder of real files is not here")
    for path in pictures[:6]:
        with Image.open(path) as picture:
            assert load_image(path).size == Size(*picture.size)


def test_files_of_other_kinds_are_one_sentence():
    files = sorted(SHARED.glob("psd-malformed/*"))
    if not files:
        pytest.skip("the folder of real files is not here")
    for path in files:
        with pytest.raises(FormatError, match="cannot be read"):
            load_image(path)
