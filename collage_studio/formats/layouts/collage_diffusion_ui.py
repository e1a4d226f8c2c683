"""Collages of the Collage Diffusion UI: saved JSON, and the bundled examples with their presets.

The canvas is 512 px square and grey. `position` is the top left corner as a part of the canvas,
`scale` a part of the canvas per source pixel; a picture with a polygon is cut to the polygon's
box first. Pictures are taken from beside the file by the name their address ends in: nothing is
fetched.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from collage_studio.document.extras import LayerExtras
from collage_studio.document.geometry import Affine, Rect, Size
from collage_studio.document.model import Caption, Document, Layer, LayerRef, Mask, Raster, new_id
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.errors import FormatError
from collage_studio.formats.images import load_image
from collage_studio.formats.layouts.regions import (
    MAX_REGIONS,
    Covered,
    Layout,
    box_of,
    caption_of,
)
from collage_studio.formats.layouts.sources import (
    beside,
    list_of,
    number_of,
    object_of,
    read_json,
    text_of,
)
from collage_studio.formats.opened import Opened

CANVAS = Size(512, 512)
_GREY = (150, 150, 150, 255)
_CAPITAL = re.compile(r"_([a-z])")


class _Names:
    """A JSON object whose keys are written with underscores or in camel case."""

    def __init__(self, value: object, where: str) -> None:
        self.values, self.where = object_of(value, where), where

    def get(self, key: str) -> Any:
        """The value; None if absent."""
        camel = _CAPITAL.sub(lambda match: match.group(1).upper(), key)
        return self.values.get(key, self.values.get(camel))

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number within [low, high]; `default` if absent."""
        value = self.get(key)
        if value is None:
            return default
        number = number_of(value, f"{key} of {self.where}")
        if not low <= number <= high:
            raise FormatError(
                f"{key} of {self.where} is {number:g} and must lie in {low:g}..{high:g}."
            )
        return number


@dataclass(frozen=True, slots=True)
class _Placed:
    layer: Layer
    key: str
    place: float
    notices: tuple[str, ...]


def is_collage_diffusion(data: object) -> bool:
    """Whether `data` looks like a collage of the UI, or a list of its examples."""
    if isinstance(data, list):
        return bool(data) and is_collage_diffusion(cast(list[Any], data)[0])
    if not isinstance(data, dict):
        return False
    inner = cast(dict[str, Any], data)
    return "layers" in inner or isinstance(inner.get("collage"), dict)


def collage_diffusion_cases(path: Path) -> tuple[Layout, ...]:
    """The collage in a file, or every example of a list."""
    data = read_json(path)
    if not isinstance(data, list):
        return (Layout(path.stem, lambda: _read(path, path.name, data)),)
    return tuple(
        Layout(
            f"{path.stem}-{at}",
            lambda at=at, one=one: _read(path, f"Example {at} of {path.name}", one),
        )
        for at, one in enumerate(cast(list[Any], data), start=1)
    )


def _read(path: Path, where: str, value: object) -> Opened:
    outer = object_of(value, where)
    data = _Names(outer.get("collage", outer), where)
    given = list_of(data.get("layers"), f"layers of {where}")
    if not 1 <= len(given) <= MAX_REGIONS:
        raise FormatError(f"{where} has {len(given)} layers; 1 to {MAX_REGIONS} can be imported.")
    placed = sorted(
        (_layer(path, f"Layer {at} of {where}", one) for at, one in enumerate(given, start=1)),
        key=lambda one: one.place,
    )
    if len({one.key for one in placed} | {"background"}) <= len(placed):
        raise FormatError(f"{where} has two layers with the same key. Give each one of its own.")
    layers = tuple(one.layer for one in placed)
    document = Document(CANVAS, layers, caption=_caption(data, placed), settings=_settings(data))
    noise = max(layer.noise for layer in layers)
    ground = replace(document.background, fill=_GREY, noise=noise)
    notices = [notice for one in placed for notice in one.notices]
    seed = data.get("seed")
    if seed is not None:
        number = int(number_of(seed, f"seed of {where}"))
        document = replace(document, unknown={"collage_diffusion": {"seed": number}})
        notices.append(f"The collage was made with seed {number}.")
    return Opened(replace(document, background=ground), tuple(notices))


def _settings(data: _Names) -> RunSettings:
    """The UI's Euler ancestral sampler with the collage's steps and guidance."""
    return RunSettings(
        method="collage_diffusion",
        sampler="euler_a",
        steps=round(data.number("num_inference_steps", 50, 1, 1000)),
        guidance=data.number("guidance_scale", 7.0, 0, 100),
    )


