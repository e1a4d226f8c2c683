"""Manifests, crops, and what other data is turned into."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_documents import collage
from tiny_world import SIZE, write_data

from collage_studio.cli import main
from collage_studio.formats.collage_file import save_collage
from collage_studio.starter.rich_context import crowded_scene, long_phrase, write_layouts
from collage_studio.starter.tokenizer import world_words
from collage_studio.starter.world import HELD_OUT_FROM, HeldOutSeed
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import (
    Item,
    ItemObject,
    check_pictures,
    read_manifest,
    write_manifest,
)
from collage_studio.training.rich_context.manifest_source import ManifestSource


def refusal(folder: Path) -> str:
    with pytest.raises(TrainingRefused) as caught:
        check_pictures(folder, read_manifest(folder))
    return str(caught.value)


def test_a_manifest_comes_back_as_it_was(tmp_path: Path):
    thing = ItemObject((1.0, 2.0, 30.0, 40.0), "a dog next to a tent", "mask.png")
    items = [Item("a.png", "a caption", (thing,), "mine", "7")]
    assert write_manifest(tmp_path, items) == 1
    assert read_manifest(tmp_path) == items


def test_bad_data_is_refused_with_a_sentence(tmp_path: Path):
    assert "no manifest.jsonl" in refusal(tmp_path)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("{}\n")
    assert "Line 1" in refusal(tmp_path)
    manifest.write_text('{"image": "a.png", "objects": []}\n')
    assert "no item with objects" in refusal(tmp_path)
    manifest.write_text('{"image": "a.png", "objects": [{"box": [9, 0, 3, 4], "text": "a"}]}\n')
    assert "larger ones" in refusal(tmp_path)
    manifest.write_text('{"image": "a.png", "objects": [{"box": [90, 0, 99, 4], "text": "a"}]}\n')
    assert "is missing" in refusal(tmp_path)
    (tmp_path / "a.png").write_bytes(b"nothing")
    assert "cannot be read" in refusal(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert "outside" in refusal(tmp_path)


def test_the_command_refuses_data_without_a_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["train", "rich-context", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*command, "--quiet"]) == 1
    assert "no manifest.jsonl" in capsys.readouterr().err


def source(folder: Path, items: list[Item]) -> ManifestSource:
    return ManifestSource(folder, items, side=SIZE, factor=8)


def test_pictures_whose_words_say_sides_are_never_mirrored(tmp_path: Path):
    data = source(tmp_path, read_manifest(write_data(tmp_path, 1)))
    seen = [data.example(0, np.random.default_rng(seed)).content for seed in range(8)]
    assert all(torch.equal(picture, seen[0]) for picture in seen)


def test_a_mirrored_picture_mirrors_its_boxes(tmp_path: Path):
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[:, :16] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = source(tmp_path, [Item("a.png", "", (ItemObject((0, 0, 16, 64), "a wall"),), key="a")])
    for seed in range(8):
        example = data.example(0, np.random.default_rng(seed))
        bright = example.content[0].numpy() > 0
        cells = bright.reshape(8, 8, 8, 8).all(axis=(1, 3))
        assert (example.objects[0].mask == cells).all()


def test_objects_that_a_crop_hardly_shows_are_left_out(tmp_path: Path):
    Image.new("RGB", (256, 64)).save(tmp_path / "wide.png")
    things = tuple(ItemObject((x, 0, x + 32, 64), f"post {x}") for x in range(0, 256, 32))
    data = source(tmp_path, [Item("wide.png", "", things, key="a")])
    for seed in range(10):
        objects = data.example(0, np.random.default_rng(seed)).objects
        assert 2 <= len(objects) <= 3
        assert all(0 <= side <= 1 for thing in objects for side in thing.box)


def test_masks_follow_the_crop(tmp_path: Path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[:32, 32:] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    thing = ItemObject((0, 0, 64, 64), "a flag on the right", "m.png")
    example = source(tmp_path, [Item("a.png", "", (thing,), key="a")]).example(
        0, np.random.default_rng(0)
    )
    assert example.objects[0].box == (0.5, 0.0, 1.0, 0.5)
    assert example.objects[0].mask.sum() == 16


def test_coco_becomes_a_manifest(tmp_path: Path):
    Image.new("RGB", (100, 80)).save(tmp_path / "1.jpg")
    notes = [
        {"image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0},
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 2], "iscrowd": 0},
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 50, 50], "iscrowd": 1},
    ]
    images = [{"id": 1, "file_name": "1.jpg", "width": 100, "height": 80}]
    said = {"images": images, "annotations": notes, "categories": [{"id": 3, "name": "dog"}]}
    (tmp_path / "instances.json").write_text(json.dumps(said))
    captions = {"annotations": [{"image_id": 1, "caption": "A dog."}]}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    out = tmp_path / "out"
    command = ["train", "prepare", "--coco", str(tmp_path / "instances.json"), "--out", str(out)]
    command += ["--captions", str(tmp_path / "captions.json"), "--images", str(tmp_path)]
    assert main(command) == 0
    (item,) = read_manifest(out)
    assert item.caption == "A dog."
    assert item.objects == (ItemObject((10.0, 20.0, 40.0, 60.0), "dog"),)
    check_pictures(out, [item])


def test_label_files_become_a_manifest(tmp_path: Path):
    Image.new("RGB", (100, 80)).save(tmp_path / "1.jpg")
    notes = [{"bbox": [10, 20, 30, 40], "caption": "a brown dog", "category_name": "dog"}]
    said = {"file_name": "1.jpg", "caption": "a park", "annos": notes}
    (tmp_path / "label_1.json").write_text(json.dumps(said))
    out = tmp_path / "out"
    command = ["train", "prepare", "--labels", str(tmp_path / "label_1.json")]
    assert main([*command, "--images", str(tmp_path), "--out", str(out)]) == 0
    assert read_manifest(out)[0].objects[0].text == "a brown dog"


def test_documents_become_a_manifest(tmp_path: Path):
    save_collage(collage(2), tmp_path / "table.collage")
    out = tmp_path / "out"
    command = ["train", "prepare", "--documents", str(tmp_path / "table.collage")]
    assert main([*command, "--out", str(out)]) == 0
    (item,) = read_manifest(out)
    check_pictures(out, [item])
    assert [thing.text for thing in item.objects] == ["a thing 0", "a thing 1"]
    assert item.objects[1].box == (8.0, 4.0, 104.0, 84.0)


def test_sticker_scenes_become_a_manifest(tmp_path: Path):
    assert main(["train", "prepare", "--synthetic", "2", "--out", str(tmp_path)]) == 0
    items = read_manifest(tmp_path)
    check_pictures(tmp_path, items)
    assert len(items) == 2


def test_one_source_of_data_has_to_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["train", "prepare", "--out", str(tmp_path)]) == 2
    assert "Give one of" in capsys.readouterr().err


def test_long_texts_use_the_starters_words_and_name_their_own_object():
    known = set(world_words())
    for seed in range(60):
        scene = crowded_scene(seed)
        for index, placed in enumerate(scene.objects):
            text = long_phrase(np.random.default_rng([seed, index]), scene, index)
            assert set(re.findall(r"[a-z]+", text)) <= known
            assert len(re.findall(rf"\b{placed.phrase}\b", text)) == 1
            assert ";" not in text
            assert text == long_phrase(np.random.default_rng([seed, index]), scene, index)


def test_held_out_scenes_are_never_encoded_for_training(tmp_path: Path):
    with pytest.raises(HeldOutSeed):
        write_layouts(tmp_path, range(HELD_OUT_FROM, HELD_OUT_FROM + 1), None)  # type: ignore[arg-type]
