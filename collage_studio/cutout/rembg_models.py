"""The background-removal models that rembg publishes: what they are, and getting their files.

The table was read from rembg 2.0.86's own session classes: addresses, MD5 sums and what each model
wants to be fed. Only models that run on this computer are in it; rembg's cloud sessions are not.
Nothing is downloaded unless `download` is called, and that is only after the user agreed to
licence and size. Loading and running models is in `removal`.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collage_studio.cutout.scribbles import CutoutError

_BASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30
_FOLDER_VARIABLE = "COLLAGE_STUDIO_CUTOUT_MODELS"
IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Progress = Callable[[int, int], object]
"""Called with bytes there and bytes in all; 0 in all while that is unknown."""


@dataclass(frozen=True, slots=True)
class CutoutModel:
    """A background-removal model.

    Args:
        name: as rembg calls it.
        title, purpose: for people.
        licence: of the weights, as their publisher states it.
        mb: size of the download.
        file: below rembg's release address.
        md5: of the file, as rembg gives it.
        side: the model sees a square of this many px.
        mean, spread: colours in [0, 1] are fed as (colour - mean) / spread.
        is_logit: its output still wants a sigmoid.
        commercial: may be used commercially without asking.
    """

    name: str
    title: str
    purpose: str
    licence: str
    mb: float
    file: str
    md5: str
    side: int = 320
    mean: tuple[float, float, float] = IMAGENET_MEAN
    spread: tuple[float, float, float] = IMAGENET_SPREAD
    is_logit: bool = False
    commercial: bool = True

    @property
    def url(self) -> str:
        return _BASE + self.file

    @property
    def size_words(self) -> str:
        return f"{self.mb / 1000:.1f} GB" if self.mb >= 1000 else f"{self.mb:g} MB"

    @property
    def terms(self) -> str:
        """Licence and size in one line, to be shown before a download."""
        return f"{self.licence} · {self.size_words}"


MODELS: tuple[CutoutModel, ...] = (
    CutoutModel(
        "u2netp", "U²-Net small", "Quick, coarse edges", "Apache-2.0", 4.6,
        "u2netp.onnx", "8e83ca70e441ab06c318d82300c84806",
    ),
    CutoutModel(
        "silueta", "Silueta", "U²-Net made smaller", "Apache-2.0", 44,
        "silueta.onnx", "55e59e0d8062d2f5d013f4725ee84782",
    ),
    CutoutModel(
        "isnet-general-use", "IS-Net", "All kinds of objects, fine edges", "Apache-2.0", 179,
        "isnet-general-use.onnx", "fc16ebd8b0c10d971d3513d564d01e29",
        side=1024, mean=(0.5, 0.5, 0.5), spread=(1.0, 1.0, 1.0),
    ),
    CutoutModel(
        "isnet-anime", "IS-Net anime", "Drawn figures", "Apache-2.0", 176,
        "isnet-anime.onnx", "6f184e756bb3bd901c8849220a83e38e",
        side=1024, spread=(1.0, 1.0, 1.0),
    ),
    CutoutModel(
        "u2net", "U²-Net", "All kinds of objects", "Apache-2.0", 176,
        "u2net.onnx", "60024c5c889badc19c04ad937298a77b",
    ),
    CutoutModel(
        "u2net_human_seg", "U²-Net people", "People", "Apache-2.0", 176,
        "u2net_human_seg.onnx", "c09ddc2e0104f800e3e1bb4652583d1f",
    ),
    CutoutModel(
        "birefnet-general-lite", "BiRefNet lite", "Hair and fine parts, slower", "MIT", 224,
        "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx", "4fab47adc4ff364be1713e97b7e66334",
        side=1024, is_logit=True,
    ),
    CutoutModel(
        "birefnet-general", "BiRefNet", "Hair and fine parts, slow", "MIT", 973,
        "BiRefNet-general-epoch_244.onnx", "7a35a0141cbbc80de11d9c9a28f52697",
        side=1024, is_logit=True,
    ),
    CutoutModel(
        "birefnet-portrait", "BiRefNet portrait", "Portraits, slow", "MIT", 973,
        "BiRefNet-portrait-epoch_150.onnx", "c3a64a6abf20250d090cd055f12a3b67",
        side=1024, is_logit=True,
    ),
)  # fmt: skip


def model_named(name: str) -> CutoutModel:
    """The model of this name.

    Raises:
        CutoutError: there is none that runs on this computer.
    """
    for model in MODELS:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in MODELS)
    raise CutoutError(f"There is no model {name} that runs on this computer. There are {known}.")


def models_folder(home: Path) -> Path:
    """Where downloaded models lie, below the program's folder `home`; need not exist yet."""
    own = os.environ.get(_FOLDER_VARIABLE)
    return Path(own) if own else home / "cutout-models"


def path_of(model: CutoutModel, folder: Path) -> Path:
    """Where the model's file lies once it is downloaded."""
    return folder / f"{model.name}.onnx"


def is_there(model: CutoutModel, folder: Path) -> bool:
    """The model was downloaded and checked."""
    return path_of(model, folder).is_file()


def download(
    model: CutoutModel,
    folder: Path,
    *,
    progress: Progress | None = None,
    url: str = "",
) -> Path:
    """Fetch a model's file, check its sum, and put it in place. Call only after the user agreed.

    Args:
        url: another address of the same file, such as a mirror's.

    Raises:
        CutoutError: there is no connection, the file is not the right one, or it cannot be kept.
    """
    target = path_of(model, folder)
    part = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _fetch(url or model.url, part, progress)
        if found != model.md5:
            raise CutoutError(
                f"The downloaded file of {model.title} is not the published one and was deleted. "
                "Try again later."
            )
        part.replace(target)
    except urllib.error.URLError as error:
        raise CutoutError(
            f"{model.title} could not be downloaded: no connection to {_host(url or model.url)}. "
            "Cut out by strokes, which works offline."
        ) from error
    except OSError as error:
        raise CutoutError(f"{model.title} could not be kept in {folder}: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _fetch(url: str, part: Path, progress: Progress | None) -> str:
    """Write what `url` holds to `part`; returns its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, part.open("wb") as file:
        total, there = int(answer.headers.get("Content-Length") or 0), 0
        while block := answer.read(_CHUNK):
            file.write(block)
            digest.update(block)
            there += len(block)
            if progress is not None:
                progress(there, total)
    return digest.hexdigest()


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url
