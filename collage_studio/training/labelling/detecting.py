"""Boxes of a picture: a detector's findings above a score, without doubles and tiny ones.

As the data of Rich-Context Layout-to-Image (arXiv 2409.04847) were made: scores from 0.25, words
from 0.2, class-agnostic suppression at an overlap of 0.5, objects of 1 % of the picture and more.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from collage_studio.training.labelling.checkpoints import kind_of, load_network, load_processor
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import Corners

ROLE = "detector"
_SMALL_WORDS = """
    and are around back behind below beside between big black blue bright brown close colour dark
    each for from front full gray green grey has have having her here his inside into its large
    left light lot lots made many middle near next off old one onto orange other out outside over
    photo photograph picture pink purple red right several she side sitting small some standing
    that the their them there these they this three top two under view walking white who with
    young yellow image
"""
_NAMES_NOTHING = frozenset(_SMALL_WORDS.split())


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: its box in px of the picture, its name ("" = none) and its score in 0..1."""

    box: Corners
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Which findings count.

    Args:
        threshold: least score. word_threshold: from which a word names a box, where words are
            scored by themselves. overlap: IoU from which the weaker of two boxes is left out.
        least_area: as a share of the picture. most: objects per picture.
    """

    threshold: float = 0.25
    word_threshold: float = 0.2
    overlap: float = 0.5
    least_area: float = 0.01
    most: int = 30

    def __post_init__(self) -> None:
        for name in ("threshold", "word_threshold", "overlap", "least_area"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingRefused(f"{name.replace('_', ' ')} must be from 0 to 1.")
        if self.most < 1:
            raise TrainingRefused("A picture needs at least 1 object: give a larger --most.")


class Detector:
    """A checkpoint of `AutoModelForObjectDetection`, or of the classes that are told words."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Load from a folder; raise `ModelUnavailable` with a sentence if that fails."""
        from transformers import (
            AutoImageProcessor,
            AutoModelForObjectDetection,
            AutoModelForZeroShotObjectDetection,
            AutoProcessor,
        )
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION_MAPPING_NAMES as TOLD,
        )

        self.is_told_words = kind_of(folder, ROLE) in TOLD
        """Whether it looks for words that it is told, and knows no names of its own."""
        auto = (
            AutoModelForZeroShotObjectDetection
            if self.is_told_words
            else AutoModelForObjectDetection
        )
        processor = AutoProcessor if self.is_told_words else AutoImageProcessor
        self._processor = load_processor(processor, folder, ROLE)
        self._network = load_network(auto, folder, ROLE, device, torch.float32)
        self._device = device

    @torch.inference_mode()
    def found(self, picture: Image.Image, words: Sequence[str], limits: Limits) -> list[Found]:
        """What is in a picture, largest first.

        Args:
            words: what to look for; only for detectors that are told words.
        """
        if self.is_told_words and not words:
            return []
        if self.is_told_words:
            return chosen(self._told(picture, words, limits), picture.size, limits)
        return chosen(self._known(picture, limits), picture.size, limits)

    def _told(self, picture: Image.Image, words: Sequence[str], limits: Limits) -> list[Found]:
        asked = [list(words)]
        given = self._processor(
            images=[picture], text=asked, return_tensors="pt", truncation=True
        ).to(self._device)
        post = self._processor.post_process_grounded_object_detection
        more: dict[str, Any] = {"text_labels": asked, "threshold": limits.threshold}
        if "text_threshold" in inspect.signature(post).parameters:
            more["text_threshold"] = limits.word_threshold
        sizes = [(picture.height, picture.width)]
        seen = post(self._network(**given), target_sizes=sizes, **more)[0]
        return _findings(seen, seen["text_labels"])

    def _known(self, picture: Image.Image, limits: Limits) -> list[Found]:
        given = self._processor(images=[picture], return_tensors="pt").to(self._device)
        sizes = [(picture.height, picture.width)]
        seen = self._processor.post_process_object_detection(
            self._network(**given), threshold=limits.threshold, target_sizes=sizes
        )[0]
        names = self._network.config.id2label
        return _findings(seen, [names.get(int(label), "") for label in seen["labels"]])


def chosen(found: Sequence[Found], size: tuple[int, int], limits: Limits) -> list[Found]:
    """The findings that count, cut to a picture of `size` (width, height), largest first.

    Of boxes that overlap by more than `limits.overlap` the one with the highest score stays,
    whatever their names are.
    """
    kept = list[Found]()
    for one in sorted(found, key=lambda one: -one.score):
        box = _cut(one.box, size)
        is_large = box_area(box) > limits.least_area * size[0] * size[1]
        if one.score < limits.threshold or not is_large:
            continue
        if all(overlap(box, other.box) <= limits.overlap for other in kept):
            kept.append(Found(box, one.name, one.score))
    return sorted(kept[: limits.most], key=lambda one: -box_area(one.box))


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of two boxes, 0..1."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, across) * max(0.0, down)
    union = box_area(one) + box_area(other) - common
    return common / union if union else 0.0


def box_area(box: Corners) -> float:
    """In px²; 0 for boxes that are empty."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def words_of(caption: str) -> list[str]:
    """The words of a caption that may name things, each once, for detectors that are told words."""
    words = (word.lower() for word in re.findall(r"[^\W\d_]+", caption))
    return list(dict.fromkeys(w for w in words if len(w) > 2 and w not in _NAMES_NOTHING))


def _cut(box: Corners, size: tuple[int, int]) -> Corners:
    across, down = float(size[0]), float(size[1])
    return (
        round(min(max(box[0], 0.0), across), 1),
        round(min(max(box[1], 0.0), down), 1),
        round(min(max(box[2], 0.0), across), 1),
        round(min(max(box[3], 0.0), down), 1),
    )


def _findings(seen: Any, names: Sequence[str]) -> list[Found]:
    boxes, scores = seen["boxes"].tolist(), seen["scores"].tolist()
    return [
        Found((x1, y1, x2, y2), _tidy(name), float(score))
        for (x1, y1, x2, y2), name, score in zip(boxes, names, scores, strict=True)
    ]


def _tidy(name: str) -> str:
    """A name as words; placeholders of checkpoints that have no names are none.

    Detectors that read all words as one text may name several, with what stands between them.
    """
    parts = re.sub(r"\[[A-Z]+\]", " ", str(name)).split(".")
    found = next((" ".join(part.split()) for part in parts if part.strip()), "")
    return "" if re.fullmatch(r"LABEL_\d+|N/A", found) else found
