"""LoRAs of two regions in methods with a branch for each, on tiny networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from collage_studio.document.edits import change_layers
from collage_studio.document.extras import LayerExtras
from collage_studio.engine.regions.maps import network_of
from collage_studio.evaluate.bench_loras import (
    LEFT,
    RIGHT,
    WORDS,
    layout,
    measure,
    outcome,
    random_lora,
    table,
    with_loras,
)
from tests.engine import tiny, tiny_families


@pytest.fixture
def family():
    return tiny.family(tiny.pipeline())


@pytest.mark.parametrize("method", ["noise_collage", "multi_diffusion"])
def test_a_branch_has_its_own_lora_and_no_other(family, method: str, tmp_path: Path):
    files = {name: str(tmp_path / f"{name}.safetensors") for name in (LEFT, RIGHT)}
    for number, file in enumerate(files.values()):
        save_file(random_lora(network_of(family), number), file)
    plain = layout(family, method, 2, WORDS)
    alone = outcome(family, with_loras(plain, {LEFT: files[LEFT]}), (0,)).first
    both = outcome(family, with_loras(plain, files), (0,)).first
    before = outcome(family, plain, (0,)).first
    half = before.shape[-1] // 2
    one, second = (alone - before).abs(), (both - alone).abs()
    assert one[..., half - 2].mean() > 0.01
    assert second[..., half + 1].mean() > 0.01
    assert one[..., half:].max() < 1e-4
    assert second[..., :half].max() < 1e-4


def test_without_loras_nothing_is_asked_otherwise(family):
    plain = layout(family, "noise_collage", 2, WORDS)
    again = change_layers(plain, [LEFT], lambda one: replace(one, extras=LayerExtras()))
    first = outcome(family, plain, (0,))
    assert torch.equal(first.picture, outcome(family, again, (0,)).picture)


def test_the_table_tells_inside_and_outside():
    family = tiny_families.FAMILIES["stable_diffusion"]()
    found = measure(family, ["noise_collage"], 2, [0])
    assert [one.what for one in found] == [
        "one LoRA",
        "a second LoRA",
        "words a tenth of the way",
        "other words",
    ]
    assert all(one.first.leak < 1 for one in found[:2])
    assert len(table(found).splitlines()) == 6
