"""Options of render and reroll for ControlNets, LoRAs, IP-Adapters, and models that measure."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from collage_studio.document.extras import STARTER_CONTROL, ControlKind, LoraUse, RunExtras

_PATHS = ("control_model", "reference_model", "clip_model", "sam_model", "identity_model")
_OPTIONS = (*_PATHS, "control_kind")


def add_extras_arguments(parser: argparse.ArgumentParser) -> None:
    """`--control-model`, `--control-kind`, `--lora`, `--reference-model` and who judges."""
    parser.add_argument(
        "--control-model",
        metavar="PATH",
        help='ControlNet: a folder, a .safetensors file or "starter"',
    )
    parser.add_argument(
        "--control-kind",
        type=ControlKind,
        choices=tuple(ControlKind),
        help="what the ControlNet reads",
    )
    parser.add_argument(
        "--lora",
        type=parse_lora,
        action="append",
        metavar="PATH:WEIGHT",
        help="a LoRA for the whole picture, weight 1 if none is given; may be repeated",
    )
    parser.add_argument(
        "--reference-model",
        metavar="PATH",
        help="IP-Adapter: a .safetensors file with the folder image_encoder beside it",
    )
    for name, what in (("clip", "match their texts"), ("sam", "fit their boxes")):
        parser.add_argument(
            f"--{name}-model",
            metavar="FOLDER",
            help=f"{name.upper()}: says in the recipe how well layers {what}",
        )
    parser.add_argument(
        "--identity-model",
        metavar="PATH",
        help="image encoder, a folder or an .onnx file: says how much of each layer's identity "
        "was kept",
    )


def parse_lora(text: str) -> LoraUse:
    """A LoRA from "ink.safetensors:0.8", or without a weight from "ink.safetensors".

    Raises:
        argparse.ArgumentTypeError: the weight is no number in -2..2.
    """
    path, colon, weight = text.rpartition(":")
    if not colon or weight.endswith(".safetensors") or "/" in weight or "\\" in weight:
        return LoraUse(_absolute(text))
    try:
        return LoraUse(_absolute(path), float(weight))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a LoRA is PATH:WEIGHT with a weight in -2..2, got {text!r}"
        ) from error


def chosen_extras(args: argparse.Namespace, extras: RunExtras) -> RunExtras:
    """The document's own extras, with what the command line changes."""
    given = {name: getattr(args, name, None) for name in _OPTIONS}
    changes = {name: value for name, value in given.items() if value is not None}
    for name in _PATHS:
        is_bundled = name == "control_model" and changes.get(name) == STARTER_CONTROL
        if changes.get(name) and not is_bundled:
            changes[name] = _absolute(changes[name])
    if loras := getattr(args, "lora", None):
        changes["loras"] = tuple(loras)
    return replace(extras, **changes)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
