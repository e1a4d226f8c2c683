"""The command mix: layers of one variation in the picture of another, joined by a short run."""

from __future__ import annotations

import argparse

from collage_studio.app.matrix import mix_request, reason_against_taking
from collage_studio.commands.console import BadUsage, CommandFailed
from collage_studio.commands.running import (
    layer_id_of,
    opened_input,
    run_request,
    run_settings,
)
from collage_studio.document.model import Document, Variation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What mix has beside the arguments of every run."""
    parser.add_argument(
        "--take",
        action="append",
        required=True,
        metavar="LAYER=SEED",
        help="layer by name or id, from the variation of this seed; may be repeated",
    )
    parser.add_argument(
        "--base", type=int, help="seed of the variation that gives the rest; else the accepted one"
    )


def mix(args: argparse.Namespace) -> int:
    """Take layers from other variations of a collage file; the rest stays as it is."""
    document = opened_input(args)
    base = _base(document, args.base, args.input.name)
    takes = dict(_taken(document, text, args.input.name) for text in args.take)
    for layer_id, source in takes.items():
        if source.id == base.id:
            continue
        if reason := reason_against_taking(document, (layer_id,), source, base):
            raise CommandFailed(reason)
    takes = {layer_id: source for layer_id, source in takes.items() if source.id != base.id}
    if not takes:
        raise CommandFailed("All layers are from the picture that gives the rest. Take another.")
    settings = run_settings(args, document)
    return run_request(args, document, mix_request(document, takes, base, args.seeds, settings))


def _base(document: Document, seed: int | None, name: str) -> Variation:
    if seed is not None:
        return _of_seed(document, seed, name)
    if document.accepted is not None:
        return document.accepted
    if not document.variations:
        raise CommandFailed(f"{name} holds no picture yet. Run collage-studio render on it first.")
    return document.variations[0]


def _taken(document: Document, text: str, name: str) -> tuple[str, Variation]:
    layer, equals, seed = text.rpartition("=")
    if not equals or not layer or not seed.strip().isdigit():
        raise BadUsage(f"--take needs LAYER=SEED, such as Dog=12, got {text!r}.")
    return layer_id_of(document, layer), _of_seed(document, int(seed), name)


def _of_seed(document: Document, seed: int, name: str) -> Variation:
    """The newest variation of this seed, the accepted one included."""
    there = [*([document.accepted] if document.accepted else []), *document.variations]
    found = [variation for variation in there if variation.recipe.seed == seed]
    if found:
        return found[-1]
    seeds = ", ".join(str(number) for number in sorted({one.recipe.seed for one in there}))
    known = f"It holds the seeds {seeds}." if seeds else "Run collage-studio render on it first."
    raise CommandFailed(f"{name} holds no picture of seed {seed}. {known}")
