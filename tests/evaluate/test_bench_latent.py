"""What keeping latents would change, on a tiny model's folder."""

from __future__ import annotations

from pathlib import Path

import torch

from collage_studio.engine.models import load_model
from collage_studio.evaluate.bench_latent import measure
from tests.engine.tiny_families import PIPELINES


def test_the_two_rerolls_differ_where_they_repaint_and_nowhere_else(tmp_path: Path):
    PIPELINES["stable_diffusion"]().save_pretrained(tmp_path / "model")
    family = load_model(str(tmp_path / "model"), torch.device("cpu"))
    found = measure(family, 1_500_000, steps=4)
    assert found.outside == 0
    assert found.inside > 0
    assert found.distance > 0
    assert 0 < found.encode_share < 1
