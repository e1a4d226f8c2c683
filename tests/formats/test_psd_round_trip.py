"""Opening a PSD that we wrote gives the document back; what others changed is taken over."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_documents import CANVAS, documents, gradient_mask, group, layer, raster, rich_document
from hypothesis import HealthCheck, given, settings
from psd_tools import PSDImage

from collage_studio.document.compositing import flatten, flatten_deep
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.model import BlendMode, Document, Layer, LayerKind, Mask, Raster
from collage_studio.formats.errors import FormatError
from collage_studio.formats.picture import final_picture
from collage_studio.formats.psd import PsdOptions, write_psd
from collage_studio.formats.psd_kept import kept_of_layer, kept_text, layer_blocks
from collage_studio.formats.psd_reading import read_psd, stored_picture

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MODES = [mode for mode in BlendMode if mode is not BlendMode.PASS_THROUGH]
JUMPING = {BlendMode.HARD_MIX, BlendMode.VIVID_LIGHT, BlendMode.DIVIDE, BlendMode.COLOR_BURN}
PLAIN = PsdOptions(whole=False)


def clear_background() -> Layer:
    return Layer("background", "Background", LayerKind.FILL, visible=False)


def read_as_foreign(document: Document, path: Path, depth: int = 0) -> Document:
    """What a PSD without our own document inside is read as."""
    write_psd(document, path, PsdOptions(depth, whole=False))
    opened = read_psd(path)
    assert opened.notices == ()
    return opened.document


def harmonised_document() -> Document:
    document = rich_document(accepted=True)
    tent = replace(
        document.layers[0],
        harmonised=raster(77, 50, 40),
        harmonised_placement=Affine.translation(-5, -5),
    )
    clipped = replace(layer(20, "Clipped", Affine.translation(20, 15)), clipped=True)
    return replace(document, layers=(tent, clipped, *document.layers[1:]))


@pytest.mark.parametrize("suffix", [".psd", ".psb"])
@pytest.mark.parametrize("accepted", [False, True])
def test_open_export_open_gives_an_equal_document(tmp_path, suffix, accepted):
    document = harmonised_document()
    document = document if accepted else replace(document, accepted=None)
    path = tmp_path / f"Camp{suffix}"
    write_psd(document, path)
    opened = read_psd(path)
    assert opened.document == document
    assert (opened.losses, opened.notices, opened.read_only) == ((), (), False)
    again = tmp_path / f"again{suffix}"
    write_psd(opened.document, again)
    assert again.read_bytes() == path.read_bytes()


@quick
@given(documents())
def test_any_document_comes_back_equal(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("psd") / "a.psd"
    write_psd(document, path)
    assert read_psd(path).document == document


def test_pictures_that_are_layers_are_not_stored_twice(tmp_path):
    rng = np.random.default_rng(1)
    noise = Raster(rng.integers(0, 256, (64, 64, 4), dtype=np.uint8))
    document = Document(Size(80, 80), (Layer("a", "A", raster=noise),))
    path, plain = tmp_path / "a.psd", tmp_path / "b.psd"
    write_psd(document, path)
    write_psd(document, plain, PLAIN)
    assert path.stat().st_size - plain.stat().st_size < 64 * 64


def test_a_file_changed_elsewhere_is_read_as_it_is_there_with_our_texts(tmp_path):
    path = tmp_path / "a.psd"
    write_psd(rich_document(), path)
    psd = PSDImage.open(path)
    next(item for item in psd if item.name == "Tent").opacity = 128
    psd.save(path)
    opened = read_psd(path)
    tent = next(item for item in opened.document.layers if item.name == "Tent")
    assert tent.opacity == pytest.approx(128 / 255)
    assert (tent.id, tent.text, tent.noise) == ("id-1", "a red tent", 0.3)
    assert opened.document.caption == rich_document().caption
    assert any("changed in another program" in loss for loss in opened.losses)


@pytest.mark.parametrize("mode", MODES)
def test_layers_come_back_from_a_foreign_file(tmp_path, mode):
    above = layer(2, "提灯 🏮", Affine.translation(-4, 6), blend=mode, opacity=0.8)
    masked = replace(above, mask=gradient_mask())
    document = Document(Size(50, 40), (layer(1, "Below"), masked), background=clear_background())
    read = read_as_foreign(document, tmp_path / "a.psd")
    found = read.layers[-1]
    assert (found.name, found.blend, found.placement) == ("提灯 🏮", mode, above.placement)
    assert found.raster == above.raster
    assert found.mask == masked.mask
    difference = np.abs(flatten(read).astype(int) - flatten(document)).max(axis=2)
    assert (difference > 1).mean() <= (0.02 if mode in JUMPING else 0)


def test_groups_masks_clipping_and_hidden_layers_come_back(tmp_path):
    clipped = replace(layer(4, "Clip", Affine.translation(3, 3)), clipped=True)
    inner = group(
        "g", "Group", layer(2, "Base"), clipped, layer(3, "Hidden", visible=False, locked=True),
        blend=BlendMode.NORMAL, opacity=0.6, mask=gradient_mask(120, 90), mask_enabled=False,
    )  # fmt: skip
    document = Document(CANVAS, (layer(1, "Under"), inner), background=clear_background())
    read = read_as_foreign(document, tmp_path / "a.psd")
    found = read.layers[-1]
    assert found.is_group
    assert not found.mask_enabled
    assert found.mask == inner.mask
    assert [item.clipped for item in found.children] == [False, True, False]
    assert [item.visible for item in found.children] == [True, True, False]
    assert found.children[2].locked
    assert np.abs(flatten(read).astype(int) - flatten(document)).max() <= 1


def test_sixteen_bits_come_back_to_the_bit(tmp_path):
    deep = replace(layer(5, "Deep"), raster=raster(5, dtype=np.uint16))
    document = Document(CANVAS, (deep,), background=clear_background())
    read = read_as_foreign(document, tmp_path / "a.psd")
    assert read.layers[-1].raster == deep.raster
    assert np.array_equal(flatten_deep(read), flatten_deep(document))
    shallow = read_as_foreign(document, tmp_path / "b.psd", depth=8)
    assert shallow.layers[-1].raster.depth == 8


def test_the_stored_picture_is_what_the_document_shows(tmp_path):
    path = tmp_path / "a.psd"
    for document in (rich_document(accepted=True), rich_document()):
        write_psd(document, path, PsdOptions(8))
        assert np.abs(stored_picture(path).astype(int) - final_picture(document)).max() <= 1


def test_a_wide_canvas_needs_a_psb(tmp_path):
    wide = Document(Size(30_001, 2), (layer(1, "Tent"),))
    with pytest.raises(FormatError, match=r"at most 30000 px. Export it as \.psb"):
        write_psd(wide, tmp_path / "a.psd")
    path = tmp_path / "a.psb"
    write_psd(wide, path)
    psd = PSDImage.open(path)
    assert (psd.size, psd.version) == ((30_001, 2), 2)
    assert [item.name for item in psd] == ["Background", "Tent"]


def test_foreign_blocks_go_back_while_they_are_true():
    source = layer(1, "Title")
    kept = kept_of_layer({"lfx2": b"effect", "TySh": b"text"}, source, "Hello")
    assert kept_text(kept) == "Hello"
    assert layer_blocks(kept) == {"lfx2": b"effect", "TySh": b"text"}
    moved = replace(kept, placement=Affine.translation(3, 0))
    assert layer_blocks(moved) == {"lfx2": b"effect"}
    assert layer_blocks(replace(kept, raster=raster(9))) == {"lfx2": b"effect"}
    assert layer_blocks(replace(source, unknown={"psd": {"blocks": {"lfx2": "no base64!"}}})) == {}


def test_foreign_blocks_are_in_the_file_and_come_back(tmp_path):
    red = struct.pack(">4H", 1, 0, 0, 0)
    kept = kept_of_layer({"lclr": red}, layer(1, "Red label"))
    path = tmp_path / "a.psd"
    write_psd(Document(CANVAS, (kept,)), path, PLAIN)
    again = read_psd(path).document.layers[-1]
    assert layer_blocks(again) == {"lclr": red}


def sound_bytes(tmp_path: Path) -> bytes:
    path = tmp_path / "sound.psd"
    write_psd(Document(CANVAS, (layer(1, "Tent"), layer(2, "Boat"))), path, PLAIN)
    return path.read_bytes()


@pytest.mark.parametrize("cut", [0, 10, 25, 30, 300, 3000, 6000])
def test_a_file_that_ends_too_early_is_one_sentence_or_opens_in_part(tmp_path, cut):
    path = tmp_path / "cut.psd"
    path.write_bytes(sound_bytes(tmp_path)[:cut])
    try:
        said = "".join(read_psd(path).losses)
    except FormatError as error:
        said = str(error)
    assert "cut.psd" in said or "damaged" in said


def test_damaged_bytes_anywhere_never_raise_anything_else(tmp_path):
    data = bytearray(sound_bytes(tmp_path))
    rng, said = np.random.default_rng(3), []
    path = tmp_path / "bad.psd"
    for _ in range(60):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 4000), 3):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            read_psd(path)
        except FormatError as error:
            said.append(str(error))
    assert said
    assert all(text.endswith(".") for text in said)


BOMB = """
import resource, sys
from pathlib import Path
from collage_studio.formats.errors import FormatError
from collage_studio.formats.psd_reading import read_psd
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    opened = read_psd(Path(sys.argv[1]))
    print("opened", *opened.losses)
