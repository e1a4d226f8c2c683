"""Each layout format gives a document with its regions, texts, caption chips and values."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import own_masks
from collage_studio.document.model import Document, LayerKind
from collage_studio.formats.layouts.reading import layouts_in, read_layout
from collage_studio.formats.layouts.regions import box_of
from tests.formats.layouts import layout_files as files


def boxes(document: Document) -> dict[str, Rect]:
    masks = own_masks(document)
    return {layer.text: box_of(masks[layer.id] >= 0.5) for layer in document.layers}


def chips(document: Document) -> list[str]:
    return [layer.text for layer in map(document.find, document.caption.layer_ids) if layer]


def test_a_noise_collage_case_keeps_outlines_and_order(tmp_path: Path):
    document = read_layout(files.noise_collage(tmp_path / "testcase_buses")).document
    assert document.size == Size(64, 64)
    assert boxes(document) == dict(files.BUSES)
    assert {layer.kind for layer in document.layers} == {LayerKind.LAYOUT}
    corner = document.layers[0].mask
    assert corner is not None
    assert corner.values[0, 0] == 0
    assert document.written_caption()[0] == "a green bus parked beside a red bus"
    assert chips(document) == ["a green bus", "a red bus"]
    assert document.settings.method == "noise_collage"


def test_the_bars_of_a_letterbox_are_cut_off(tmp_path: Path):
    opened = read_layout(files.noise_collage(tmp_path / "testcase_buses", bars=10))
    assert opened.document.size == Size(64, 44)
    assert boxes(opened.document)["a red bus"] == Rect(26, 14, 60, 30)
    assert len(opened.notices) == 1


def test_a_file_of_a_region_stands_for_its_case(tmp_path: Path):
    case = files.noise_collage(tmp_path / "testcase_buses")
    assert len(read_layout(case / "P001" / "self_caption.json").document.layers) == 2


def test_a_folder_of_cases_asks_which_one(tmp_path: Path):
    for name in ("testcase_one", "testcase_two"):
        files.noise_collage(tmp_path / name)
    assert [one.name for one in layouts_in(tmp_path)] == ["one", "two"]
    assert len(read_layout(tmp_path, "two").document.layers) == 2


def test_a_box_mask_that_is_no_box_around_the_outline_wins(tmp_path: Path):
    case = files.noise_collage(tmp_path / "testcase_buses")
    files.write_mask(case / "P000" / "bbox_mask_image.png", files.box_mask(Rect(0, 0, 50, 50)))
    assert boxes(read_layout(case).document)["a green bus"] == Rect(0, 0, 50, 50)


@pytest.mark.parametrize("suffix", [".pkl", ".json"])
def test_a_dense_set_gives_the_larger_colour_the_first_text(tmp_path: Path, suffix: str):
    path = files.dense(tmp_path)
    if suffix == ".json":
        data = pickle.loads(path.read_bytes())
        path.unlink()
        path = files.write_json(tmp_path / "set.json", data)
    document = read_layout(path).document
    assert boxes(document) == {"a cat": Rect(4, 4, 40, 44), "a small dog": Rect(30, 48, 60, 60)}
    assert chips(document) == ["a cat", "a small dog"]
    assert document.settings.method == "dense_diffusion"


def test_a_segment_map_stands_for_its_case(tmp_path: Path):
    path = files.dense(tmp_path)
    (tmp_path / "testset_layout").mkdir()
    (tmp_path / "0.png").rename(tmp_path / "testset_layout" / "0.png")
    assert len(read_layout(tmp_path / "testset_layout" / "0.png").document.layers) == 2
    assert len(read_layout(path).document.layers) == 2


def test_smoothed_edges_go_to_the_nearest_colour(tmp_path: Path):
    path = files.dense(tmp_path)
    with Image.open(tmp_path / "0.png") as picture:
        large = picture.resize((512, 512), Image.Resampling.NEAREST)
    large.filter(ImageFilter.GaussianBlur(1)).save(tmp_path / "0.png")
    found = boxes(read_layout(path).document)
    assert found == {"a cat": Rect(32, 32, 320, 352), "a small dog": Rect(240, 384, 480, 480)}


def test_the_second_dog_gets_the_second_place_in_the_caption(tmp_path: Path):
    case = {"textual_condition": "a dog and a dog", "segment_descriptions": ["", "a dog", "a dog"]}
    document = read_layout(files.dense(tmp_path, {0: case})).document
    assert document.caption.layer_ids == tuple(layer.id for layer in document.layers)


def test_multi_diffusion_masks_may_overlap(tmp_path: Path):
    document = read_layout(files.multi_diffusion(tmp_path)).document
    assert boxes(document) == {"a dog": Rect(2, 2, 30, 40), "a tree": Rect(24, 10, 60, 60)}
    assert document.background.text == "a park with a tree"
    assert document.settings.avoid == "blurry"
    assert chips(document) == ["a tree"]


def test_a_folder_of_masks_with_prompts_txt_is_read_by_number(tmp_path: Path):
    for number in (2, 10):
        mask = files.box_mask(Rect(number, 0, number + 5, 5))
        files.write_mask(tmp_path / f"mask{number}.png", mask)
    (tmp_path / "prompts.txt").write_text("a park\ntwo\nten\n", encoding="utf-8")
    document = read_layout(tmp_path).document
    assert boxes(document) == {"two": Rect(2, 0, 7, 5), "ten": Rect(10, 0, 15, 5)}


def test_rich_context_takes_the_picture_beside_it_for_the_canvas(tmp_path: Path):
    document = read_layout(files.rich_context(tmp_path)).document
    assert document.size == Size(64, 48)
    assert boxes(document) == {
        "A living room.": Rect(0, 0, 64, 48), "A lamp on.": Rect(10, 8, 20, 30),
    }  # fmt: skip
    assert [layer.text for layer in document.layers] == ["A living room.", "A lamp on."]
    assert document.written_caption()[0] == "A living room., A lamp on."


def test_training_data_of_rich_context_have_width_and_height(tmp_path: Path):
    annos = [{"bbox": [10, 20, 30, 40], "caption": "a cup", "category_name": "cup"}]
    path = files.write_json(tmp_path / "label_1.json", {"caption": "a cup", "annos": annos})
    document = read_layout(path).document
    assert boxes(document) == {"a cup": Rect(10, 20, 40, 60)}
    assert document.size == Size(512, 512)


@pytest.mark.parametrize("chosen", ["panoptic_val.json", "panoptic_val/000139.png"])
def test_panoptic_ids_are_in_the_colours(tmp_path: Path, chosen: str):
    files.panoptic(tmp_path)
    document = read_layout(tmp_path / chosen).document
    assert boxes(document) == {"wall": Rect(0, 0, 64, 48), "person": Rect(10, 10, 40, 30)}
    wall = document.layers[0].mask
    assert wall is not None
    assert not wall.values[:4, :4].any()
    assert not wall.values[10:30, 10:40].any()


def test_a_collage_diffusion_preset_keeps_its_values(tmp_path: Path):
    opened = read_layout(files.collage_diffusion(tmp_path))
    document = opened.document
    room, lamp = document.layers
    assert document.size == Size(512, 512)
    assert document.background.fill == (150, 150, 150, 255)
    assert (room.text, lamp.text) == ("room", "lamp")
    assert (lamp.attention_in, lamp.attention_out, lamp.noise) == (0.88, 0.7, 0.4)
    assert (lamp.extras.control, document.background.noise) == (0.5, 0.9)
    assert document.written_caption()[0] == "a room with a lamp"
    assert chips(document) == ["room", "lamp"]
    assert (document.settings.steps, document.settings.guidance) == (50, 7.0)
    assert document.unknown["collage_diffusion"] == {"seed": 44}
    assert "44" in opened.notices[0]


def test_a_collage_diffusion_cutout_lies_at_its_polygons_corner(tmp_path: Path):
    lamp = read_layout(files.collage_diffusion(tmp_path)).document.layers[1]
    assert lamp.raster is not None
    assert lamp.raster.size.width in (20, 21)
    assert lamp.placement.apply(0, 0) == pytest.approx((256, 128))
    assert lamp.placement.apply(10, 0) == pytest.approx((256 + 51.2, 128))


def test_a_list_of_examples_is_one_case_each(tmp_path: Path):
    path = files.collage_diffusion(tmp_path)
    one = json.loads(path.read_text(encoding="utf-8"))
    files.write_json(path, [one, one])
    assert [layout.name for layout in layouts_in(path)] == ["room-1", "room-2"]


def test_masks_of_any_depth_are_halved_at_the_middle(tmp_path: Path):
    path = files.multi_diffusion(tmp_path)
    deep = np.where(files.box_mask(Rect(2, 2, 30, 40)) > 0, 40000, 20000).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "dog.png")
    assert boxes(read_layout(path).document)["a dog"] == Rect(2, 2, 30, 40)
