"""The .collage file: exact round trips, cheap saves, and what happens to damaged files."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_documents import documents, layer, raster, rich_document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Raster
from collage_studio.formats import collage_file
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.collage_json import pixels_member
from collage_studio.formats.errors import FormatError
from collage_studio.formats.pixels_png import encode_png

quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rewritten(path: Path, change=None, drop=()) -> Path:
    """A copy whose collage.json went through `change`, without the members in `drop`."""
    target = path.with_name("changed.collage")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "collage.json" and change:
                content = json.loads(data)
                change(content)
                data = json.dumps(content).encode()
            if name not in drop:
                new.writestr(name, data)
    return target


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "Camp.collage"
    save_collage(rich_document(accepted=True), path)
    return path


@quick
@given(documents())
def test_open_save_open_is_equal(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("round") / "a.collage"
    save_collage(document, path)
    opened = load_collage(path)
    assert opened.document == document
    assert opened.notices == ()
    assert not opened.read_only


def test_everything_in_a_rich_document_survives(saved):
    assert load_collage(saved).document == rich_document(accepted=True)


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    other = tmp_path / "b.collage"
    save_collage(load_collage(saved).document, other, base=saved)
    assert other.read_bytes() == saved.read_bytes()


def test_each_picture_is_stored_once(tmp_path):
    path = tmp_path / "a.collage"
    twins = (layer(1, "One"), replace(layer(1, "Two"), id="two"))
    save_collage(Document(Size(50, 50), twins), path)
    names = zipfile.ZipFile(path).namelist()
    assert names[0] == "mimetype"
    assert sum(name.startswith("pixels/") for name in names) == 1


def test_other_zip_programs_read_it(saved):
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None
        assert archive.read("mimetype") == b"application/x-collage-studio"
        assert archive.read("preview.png").startswith(b"\x89PNG")


def test_only_new_pictures_are_packed(saved, monkeypatch):
    document = load_collage(saved).document
    changed = replace(document, layers=(replace(document.layers[0], raster=raster(77)),))
    packed = []

    def counting(pixels):
        packed.append(pixels.shape)
        return encode_png(pixels)

    monkeypatch.setattr(collage_file, "encode_png", counting)
    save_collage(changed, saved)
    assert len(packed) == 2  # the new picture and the preview
    assert load_collage(saved).document == changed


def test_a_picture_damaged_in_the_earlier_save_is_packed_anew(saved):
    document = rich_document(accepted=True)
    key = document.layers[0].raster.key
    data = bytearray(saved.read_bytes())
    data[data.index(pixels_member(key).encode()) + 200] ^= 0xFF
    saved.write_bytes(data)
    save_collage(document, saved)
    assert load_collage(saved).document == document


def test_unknown_keys_are_kept_and_written_again(saved, tmp_path):
    def change(content):
        content["guides"] = [1, 2]
        content["layers"][0]["clip"] = {"to": "below"}

    document = load_collage(rewritten(saved, change)).document
    assert document.unknown == {"guides": [1, 2]}
    again = tmp_path / "again.collage"
    save_collage(document, again)
    assert load_collage(again).document.layers[0].unknown == {"clip": {"to": "below"}}


def test_newer_version_opens_for_viewing_only(saved):
    def change(content):
        content["version"] = 2
        content["layers"][0]["blend"] = "sparkle"

    opened = load_collage(rewritten(saved, change))
    assert opened.read_only
    assert opened.notices[0] == (
        "Made by a newer version. Opened for viewing; nothing will be overwritten."
    )
    assert "sparkle" in opened.notices[1]


def test_missing_pixels_cost_their_layer_and_are_told(saved):
    key = rich_document().layers[0].raster.key
    opened = load_collage(rewritten(saved, drop=(pixels_member(key),)))
    assert opened.document.layers[0].name == "Lanterne 提灯 🏮"
    assert opened.notices == (
        "The pixels of Tent are missing in changed.collage. "
        "Everything else was opened; the file itself will not be overwritten.",
    )
    assert opened.read_only


def test_missing_mask_leaves_the_layer_without_one(saved):
    names = [name for name in zipfile.ZipFile(saved).namelist() if name.startswith("masks/")]
    opened = load_collage(rewritten(saved, drop=names))
    assert opened.document.find("id-2").mask is None
    assert opened.notices[0].startswith(
        "The masks of Lanterne 提灯 🏮, Mask off, Masked, Inner and"
    )


def test_missing_accepted_picture_is_told(saved):
    key = rich_document(accepted=True).accepted.picture.key
    opened = load_collage(rewritten(saved, drop=(pixels_member(key),)))
    assert opened.document.accepted is None
    assert "2 variations are missing" in opened.notices[0]


def test_damaged_pixels_are_never_shown(saved):
    data = bytearray(saved.read_bytes())
    key = rich_document().layers[0].raster.key
    data[data.index(pixels_member(key).encode()) + 300] ^= 0x55
    saved.write_bytes(data)
    opened = load_collage(saved)
    assert opened.document.find("id-1") is None
    assert "Tent" in opened.notices[0]


def test_pixels_swapped_by_another_program_are_not_taken_for_the_old_ones(saved, tmp_path):
    key = rich_document().layers[0].raster.key
    target = tmp_path / "swapped.collage"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = encode_png(raster(99).pixels) if key in name else old.read(name)
            new.writestr(name, data)
    assert load_collage(target).document.find("id-1") is None


def test_cut_off_file_gives_back_what_is_complete(saved):
    data = saved.read_bytes()
    saved.write_bytes(data[: len(data) * 2 // 3])
    opened = load_collage(saved)
    assert opened.document.find("id-1") is not None
    assert opened.notices[0].startswith("Camp.collage ends too early.")
    assert opened.read_only


@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0, 1), noise=st.integers(0, 255))
def test_any_damage_is_one_sentence_or_a_notice(tmp_path_factory, cut, noise):
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "a.collage"
    document = Document(Size(9, 9), (layer(1, "Tent"), layer(2, "Lamp")))
    save_collage(document, path)
    data = bytearray(path.read_bytes())
    data[min(int(cut * len(data)), len(data) - 1)] ^= noise
    path.write_bytes(data)
    try:
        opened = load_collage(path)
    except FormatError as error:
        sentence = str(error)
    else:
        lost = {item.id for item in document.layers} - {item.id for item in opened.document.walk()}
        sentence = " ".join(("a.collage", *opened.notices)) if opened.notices or not lost else ""
    assert "a.collage" in sentence


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("opacity", 1.5, "opacity of layer Tent is out of range"),
        ("opacity", "much", "opacity of layer Tent is no number"),
        ("placement", [1, 2], "placement of layer Tent needs 6 numbers"),
        ("visible", 1, "visible of layer Tent is neither true nor false"),
        ("fill", [0, 0, 0, 300], "fill of layer Tent is no colour"),
        ("pixels", {"key": "../../etc/passwd"}, "has no proper key"),
        ("id", "id-2", "two layers have the id id-2"),
    ],
)
def test_impossible_values_are_named(saved, key, value, words):
    def change(content):
        content["layers"][0][key] = value

    with pytest.raises(FormatError, match=words):
        load_collage(rewritten(saved, change))


def test_groups_without_end_are_refused(saved):
    def change(content):
        inner = content["layers"]
        for depth in range(80):
            group = {"id": f"deep-{depth}", "name": "", "kind": "group", "children": []}
            inner.append(group)
            inner = group["children"]

    with pytest.raises(FormatError, match="60 groups"):
        load_collage(rewritten(saved, change))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(60)])
def test_other_files_are_no_documents(tmp_path, content):
    path = tmp_path / "notes.collage"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"notes\.collage"):
        load_collage(path)


def test_zip_without_a_document_is_named(tmp_path):
    path = tmp_path / "photos.collage"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(FormatError, match="is not a Collage Studio document"):
        load_collage(path)


def test_zip_bomb_is_refused_by_its_list(tmp_path):
    path = tmp_path / "bomb.collage"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("collage.json", b"0" * 30_000_000)
    with pytest.raises(FormatError, match=r"would unpack to 30 MB, as a harmful file does\."):
        load_collage(path)


def test_picture_bomb_is_refused_by_its_header(saved, tmp_path):
    """The PNG is small, but says it has 16384 x 12000 px, eight times over."""

    def change(content):
        for index, item in enumerate(content["layers"][:8]):
            item["pixels"] = {"key": f"{index}" * 64, "width": 16384, "height": 12000, "depth": 8}
            item.pop("mask", None)

    with pytest.raises(FormatError, match="of memory"):
        load_collage(rewritten(saved, change))


def test_canvas_of_a_monster_is_refused(saved):
    def change(content):
        content["size"] = [1_000_000, 1_000_000]

    with pytest.raises(FormatError, match="1000000 × 1000000"):
        load_collage(rewritten(saved, change))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"gone\.collage is gone"):
        load_collage(tmp_path / "gone.collage")


def test_straight_colour_under_alpha_zero_survives(tmp_path):
    pixels = np.full((3, 3, 4), 200, np.uint8)
    pixels[..., 3] = 0
    path = tmp_path / "a.collage"
    document = Document(Size(3, 3), (replace(layer(1, "Ghost"), raster=Raster(pixels)),))
    save_collage(document, path)
    read = load_collage(path).document.layers[0].raster
    assert np.array_equal(read.pixels, pixels)
