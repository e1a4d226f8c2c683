"""What keeping the latent of an accepted picture would change: `python -m … .bench_latent`.

A collage is harmonised and accepted, then its front layer is made anew twice: from the picture, as
the engine does, and from the latent that the picture was decoded from. Told are the distance of
the two latents, how far the pictures of the two re-rolls differ, and what encoding costs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from collage_studio.document.edits import accept_variation, add_variations
from collage_studio.document.geometry import Rect
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.recipe import Recipe
from collage_studio.engine.api import Picture, RerollRequest
from collage_studio.engine.families.base import Encoded, Family
from collage_studio.engine.finish import as_floats, finished
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.memory import choose_device
from collage_studio.engine.methods import collage_diffusion
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.models import load_model
from collage_studio.engine.plan import RunPlan
from collage_studio.engine.reroll import plan_reroll
from collage_studio.evaluate.collages import collage_of, scene_of


@dataclass(frozen=True, slots=True)
class Figures:
    """One collage.

    Args:
        distance: of E(picture) from the latent, as a share of the latent's deviation.
        inside: mean difference of the two re-rolls where they repaint, 0..255.
        most: the largest one.
        outside: the largest one elsewhere.
        encode_share: of a re-roll's time.
    """

    distance: float
    inside: float
    most: int
    outside: int
    encode_share: float


@torch.inference_mode()
def measure(family: Family, seed: int, steps: int = 8, noise: float = 0.5) -> Figures:
    """Harmonise, accept, re-roll both ways."""
    document = collage_of(scene_of(seed), noise=noise)
    settings = replace(document.settings, steps=steps, sampler="ddim", guidance=1.0)
    document = replace(document, settings=settings)
    plan = plan_harmonise(document, settings, family)
    latent = _walked(family, plan, family.encode(tensor_of(plan, plan.start)), seed)
    picture = _picture(family, plan, latent)
    accepted = _accepted(document, picture, seed)
    front = accepted.layers[-1].id
    again = plan_reroll(RerollRequest(accepted, (front,), (seed + 1,), settings), family)
    began = time.process_time()
    encoded = family.encode(tensor_of(again, again.start))
    encoding = time.process_time() - began
    from_picture = _picture(family, again, _walked(family, again, encoded, seed + 1))
    whole = time.process_time() - began
    rows, columns = again.workspace.window.slices
    kept = Encoded(latent[..., rows, columns].contiguous())
    from_latent = _picture(family, again, _walked(family, again, kept, seed + 1))
    difference = np.abs(from_picture.astype(np.int16) - from_latent.astype(np.int16)).max(-1)
    painted = again.noise > 0
    return Figures(
        float((encoded.mean - kept.mean).square().mean().sqrt() / kept.mean.std()),
        float(difference[painted].mean()),
        int(difference[painted].max()),
        int(difference[~painted].max(initial=0)),
        encoding / whole,
    )


def tensor_of(plan: RunPlan, picture: Picture) -> Tensor:
    """(1, 3, h, w) in [-1, 1]: the plan's window of a canvas-size picture."""
    space = plan.workspace
    pixels = space.shrink(as_floats(picture))[space.pixels.slices]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None] * 2.0 - 1.0


def _walked(family: Family, plan: RunPlan, start: Encoded, seed: int) -> Tensor:
    read = {text: family.read_text(text) for text in collage_diffusion.texts(plan)}
    caption, avoid = family.read_text(plan.text.caption), family.read_text("")
    materials = Materials(caption, avoid, start, texts=read)
    setup = collage_diffusion.prepare(family, plan, materials)
    *_, last = collage_diffusion.sample(family, plan, setup, (seed,), lambda: False)
    return last.x


def _picture(family: Family, plan: RunPlan, latent: Tensor) -> Picture:
    unit = (family.decode(latent)[0].float() / 2.0 + 0.5).permute(1, 2, 0).cpu().numpy()
    return finished(plan, unit)


def _accepted(document: Document, picture: Picture, seed: int) -> Document:
    recipe = Recipe("harmonise", seed, document.settings, "")
    box = Rect.of_size(document.size)
    variation = Variation("v", 1, Raster.from_rgb(picture), recipe, box)
    return accept_variation(add_variations(document, [variation]), "v")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure some collages and write the means."""
    parser = argparse.ArgumentParser(prog="bench_latent", description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=1_500_000)
    given = parser.parse_args(arguments)
    family = load_model(given.model, choose_device(given.device))
    seeds = range(given.first_seed, given.first_seed + given.count)
    found = [measure(family, seed) for seed in seeds]
    for name in ("distance", "inside", "most", "outside", "encode_share"):
        values = [float(getattr(one, name)) for one in found]
        sys.stdout.write(f"{name:14}{np.mean(values):10.4f}   most {max(values):10.4f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
