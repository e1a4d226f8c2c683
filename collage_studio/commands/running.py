"""The commands render and reroll: the app's own requests, run by the engine in this process."""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from collage_studio.app.models import with_model
from collage_studio.app.reading import read_any
from collage_studio.app.requests import (
    harmonise_request,
    has_something_to_run,
    next_run,
    reroll_request,
    title_of,
    variation_of,
)
from collage_studio.commands.console import BadUsage, CommandFailed, say, say_json, warn
from collage_studio.commands.extras_options import add_extras_arguments, chosen_extras
from collage_studio.commands.outputs import check_output, write_variations
from collage_studio.document.method_settings import NO_ADAPTER
from collage_studio.document.model import Document, Variation
from collage_studio.document.recipe import RunSettings, Start
from collage_studio.engine.api import (
    Downloaded,
    Event,
    Failed,
    PictureRequest,
    Produced,
    Started,
    Stepped,
)


@dataclass(slots=True)
class _Outcome:
    variations: list[Variation] = field(default_factory=list[Variation])
    warnings: list[str] = field(default_factory=list[str])


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "1,2,7" or "1-4".

    Raises:
        argparse.ArgumentTypeError: the text says something else.
    """
    seeds = list[int]()
    try:
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            seeds += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"seeds are whole numbers such as 1,2 or 1-4, got {text!r}"
        ) from error
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} holds no seed")
    return tuple(dict.fromkeys(seeds))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What render and reroll have in common."""
    parser.add_argument("input", type=Path, metavar="IN", help=".collage, .ora or a picture")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help=".png, .psd, .ora, .collage (holds all seeds) or a folder; else -seedN joins the name",
    )
    parser.add_argument("--seeds", type=parse_seeds, default=(1,), help="such as 1,2 or 1-4")
    parser.add_argument("--steps", type=int, help="of the full schedule")
    parser.add_argument("--method", help="published method")
    parser.add_argument(
        "--adapter", help='a trained adapter for --method rich_context; "none" uses none'
    )
    parser.add_argument(
        "--model", help='"starter", a folder, a .safetensors file or a hub id "owner/name"'
    )
    add_extras_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16"), help="of networks"
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch a model named by a hub id if it is not here"
    )
    parser.add_argument("--json", action="store_true", help="say the outcome as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def render(args: argparse.Namespace) -> int:
    """Harmonise a collage, as the button does."""
    document = opened_input(args)
    if not has_something_to_run(document):
        raise CommandFailed(f"{args.input.name} holds no visible layer to harmonise.")
    return run_request(
        args, document, harmonise_request(document, args.seeds, run_settings(args, document))
    )


def reroll(args: argparse.Namespace) -> int:
    """Make layers anew, everything else stays identical."""
    document = opened_input(args)
    ids = tuple(layer_id_of(document, name) for name in args.layer)
    request = reroll_request(
        document,
        ids,
        args.seeds,
        start=Start(args.start),
        settings=run_settings(args, document),
    )
    return run_request(args, document, request)


def opened_input(args: argparse.Namespace) -> Document:
    """The document in IN; what could not be read of it is said on standard error."""
    check_output(args.out)
    opened = read_any(args.input)
    for notice in (*opened.losses, *opened.notices):
        warn(notice)
    return opened.document


def run_settings(args: argparse.Namespace, document: Document) -> RunSettings:
    """The document's own settings, with what the command line changes."""
    model = args.model
    if model and Path(model).expanduser().exists():
        model = str(Path(model).expanduser().absolute())
    settings = document.settings if model is None else with_model(document.settings, model)
    extras = chosen_extras(args, settings.extras)
    changes = {"steps": args.steps, "method": args.method, "extras": extras}
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return _with_adapter(replace(settings, **given), getattr(args, "adapter", None))
    except ValueError as error:
        raise BadUsage(str(error)) from error


def _with_adapter(settings: RunSettings, adapter: str | None) -> RunSettings:
    """The settings with another adapter for the method that uses one; None changes nothing."""
    if adapter is None:
        return settings
    if adapter not in ("", NO_ADAPTER):
        adapter = str(Path(adapter).expanduser().absolute())
    own = replace(settings.methods.rich_context, adapter=adapter)
    return replace(settings, methods=replace(settings.methods, rich_context=own))


def layer_id_of(document: Document, name: str) -> str:
    """The layer with this id, or the only one with this name.

    Raises:
        CommandFailed: with the names there are, or the ids to choose from.
    """
    layers = [document.background, *document.walk()]
    by_id = [layer for layer in layers if layer.id == name]
    matching = by_id or [layer for layer in layers if layer.name.casefold() == name.casefold()]
    if len(matching) == 1:
        return matching[0].id
    if matching:
        ids = ", ".join(layer.id for layer in matching)
        raise CommandFailed(f"{len(matching)} layers are named {name}. Use an id: {ids}.")
    names = ", ".join(layer.name for layer in layers)
    raise CommandFailed(f"There is no layer {name}. The layers are {names}.")


def run_request(args: argparse.Namespace, document: Document, request: PictureRequest) -> int:
    """Run a request in this process and write what it makes; returns the exit code."""
    began = time.monotonic()
    outcome = _Outcome()
    # torch takes seconds to import, and only a run needs it.
    from collage_studio.engine.runner import Engine

    engine = Engine(args.device, allow_download=args.download, precision=args.precision)
    with _progress(request, hidden=args.quiet) as bar:
        for event in engine.run(request, lambda: False):
            _take_in(event, request, outcome, bar)
    for warning in outcome.warnings:
        warn(warning)
    written = write_variations(document, outcome.variations, args.out, args.input)
    if args.json:
        say_json(
            {
                "kind": outcome.variations[0].recipe.kind if outcome.variations else "",
                "outputs": [
                    {"path": str(item.path), "seeds": item.seeds, "bytes": item.bytes}
                    for item in written
                ],
                "settings": asdict(request.settings),
                "warnings": outcome.warnings,
                "seconds": round(time.monotonic() - began, 3),
            }
        )
    else:
        for item in written:
            say(item.sentence)
    return 0


def _take_in(event: Event, request: PictureRequest, outcome: _Outcome, bar: tqdm[Any]) -> None:
    match event:
        case Started(steps=steps, seeds=seeds, warnings=warnings):
            bar.reset(total=steps * len(seeds))
            outcome.warnings += warnings
        case Downloaded(done=done, total=total):
            bar.reset(total=total // 2**20)
            bar.update(done // 2**20)
        case Stepped(seeds=seeds):
            bar.update(len(seeds))
        case Produced():
            outcome.variations.append(variation_of(event, next_run(request.document), request))
        case Failed(message=message):
            raise CommandFailed(message)
        case _:
            pass


@contextmanager
def _progress(request: PictureRequest, *, hidden: bool) -> Generator[tqdm[Any]]:
    tqdm.monitor_interval = 0
    with tqdm(
        desc=title_of(request), total=None, unit=" steps", disable=hidden, leave=False
    ) as bar:
        yield bar
