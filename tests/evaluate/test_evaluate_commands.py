"""`evaluate ladder` and `evaluate methods` from the command line to the pages, and going on."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from collage_studio.document.compositing import composite_picture
from collage_studio.document.looks import Look, LookRecipe
from collage_studio.document.recipe import Recipe
from collage_studio.engine.api import (
    Event,
    Finished,
    Learned,
    LearnProgress,
    LearnRequest,
    Produced,
    Request,
)
from collage_studio.engine.quality.judge import Judge, JudgeNet
from collage_studio.evaluate import climbing, commands_ladder, commands_methods
from collage_studio.evaluate.cli import add_arguments, run
from collage_studio.evaluate.climbing import Tools
from collage_studio.evaluate.comparing import MethodsPlan
from collage_studio.evaluate.judge_training import class_names
from collage_studio.evaluate.pages import update_page
from collage_studio.evaluate.plan import Plan

FEW = ["--count", "1", "--strengths", "0.6", "--sweep-count", "1"]


class PastingEngine:
    """Answers every request with the collage as it stands; learns nothing in no time.

    It counts what it performs, without the short runs that only warm it up.
    """

    performed = 0

    def __init__(self, device: str) -> None:
        self.device = device

    def run(self, request: Request, is_cancelled: Callable[[], bool]) -> Iterator[Event]:
        PastingEngine.performed += request.settings.steps > 1
        if isinstance(request, LearnRequest):
            yield LearnProgress(1, 1)
            for layer_id in request.layer_ids:
                vectors = {"clip_l": torch.zeros(1, 4).numpy()}
                yield Learned(layer_id, Look.of(vectors, LookRecipe(layer_id)))
            yield Finished()
            return
        seed = request.seeds[0]
        picture = composite_picture(request.document)
        yield Produced(seed, picture, Recipe("harmonise", seed, request.settings, ""))
        yield Finished()


@pytest.fixture
def _pasting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use an engine of no cost and a judge that was never trained."""
    judge = tmp_path / "judge.safetensors"
    with torch.random.fork_rng(devices=[]):
        Judge(JudgeNet(len(class_names())), class_names()).save(judge)
    PastingEngine.performed = 0

    def tools(*values: Any, **more: Any) -> Tools:
        return replace(Tools(*values, **more), engine=f"{__name__}:PastingEngine", judge=judge)

    for module in (commands_ladder, commands_methods):
        monkeypatch.setattr(module, "Tools", tools)


def _evaluate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(list(arguments)))


@pytest.mark.usefixtures("_pasting")
def test_ladder_writes_tables_sheets_and_a_plot_and_puts_them_into_a_page(tmp_path: Path) -> None:
    out, page = tmp_path / "ladder", tmp_path / "page.md"
    page.write_text("before\n<!-- ladder: begin -->\nwhat was there\n<!-- ladder: end -->\nafter\n")
    assert _evaluate("ladder", *FEW, "--out", str(out), "--update-docs", str(page)) == 0
    names = {path.name for path in out.iterdir()}
    assert {"ladder.json", "ladder.md", "ladder-curves.png", "ladder-looks.png"} <= names
    assert json.loads((out / "ladder.json").read_text())["tables"]["looks"]["collages"] == 1
    text = page.read_text()
    assert "A look that words cannot tell" in text
    assert "what was there" not in text
    for line in (line for line in text.splitlines() if line.startswith("![")):
        assert (tmp_path / line.rpartition("(")[2].rstrip(")")).is_file()


@pytest.mark.usefixtures("_pasting")
def test_interrupted_ladder_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "ladder"
    few = [*FEW, "--parts", "strong", "--out", str(out)]
    assert _evaluate("ladder", *few) == 0
    whole = PastingEngine.performed
    (file,) = (out / "collages").iterdir()
    entries = json.loads(file.read_text())
    del entries["gh-ca-0.8"]
    file.write_text(json.dumps(entries))
    assert _evaluate("ladder", *few, "--resume") == 0
    assert PastingEngine.performed == whole + 1
    assert "gh-ca-0.8" in json.loads(file.read_text())
    file.write_text("{ torn")
    assert _evaluate("ladder", *few, "--resume") == 0
    assert "gh-0.8" in json.loads(file.read_text())


@pytest.mark.usefixtures("_pasting")
def test_other_settings_never_reuse_old_outcomes(tmp_path: Path) -> None:
    out = str(tmp_path / "ladder")
    few = [*FEW, "--parts", "strong", "--out", out]
    assert _evaluate("ladder", *few) == 0
    before = PastingEngine.performed
    assert _evaluate("ladder", *few, "--resume", "--guidance", "2") == 0
    assert PastingEngine.performed == before + 2


@pytest.mark.usefixtures("_pasting")
def test_folder_with_results_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "ladder")
    assert _evaluate("ladder", *FEW, "--parts", "strong", "--out", out) == 0
    assert _evaluate("ladder", *FEW, "--parts", "strong", "--out", out) == 1
    assert "go on with --resume" in capsys.readouterr().err


@pytest.mark.usefixtures("_pasting")
def test_report_of_an_empty_folder_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _evaluate("ladder", *FEW, "--out", str(tmp_path / "none"), "--report-only") == 1
    assert "holds no finished collage" in capsys.readouterr().err


@pytest.mark.usefixtures("_pasting")
def test_methods_are_compared_and_put_into_a_page(tmp_path: Path) -> None:
    out, page = tmp_path / "methods", tmp_path / "page.md"
    page.write_text("<!-- methods: begin --><!-- methods: end -->")
    few = ["--count", "1", "--out", str(out)]
    assert _evaluate("methods", *few, "--update-docs", str(page)) == 0
    report = json.loads((out / "methods.json").read_text())
    assert {"text-to-image", "collage_diffusion", "truth"} <= report["rows"]["accuracy"].keys()
    assert "NoiseCollage raises region accuracy" in page.read_text()
    assert (tmp_path / "images" / "methods.jpg").is_file()
    before = PastingEngine.performed
    assert _evaluate("methods", *few, "--resume") == 0
    assert PastingEngine.performed == before


def test_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no method paste; use some of"):
        MethodsPlan(methods=("paste",))


def test_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to replace", encoding="utf-8")
    with pytest.raises(ValueError, match="has no lines"):
        update_page(page, "ladder", "new")


def test_fingerprints_tell_models_and_settings_apart(tmp_path: Path) -> None:
    weights = tmp_path / "unet.safetensors"
    weights.write_bytes(b"one")
    first = climbing.weights_of(str(tmp_path))
    weights.write_bytes(b"two")
    assert climbing.weights_of(str(tmp_path)) != first


def test_command_line_is_built_without_torch() -> None:
    code = (
        "import argparse, sys\n"
        "from collage_studio.evaluate.cli import add_arguments\n"
        "add_arguments(argparse.ArgumentParser())\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arguments_have_the_plans_defaults() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert commands_ladder.plan_of(parser.parse_args(["ladder"])) == Plan()
    assert commands_methods.methods_plan_of(parser.parse_args(["methods"])) == MethodsPlan()
