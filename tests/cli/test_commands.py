"""The command line without a window: outputs, sentences and exit codes. Runs a tiny real model."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from small_documents import collage

from collage_studio.app.requests import harmonise_request
from collage_studio.cli import main
from collage_studio.commands.outputs import targets
from collage_studio.commands.running import parse_seeds
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import add_variations, change_layer
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.noise_paint import over, set_paint
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import Event, Failed, Finished, Produced
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.images import load_image
from collage_studio.formats.png import read_recipe
from collage_studio.jobs.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of the real classes."""
    from tests.engine import tiny

    return tiny.folder(tmp_path_factory.mktemp("models") / "tiny", "v_prediction", "tiny")


@pytest.fixture
def source(tmp_path: Path, model: Path) -> Path:
    """A small collage that names the tiny model."""
    settings = RunSettings(model=str(model), steps=3, resolution=64)
    document = replace(collage(2, Size(64, 64)), settings=settings)
    save_collage(document, tmp_path / "camp.collage")
    return tmp_path / "camp.collage"


def painted(document: Document) -> Document:
    """`document` with noise painted on its front layer."""
    cover = np.zeros((80, 96), np.float32)
    cover[20:60] = 1.0
    document = change_layer(document, "layer1", noise=0.6)
    return set_paint(document, "layer1", over(None, Size(96, 80), 0.1, cover))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_render_writes_a_png_with_its_recipe(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out.png"
    assert main(["render", str(source), "-o", str(out), "--seeds", "7", "--quiet"]) == 0
    recipe = read_recipe(out)["recipe"]
    assert (recipe["kind"], recipe["seed"], recipe["settings"]["steps"]) == ("harmonise", 7, 3)
    assert capsys.readouterr().out.startswith("Exported out.png, ")


def test_render_gives_the_pixels_the_app_gets(source: Path, tmp_path: Path):
    out, command = tmp_path / "out.png", [sys.executable, "-m", "collage_studio", "render"]
    subprocess.run([*command, source, "-o", out, "--seeds", "7", "--quiet"], check=True, cwd=ROOT)
    document, events = load_collage(source).document, list[Event]()
    supervisor = Supervisor(lambda _job_id, event: events.append(event))
    supervisor.send("job", harmonise_request(document, [7]))
    while not events or not isinstance(events[-1], Finished | Failed):
        supervisor.pump(1.0)
    supervisor.close()
    (produced,) = [event for event in events if isinstance(event, Produced)]
    np.testing.assert_array_equal(pixels(out), produced.picture[..., :3])


def test_render_names_files_by_seed_and_reports_json(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out.png"
    arguments = ["render", str(source), "-o", str(out), "--seeds", "1,2", "--steps", "2"]
    assert main([*arguments, "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [Path(item["path"]).name for item in report["outputs"]] == [
        "out-seed1.png",
        "out-seed2.png",
    ]
    assert [item["seeds"] for item in report["outputs"]] == [[1], [2]]
    assert report["settings"]["steps"] == 2
    assert all(Path(item["path"]).is_file() for item in report["outputs"])


def test_reroll_continues_from_a_rendered_collage_and_changes_only_its_layer(
    source: Path, tmp_path: Path
):
    document = load_collage(source).document
    small = change_layer(
        document, "layer1", placement=replace(document.layers[1].placement, a=0.2, e=0.2)
    )
    save_collage(small, source)
    first, second = tmp_path / "first.collage", tmp_path / "second.collage"
    assert main(["render", str(source), "-o", str(first), "--quiet"]) == 0
    arguments = ["reroll", str(first), "--layer", "layer 1", "--seeds", "5", "--quiet"]
    assert main([*arguments, "--start", "original", "-o", str(second)]) == 0
    before, after = load_collage(first).document, load_collage(second).document
    assert before.accepted is not None
    assert after.accepted is not None
    recipe, box = after.accepted.recipe, after.accepted.box
    assert (recipe.kind, recipe.seed, str(recipe.start)) == ("reroll", 5, "original")
    assert box is not None
    differs = (before.accepted.picture.pixels != after.accepted.picture.pixels).any(axis=2)
    outside = differs.copy()
    outside[box.slices] = False
    assert differs.any()
    assert not outside.any()


def test_mix_takes_a_layer_from_another_seed(source: Path, tmp_path: Path):
    first, second = tmp_path / "first.collage", tmp_path / "second.collage"
    assert main(["render", str(source), "-o", str(first), "--seeds", "3,8", "--quiet"]) == 0
    arguments = ["mix", str(first), "--take", "layer 1=8", "-o", str(second), "--quiet"]
    assert main([*arguments, "--base", "3", "--seeds", "5"]) == 0
    accepted = load_collage(second).document.accepted
    assert accepted is not None
    assert (accepted.recipe.kind, accepted.recipe.seed) == ("mix", 5)
    assert dict(accepted.recipe.taken) == {"background": 3, "layer0": 3, "layer1": 8}


@pytest.mark.parametrize(
    ("take", "code", "sentence"),
    [
        ("layer 1", 2, "--take needs LAYER=SEED"),
        ("layer 1=8", 1, "camp.collage holds no picture yet"),
    ],
)
def test_mix_says_what_it_needs(
    take: str, code: int, sentence: str, source: Path, capsys: pytest.CaptureFixture[str]
):
    out = str(source.parent / "out.png")
    base = ["--base", "1"] if code == 2 else []
    if code == 2:
        document = load_collage(source).document
        save_collage(add_variations(document, [made_by(document, 1)]), source)
    assert main(["mix", str(source), "--take", take, *base, "-o", out, "--quiet"]) == code
    assert sentence in capsys.readouterr().err


def made_by(document: Document, seed: int) -> Variation:
    picture = Raster.from_rgb(composite_picture(document)[..., :3].copy())
    return Variation("v", 1, picture, Recipe("harmonise", seed, document.settings, ""))


def test_several_seeds_in_a_collage_file_are_its_variations(source: Path, tmp_path: Path):
    out = tmp_path / "out.collage"
    assert main(["render", str(source), "-o", str(out), "--seeds", "1-3", "--quiet"]) == 0
    document = load_collage(out).document
    assert [item.recipe.seed for item in document.variations] == [1, 2, 3]
    assert document.accepted is None


def test_a_bar_shows_the_progress_on_standard_error(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    main(["render", str(source), "-o", str(tmp_path / "out.png")])
    captured = capsys.readouterr()
    assert "Harmonise" in captured.err
    assert "Harmonise" not in captured.out


def test_export_writes_and_checks(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.psd"
    assert main(["export", str(source), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checked"] is True


def test_export_of_layers_writes_clear_pngs(source: Path, tmp_path: Path):
    one, folder = tmp_path / "one.png", tmp_path / "all"
    assert main(["export", str(source), "-o", str(one), "--layer", "Layer 0"]) == 0
    assert one.stat().st_size > 0
    assert main(["export", str(source), "-o", str(folder), "--each"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["Layer 0.png", "Layer 1.png"]
    both = ["--layer", "Layer 0", "--layer", "Layer 1"]
    assert main(["export", str(source), "-o", str(one), *both]) == 2


def test_export_takes_depth_and_background(source: Path, tmp_path: Path):
    deep = tmp_path / "deep.tif"
    assert main(["export", str(source), "-o", str(deep), "--depth", "16"]) == 0
    assert load_image(deep).depth == 16
    flat = ["-o", str(tmp_path / "a.jpg"), "--background"]
    assert main(["export", str(source), *flat, "#102030"]) == 0
    with pytest.raises(SystemExit):
        main(["export", str(source), *flat, "red"])


def test_export_takes_what_goes_along(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rendered, out = tmp_path / "run.collage", str(tmp_path / "out.psd")
    assert main(["render", str(source), "-o", str(rendered), "--seeds", "5"]) == 0
    assert main(["export", str(rendered), "-o", out, "--no-originals", "--no-recipe"]) == 0
    assert "Original" not in [layer.name for layer in PSDImage.open(out)]
    capsys.readouterr()
    assert main(["export", str(source), "-o", out, "--editable-text"]) == 0
    assert "No layer came from a text layer" in capsys.readouterr().err


def test_what_a_foreign_psd_loses_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "grey.psd"
    PSDImage.frompil(Image.new("L", (8, 6), 90)).save(path)
    assert main(["info", str(path)]) == 0
    assert "Grey colours become sRGB." in capsys.readouterr().out
    assert main(["export", str(path), "-o", str(tmp_path / "a.png")]) == 0
    assert "Grey colours become sRGB." in capsys.readouterr().err


def test_info_names_layers_front_to_back(source: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(source)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "camp.collage: 64 × 64 px"
    layers = [line.strip().split('"')[0].split(":")[0].strip() for line in lines[4:]]
    assert layers == ["Layer 1", "Layer 0", "Background"]


def test_info_names_painted_noise(source: Path, capsys: pytest.CaptureFixture[str]):
    save_collage(painted(load_collage(source).document), source)
    assert main(["info", str(source)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == [
        '  Layer 1 "a thing 1": noise 60, painted, harmonise',
        '  Layer 0 "a thing 0": noise 50, harmonise',
    ]
    assert main(["info", str(source), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["noise_painted"] for layer in told] == [False, True]


def test_painted_noise_reaches_render_and_reroll(source: Path, tmp_path: Path):
    save_collage(painted(load_collage(source).document), source)
    first, second = tmp_path / "first.collage", tmp_path / "second.collage"
    assert main(["render", str(source), "-o", str(first), "--seeds", "7", "--quiet"]) == 0
    assert main(["reroll", str(first), "--layer", "layer 1", "-o", str(second), "--quiet"]) == 0
    for path in (first, second):
        made = load_collage(path).document
        paint = made.layers[1].noise_paint
        assert paint is not None
        assert made.accepted is not None
        entries = {entry["id"]: entry for entry in made.accepted.recipe.layers}
        assert entries["layer1"]["noise_paint"] == paint.key
        assert "noise_paint" not in entries["layer0"]


def test_an_export_says_that_painted_noise_is_lost(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    save_collage(painted(load_collage(source).document), source)
    lost, arguments = "Painted noise stays in the .collage only: Layer 1.", ["export", str(source)]
    assert main([*arguments, "-o", str(tmp_path / "a.ora")]) == 0
    assert capsys.readouterr().out.strip().endswith(lost)
    assert main([*arguments, "-o", str(tmp_path / "b.ora"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["losses"] == [lost]
    assert main([*arguments, "-o", str(tmp_path / "a.psd"), "--json"]) == 0
    assert "losses" not in json.loads(capsys.readouterr().out)


def test_info_as_json_holds_the_settings(source: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(source), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["settings"]["steps"] == 3
    assert [layer["id"] for layer in data["layers"]] == ["layer0", "layer1"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["render", "gone.collage", "-o", "out.png"], 1, "gone.collage is gone"),
        (["render", "IN", "-o", "out.xyz"], 2, "must end in"),
        (["render", "IN", "-o", "no/such/folder/out.png"], 1, "There is no folder"),
        (["render", "IN", "-o", "out.png", "--steps", "0"], 2, "Steps must lie in 1..1000"),
        (["render", "IN", "-o", "out.png", "--model", "m.ckpt", "--quiet"], 1, "is a pickle"),
        (["render", "IN", "-o", "out.png", "--method", "magic", "--quiet"], 1, "magic"),
        (["reroll", "IN", "-o", "out.png", "--layer", "Tent"], 1, "There is no layer Tent"),
        (["export", "IN", "-o", "out.xyz"], 2, "must end in"),
        (["rendr", "IN"], 2, "There is no file or command rendr. Commands are render,"),
        (["IN", "IN"], 2, "One file at a time"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
):
    monkeypatch.chdir(source.parent)
    assert main([str(source) if item == "IN" else item for item in arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_an_empty_collage_has_nothing_to_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_collage(Document(Size(64, 64)), tmp_path / "empty.collage")
    arguments = ["render", str(tmp_path / "empty.collage"), "-o", str(tmp_path / "out.png")]
    assert main(arguments) == 1
    assert "no visible layer" in capsys.readouterr().err


def test_two_layers_of_one_name_must_be_told_apart(
    source: Path, capsys: pytest.CaptureFixture[str]
):
    document = load_collage(source).document
    save_collage(change_layer(document, "layer1", name="Layer 0"), source)
    out = str(source.parent / "out.png")
    assert main(["reroll", str(source), "--layer", "Layer 0", "-o", out]) == 1
    assert "Use an id: layer0, layer1." in capsys.readouterr().err


def test_wrong_arguments_end_with_code_two(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["render"])
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_without_a_display_the_window_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main([str(source)]) == 1
    assert "There is no display" in capsys.readouterr().err


def test_seeds_are_lists_and_ranges():
    assert parse_seeds("1,2, 7-9,2") == (1, 2, 7, 8, 9)
    with pytest.raises(argparse.ArgumentTypeError, match="whole numbers"):
        parse_seeds("one")
    with pytest.raises(argparse.ArgumentTypeError, match="no seed"):
        parse_seeds("5-3")


def test_outputs_follow_the_kind_of_name(tmp_path: Path):
    source = Path("camp.collage")
    assert targets(tmp_path, source, [1, 2]) == {
        tmp_path / "camp-seed1.png": (1,),
        tmp_path / "camp-seed2.png": (2,),
    }
    assert targets(Path("a.psd"), source, [4]) == {Path("a.psd"): (4,)}
    assert targets(Path("a.psd"), source, [4, 5]) == {
        Path("a-seed4.psd"): (4,),
        Path("a-seed5.psd"): (5,),
    }
    assert targets(Path("a.collage"), source, [4, 5]) == {Path("a.collage"): (4, 5)}
