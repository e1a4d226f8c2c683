"""Pictures to items: boxes from a detector or from the data, words from a captioner.

The way Rich-Context Layout-to-Image (arXiv 2409.04847) makes its data: what a picture may show is
looked for, and each box is described from its crop alone, in a sentence of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from collage_studio.engine.api import ModelUnavailable
from collage_studio.training.labelling.captioning import (
    ASK,
    ASK_REGION,
    THING,
    Captioner,
    crop_of,
)
from collage_studio.training.labelling.detecting import (
    Detector,
    Found,
    Limits,
    box_area,
    words_of,
)
from collage_studio.training.labelling.label_files import LabelFiles
from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import (
    Item,
    ItemObject,
    beside,
    open_picture,
    read_manifest,
    write_manifest,
)

LEAST_CROP = 32 * 32
"""Boxes of fewer px² keep their name: nothing more can be seen in them."""
_PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """How labels are made.

    Args:
        detector: a folder; None where the boxes are known. captioner: a folder; None = names only.
        words: what a detector that is told words looks for; () = those of the picture's caption.
        ask: what is said to the captioner beside a picture, and ask_region beside the crop of an
            object, where {name} is its name; None = a question where the captioner chats.
        longest: tokens of one text. at_once: crops that are described at a time.
        precision: of the captioner.
    """

    out: Path
    detector: Path | None
    captioner: Path | None
    words: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    ask: str | None = None
    ask_region: str | None = None
    longest: int = 60
    at_once: int = 8
    precision: str = "no"

    def __post_init__(self) -> None:
        if self.longest < 1 or self.at_once < 1:
            raise TrainingRefused("Tokens and crops at a time must be 1 or more.")

    @property
    def made(self) -> dict[str, Any]:
        """What the labels depend on, as JSON data."""
        said = {name: value for name, value in asdict(self).items() if name not in _NO_MATTER}
        return said | {name: str(said[name] or "") for name in ("detector", "captioner")}


_NO_MATTER = ("out", "at_once", "precision")
_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to be labelled, and what is known of it: None = its objects are to be found."""

    picture: Path
    key: str
    caption: str = ""
    objects: tuple[ItemObject, ...] | None = None
    source: str = "labelled"


@dataclass(slots=True)
class Outcome:
    """What a run has done: pictures labelled now, and known from before; those left out."""

    made: int = 0
    known: int = 0
    items: int = 0
    unreadable: list[str] = field(default_factory=list[str])
    ended: bool = False


