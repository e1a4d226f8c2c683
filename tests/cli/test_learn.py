"""The command learn: looks end up in the written document, with one clear sentence otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_documents import collage

from collage_studio.app.looks import LookLibrary
from collage_studio.cli import main
from collage_studio.document.geometry import Size
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.collage_file import load_collage, save_collage

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of the real classes."""
    from tests.engine import tiny

    return tiny.folder(tmp_path_factory.mktemp("models") / "tiny", "v_prediction", "tiny")


@pytest.fixture
def source(tmp_path: Path, model: Path) -> Path:
    document = replace(collage(2, Size(64, 64)), settings=RunSettings(model=str(model), steps=3))
    save_collage(document, tmp_path / "camp.collage")
    return tmp_path / "camp.collage"


def test_the_written_document_wears_the_look(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, name = tmp_path / "out.collage", load_collage(source).document.layers[0].name
    wanted = ["learn", str(source), "--layer", name, "--steps", "5", "--vectors", "3"]
    assert main([*wanted, "-o", str(out), "--keep", "--json", "--quiet"]) == 0
    [said] = json.loads(capsys.readouterr().out)["looks"]
    look = load_collage(out).document.layers[0].look
    assert look is not None
    assert (look.key, look.count, look.recipe.steps) == (said["key"], 3, 5)
    assert load_collage(out).document.layers[1].look is None
    assert LookLibrary().find(look.key) == look


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--layer", "nobody", "-o", "x.collage"], 1, "There is no layer nobody"),
        (["--layer", "background", "-o", "x.collage"], 1, "has no picture"),
        (["--layer", "background", "-o", "x.png"], 2, "must end in .collage"),
        (["--layer", "background", "-o", "x.collage", "--vectors", "9"], 2, "1 to 4 vectors"),
    ],
)
def test_bad_calls_get_one_sentence(
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
):
    monkeypatch.chdir(tmp_path)
    assert main(["learn", str(source), *arguments, "--quiet"]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
