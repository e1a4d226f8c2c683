"""Back to canvas size: source detail, and previews that look like the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from collage_studio.document.recipe import RunSettings
from collage_studio.engine.families.base import Encoded
from collage_studio.engine.finish import as_floats, as_picture, finished, source_detail
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.preview import LinearPreview
from tests.engine import tiny
from tests.engine.scenes import cat_and_dog, difference


def plan_of(noises, **settings):
    family = tiny.family(tiny.pipeline())
    wish = RunSettings(**({"resolution": 64, "softness": 0} | settings))
    return plan_harmonise(cat_and_dog(wish, width=192, height=128, noises=noises), wish, family)


def test_full_detail_of_an_unchanged_picture_is_the_picture():
    plan = plan_of((0.3, 0.3, 0.3), detail=1.0)
    plan = replace(plan, noise=np.full_like(plan.noise, 0.1), start=plan.base)
    echo = plan.workspace.shrink(as_floats(plan.base))[plan.workspace.pixels.slices]
    soft = finished(plan, echo)
    sharp = finished(plan, echo, source_detail(plan, echo))
    assert difference(sharp, plan.base).mean() < 0.2 * difference(soft, plan.base).mean()


def test_a_repainted_pixel_gets_no_source_detail():
    plan = plan_of((1.0, 1.0, 0.2), detail=1.0)
    echo = plan.workspace.shrink(as_floats(plan.start))[plan.workspace.pixels.slices]
    detail = source_detail(plan, echo)
    assert not detail[plan.noise == 1.0].any()
    assert detail[plan.noise < 0.5].any()


def test_rounding_is_to_the_nearest():
    values = np.array([[[0.0, 0.5 / 255 + 1e-4, 2.0]]], np.float32)
    assert as_picture(values).tolist() == [[[0, 1, 255]]]
    picture = tiny.photograph(8, 8)
    assert np.array_equal(as_picture(as_floats(picture)), picture)


class BlockMeans:
    """An autoencoder's encoder at its simplest: the mean colour of each 8 x 8 block."""

    factor = 8

    def encode(self, picture: torch.Tensor) -> Encoded:
        return Encoded(functional.avg_pool2d(picture, 8))


def test_a_preview_shows_the_colours_that_were_encoded():
    picture = torch.from_numpy(tiny.photograph(64, 48).transpose(2, 0, 1).copy())[None]
    picture = picture / 127.5 - 1
    coder = BlockMeans()
    latent = coder.encode(picture).mean
    shown = LinearPreview(coder, picture).picture(latent)
    assert shown.shape == picture.shape
    assert (functional.avg_pool2d(shown, 8) - latent).abs().max() < 0.1
    assert (shown - picture).square().mean() < 0.3 * (picture - picture.mean()).square().mean()
