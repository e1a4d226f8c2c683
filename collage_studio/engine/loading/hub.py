"""Models named by a hub id, "owner/name": found in the cache, or fetched where that is allowed.

Files land in the ordinary Hugging Face cache, where other programs find them too. A download
that was cut off goes on where it stopped. Nothing here is called without the person's consent
but `cached_folder`, which never leaves the computer. No torch here: the window asks too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import constants, get_token

from collage_studio.engine.api import Downloaded, ModelNotFetched, ModelUnavailable
from collage_studio.engine.cancel import IsCancelled, check
from collage_studio.formats.checkpoint import PICKLE_REFUSED, PICKLES

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30
_LEFT_OUT = ("safety_checker/", "feature_extractor/", "image_encoder/")
_TEXTS = (".json", ".txt", ".model")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository: its path there, its size and, for large files, its SHA-256."""

    path: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the hub tells of a model before it is fetched.

    Args:
        bytes: of the files that are wanted. missing: those of them that are not here yet.
        licence: as its page names it; empty if the page does not tell.
        is_gated: its licence has to be accepted on its page first.
        folder: where the hub's cache lies.
    """

    name: str
    bytes: int
    missing: int
    licence: str
    is_gated: bool
    folder: Path

    @property
    def page(self) -> str:
        """Where its terms stand."""
        return f"{host()}/{self.name}"


def look_up(name: str) -> HubModel:
    """Ask the hub what a model is; nothing is fetched.

    Raises:
        ModelUnavailable: as `fetch` does.
    """
    with _explained(name, f"{host()} cannot be reached. Try again when you are online."):
        told = _told(name)
    files = _files(told)
    folder = _home(name) / "snapshots" / str(told["sha"])
    missing = sum(file.bytes for file in files if not folder.joinpath(file.path).exists())
    gated = bool(told.get("gated"))
    size = sum(file.bytes for file in files)
    return HubModel(name, size, missing, _licence(told), gated, _home(name).parent)


def host() -> str:
    """The hub's address, as people know it."""
    return constants.ENDPOINT.removeprefix("https://")


def is_hub_id(name: str) -> bool:
    """Whether `name` can be an id rather than a path."""
    return _ID.fullmatch(name) is not None and not name.startswith((".", "~"))


def cached_folder(name: str) -> Path:
    """Where a model that was fetched lies.

    Raises:
        ModelUnavailable: it is not on this computer.
    """
    home = _home(name)
    try:
        revision = (home / "refs" / "main").read_text("utf-8").strip()
    except OSError as error:
        raise ModelNotFetched(_absent(name)) from error
    folder = home / "snapshots" / revision
    if not (folder / "model_index.json").is_file():
        raise ModelNotFetched(_absent(name))
    return folder


def is_cached(name: str) -> bool:
    """Whether `cached_folder` finds the model."""
    try:
        cached_folder(name)
    except ModelUnavailable:
        return False
    return True


def fetch(name: str, is_cancelled: IsCancelled) -> Iterator[Downloaded]:
    """Fetch what a run of the model needs, telling how far it is.

    Raises:
        ModelUnavailable: there is no such model, it asks for a licence to be accepted, its
            weights are pickles, or the hub cannot be reached.
    """
    offline = (
        f"{host()} cannot be reached, so {name} is not complete. What has arrived is kept; "
        "try again when you are online."
    )
    with _explained(name, offline):
        told = _told(name)
        revision, files = str(told["sha"]), _files(told)
        total, done = sum(file.bytes for file in files), 0
        folder = _home(name) / "snapshots" / revision
        for file in files:
            for arrived in _fetched(name, revision, file, folder, is_cancelled):
                yield Downloaded(name, done + arrived, total)
            done += file.bytes
    reference = _home(name) / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(revision, "utf-8")


