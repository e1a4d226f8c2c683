"""Small files of every layout format, written as the programs that own them write theirs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from collage_studio.document.geometry import Rect

SIDE = 64
GREEN, PINK = (78, 173, 117), (195, 95, 133)


def box_mask(box: Rect, width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """(H, W) uint8, 255 in the box."""
    mask = np.zeros((height, width), np.uint8)
    mask[box.slices] = 255
    return mask


def write_mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


BUSES = (
    ("a green bus", Rect(4, 20, 30, 44)),
    ("a red bus", Rect(26, 24, 60, 40)),
)


def noise_collage(folder: Path, bars: int = 0) -> Path:
    """A case of two buses; `bars` px above and below are a letterbox."""
    full = np.full((SIDE, SIDE), 255, np.uint8)
    margin = full.copy()
    if bars:
        margin[:bars], margin[-bars:] = 0, 0
        margin[bars - 1], margin[-bars] = 47, 99
    write_mask(folder / "PALL" / "mask_image.png", full)
    write_mask(folder / "PALL" / "bbox_mask_image.png", full)
    write_mask(folder / "PALL" / "margin_mask_image.png", margin)
    write_json(folder / "PALL" / "self_caption.json", "A green bus parked beside a red bus")
    for number, (text, box) in enumerate(BUSES):
        part = folder / f"P{number:03}"
        outline = box_mask(box)
        outline[box.top, box.left] = 0
        drawn = Rect(box.left, box.top, box.right + 1, box.bottom + 1)
        write_mask(part / "mask_image.png", outline)
        write_mask(part / "bbox_mask_image.png", box_mask(drawn))
        write_json(part / "self_caption.json", text)
    return folder


def dense(folder: Path, cases: dict[Any, Any] | None = None, name: str = "testset.pkl") -> Path:
    """A pickled set; case 0 has a large green cat and a small pink dog on white."""
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[4:44, 4:40] = GREEN
    pixels[48:60, 30:60] = PINK
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / "0.png")
    cases = cases or {
        0: {
            "textual_condition": "A cat sitting near a small dog",
            "segment_descriptions": ["", "a cat", "a small dog"],
        }
    }
    (folder / name).write_bytes(pickle.dumps(cases, protocol=4))
    return folder / name


def multi_diffusion(folder: Path) -> Path:
    """A JSON with the arguments' names, two masks and texts."""
    write_mask(folder / "dog.png", box_mask(Rect(2, 2, 30, 40)))
    write_mask(folder / "tree.png", box_mask(Rect(24, 10, 60, 60)))
    return write_json(
        folder / "set.json",
        {
            "mask_paths": ["dog.png", "tree.png"],
            "bg_prompt": "a park with a tree",
            "bg_negative": "blurry",
            "fg_prompts": ["a dog", "a tree"],
            "fg_negative": ["blurry", "blurry"],
        },
    )


def rich_context(folder: Path) -> Path:
    """Two boxes, the small one first, as in the demos: no caption, no size."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (SIDE, 48)).save(folder / "demo.jpg")
    return write_json(
        folder / "demo.json",
        {
            "bboxes": [[10, 8.0, 20, 30], [0, 0, 64, 48]],
            "labels": ["A lamp; on.", "A living room."],
        },
    )


def panoptic(folder: Path) -> Path:
    """Two segments and a corner that belongs to none."""
    ids = np.full((48, SIDE), 70000, np.uint32)
    ids[10:30, 10:40] = 300
    ids[:4, :4] = 0
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    (folder / "panoptic_val").mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).save(folder / "panoptic_val" / "000139.png")
    return write_json(
        folder / "panoptic_val.json",
        {
            "images": [{"id": 139, "width": SIDE, "height": 48}],
            "categories": [{"id": 1, "name": "person"}, {"id": 199, "name": "wall-other-merged"}],
            "annotations": [
                {
                    "image_id": 139,
                    "file_name": "000139.png",
                    "segments_info": [
                        {"id": 300, "category_id": 1},
                        {"id": 70000, "category_id": 199},
                    ],
                }
            ],
        },
    )


def collage_diffusion(folder: Path) -> Path:
    """A bundled example, camel case: a room and a lamp cut out by a polygon; seed 44."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (200, 180, 160)).save(folder / "room.png")
    Image.new("RGB", (40, 20), (250, 240, 90)).save(folder / "lamp.png")
    square = [
        {"x": 0.25, "y": 0.0},
        {"x": 0.75, "y": 0.0},
        {"x": 0.75, "y": 1.0},
        {"x": 0.25, "y": 1},
    ]
    return write_json(
        folder / "room.json",
        {
            "collage": {
                "collageId": "x",
                "collagePrompt": "a room with a lamp",
                "numInferenceSteps": 50,
                "guidanceScale": 7,
                "seed": 44,
                "layers": [
                    _ui_layer(2, "lamp", (0.5, 0.25), 0.01, square, (0.88, 0.7, 0.4, 0.5)),
                    _ui_layer(1, "room", (0.0, 0.0), 1 / 64, [], (0.2, 0.2, 0.9, 0.1)),
                ],
                "inputTokenData": [
                    {"data": "a", "layerKey": None, "id": "1"},
                    {"data": None, "layerKey": "key-room", "id": "2"},
                    {"data": "with a", "layerKey": None, "id": "3"},
                    {"data": None, "layerKey": "key-lamp", "id": "4"},
                ],
            },
            "collageImage": "before.png",
        },
    )


def _ui_layer(
    place: int,
    name: str,
    position: tuple[float, float],
    scale: float,
    polygon: list[Any],
    values: tuple[float, float, float, float],
) -> dict[str, Any]:
    return {
        "id": place,
        "key": f"key-{name}",
        "originalImgUrl": f"https://example.invalid/bucket/{name}.png?size=1",
        "textPrompt": name,
        "cacStrength": values[0],
        "negativeStrength": values[1],
        "noiseStrength": values[2],
        "cannyStrength": values[3],
        "transform": {
            "position": {"x": position[0], "y": position[1]},
            "scale": scale,
            "rotation": 0,
        },
        "polygon": polygon,
    }