def _layer(path: Path, where: str, value: object) -> _Placed:
    data = _Names(value, where)
    text = text_of(data.get("text_prompt"), f"The text of {where}")
    raster = load_image(_picture(path, data))
    covered = _polygon(data, raster.size)
    raster, mask = _cut(raster, covered, where)
    key = text_of(data.get("key"), f"The key of {where}", needed=False) or new_id()
    notices = (f"The learned look of “{text}” is left out.",) if data.get("word_embedding") else ()
    layer = Layer(
        key,
        text[:1].upper() + text[1:],
        raster=raster,
        mask=mask,
        placement=_placement(data, raster.size),
        text=text,
        noise=data.number("noise_strength", 0.5, 0, 1),
        attention_in=data.number("cac_strength", 0.4, 0, 100),
        attention_out=data.number("negative_strength", 0.8, 0, 100),
        extras=LayerExtras(control=data.number("canny_strength", 0.5, 0, 1)),
    )
    return _Placed(layer, key, data.number("id", 0, -1e6, 1e6), notices)


def _picture(path: Path, data: _Names) -> Path:
    address = text_of(data.get("original_img_url"), f"The picture of {data.where}")
    try:
        name = posixpath.basename(unquote(urlsplit(address).path))
    except ValueError:
        name = ""
    if not name:
        raise FormatError(f"The picture of {data.where} has no file name. Correct the layout.")
    for folder in (path.parent, path.parent / "images"):
        if (folder / name).is_file():
            return beside(folder, name, data.where)
    raise FormatError(
        f"{data.where} needs the picture {name}. Put it beside {path.name}: nothing is downloaded."
    )


def _polygon(data: _Names, size: Size) -> Covered | None:
    """What the polygon of parts of the picture's sides encloses; None for all of the picture."""
    where = f"The polygon of {data.where}"
    given = data.get("polygon")
    points = [object_of(one, where) for one in list_of([] if given is None else given, where)]
    if not points:
        return None
    corners = [
        [number_of(one.get("x"), where) * size.width, number_of(one.get("y"), where) * size.height]
        for one in points
    ]
    filled: npt.NDArray[np.uint8] = np.zeros(size.shape, np.uint8)
    limits = np.clip(np.array(corners), -1, max(size.width, size.height) + 1)
    cv2.fillPoly(filled, [np.floor(limits).astype(np.int32)], 255)
    return filled > 0


def _cut(raster: Raster, covered: Covered | None, where: str) -> tuple[Raster, Mask | None]:
    """The picture within the polygon's box, and its mask."""
    if covered is None:
        return raster, None
    box = box_of(covered).intersect(Rect.of_size(raster.size))
    if box.is_empty:
        raise FormatError(f"The polygon of {where} covers nothing of its picture. Draw it anew.")
    mask = Mask(covered[box.slices].astype(np.uint8) * 255)
    return Raster(raster.pixels[box.slices]), mask


def _placement(data: _Names, size: Size) -> Affine:
    """Canvas px = 512 scale (source px turned about the picture's middle) + 512 position."""
    transform = _Names(data.get("transform"), f"The place of {data.where}")
    place = _Names(transform.get("position"), f"The position of {data.where}")
    x = int(CANVAS.width * place.number("x", 0.0, -100, 100))
    y = int(CANVAS.height * place.number("y", 0.0, -100, 100))
    scale = CANVAS.width * transform.number("scale", 1 / CANVAS.width, 1e-7, 100)
    turned = Affine.rotation(transform.number("rotation", 0.0, -3600, 3600)).about(
        size.width / 2, size.height / 2
    )
    return Affine.translation(x, y).after(Affine.scaling(scale)).after(turned)


def _caption(data: _Names, placed: list[_Placed]) -> Caption:
    """Texts and chips in the order of the composer; without it, the prompt with chips found."""
    given = data.get("input_token_data")
    known = {one.key for one in placed}
    if given is None:
        prompt = text_of(data.get("collage_prompt"), f"The caption of {data.where}")
        return caption_of(prompt, [one.layer for one in placed])
    parts = list[str | LayerRef]()
    for at, value in enumerate(list_of(given, f"The caption of {data.where}"), start=1):
        one = _Names(value, f"Part {at} of the caption of {data.where}")
        key, words = one.get("layer_key"), one.get("data")
        if key is not None and key not in known:
            raise FormatError(f"{one.where} stands for a layer that is missing. Correct it.")
        if key is not None:
            parts.append(LayerRef(cast(str, key)))
        elif isinstance(words, str) and words:
            parts.append(words)
    return Caption(_spaced(parts))


def _spaced(parts: list[str | LayerRef]) -> tuple[str | LayerRef, ...]:
    """The parts with a space between those that would run into each other, as the UI joins them."""
    spaced = list[str | LayerRef]()
    for part in parts:
        if spaced:
            before = spaced[-1]
            open_end = not (isinstance(before, str) and before[-1:].isspace())
            if isinstance(part, str):
                if open_end and part[:1].isalnum():
                    part = f" {part}"
            elif open_end:
                spaced.append(" ")
        spaced.append(part)
    return tuple(spaced)