def wanted_files(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Configurations, tokenizers and one set of weights, the half-precision one where it is whole.

    Raises:
        ModelUnavailable: all weights are pickles, or it is no diffusers folder.
    """
    used = [file for file in files if "/" in file.path and not file.path.startswith(_LEFT_OUT)]
    index = [file for file in files if file.path == "model_index.json"]
    texts = [file for file in used if file.path.endswith(_TEXTS)]
    weights = [file for file in used if file.path.endswith(".safetensors")]
    if not index:
        raise ModelUnavailable(
            "This repository holds no model in diffusers layout. Choose another one."
        )
    if not weights:
        pickled = any(PurePosixPath(file.path).suffix in PICKLES for file in used)
        raise ModelUnavailable(PICKLE_REFUSED if pickled else "This model has no weights.")
    halves = [file for file in weights if ".fp16." in file.path]
    plain = [file for file in weights if _is_plain(file.path)]
    is_whole = {_part(file) for file in halves} >= {_part(file) for file in plain}
    return [*index, *texts, *(halves if halves and is_whole else plain)]


def _is_plain(path: str) -> bool:
    """Whether a file of weights is of no variant: no second dot, but for the number of a shard."""
    return "." not in PurePosixPath(path).name.removesuffix(".safetensors")


def _part(file: RemoteFile) -> str:
    return file.path.partition("/")[0]


@contextmanager
def _explained(name: str, offline: str) -> Generator[None]:
    """Failures of the network as sentences; `offline` where nothing answers."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise ModelUnavailable(_refused(name, error.code)) from error
    except OSError as error:
        raise ModelUnavailable(offline) from error


def _told(name: str) -> dict[str, Any]:
    """What the hub says of the revision that is current now."""
    with _open(f"{constants.ENDPOINT}/api/models/{name}/revision/main?blobs=true") as answer:
        return json.load(answer)


def _licence(told: dict[str, Any]) -> str:
    card: dict[str, Any] = told.get("cardData") or {}
    tags = (str(tag) for tag in told.get("tags") or ())
    tagged = next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), "")
    return str(card.get("license_name") or card.get("license") or tagged)


def _files(told: dict[str, Any]) -> list[RemoteFile]:
    """The files that are wanted."""
    files = [
        RemoteFile(
            str(entry["rfilename"]),
            int(entry.get("size") or 0),
            str((entry.get("lfs") or {}).get("sha256", "")),
        )
        for entry in told["siblings"]
    ]
    return wanted_files(files)


def _fetched(
    name: str, revision: str, file: RemoteFile, folder: Path, is_cancelled: IsCancelled
) -> Iterator[int]:
    """Fetch one file, yielding how many of its bytes are there."""
    place = folder.joinpath(*PurePosixPath(file.path).parts)
    if place.exists():
        yield file.bytes
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(place.name + ".incomplete")
    had = partial.stat().st_size if partial.exists() else 0
    url = f"{constants.ENDPOINT}/{name}/resolve/{revision}/{file.path}"
    if had < file.bytes or not file.bytes:
        with _open(url, had) as answer, partial.open("ab" if answer.status == 206 else "wb") as out:
            while chunk := answer.read(_CHUNK):
                check(is_cancelled)
                out.write(chunk)
                yield out.tell()
    if file.sha256 and _sha256(partial) != file.sha256:
        partial.unlink()
        raise ModelUnavailable(f"{file.path} of {name} arrived damaged. Fetch it again.")
    partial.replace(place)
    yield file.bytes


def _open(url: str, start: int = 0) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "collage-studio"})
    token = get_token()
    if token:
        # An unredirected header does not follow to the server that keeps the weights.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    if start:
        request.add_header("Range", f"bytes={start}-")
    return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _home(name: str) -> Path:
    cache = os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE
    return Path(cache) / f"models--{name.replace('/', '--')}"


def _absent(name: str) -> str:
    return (
        f"{name} is not on this computer. Allow it to be downloaded, "
        "or choose a folder or a .safetensors file."
    )


def _refused(name: str, code: int) -> str:
    if code in (401, 403):
        return (
            f"{name} asks you to accept its licence. Do so on its page at {host()}, then sign "
            "in with `hf auth login` and try again."
        )
    if code == 404:
        return f"There is no model {name} at {host()}. Check its name."
    return f"{host()} answered with error {code}, so {name} was not fetched. Try again later."
