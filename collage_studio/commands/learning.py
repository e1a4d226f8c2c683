"""The command learn: teaches the model the looks of layers and writes the document with them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tqdm import tqdm

from collage_studio.app.learning import go_on_request
from collage_studio.app.looks import (
    LookLibrary,
    learn_request,
    reason_against_learning,
    with_looks,
)
from collage_studio.app.reading import read_any
from collage_studio.app.requests import title_of
from collage_studio.commands.console import BadUsage, CommandFailed, say, say_json, warn
from collage_studio.commands.interrupts import interrupts
from collage_studio.commands.running import layer_id_of, run_settings
from collage_studio.document.looks import Look
from collage_studio.document.model import Document
from collage_studio.engine.api import (
    Failed,
    Learned,
    LearnProgress,
    LearnRequest,
    LearnSettings,
)
from collage_studio.formats.collage_file import save_collage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What learn understands."""
    usual = LearnSettings()
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help=".collage, .ora or a picture")
    add("--layer", action="append", required=True, help="name or id; may be repeated")
    add("-o", "--out", type=Path, required=True, help="the .collage to write")
    add("--vectors", type=int, help=f"learned words, 1 to 4 (default {usual.vectors})")
    add("--steps", type=int, help=f"at most (default {usual.steps})")
    add("--seed", type=int, default=usual.seed, help="of views and noise")
    add("--go-on", action="store_true", help="continue from the looks the layers have")
    add("--keep", action="store_true", help="put the looks into the personal library as well")
    add("--model", help='"starter", a folder or a .safetensors file')
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--json", action="store_true", help="say the outcome as JSON")
    add("--quiet", action="store_true", help="no progress bar")


def learn(args: argparse.Namespace) -> int:
    """Learn the looks of the named layers, all in one batch.

    Ctrl+C ends it early: what was learned until then is written.
    """
    if args.out.suffix.lower() != ".collage":
        raise BadUsage(f"{args.out.name} must end in .collage: only there looks are stored.")
    if not args.out.absolute().parent.is_dir():
        raise CommandFailed(f"There is no folder {args.out.absolute().parent}. Make it first.")
    opened = read_any(args.input)
    for notice in opened.notices:
        warn(notice)
    request = _request(args, opened.document)
    layers = (opened.document.find(layer_id) for layer_id in request.layer_ids)
    reason = reason_against_learning([layer for layer in layers if layer is not None])
    if reason:
        raise CommandFailed(reason)
    began = time.monotonic()
    looks = _learned(args, request)
    save_collage(with_looks(opened.document, dict(looks)), args.out)
    if args.keep:
        for look in looks.values():
            LookLibrary().add(look)
    _report(args, opened.document, looks, time.monotonic() - began)
    return 0


def _request(args: argparse.Namespace, document: Document) -> LearnRequest:
    ids = tuple(dict.fromkeys(layer_id_of(document, name) for name in args.layer))
    usual = LearnSettings()
    vectors = usual.vectors if args.vectors is None else args.vectors
    steps = usual.steps if args.steps is None else args.steps
    try:
        learning = LearnSettings(vectors=vectors, steps=steps, seed=args.seed)
    except ValueError as error:
        raise BadUsage(str(error)) from error
    chosen_model = argparse.Namespace(model=args.model, steps=None, method=None)
    settings = run_settings(chosen_model, document)
    if not args.go_on:
        made = learn_request(document, ids, learning)
        return LearnRequest(made.document, ids, settings, learning)
    owed = go_on_request(document, ids, vectors)
    chosen = learning if args.steps else owed.learning
    return LearnRequest(owed.document, ids, settings, chosen, goes_on=True)


def _learned(args: argparse.Namespace, request: LearnRequest) -> dict[str, Look]:
    # torch takes seconds to import, and only learning needs it.
    from collage_studio.engine.runner import Engine

    looks = dict[str, Look]()
    tqdm.monitor_interval = 0
    with (
        interrupts() as is_interrupted,
        tqdm(desc=title_of(request), unit=" steps", disable=args.quiet, leave=False) as bar,
    ):
        for event in Engine(args.device).run(request, is_interrupted):
            match event:
                case LearnProgress(step=step, steps=steps, shares=shares):
                    bar.total = steps
                    bar.set_postfix_str(f"error {_mean(shares):.0%} of before", refresh=False)
                    bar.update(step - bar.n)
                case Learned(layer_id=layer_id, look=look):
                    looks[layer_id] = look
                case Failed(message=message):
                    raise CommandFailed(message)
                case _:
                    pass
    if not looks:
        raise KeyboardInterrupt
    return looks


def _mean(shares: tuple[float, ...]) -> float:
    return sum(shares) / len(shares) if shares else 1.0


def _report(
    args: argparse.Namespace, document: Document, looks: dict[str, Look], seconds: float
) -> None:
    rows = [
        {
            "layer": layer.name if (layer := document.find(layer_id)) else layer_id,
            "key": look.key,
            "words": look.count,
            "steps": look.recipe.steps,
            "finished": look.recipe.finished,
            "error_before": round(look.recipe.first_loss, 5),
            "error_after": round(look.recipe.loss, 5),
        }
        for layer_id, look in looks.items()
    ]
    if args.json:
        say_json({"output": str(args.out), "looks": rows, "seconds": round(seconds, 3)})
        return
    for row, look in zip(rows, looks.values(), strict=True):
        recipe = look.recipe
        lower = 1 - recipe.loss / recipe.first_loss if recipe.first_loss else 0.0
        say(f"{row['layer']}: {look.count} words, {recipe.steps} steps, error {lower:.0%} lower")
    say(f"Wrote {args.out}.")
