"""Options for ControlNets, LoRAs and IP-Adapters on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from collage_studio.commands.extras_options import (
    add_extras_arguments,
    chosen_extras,
    parse_lora,
)
from collage_studio.document.extras import STARTER_CONTROL, ControlKind, LoraUse, RunExtras


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_extras_arguments(parser)
    return parser.parse_args(words)


def test_options_change_what_they_name():
    before = RunExtras(control_model="/a", loras=(LoraUse("/old"),))
    assert chosen_extras(parsed(), before) == before
    words = ("--control-kind", "depth", "--lora", "/ink.safetensors:0.5", "--lora", "/b:-1")
    after = chosen_extras(parsed(*words, "--reference-model", "ip.safetensors"), before)
    loras = (LoraUse("/ink.safetensors", 0.5), LoraUse("/b", -1.0))
    reference = str(Path("ip.safetensors").absolute())
    assert after == RunExtras("/a", ControlKind.DEPTH, reference, loras)
    assert chosen_extras(parsed("--control-model", ""), before).control_model == ""
    encoder = chosen_extras(parsed("--identity-model", "dino"), before).identity_model
    assert encoder == str(Path("dino").absolute())
    bundled = chosen_extras(parsed("--control-model", STARTER_CONTROL), before)
    assert bundled.control_model == STARTER_CONTROL


def test_a_weight_may_be_left_out():
    assert parse_lora("/a/ink.safetensors") == LoraUse("/a/ink.safetensors", 1.0)


@pytest.mark.parametrize("text", ["/a:much", "/a:3", "/a:nan"])
def test_a_wrong_lora_says_how_it_is_written(text):
    with pytest.raises(argparse.ArgumentTypeError, match="a LoRA is PATH:WEIGHT with a weight in"):
        parse_lora(text)
