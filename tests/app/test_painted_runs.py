"""Painted noise through runs: it reaches the worker, outlives a restart and makes nothing stale."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_documents import collage
from test_changed import move, with_pictures

from collage_studio.app.changed import changed_request, recomposed
from collage_studio.app.filling import as_accepted
from collage_studio.app.kept_queue import KeptJob, read_jobs, write_jobs
from collage_studio.app.stale import stale_layers, what_changed
from collage_studio.app.writing_back import taken_over, written_back
from collage_studio.document.model import Document, Raster
from collage_studio.document.noise_paint import over, set_paint
from collage_studio.engine.api import HarmoniseRequest, RerollRequest, describe_layers
from collage_studio.formats.collage_json import pixels_member
from collage_studio.jobs.segments import Outbox, take
from collage_studio.jobs.wire import AssetStore, Run, asset_array, pack, unpack


def stroke(document: Document, value: float = 0.9) -> Raster:
    raster = document.layers[0].raster
    assert raster is not None
    cover = np.zeros(raster.size.shape, np.float32)
    cover[10:40, 20:60] = 0.75
    return over(None, raster.size, value, cover)


def painted(document: Document, value: float = 0.9) -> Document:
    return set_paint(document, "layer0", stroke(document, value))


def test_paint_crosses_to_the_worker():
    outbox, store = Outbox("cstest", unlinks=True), AssetStore(1 << 30)
    document = painted(collage())
    sent = Run("job", HarmoniseRequest(document, (1,), document.settings))
    packed = pack(sent, outbox)
    paint = document.layers[0].noise_paint
    assert paint is not None
    assert ("raster", paint.key) in packed.assets
    without = [identity for identity in packed.assets if identity != ("raster", paint.key)]
    for identity in without:
        store.put(identity, asset_array(packed.assets[identity]))
    first = unpack(packed.data, lambda ref: take(ref, unlink=True), store.find)
    assert first.missing == (("raster", paint.key),)
    store.put(("raster", paint.key), paint.pixels)
    arrived = unpack(packed.data, lambda ref: take(ref, unlink=True), store.find)
    assert arrived.message == sent
    assert len(outbox) == 0


def test_a_waiting_run_has_its_paint_again_after_a_restart(tmp_path: Path):
    document, earlier = painted(collage(), 0.9), painted(collage(), 0.2)
    settings = document.settings
    jobs = [
        KeptJob("Harmonise", HarmoniseRequest(document, (1,), settings), 1),
        KeptJob("Re-roll", RerollRequest(earlier, ("layer0",), (2,), settings), 2),
    ]
    write_jobs(jobs, document, tmp_path, "key")
    assert list(read_jobs(document, tmp_path, "key")) == jobs
    names = [zipfile.ZipFile(path).namelist() for path in sorted(tmp_path.iterdir())]
    own = pixels_member(stroke(earlier, 0.2).key)
    assert [[n for n in each if n.endswith(".png")] for each in names] == [[], [own]]


def test_a_waiting_run_whose_paint_is_gone_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    document = painted(collage())
    job = KeptJob("Harmonise", HarmoniseRequest(document, (1,), document.settings), 1)
    write_jobs([job], document, tmp_path, "key")
    assert read_jobs(collage(), tmp_path, "key") == ()
    assert "A waiting run was dropped" in caplog.text


def test_painting_makes_no_layer_stale():
    document = with_pictures().editor.document
    assert what_changed(painted(document)) == ()
    told = describe_layers(painted(document, 0.2))
    accepted = document.accepted
    assert accepted is not None
    with_paint = replace(accepted, recipe=replace(accepted.recipe, layers=told))
    assert stale_layers(document, with_paint) == {}
    assert stale_layers(painted(document), with_paint) == {}


def test_what_changed_runs_with_the_paint_of_now():
    document = move(painted(with_pictures().editor.document))
    request = changed_request(document, [4])
    assert request.layer_ids == ("layer0",)
    assert request.document.layers[0].noise_paint == document.layers[0].noise_paint
    assert recomposed(document).dirty.any()


def test_paint_made_while_a_picture_goes_into_the_layers_stays():
    document = with_pictures(accept=False).editor.document
    document = replace(document, accepted=document.variations[0])
    found = written_back(document)
    now = taken_over(painted(document), found)
    assert now.layers[0].harmonised == found.layers[0].harmonised
    assert now.layers[0].noise_paint == stroke(document)
    assert written_back(painted(document)).layers[0].noise_paint == stroke(document)


def test_layers_put_where_they_lay_keep_their_paint():
    document = painted(with_pictures().editor.document)
    back = as_accepted(move(document), document)
    assert back.layers[0].noise_paint == document.layers[0].noise_paint
