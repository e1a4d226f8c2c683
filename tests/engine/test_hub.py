"""Models by hub id: fetched from a server on this computer, resumed, refused with a sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import (
    BadRequest,
    Cancelled,
    Downloaded,
    FetchRequest,
    Finished,
    HarmoniseRequest,
    ModelNotFetched,
    ModelUnavailable,
    Produced,
)
from collage_studio.engine.cancel import Stopped
from collage_studio.engine.loading.fetcher import Fetcher
from collage_studio.engine.loading.hub import (
    RemoteFile,
    cached_folder,
    fetch,
    is_hub_id,
    look_up,
    wanted_files,
)
from collage_studio.engine.runner import Engine
from tests.engine.scenes import cat_and_dog
from tests.hub_server import NAME, REVISION, Hub, served


@pytest.fixture
def hub(kl_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with served(kl_folder) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        yield hub


def test_a_model_is_fetched_once_and_runs(hub: Hub):
    settings = RunSettings(model=NAME, steps=2, resolution=64)
    request = HarmoniseRequest(cat_and_dog(settings, width=64, height=64), (0,), settings)
    with pytest.raises(ModelNotFetched, match="is not on this computer"):
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


def test_what_is_to_be_fetched_is_told_first(hub: Hub, tmp_path: Path):
    hub.licence = "openrail"
    before = look_up(NAME)
    assert before.missing == before.bytes > 1000
    assert (before.licence, before.is_gated) == ("openrail", False)
    assert before.folder == tmp_path / "cache"
    assert before.page.endswith(f"/{NAME}")
    assert not before.folder.exists()
    list(fetch(NAME, lambda: False))
    assert look_up(NAME).missing == 0


def test_a_licence_may_stand_in_the_tags_or_nowhere(hub: Hub):
    assert look_up(NAME).licence == ""
    hub.tags = ["diffusers", "license:mit"]
    assert look_up(NAME).licence == "mit"


def test_looking_up_says_why_it_fails(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.status = 404
    with pytest.raises(ModelUnavailable, match="There is no model"):
        look_up(NAME)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        look_up(NAME)


@pytest.mark.parametrize("engine", [Engine, Fetcher])
def test_a_request_to_fetch_is_consent_enough(hub: Hub, engine: type[Engine | Fetcher]):
    events = list(engine("cpu").run(FetchRequest(NAME), lambda: False))
    assert isinstance(events[0], Downloaded)
    assert isinstance(events[-1], Finished)
    assert cached_folder(NAME).is_dir()


def test_the_engine_for_downloads_stops_when_told_and_takes_nothing_else(hub: Hub):
    events = list(Fetcher("cpu").run(FetchRequest(NAME), lambda: True))
    assert events == [Cancelled()]
    run = HarmoniseRequest(cat_and_dog(RunSettings()), (1,), RunSettings())
    with pytest.raises(BadRequest, match="only fetches models"):
        list(Fetcher("cpu").run(run, lambda: False))


def test_the_engine_for_downloads_loads_no_torch():
    code = "import sys, collage_studio.engine.loading.fetcher; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
