"""`collage-studio cutout` and the figures of `evaluate cutouts`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from collage_studio.cli import main
from collage_studio.evaluate.commands_cutouts import update_section
from collage_studio.evaluate.cutouts import (
    LOOP,
    RECTANGLE,
    REMATTED,
    WAYS,
    as_json,
    as_markdown,
    contact_sheet,
    measure,
    subject_of,
)
from tests.cutout.blobs import over, soft_disc

TRUTH = soft_disc(128, 34, 2)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), over(TRUTH)[..., ::-1])
    return path


def alpha_in(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., 3].astype(np.float32) / 255


def test_strokes_cut_an_object_out(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "disc.png"
    assert main(["cutout", str(photo), "-o", str(out), "--object", "50,64:78,64"]) == 0
    assert np.abs(alpha_in(out) - TRUTH).sum() / TRUTH.sum() < 0.05
    assert "23 % of the picture" in capsys.readouterr().out


def test_a_rough_mask_is_refined(photo: Path, tmp_path: Path):
    rough, out = tmp_path / "rough.png", tmp_path / "disc.png"
    cv2.imwrite(str(rough), ((TRUTH > 0.5) * 255).astype(np.uint8))
    assert main(["cutout", str(photo), "-o", str(out), "--mask", str(rough)]) == 0
    assert np.abs(alpha_in(out) - TRUTH).sum() / TRUTH.sum() < 0.03


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "x.png"], "Draw a stroke on the object"),
        (["-o", "x.jpg", "--object", "1,1"], "must end in .png"),
        (["-o", "x.png", "--model", "u2netp"], "Apache-2.0 · 4.6 MB"),
        (["-o", "x.png", "--model", "withoutbg"], "runs on this computer"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    photo: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["cutout", str(photo), *arguments]) == 1
    assert says in capsys.readouterr().err


def test_models_are_listed_with_licence_and_size(capsys: pytest.CaptureFixture):
    assert main(["cutout", "--list"]) == 0
    assert "isnet-general-use: All kinds of objects, fine edges. Apache-2.0 · 179 MB" in (
        capsys.readouterr().out
    )


def test_strokes_and_re_matting_are_measured_against_the_truth():
    measured = measure(subject_of(1_000_003, 160))
    assert set(measured.outcomes) == set(WAYS)
    assert measured.outcomes[LOOP].area < measured.outcomes[RECTANGLE].area
    assert measured.outcomes[REMATTED].band < 0.1
    report = as_json([measured, measured], 160)
    assert report["ways"][LOOP]["of_rectangle"]["count"] == 2
    assert "Two strokes" in as_markdown([measured], 160)
    assert contact_sheet([measured]).shape[2] == 3
    assert replace(measured, alphas={}).alphas == {}


def test_seeds_the_model_was_trained_on_are_refused():
    with pytest.raises(ValueError, match="not held out"):
        subject_of(5)


def test_only_the_pages_own_section_is_replaced(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- cutouts: begin -->\nold\n<!-- cutouts: end -->\nb\n")
    update_section(page, "new\n")
    text = page.read_text()
    assert "new" in text
    assert "old" not in text
    assert text.startswith("a\n")
    assert text.endswith("b\n")
