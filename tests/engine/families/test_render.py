"""A tiny model of every family renders a collage from the command line and in the app's worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_documents import collage

from collage_studio.app.models import ModelLibrary, with_model
from collage_studio.app.requests import harmonise_request, reroll_request
from collage_studio.app.settings import PreferencesStore
from collage_studio.cli import main
from collage_studio.document.geometry import Size
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Event, Failed, Finished, Produced
from collage_studio.engine.runner import Engine
from collage_studio.formats.collage_file import save_collage
from collage_studio.jobs.supervisor import Supervisor
from tests.engine import tiny_families
from tests.engine.scenes import cat_and_dog, difference

FAMILIES = ("stable_diffusion", "sdxl", "sd3", "flux")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    return {name: tiny_families.folder(name, root / name) for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_render_takes_a_model_of_each_family(folders, tmp_path, name):
    settings = RunSettings(steps=2, resolution=64, sampler="ddim")
    source, out = tmp_path / "camp.collage", tmp_path / "out.png"
    save_collage(replace(collage(2, Size(64, 48)), settings=settings), source)
    model = str(folders[name])
    assert main(["render", str(source), "-o", str(out), "--model", model, "--quiet"]) == 0
    with Image.open(out) as picture:
        assert picture.size == (64, 48)


def test_the_apps_worker_runs_each_family(folders, tmp_path):
    library = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    events = list[Event]()
    supervisor = Supervisor(lambda _job_id, event: events.append(event))
    for name in FAMILIES:
        model = library.add(folders[name])
        settings = with_model(RunSettings(steps=2, resolution=64), model.id)
        document = replace(collage(2, Size(64, 48)), settings=settings)
        supervisor.send(name, harmonise_request(document, [1]))
    over = 0
    while over < len(FAMILIES):
        supervisor.pump(1.0)
        over = sum(isinstance(event, Finished | Failed) for event in events)
    supervisor.close()
    assert [e.message for e in events if isinstance(e, Failed)] == []
    assert len([event for event in events if isinstance(event, Produced)]) == len(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_reroll_keeps_every_pixel_outside_its_layer(folders, name):
    settings = RunSettings(model=str(folders[name]), steps=4, guidance=3.0, resolution=96)
    document = cat_and_dog(settings, width=176, height=104, noises=(0.0, 0.8, 0.0))
    request = reroll_request(document, ["cat"], [3])
    events = list(Engine("cpu").run(request, lambda: False))
    [produced] = [event for event in events if isinstance(event, Produced)]
    again = list(Engine("cpu").run(request, lambda: False))
    [repeated] = [event for event in again if isinstance(event, Produced)]
    assert np.array_equal(produced.picture, repeated.picture)
    from collage_studio.document.compositing import composite_picture

    changed = difference(produced.picture, composite_picture(document)[..., :3]) > 0
    box = produced.box
    assert box is not None
    assert changed[box.slices].any()
    changed[box.slices] = False
    assert not changed.any()
