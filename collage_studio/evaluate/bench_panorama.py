"""Panoramas here beside diffusers' own pipeline: `python -m … .bench_panorama`.

The same networks, seed, sampler and windows; time of the whole run without decoding, and the
largest difference of the last latents. One call of the network takes a few per cent longer or
shorter than the next, so short runs take many turns and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.geometry import Size
from collage_studio.document.method_settings import MethodSettings, MultiDiffusion
from collage_studio.document.model import Caption, Document, Layer, LayerKind
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.families.base import Encoded
from collage_studio.engine.families.diffusion_schedule import stock_scheduler
from collage_studio.engine.families.stable_diffusion import StableDiffusion
from collage_studio.engine.harmonise import plan_harmonise
from collage_studio.engine.memory import choose_device
from collage_studio.engine.methods import multi_diffusion
from collage_studio.engine.methods.collage_diffusion import Materials
from collage_studio.engine.models import load_model
from collage_studio.evaluate.bench_regions import clock

WINDOW, STRIDE = 64, 8
"""Latent cells; the stock pipeline knows no others."""
WORDS, AVOID, SEED = "a meadow with trees", "blurry", 3


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of both, on the CPU those of the processor, and how far the last latents differ."""

    stock_s: float
    own_s: float
    difference: float


def measure(
    family: StableDiffusion, size: Size, *, steps: int, rounds: int, guidance: float = 7.5
) -> Figures:
    """Run both in turn, after one step that warms up; the fastest run of each counts."""
    stock, own = _stock(family, size, guidance), _own(family, size, guidance)
    for run in (stock, own):
        run(1)
    seconds: dict[Any, list[float]] = {stock: [], own: []}
    last = dict[Any, Tensor]()
    for run in (stock, own, own, stock) * rounds:
        start = clock(family.device)
        last[run] = run(steps)
        seconds[run].append(clock(family.device) - start)
    difference = float((last[own] - last[stock].to(last[own].device)).abs().max())
    return Figures(min(seconds[stock]), min(seconds[own]), difference)


def _stock(family: StableDiffusion, size: Size, guidance: float) -> Any:
    from diffusers.pipelines.deprecated.stable_diffusion_panorama import (
        pipeline_stable_diffusion_panorama as stock,
    )

    pipe: Any = stock.StableDiffusionPanoramaPipeline(
        vae=family.vae,
        text_encoder=family.text_encoder,
        tokenizer=family.tokenizer,
        unet=family.unet,
        scheduler=stock_scheduler("ddim", family.scheduler_config),
        safety_checker=None,  # pyright: ignore[reportArgumentType]  None switches it off
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)

    def run(steps: int) -> Tensor:
        return pipe(
            WORDS,
            height=size.height,
            width=size.width,
            num_inference_steps=steps,
            guidance_scale=guidance,
            negative_prompt=AVOID,
            generator=torch.Generator("cpu").manual_seed(SEED),
            output_type="latent",
        ).images

    return run


def _own(family: StableDiffusion, size: Size, guidance: float) -> Any:
    # The stock pipeline, too, sees one window in a call unless told otherwise.
    own = MultiDiffusion(window_cells=WINDOW, stride_cells=STRIDE, batch=1)
    settings = RunSettings(
        method="multi_diffusion",
        sampler="ddim",
        guidance=guidance,
        avoid=AVOID,
        resolution=min(size.shape),
        methods=MethodSettings(multi_diffusion=own),
    )
    ground = Layer("background", "Background", LayerKind.FILL, noise=1.0)
    document = Document(size, (), ground, Caption((WORDS,)), settings)

    @torch.inference_mode()
    def run(steps: int) -> Tensor:
        plan = plan_harmonise(document, replace(settings, steps=steps), family)
        caption = family.read_text(WORDS)
        # A run from nothing begins with noise alone, as the stock pipeline's does.
        start = Encoded(torch.zeros(1, family.latent_channels, *plan.workspace.grid.shape))
        materials = Materials(caption, family.read_text(AVOID), start, texts={WORDS: caption})
        setup = multi_diffusion.prepare(family, plan, materials)
        *_, last = multi_diffusion.sample(family, plan, setup, (SEED,), lambda: False)
        return last.x

    return run


def main() -> int:
    """Measure and write one line."""
    parser = argparse.ArgumentParser(prog="bench_panorama", description=__doc__)
    parser.add_argument("--model", default="starter", help="a Stable Diffusion 1.x or 2.x model")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4, help="of two runs each")
    given = parser.parse_args()
    family = load_model(given.model, choose_device(given.device))
    if not isinstance(family, StableDiffusion):
        sys.stderr.write("The stock panorama pipeline runs Stable Diffusion 1.x and 2.x only.\n")
        return 1
    size = Size(given.width, given.height)
    found = measure(family, size, steps=given.steps, rounds=given.rounds)
    sys.stdout.write(
        f"diffusers {found.stock_s:.2f} s, Collage Studio {found.own_s:.2f} s "
        f"({found.own_s / found.stock_s:.3f} times), "
        f"largest difference {found.difference:.1e}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
