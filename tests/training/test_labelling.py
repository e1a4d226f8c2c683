"""Pictures are labelled by detectors and captioners of the real classes, tiny and random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_labellers as tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_world import SIZE, write_data
from transformers import AutoProcessor, BlipForConditionalGeneration, pipeline

from collage_studio.cli import main
from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.loading.pipelines import quiet
from collage_studio.training.labelling.captioning import Captioner, seen_size, tidy
from collage_studio.training.labelling.detecting import (
    Detector,
    Found,
    Limits,
    chosen,
    overlap,
    words_of,
)
from collage_studio.training.labelling.labels import (
    LabelConfig,
    Labeller,
    label,
    named,
    tasks_of_pictures,
)
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import check_pictures, read_manifest
from collage_studio.training.rich_context.manifest_source import ManifestSource

CPU = torch.device("cpu")
ANY = Limits(threshold=0.0, word_threshold=0.0, overlap=1.0, least_area=0.0, most=100)
Models = Callable[[str], Path]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The folder of a model of `tiny_labellers`, made when it is first asked for."""
    home, made = tmp_path_factory.mktemp("models"), dict[str, Path]()

    def folder(name: str) -> Path:
        if name not in made:
            quiet()
            made[name] = getattr(tiny, name)(home / name)
        return made[name]

    return folder


