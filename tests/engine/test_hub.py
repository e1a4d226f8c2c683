"""Models by hub id: fetched from a server on this computer, resumed, refused with a sentence."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from collage_studio.document.model import RunSettings
from collage_studio.engine.api import (
    Downloaded,
    HarmoniseRequest,
    ModelUnavailable,
    Produced,
)
from collage_studio.engine.cancel import Stopped
from collage_studio.engine.loading.hub import (
    RemoteFile,
    cached_folder,
    fetch,
    is_hub_id,
    wanted_files,
)
from collage_studio.engine.runner import Engine
from tests.engine.scenes import cat_and_dog

NAME, REVISION = "someone/tiny-model", "0123abc"


@dataclass
class Hub:
    """A repository behind a small server, and what it was asked for."""

    root: Path
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    wrong_hash: str = ""

    def listing(self) -> bytes:
        siblings = [
            {
                "rfilename": str(file.relative_to(self.root)),
                "size": file.stat().st_size,
                "lfs": {"sha256": self.wrong_hash or hashlib.sha256(file.read_bytes()).hexdigest()},
            }
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
        ]
        return json.dumps({"sha": REVISION, "siblings": siblings}).encode()


class Answers(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, *args) -> None:
        self.hub = hub
        super().__init__(*args)

    def log_message(self, *_args) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.hub.asked.append((self.path, wanted))
        if self.hub.status != 200:
            self.send_response(self.hub.status)
            self.end_headers()
            return
        if self.path.startswith("/api/"):
            data, status = self.hub.listing(), 200
        else:
            file = self.path.removeprefix(f"/{NAME}/resolve/{REVISION}/")
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            data, status = (self.hub.root / file).read_bytes()[start:], 206 if start else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def hub(kl_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(kl_folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answers, hub))
    server.daemon_threads = False
    thread = threading.Thread(target=partial(server.serve_forever, 0.02))
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_fetched_once_and_runs(hub: Hub):
    settings = RunSettings(model=NAME, steps=2, resolution=64)
    request = HarmoniseRequest(cat_and_dog(settings, width=64, height=64), (0,), settings)
    with pytest.raises(ModelUnavailable, match="is not on this computer"):
        list(Engine("cpu").run(request, lambda: False))
    assert hub.asked == []
    events = list(Engine("cpu", allow_download=True).run(request, lambda: False))
    told = [event for event in events if isinstance(event, Downloaded)]
    assert told[-1].done == told[-1].total
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert any(isinstance(event, Produced) for event in events)
    asked = len(hub.asked)
    again = list(Engine("cpu").run(request, lambda: False))
    assert any(isinstance(event, Produced) for event in again)
    assert len(hub.asked) == asked


def test_a_download_that_was_stopped_goes_on_where_it_was(hub: Hub, tmp_path: Path):
    weights = "unet/diffusion_pytorch_model.safetensors"
    with pytest.raises(Stopped):
        list(fetch(NAME, lambda: any(weights in path for path, _ in hub.asked)))
    snapshot = tmp_path / "cache" / f"models--{NAME.replace('/', '--')}" / "snapshots" / REVISION
    whole = (hub.root / weights).read_bytes()
    (snapshot / f"{weights}.incomplete").write_bytes(whole[:1000])
    hub.asked.clear()
    list(fetch(NAME, lambda: False))
    assert (f"/{NAME}/resolve/{REVISION}/{weights}", "bytes=1000-") in hub.asked
    assert (cached_folder(NAME) / weights).read_bytes() == whole


def test_a_cancel_ends_the_download(hub: Hub):
    with pytest.raises(Stopped):
        list(fetch(NAME, lambda: len(hub.asked) > 3))
    with pytest.raises(ModelUnavailable):
        cached_folder(NAME)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "accept its licence"),
        (403, "accept its licence"),
        (404, "There is no model"),
        (500, "answered with error 500"),
    ],
)
def test_what_the_server_refuses_is_one_sentence(hub: Hub, status: int, sentence: str):
    hub.status = status
    with pytest.raises(ModelUnavailable, match=sentence):
        list(fetch(NAME, lambda: False))


def test_what_arrives_damaged_is_not_kept(hub: Hub):
    hub.wrong_hash = "0" * 64
    with pytest.raises(ModelUnavailable, match="arrived damaged"):
        list(fetch(NAME, lambda: False))
    with pytest.raises(ModelUnavailable):
        cached_folder(NAME)


def test_without_a_connection_that_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match=r"cannot be reached.*try again"):
        list(fetch(NAME, lambda: False))


def test_one_set_of_weights_is_wanted():
    paths = [
        "model_index.json",
        "README.md",
        "unet/config.json",
        "unet/model.safetensors",
        "unet/model.fp16.safetensors",
        "unet/model.bin",
        "vae/model-00001-of-00002.safetensors",
        "vae/model.fp16.safetensors",
        "safety_checker/model.safetensors",
        "tokenizer/merges.txt",
        "v1-5.safetensors",
    ]
    files = [RemoteFile(path, 1) for path in paths]
    assert [file.path for file in wanted_files(files)] == [
        "model_index.json",
        "unet/config.json",
        "tokenizer/merges.txt",
        "unet/model.fp16.safetensors",
        "vae/model.fp16.safetensors",
    ]
    without = [file for file in files if file.path != "vae/model.fp16.safetensors"]
    assert [file.path for file in wanted_files(without)][3:] == [
        "unet/model.safetensors",
        "vae/model-00001-of-00002.safetensors",
    ]


def test_pickled_repositories_are_refused():
    files = [RemoteFile("model_index.json", 1), RemoteFile("unet/model.bin", 1)]
    with pytest.raises(ModelUnavailable, match="is a pickle"):
        wanted_files(files)


def test_ids_and_paths_are_told_apart():
    assert is_hub_id("owner/name-1.5")
    for name in ("starter", "/abs/path", "a/b/c", "./a/b", "~/model", "owner/"):
        assert not is_hub_id(name)