except FormatError as error:
    print("refused", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_small_file_that_claims_a_huge_layer_takes_little_memory(tmp_path):
    data = bytearray(sound_bytes(tmp_path))
    box = struct.pack(">4i", 0, 0, 30, 40)
    at = data.index(box)
    data[at : at + 16] = struct.pack(">4i", 0, 0, 12_000, 12_000)
    path = tmp_path / "bomb.psd"
    path.write_bytes(data)
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))  # noqa: E731
    run = subprocess.run(
        [sys.executable, "-c", BOMB, path], capture_output=True, text=True, preexec_fn=limit,
        timeout=60, check=True,
    )  # fmt: skip
    said, kilobytes = run.stdout.strip().splitlines()
    assert "damaged are left out: Tent" in said or said.startswith("refused")
    assert int(kilobytes) < 100_000


def test_a_mask_beyond_its_layer_and_a_white_ground_is_read(tmp_path):
    pixels = np.full((10, 10, 4), 200, np.uint8)
    source = Layer("a", "A", raster=Raster(pixels), placement=Affine.translation(5, 5))
    values = np.zeros((10, 10), np.uint8)
    values[:, 5:] = 255
    document = Document(Size(20, 20), (replace(source, mask=Mask(values)),))
    read = read_as_foreign(document, tmp_path / "a.psd")
    assert read.layers[-1].mask == Mask(values)


CORPUS = os.environ.get("COLLAGE_STUDIO_PSD_FILES", "")
"""A folder of Photoshop files with a README.md that marks some as "must match"."""


@pytest.mark.skipif(not CORPUS, reason="COLLAGE_STUDIO_PSD_FILES names no folder of PSD files")
def test_files_of_other_programs_open_and_those_that_must_match_look_the_same():
    folder = Path(CORPUS)
    lines = (folder.parent / "README.md").read_text().splitlines()
    marked = {line.split("|")[1].strip() for line in lines if line.endswith("| must match |")}
    off = []
    for path in sorted(folder.iterdir()):
        document = read_psd(path).document
        if path.name in marked:
            seen, stored = (_on_white(p) for p in (flatten(document), stored_picture(path)))
            if np.abs(seen - stored).mean() > 1:
                off.append(path.name)
    assert marked
    assert off == []


def _on_white(pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., 3:] / 255.0
    return pixels[..., :3] * alpha + 255 * (1 - alpha)