def tasks_of_pictures(folder: Path, out: Path) -> list[Task]:
    """All pictures in a folder and the folders in it, by name.

    Raises:
        TrainingRefused: there is none.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _PICTURES and path.is_file() and not path.is_relative_to(out)
    )
    if not found:
        raise TrainingRefused(f"There are no pictures in {folder}.")
    return [Task(path, path.relative_to(folder).as_posix()) for path in found]


def tasks_of_manifest(folder: Path, out: Path) -> list[Task]:
    """The items of a training folder, to be described anew; their boxes and captions stay.

    Raises:
        TrainingRefused: it is the folder to be written, or holds no items.
    """
    if folder.resolve() == out.resolve():
        raise TrainingRefused(f"{folder} would overwrite itself: choose another folder for --out.")
    return [
        Task(
            folder / item.image,
            item.key,
            item.caption,
            tuple(
                replace(one, mask=beside(folder / one.mask, out) if one.mask else "")
                for one in item.objects
            ),
            item.source,
        )
        for item in read_manifest(folder)
    ]


class Labeller:
    """A detector and a captioner at work on one picture after the other."""

    def __init__(self, config: LabelConfig, device: torch.device) -> None:
        """Load the models; raise `ModelUnavailable` with a sentence if that fails."""
        self._config = config
        self._detector = Detector(config.detector, device) if config.detector else None
        dtype = _DTYPES[config.precision]
        self._captioner = (
            Captioner(config.captioner, device, dtype, config.longest) if config.captioner else None
        )
        if (
            self._detector is not None
            and self._detector.is_told_words
            and not (config.words or self._captioner)
        ):
            raise TrainingRefused(
                "This detector looks for words: give --words, or a --captioner whose words it "
                "takes."
            )

        said = config.ask or config.ask_region
        if said and self._captioner is not None and not self._captioner.takes_words:
            raise TrainingRefused(
                "This captioner takes no words: leave out --ask and --ask-region."
            )

    def item(self, task: Task) -> Item:
        """The picture's caption and objects.

        Raises:
            TrainingRefused: it cannot be read.
            ModelUnavailable: a model cannot work on it.
        """
        picture = open_picture(task.picture)
        caption = task.caption or self._caption(picture)
        objects = task.objects
        if objects is None:
            found = self._found(picture, caption)
            objects = tuple(ItemObject(one.box, one.name) for one in found)
        told = self._described(picture, objects)
        image = beside(task.picture, self._config.out)
        return Item(image, caption, tuple(one for one in told if one.text), task.source, task.key)

    def _found(self, picture: Image.Image, caption: str) -> list[Found]:
        if self._detector is None:
            return []
        words = self._config.words or words_of(caption)
        with _explained("detector", self._config.detector):
            return self._detector.found(picture, words, self._config.limits)

    def _caption(self, picture: Image.Image) -> str:
        if self._captioner is None:
            return ""
        ask = self._config.ask
        ask = (ASK if self._captioner.chats else "") if ask is None else ask
        with _explained("captioner", self._config.captioner):
            return self._captioner.texts([picture], [ask])[0]

    def _described(self, picture: Image.Image, objects: Sequence[ItemObject]) -> list[ItemObject]:
        """The objects with what their crops show; small ones keep their names."""
        if self._captioner is None:
            return list(objects)
        ask = self._config.ask_region
        ask = (ASK_REGION if self._captioner.chats else "") if ask is None else ask
        told = list(objects)
        large = [at for at, one in enumerate(told) if box_area(one.box) >= LEAST_CROP]
        for start in range(0, len(large), self._config.at_once):
            part = large[start : start + self._config.at_once]
            crops = [crop_of(picture, told[at].box) for at in part]
            asked = [ask.replace("{name}", told[at].text or THING) for at in part]
            with _explained("captioner", self._config.captioner):
                texts = self._captioner.texts(crops, asked)
            for at, text in zip(part, texts, strict=True):
                told[at] = replace(told[at], text=named(told[at].text, text))
        return told


def named(name: str, text: str) -> str:
    """What is said of an object, with its name in front where the words do not hold it."""
    if not name or re.search(rf"\b{re.escape(name)}", text, re.IGNORECASE):
        return text
    return f"{name}, {text}" if text else name


def label(
    tasks: Iterable[Task],
    config: LabelConfig,
    labeller: Callable[[], Labeller],
    *,
    report: Callable[[], None] = lambda: None,
    ends: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Label what has no labels yet, then write the manifest of all that have.

    Args:
        labeller: loads the models; only asked where something is left to do.
        report: called after each picture. ends: whether to end before the next one.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    files = LabelFiles(config.out, config.made)
    outcome, items = Outcome(), list[Item]()
    working: Labeller | None = None
    for task in tasks:
        item = files.read(task.key, task.picture)
        outcome.known += item is not None
        outcome.ended = outcome.ended or ends()
        if item is None and not outcome.ended:
            working = working or labeller()
            try:
                item = working.item(task)
            except TrainingRefused:
                outcome.unreadable.append(task.key)
            else:
                files.write(item, task.picture)
                outcome.made += 1
        # The picture may have been reached by another path before.
        if item is not None and item.objects:
            items.append(replace(item, image=beside(task.picture, config.out)))
        report()
    outcome.items = write_manifest(config.out, items)
    return outcome


@contextmanager
def _explained(role: str, folder: Path | None) -> Generator[None]:
    """Turn what a model throws in the block into a sentence."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelUnavailable(
            f"There is not enough memory for the {role}: try --precision bf16, a smaller "
            "--at-once or a smaller model."
        ) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"The {role} in {folder} cannot work on pictures in this way ({said}). "
            "Name another one."
        ) from error
