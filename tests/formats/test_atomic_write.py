"""Writing files when disks are full and folders are closed: the old file is always intact."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections import namedtuple

import pytest
from format_documents import layer

from collage_studio.document.geometry import Size
from collage_studio.document.model import Document
from collage_studio.formats.atomic import replacing
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.errors import FormatError, size_text
from collage_studio.formats.export import export_document

DOCUMENT = Document(Size(60, 50), (layer(1, "Tent"),))
OTHER = Document(Size(60, 50), (layer(2, "Lamp"),))
Usage = namedtuple("Usage", "total used free")


def refusing(code: int):
    def refuse(*_args):
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "Camp.collage"
    save_collage(DOCUMENT, path)
    return path


def test_disk_that_fills_up_while_saving_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(os, "fsync", refusing(errno.ENOSPC))
    with pytest.raises(FormatError) as caught:
        save_collage(OTHER, saved)
    pattern = r"Could not save: \d+ KB needed, .+ free\. The save from \d\d:\d\d is intact\."
    assert re.fullmatch(pattern, str(caught.value))
    assert saved.read_bytes() == before
    assert [item.name for item in saved.parent.iterdir()] == ["Camp.collage"]


def test_disk_without_room_is_told_before_writing(saved, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10**9, 10**9 - 800, 800))
    with pytest.raises(FormatError, match=r"\d KB needed, 1 KB free\. The save from"):
        save_collage(DOCUMENT, saved)
    assert load_collage(saved).document == DOCUMENT


def test_failed_rename_removes_the_temporary_file(saved, monkeypatch):
    monkeypatch.setattr(os, "replace", refusing(errno.EACCES))
    with pytest.raises(FormatError, match="cannot be written to"):
        save_collage(OTHER, saved)
    assert [item.name for item in saved.parent.iterdir()] == ["Camp.collage"]


def test_error_inside_the_block_keeps_the_old_file(saved):
    before = saved.read_bytes()

    def break_off() -> None:
        with replacing(saved) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert saved.read_bytes() == before
    assert [item.name for item in saved.parent.iterdir()] == ["Camp.collage"]


def test_new_file_has_the_usual_mode_and_the_old_one_keeps_its_own(tmp_path):
    path = tmp_path / "a.collage"
    save_collage(DOCUMENT, path)
    (tmp_path / "b").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "b").stat().st_mode
    path.chmod(0o640)
    save_collage(OTHER, path)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX only")
def test_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.collage", tmp_path / "link.collage"
    save_collage(DOCUMENT, real)
    link.symlink_to(real)
    save_collage(OTHER, link)
    assert link.is_symlink()
    assert load_collage(real).document == OTHER


@pytest.mark.parametrize("suffix", [".psd", ".png", ".ora", ".collage"])
def test_unwritable_folder_is_told_before_any_work(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("tempfile.mkstemp", lambda **_kwargs: refusing(errno.EACCES)())
    with pytest.raises(FormatError) as caught:
        export_document(DOCUMENT, tmp_path / f"Camp{suffix}")
    assert str(caught.value) == (
        f"Could not save: the folder {tmp_path} cannot be written to. "
        "Nothing was written. Choose another place."
    )


@pytest.mark.parametrize("suffix", [".psd", ".png", ".ora", ".collage"])
def test_file_in_place_of_the_folder_is_told(tmp_path, suffix):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(FormatError, match="there is no folder"):
        export_document(DOCUMENT, tmp_path / "folder" / f"Camp{suffix}")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 KB"), (12, "1 KB"), (640_000, "640 KB"), (14_200_000, "14 MB"), (2.14e9, "2.1 GB")],
)
def test_sizes_read_well(count, words):
    assert size_text(count) == words
