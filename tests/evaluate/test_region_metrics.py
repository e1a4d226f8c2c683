"""CropCLIP and SAMIoU with tiny checkpoints of the real classes."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    SamConfig,
    SamImageProcessorPil,
    SamMaskDecoderConfig,
    SamModel,
    SamProcessor,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from collage_studio.document.geometry import Rect
from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.quality.region_metrics import CropClip, SamIou, box_iou, is_scored
from collage_studio.starter.tokenizer import build_tokenizer

BOXES = (Rect(10, 20, 60, 80), Rect(40, 8, 120, 96), Rect(-30, -30, -2, -2))
TEXTS = ("a red apple", "a tent behind the car", "a dog")


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (96, 128, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    words = build_tokenizer()
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    small["num_attention_heads"] = 2
    text = {**small, "vocab_size": len(words), "max_position_embeddings": 77}
    text |= {"eos_token_id": words.eos_token_id, "bos_token_id": words.bos_token_id}
    vision = {**small, "image_size": 32, "patch_size": 8}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        CLIPModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    small = {"hidden_size": 32, "num_attention_heads": 2}
    vision = SamVisionConfig(
        **small, num_hidden_layers=2, image_size=64, patch_size=8, output_channels=32,
        global_attn_indexes=[1], window_size=4, mlp_dim=64, num_pos_feats=16,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=32, image_size=64, patch_size=8)
    decoder = SamMaskDecoderConfig(**small, mlp_dim=64, num_hidden_layers=2, iou_head_hidden_dim=32)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        parts = {"vision_config": vision, "prompt_encoder_config": prompt}
        SamModel(SamConfig(**parts, mask_decoder_config=decoder)).save_pretrained(folder)
    return folder


def test_crop_clip_is_what_the_model_says_of_the_crop_and_its_text(clip_folder: Path) -> None:
    model: Any = CLIPModel.from_pretrained(clip_folder).eval()
    shapes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor: Any = CLIPProcessor(CLIPImageProcessorPil(**shapes), build_tokenizer())
    found = CropClip(clip_folder).scores(picture(), BOXES, TEXTS)
    whole = Image.fromarray(picture())
    for box, text, score in zip(BOXES[:2], TEXTS[:2], found[:2], strict=True):
        crop = whole.crop((box.left, box.top, box.right, box.bottom))
        given = processor(text=[text], images=[crop], return_tensors="pt", padding=True)
        with torch.inference_mode():
            expected = float(model(**given).logits_per_image)
        assert score == pytest.approx(expected, abs=2e-3)
    assert math.isnan(found[2])


def test_long_texts_are_cut_at_77_tokens(clip_folder: Path) -> None:
    clip = CropClip(clip_folder)
    long = "a tent " * 60
    assert clip.scores(picture(), BOXES[:1], [long]) == clip.scores(
        picture(), BOXES[:1], [long + "and a dog"]
    )


def test_sam_iou_is_that_of_the_box_around_its_mask(sam_folder: Path) -> None:
    model: Any = SamModel.from_pretrained(sam_folder).eval()
    shapes = {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}}
    processor: Any = SamProcessor(SamImageProcessorPil(**shapes))
    box = BOXES[1]
    corners = [[[box.left, box.top, box.right, box.bottom]]]
    given = processor(Image.fromarray(picture()), input_boxes=corners, return_tensors="pt")
    with torch.inference_mode():
        out = model(
            pixel_values=given["pixel_values"],
            input_boxes=given["input_boxes"].float(),
            multimask_output=False,
        )
    # The mask at 4 x the embedding, brought to the padded square, cut and brought to the picture.
    logits = interpolate(out.pred_masks[0].float(), (64, 64), mode="bilinear", align_corners=False)
    mask = interpolate(logits[..., :48, :64], (96, 128), mode="bilinear", align_corners=False)[0, 0]
    rows, columns = (np.flatnonzero((mask > 0).any(axis).numpy()) for axis in (1, 0))
    expected = 0.0
    if len(rows):
        around = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        expected = box_iou(around, box)
    sure = float(out.iou_scores[0, 0, 0])
    sam = SamIou(sam_folder)
    masks, told = sam._masks(picture(), [box])  # pyright: ignore[reportPrivateUsage]
    assert told[0] == pytest.approx(sure, abs=1e-4)
    assert (masks[0] == (mask > 0).numpy()).mean() > 0.999
    [found] = sam.scores(picture(), [box])
    assert found == pytest.approx(0.0 if sure <= 0.5 else expected, abs=0.02)


@pytest.mark.parametrize(("quality", "expected"), [(0.5, 0.0), (0.51, 1.0)])
def test_masks_that_sam_is_not_sure_of_count_as_nothing(
    sam_folder: Path, monkeypatch: pytest.MonkeyPatch, quality: float, expected: float
) -> None:
    sam, box = SamIou(sam_folder), BOXES[0]
    mask = np.zeros((1, 96, 128), bool)
    mask[0][box.slices] = True
    monkeypatch.setattr(sam, "_masks", lambda picture, boxes: (mask, [quality]))
    assert sam.scores(picture(), [box]) == (expected,)
    mask[:] = False
    assert sam.scores(picture(), [box]) == (0.0,)


def test_boxes_of_less_than_a_twentieth_or_more_than_half_are_left_out() -> None:
    assert not is_scored(Rect(0, 0, 20, 20), 100, 100)
    assert is_scored(Rect(0, 0, 25, 20), 100, 100)
    assert is_scored(Rect(0, 0, 50, 100), 100, 100)
    assert not is_scored(Rect(0, 0, 51, 100), 100, 100)
    assert not is_scored(Rect(-60, 0, 4, 100), 100, 100)


def test_iou_counts_pixels_without_an_edge_of_its_own() -> None:
    assert box_iou(Rect(0, 0, 10, 10), Rect(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_iou(Rect(0, 0, 0, 0), Rect(0, 0, 0, 0)) == 0.0
    assert box_iou(Rect(0, 0, 4, 4), Rect(4, 0, 8, 4)) == 0.0


def test_folders_without_a_model_or_with_a_damaged_one_say_so(
    clip_folder: Path, sam_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="holds no CLIP model"):
        CropClip(tmp_path)
    with pytest.raises(ModelUnavailable, match="holds no SAM model"):
        SamIou(tmp_path)
    for folder, meter in ((clip_folder, CropClip), (sam_folder, SamIou)):
        for path in folder.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "model.safetensors").write_bytes(b"nonsense")
        with pytest.raises(ModelUnavailable, match="cannot be read"):
            meter(tmp_path)
