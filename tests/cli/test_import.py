"""The commands import and export --layout: outputs, sentences and exit codes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from collage_studio.cli import main
from collage_studio.formats.collage_file import load_collage
from tests.formats.layouts import layout_files as files

Captured = pytest.CaptureFixture[str]


def test_a_layout_becomes_a_collage_and_a_layout_again(tmp_path: Path, capsys: Captured):
    case = files.noise_collage(tmp_path / "testcase_buses")
    collage = tmp_path / "buses.collage"
    assert main(["import", str(case), "-o", str(collage)]) == 0
    assert capsys.readouterr().out == "Imported buses.collage, 2 layers.\n"
    assert [layer.text for layer in load_collage(collage).document.layers] == [
        "a green bus",
        "a red bus",
    ]
    out = tmp_path / "cases"
    assert main(["export", str(collage), "-o", str(out), "--layout", "noise-collage"]) == 0
    assert capsys.readouterr().out.startswith("Exported testcase_buses, ")
    assert (out / "testcase_buses" / "P001").is_dir()


def test_a_set_becomes_a_folder_of_collages(tmp_path: Path, capsys: Captured):
    path, out = files.dense(tmp_path / "set"), tmp_path / "collages"
    assert main(["import", str(path), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"path": str(out / "0.collage"), "layers": 2}]
    assert [one.name for one in out.iterdir()] == ["0.collage"]


def test_one_bad_case_stops_a_set_unless_it_may_be_left_out(tmp_path: Path, capsys: Captured):
    path, out = files.dense(tmp_path / "set"), tmp_path / "collages"
    cases = pickle.loads(path.read_bytes())
    files.dense(tmp_path / "set", {**cases, 57: cases[0]})
    assert main(["import", str(path), "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert "57.png" in said.err
    assert said.out == ""
    assert not out.exists()
    assert main(["import", str(path), "-o", str(out), "--skip-bad"]) == 0
    assert [one.name for one in out.iterdir()] == ["0.collage"]
    assert "57.png" in capsys.readouterr().err


def test_a_bad_layout_is_one_sentence_and_writes_nothing(tmp_path: Path, capsys: Captured):
    case = files.noise_collage(tmp_path / "testcase_buses")
    (case / "P000").rename(case / "P007")
    collage = tmp_path / "buses.collage"
    assert main(["import", str(case), "-o", str(collage)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Number the regions from P000" in said
    assert sorted(one.name for one in tmp_path.iterdir()) == ["testcase_buses"]


def test_several_cases_are_chosen_by_name(tmp_path: Path, capsys: Captured):
    for name in ("testcase_one", "testcase_two"):
        files.noise_collage(tmp_path / "cases" / name)
    out = tmp_path / "out.collage"
    assert main(["import", str(tmp_path / "cases"), "-o", str(out)]) == 1
    assert "(one, two)" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "cases"), "-o", str(out), "--case", "two"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "{case}", "-o", "out.png"],
        ["export", "{case}", "-o", "out.png", "--layout", "rich-context"],
        ["export", "{case}", "-o", "out.json", "--layout", "dense"],
    ],
)
def test_outputs_of_the_wrong_kind_are_wrong_calls(
    tmp_path: Path, capsys: Captured, arguments: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    case, collage = files.noise_collage(tmp_path / "testcase_buses"), tmp_path / "buses.collage"
    assert main(["import", str(case), "-o", str(collage)]) == 0
    assert main([one.format(case=collage) for one in arguments]) == 2
    assert capsys.readouterr().err.endswith(".\n")
    assert not Path("out.png").exists()
    assert not Path("out.json").exists()
