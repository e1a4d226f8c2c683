"""Measures what a run has made: for each layer, does its box show its text, and does it fill it?

With a CLIP and a SAM checkpoint that a person chose these are CropCLIP and SAMIoU; for the bundled
model, whose pictures only the judge knows, they are the judge's probability and the place where it
sees the object. Layers whose box is below 5 % or above 50 % of the canvas are not measured.
With an image encoder each visible layer of any size has its identity compared as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from collage_studio.document.geometry import Rect
from collage_studio.document.layouts import own_masks
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import ModelUnavailable, Picture
from collage_studio.engine.quality.identity import Encoder, IdentityMeter, open_encoder
from collage_studio.engine.quality.judge import MARGIN, Judge, JudgeMissing, cut_square
from collage_studio.engine.quality.region_metrics import CropClip, SamIou, box_iou, is_scored
from collage_studio.engine.recent import Recent
from collage_studio.engine.regions.segments import worded_layers

CLIP_IN_FULL = 50.0
"""CropCLIP that counts as 1. Crops and texts that belong together have about 30, others 20."""

_SIDES = (0.7, 1.0, 1.4)
_SHIFTS = (-0.35, 0.0, 0.35)
_SEEN = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """A layer to be measured: its box in canvas px."""

    layer_id: str
    name: str
    text: str
    box: Rect


@dataclass(frozen=True, slots=True)
class Critic:
    """Who looks at the pictures of one run."""

    asked: Sequence[Asked]
    judge: Judge | None = None
    clip: CropClip | None = None
    sam: SamIou | None = None
    identity: IdentityMeter | None = None

    def measure(self, picture: Picture) -> dict[str, dict[str, float]]:
        """What is known of each layer in a picture (H, W, 3) of the canvas's size, by id."""
        picture = np.ascontiguousarray(picture[..., :3])
        found: dict[str, dict[str, float]] = {one.layer_id: {} for one in self.asked}
        boxes = [one.box for one in self.asked]
        if self.clip is not None:
            texts = [one.text for one in self.asked]
            for one, value in zip(self.asked, self.clip.scores(picture, boxes, texts), strict=True):
                if not math.isnan(value):
                    share = min(1.0, max(0.0, value / CLIP_IN_FULL))
                    found[one.layer_id] |= {"text": round(share, 4), "clip": value}
        if self.sam is not None:
            for one, value in zip(self.asked, self.sam.scores(picture, boxes), strict=True):
                if not math.isnan(value):
                    found[one.layer_id]["box"] = round(value, 4)
        if self.judge is not None:
            for one in self.asked:
                found[one.layer_id] |= _judged(self.judge, picture, one)
        if self.identity is not None:
            for layer_id, value in self.identity.measure(picture).items():
                found.setdefault(layer_id, {})["identity"] = value
        return {layer_id: told for layer_id, told in found.items() if told}


@dataclass(slots=True)
class Critics:
    """Keeps the networks that look at pictures as long as runs ask for them."""

    _judges: Recent[str, Judge] = field(default_factory=lambda: Recent[str, Judge](1))
    _clips: Recent[str, CropClip] = field(default_factory=lambda: Recent[str, CropClip](1))
    _sams: Recent[str, SamIou] = field(default_factory=lambda: Recent[str, SamIou](1))
    _encoders: Recent[str, Encoder] = field(default_factory=lambda: Recent[str, Encoder](1))

    def of(self, document: Document, settings: RunSettings) -> tuple[Critic | None, str]:
        """Who looks at the pictures of a run, and why not if somebody cannot."""
        critic, why_not = self._critic(document, settings)
        if not settings.extras.identity_model:
            return critic, why_not
        try:
            meter = self._identity(document, settings.extras.identity_model)
        except ModelUnavailable as error:
            return critic, f"{why_not} {error}".strip()
        return replace(critic or Critic(()), identity=meter), why_not

    def _identity(self, document: Document, path: str) -> IdentityMeter:
        encoder = self._encoders.get(path, lambda: open_encoder(_folder(path)))
        return IdentityMeter(encoder, document)

    def _critic(self, document: Document, settings: RunSettings) -> tuple[Critic | None, str]:
        clip, sam = settings.extras.clip_model, settings.extras.sam_model
        is_judged = settings.model == "starter" and not (clip or sam)
        if not (clip or sam or is_judged):
            return None, ""
        asked = asked_of(document)
        if not asked:
            return None, ""
        try:
            if is_judged:
                judge = self._judges.get("", Judge.load)
                return Critic(asked, judge=judge), ""
            return Critic(
                asked,
                clip=self._clips.get(clip, lambda: CropClip(_folder(clip))) if clip else None,
                sam=self._sams.get(sam, lambda: SamIou(_folder(sam))) if sam else None,
            ), ""
        except JudgeMissing:
            return None, ""
        except ModelUnavailable as error:
            return None, str(error)


def asked_of(document: Document) -> list[Asked]:
    """Visible layers with a text whose box on the canvas is neither too small nor too large."""
    masks, found = own_masks(document), list[Asked]()
    for layer in worded_layers(document):
        mask = masks.get(layer.id)
        if mask is None:
            continue
        rows, columns = np.flatnonzero((mask > 0.05).any(1)), np.flatnonzero((mask > 0.05).any(0))
        if not len(rows):
            continue
        box = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        if is_scored(box, *document.size.shape):
            found.append(Asked(layer.id, layer.name, layer.text.strip(), box))
    return found


def with_quality(
    layers: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, float]]
) -> tuple[Mapping[str, Any], ...]:
    """A recipe's entries of layers with what was measured of them."""
    return tuple(
        {**entry, "quality": dict(found[str(entry["id"])])}
        if str(entry.get("id")) in found
        else entry
        for entry in layers
    )


def _folder(path: str) -> Path:
    return Path(path).expanduser()


def _judged(judge: Judge, picture: Picture, one: Asked) -> dict[str, float]:
    """What the judge says of a layer; nothing where its text names no object that it knows."""
    number = _named(judge.names, one)
    if number is None:
        return {}
    box = one.box
    centre = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    side = MARGIN * max(box.width, box.height)
    squares = [
        (centre[0] + right * side, centre[1] + down * side, side * share)
        for share in _SIDES
        for down in _SHIFTS
        for right in _SHIFTS
    ]
    middle = squares.index((*centre, side))
    chances = judge.chances([cut_square(picture, *square) for square in squares])[:, number]
    around = _square(centre[0], centre[1], side)
    sure = [place for place, chance in enumerate(chances) if chance >= _SEEN]
    fit = 0.0
    if sure:
        x, y, wide = np.average(
            np.array([squares[place] for place in sure]), axis=0, weights=chances[sure]
        )
        fit = box_iou(_square(float(x), float(y), float(wide)), around)
    return {"text": round(float(chances[middle]), 4), "box": round(fit, 4)}


def _named(names: Sequence[str], one: Asked) -> int | None:
    """The object that a layer is about: that of its name, or the only one that its text names."""
    words = one.text.lower()
    said = [number for number, name in enumerate(names) if name in words]
    by_name = [number for number in said if names[number] == one.name.lower()]
    if by_name:
        return by_name[0]
    return said[0] if len(said) == 1 else None


def _square(x: float, y: float, side: float) -> Rect:
    left, top = round(x - side / 2), round(y - side / 2)
    return Rect(left, top, left + round(side), top + round(side))
