"""Every family learns looks in all of its text encoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from collage_studio.engine.api import LearnSettings
from collage_studio.engine.families.base import Family, LearnedWords
from collage_studio.engine.looks.textual_inversion import Course, Lesson, first_vectors
from tests.engine import tiny
from tests.engine.tiny_families import PIPELINES, family_of

ENCODERS = {
    "stable_diffusion": {"clip_l"},
    "stable_diffusion_v": {"clip_l"},
    "sdxl": {"clip_l", "clip_g"},
    "sd3": {"clip_l", "clip_g", "t5"},
    "sd3_without_t5": {"clip_l", "clip_g"},
    "flux": {"clip_l", "t5"},
    "flux_schnell": {"clip_l", "t5"},
}


@pytest.fixture(params=sorted(ENCODERS))
def named_family(request: pytest.FixtureRequest) -> tuple[str, Family]:
    return request.param, family_of(PIPELINES[request.param]())


def lesson() -> Lesson:
    rgb = tiny.photograph(40, 30)
    return Lesson("cat", "cat", np.concatenate([rgb, np.full((30, 40, 1), 255, np.uint8)], 2))


def test_a_family_learns_in_all_of_its_encoders(named_family: tuple[str, Family]):
    name, family = named_family
    assert family.vocabularies.keys() == ENCODERS[name]
    made = Course(family, [lesson()], LearnSettings(2, 5), "euler_a", lambda: False)
    [state] = list(made.steps())[-1].states
    [pupil] = made.pupils
    assert state.vectors.keys() == ENCODERS[name]
    before = first_vectors(family, "cat", LearnSettings(2))
    for encoder, vectors in state.vectors.items():
        assert vectors.shape == (2, family.vocabularies[encoder].width)
        assert torch.isfinite(vectors).all()
        assert not torch.equal(pupil.vectors[encoder], before[encoder])
    assert state.loss <= state.first_loss


def test_learned_words_reach_only_their_own_tokens(named_family: tuple[str, Family]):
    _, family = named_family
    words = {
        encoder: torch.full((1, vocabulary.width), 0.3)
        for encoder, vocabulary in family.vocabularies.items()
    }
    with torch.inference_mode():
        plain = family.read_text("a cat")
        same = family.read_text("a cat", [LearnedWords(((0, 1),), {})])
        other = family.read_text("a cat", [LearnedWords(((0, 1),), words)])
    assert torch.equal(plain.rows, same.rows)
    assert not torch.equal(plain.rows, other.rows)
    assert plain.offsets == other.offsets