def noise(seed: int = 0, size: tuple[int, int] = (140, 90)) -> Image.Image:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (size[1] // 10, size[0] // 10, 3), np.uint8)
    return Image.fromarray(blocks.repeat(10, 0).repeat(10, 1))


def pictures(folder: Path, count: int = 3) -> Path:
    (folder / "more").mkdir(parents=True)
    for number in range(count):
        noise(number).save(folder / ("more" if number % 2 else "") / f"{number}.png")
    return folder


def test_a_detector_with_names_finds_what_the_stock_pipeline_finds(models: Models):
    folder = models("detr")
    stock = pipeline("object-detection", model=str(folder))(noise(), threshold=0.0)
    found = Detector(folder, CPU).found(noise(), (), ANY)
    _same(found, stock)


def test_a_detector_that_is_told_words_finds_what_the_stock_pipeline_finds(models: Models):
    folder, words = models("owl"), ["red apple", "tent"]
    ask = pipeline("zero-shot-object-detection", model=str(folder))
    both = ask(noise(), candidate_labels=words, threshold=0.0)
    # It asks for one word after the other; here the words of one box compete.
    best = {tuple(one["box"].values()): one for one in sorted(both, key=lambda one: one["score"])}
    stock = list(best.values())
    found = Detector(folder, CPU).found(noise(), words, ANY)
    _same(found, stock)
    assert Detector(folder, CPU).found(noise(), (), ANY) == []


def _same(found: list[Found], stock: list[dict[str, Any]]) -> None:
    theirs = sorted((one["score"], one["label"], *one["box"].values()) for one in stock)
    ours = sorted((one.score, one.name, *one.box) for one in found)
    assert len(ours) == len(theirs) > 1
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[0] == pytest.approx(other[0], abs=1e-6)
        assert mine[1] == other[1]
        inside = np.clip(other[2:], 0, [140, 90, 140, 90])
        # The pipeline cuts its boxes off to whole px.
        assert np.abs(np.array(mine[2:]) - inside).max() <= 1.06


def test_the_papers_detector_names_boxes_by_the_words_it_is_told(models: Models):
    detector = Detector(models("grounding_dino"), CPU)
    assert detector.is_told_words
    found = detector.found(noise(), ["red apple", "tent"], ANY)
    assert found
    assert {one.name for one in found} <= {"red apple", "apple", "tent"}


@given(
    st.lists(
        st.tuples(
            st.floats(-20, 90), st.floats(-20, 90), st.floats(0, 80), st.floats(0, 80),
            st.floats(0, 1),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_boxes_that_are_kept_are_inside_large_and_apart(drawn: list[tuple[float, ...]]):
    found = [Found((x, y, x + w, y + h), "", score) for x, y, w, h, score in drawn]
    limits = Limits(threshold=0.3, overlap=0.5, least_area=0.02, most=4)
    kept = chosen(found, (100, 80), limits)
    assert len(kept) <= 4
    for at, one in enumerate(kept):
        x1, y1, x2, y2 = one.box
        assert 0 <= x1 < x2 <= 100
        assert 0 <= y1 < y2 <= 80
        assert (x2 - x1) * (y2 - y1) > 0.02 * 8000
        assert one.score >= 0.3
        assert all(overlap(one.box, other.box) <= 0.5 for other in kept[:at])
    best = max((one.score for one in kept), default=0.0)
    assert all(one.score <= best for one in chosen(found, (100, 80), Limits(0.3, 0, 1, 0.02, 99)))


def test_of_two_boxes_in_one_place_the_surer_one_stays():
    weak, sure = Found((0, 0, 50, 50), "cat", 0.4), Found((2, 0, 52, 50), "dog", 0.9)
    assert chosen([weak, sure], (100, 100), Limits()) == [sure]
    small = Found((60, 60, 69, 70), "cat", 0.9)
    assert chosen([small], (100, 100), Limits()) == []
    assert chosen([sure, Found((0, 0, 90, 90), "sky", 0.3)], (100, 100), Limits())[0].name == "sky"


def test_words_to_look_for_are_those_of_the_caption_that_may_name_things():
    said = "A photo of a brown dog with a red collar, standing next to the Dog's tent"
    assert words_of(said) == ["dog", "collar", "tent"]


def test_a_captioner_without_questions_says_what_its_model_says(models: Models):
    folder = models("blip")
    network = BlipForConditionalGeneration.from_pretrained(folder).eval()
    processor: Any = AutoProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(images=[seen_size(noise())], return_tensors="pt")
    ids = network.generate(**pixels, do_sample=False, max_new_tokens=8)
    stock = processor.batch_decode(ids, skip_special_tokens=True)[0]
    captioner = Captioner(folder, CPU, torch.float32, 8)
    assert not captioner.chats
    assert captioner.texts([noise()], [""]) == [tidy(stock)]


def test_words_that_a_captioner_goes_on_from_are_not_part_of_its_answer(models: Models):
    captioner = Captioner(models("blip"), CPU, torch.float32, 8)
    asked = ["describe the picture", "a", "describe the picture"]
    told = captioner.texts([noise(at) for at in range(3)], asked)
    alone = [captioner.texts([noise(at)], [asked[at]])[0] for at in range(3)]
    assert told == alone
    assert not any(text.startswith("describe") for text in told)


@pytest.mark.parametrize("name", ["git", "llava"])
def test_each_picture_gets_its_own_words_in_a_batch_as_alone(models: Models, name: str):
    captioner = Captioner(models(name), CPU, torch.float32, 8)
    assert captioner.chats == (name == "llava")
    shown = [noise(at) for at in range(4)]
    asked = ["describe the picture", "describe the red apple behind the picture"] * 2
    told = captioner.texts(shown, asked)
    assert told == [captioner.texts([shown[at]], [asked[at]])[0] for at in range(4)]
    assert len(set(told)) > 1
    assert not any("describe the picture" in text for text in told)


def test_texts_are_one_line_without_full_stops_or_separators():
    assert tidy('"A dog;  on\n grass." ') == "A dog, on grass"
    assert named("dog", "a brown Dog") == "a brown Dog"
    assert named("dog", "something brown") == "dog, something brown"
    assert named("", "a thing") == "a thing"
    assert named("dog", "") == "dog"


def command(models: Models, data: Path, out: Path, *more: str, captioner: str = "llava"):
    return [
        "train", "label", "--images", str(data), "--out", str(out), "--quiet",
        "--detector", str(models("detr")), "--captioner", str(models(captioner)),
        "--threshold", "0.1", "--overlap", "0.9", "--longest", "6", "--device", "cpu", *more,
    ]  # fmt: skip


def test_a_folder_of_pictures_becomes_a_training_folder_and_is_not_labelled_twice(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data, out = pictures(tmp_path / "data"), tmp_path / "out"
    (data / "broken.jpg").write_bytes(b"nothing")
    assert main(command(models, data, out)) == 0
    said = capsys.readouterr()
    assert "broken.jpg" in said.err
    assert "Labelled 3 pictures, 0 were known; wrote 3 items" in said.out
    items = read_manifest(out)
    check_pictures(out, items)
    assert [item.key for item in items] == ["0.png", "2.png", "more/1.png"]
    assert all(item.caption and thing.text for item in items for thing in item.objects)
    source = ManifestSource(out, items, side=SIZE, factor=8)
    assert source.example(0, np.random.default_rng(0)).content.shape == (3, SIZE, SIZE)

    noise(9).save(data / "z.png")
    (data / "broken.jpg").unlink()
    assert main(command(models, data, out)) == 0
    assert "Labelled 1 pictures, 3 were known; wrote 4 items" in capsys.readouterr().out
    assert read_manifest(out)[:3] == items[:3]


def config_of(models: Models, out: Path, **more: Any) -> LabelConfig:
    limits = Limits(threshold=0.1, overlap=0.9)
    return LabelConfig(out, models("detr"), models("llava"), limits=limits, longest=6, **more)


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(models: Models, tmp_path: Path):
    data = pictures(tmp_path / "data")
    whole, parts = (config_of(models, tmp_path / name) for name in ("whole", "parts"))
    tasks = tasks_of_pictures(data, tmp_path / "none")
    label(tasks, whole, lambda: Labeller(whole, CPU))
    seen = list[int]()
    first = label(
        tasks, parts, lambda: Labeller(parts, CPU),
        report=lambda: seen.append(1), ends=lambda: len(seen) >= 1,
    )  # fmt: skip
    assert (first.made, first.items, first.ended) == (1, 1, True)
    torn = next((parts.out / "labels").rglob("*.json"))
    kept = torn.read_text()
    torn.write_text(kept[: len(kept) // 2])
    second = label(tasks, parts, lambda: Labeller(parts, CPU))
    assert (second.made, second.known) == (3, 0)
    assert (parts.out / "manifest.jsonl").read_text() == (whole.out / "manifest.jsonl").read_text()


def test_labels_that_are_there_need_no_models_and_other_settings_make_them_anew(
    models: Models, tmp_path: Path
):
    data, out = pictures(tmp_path / "data"), tmp_path / "out"
    config = config_of(models, out)
    tasks = tasks_of_pictures(data, out)
    label(tasks, config, lambda: Labeller(config, CPU))

    def never() -> Labeller:
        raise AssertionError("The models were loaded.")

    assert label(tasks, config, never).known == 3
    other = config_of(models, out, ask="describe the dog")
    assert label(tasks, other, lambda: Labeller(other, CPU)).made == 3
    shutil.copy(data / "0.png", data / "2.png")
    noise(3, (200, 90)).save(data / "0.png")
    assert label(tasks, other, lambda: Labeller(other, CPU)).made == 2


def test_known_boxes_are_described_anew_with_their_names(models: Models, tmp_path: Path):
    data, out = write_data(tmp_path / "data", 2), tmp_path / "made" / "out"
    before = read_manifest(data)
    lines = [json.loads(line) for line in (data / "manifest.jsonl").read_text().splitlines()]
    lines[0]["objects"][0]["mask"] = "0.png"
    lines[1]["objects"][0]["box"] = [3, 3, 20, 20]
    (data / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    asked = ["train", "label", "--data", str(data), "--out", str(out), "--quiet"]
    assert main([*asked, "--captioner", str(models("blip")), "--longest", "6"]) == 0
    items = read_manifest(out)
    check_pictures(out, items)
    assert [item.caption for item in items] == [item.caption for item in before]
    told, known = items[0].objects, before[0].objects
    assert [one.box for one in told] == [one.box for one in known]
    assert all(one.text.startswith(f"{old.text}, ") for one, old in zip(told, known, strict=True))
    assert (out / told[0].mask).samefile(data / "0.png")
    assert items[1].objects[0].text == before[1].objects[0].text


def test_pictures_lie_as_their_camera_says(models: Models, tmp_path: Path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = noise(4, (200, 100))
    lying.save(data / "a.png", exif=exif)
    config = config_of(models, out)
    label(tasks_of_pictures(data, out), config, lambda: Labeller(config, CPU))
    items = read_manifest(out)
    check_pictures(out, items)
    upright = lying.transpose(Image.Transpose.ROTATE_270)
    found = Detector(models("detr"), CPU).found(upright, (), config.limits)
    assert [one.box for one in items[0].objects] == [one.box for one in found]
    source = ManifestSource(out, items, side=200, factor=8)
    seen = source.example(0, np.random.default_rng(0)).content
    assert seen.shape == (3, 200, 200)
    whole = np.asarray(upright.resize((200, 400), Image.Resampling.BICUBIC), np.float32)
    rows = [seen, seen.flip(2)]
    ours = [(one.permute(1, 2, 0).numpy() + 1) * 127.5 for one in rows]
    errors = [np.abs(one - whole[y : y + 200]).mean() for one in ours for y in range(201)]
    assert min(errors) < 12


def refused(config: LabelConfig) -> str:
    with pytest.raises((TrainingRefused, ModelUnavailable)) as caught:
        Labeller(config, CPU)
    return str(caught.value)


def test_models_that_do_not_fit_are_refused_with_a_sentence(models: Models, tmp_path: Path):
    detr, blip, owl = models("detr"), models("blip"), models("owl")
    assert "holds no detector" in refused(LabelConfig(tmp_path, tmp_path, None))
    assert "holds no captioner" in refused(LabelConfig(tmp_path, None, tmp_path))
    assert "detector in" in refused(LabelConfig(tmp_path, blip, None))
    assert "captioner in" in refused(LabelConfig(tmp_path, None, detr))
    assert "give --words" in refused(LabelConfig(tmp_path, owl, None))
    deaf = LabelConfig(tmp_path, None, models("git"), ask_region="what is it")
    assert "takes no words" in refused(deaf)
    bare = tmp_path / "bare"
    shutil.copytree(detr, bare)
    (bare / "preprocessor_config.json").unlink()
    assert "without its processor" in refused(LabelConfig(tmp_path, bare, None))
    shutil.copytree(detr, tmp_path / "torn")
    (tmp_path / "torn" / "model.safetensors").write_bytes(b"x" * 64)
    assert "cannot be read" in refused(LabelConfig(tmp_path, tmp_path / "torn", None))
    shutil.copytree(models("grounding_dino"), tmp_path / "headless")
    headless = tmp_path / "headless" / "model.safetensors"
    from safetensors.torch import load_file, save_file

    kept = {name: w for name, w in load_file(headless).items() if "decoder" not in name}
    save_file(kept, headless, metadata={"format": "pt"})
    lacking = LabelConfig(tmp_path, tmp_path / "headless", None, words=("tent",))
    assert "of its weights" in refused(lacking)


def test_a_model_that_cannot_work_on_pictures_says_so_in_a_sentence(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data, wrong = pictures(tmp_path / "data", 1), tmp_path / "wrong"
    shutil.copytree(models("git"), wrong)
    for file in wrong.glob("*processor_config.json"):
        said = file.read_text().replace('"height": 32', '"height": 24')
        file.write_text(said)
    told = command(models, data, tmp_path / "out")
    told[told.index("--captioner") + 1] = str(wrong)
    assert main(told) == 1
    assert "cannot work on pictures in this way" in capsys.readouterr().err


def test_wrong_calls_are_refused_with_a_sentence(
    models: Models, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def said(*given: str, code: int = 2) -> str:
        assert main(["train", "label", *given, "--quiet"]) == code
        return capsys.readouterr().err

    here, out = str(tmp_path), str(tmp_path / "out")
    detr, blip = str(models("detr")), str(models("blip"))
    assert "--detector" in said("--images", here, "--out", out)
    assert "nothing for --detector" in said("--data", here, "--out", out, "--detector", detr)
    assert "--captioner" in said("--data", here, "--out", out)
    assert "no folder" in said("--images", f"{here}/x", "--out", out, "--detector", detr)
    none = said("--images", here, "--out", out, "--detector", detr, code=1)
    assert "no pictures" in none
    data = str(write_data(tmp_path / "data", 1))
    itself = said("--data", data, "--out", data, "--captioner", blip, code=1)
    assert "overwrite itself" in itself
    far = said("--images", data, "--out", out, "--detector", detr, "--threshold", "7", code=1)
    assert "from 0 to 1" in far
