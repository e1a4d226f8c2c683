"""Extras as values, in the file and in the table of what families can do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collage_studio.document.extras import (
    FAMILY_NAMES,
    ControlKind,
    Feature,
    LayerExtras,
    LoraUse,
    RunExtras,
    why_not,
)
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document, Layer, Raster
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import describe_layers
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.collage_json import document_data
from collage_studio.formats.extras_json import (
    layer_extras_data,
    read_layer_extras,
    read_run_extras,
    run_extras_data,
)
from collage_studio.formats.fields import BadData, Fields

uses = st.tuples(st.text(min_size=1, max_size=9), st.floats(-2, 2)).map(lambda p: LoraUse(*p))
lists = st.lists(uses, max_size=3).map(tuple)


def picture(seed: int = 0) -> Raster:
    rng = np.random.default_rng(seed)
    return Raster(rng.integers(0, 256, (6, 8, 4), np.uint8))


def collage(layer: LayerExtras, run: RunExtras) -> Document:
    cutout = Layer("cat", "Cat", raster=picture(), extras=layer)
    return Document(Size(16, 12), (cutout,), settings=RunSettings(extras=run))


@given(control=st.floats(0, 1), reference=st.floats(0, 1), loras=lists)
def test_layer_extras_read_back_as_written(control, reference, loras):
    extras = LayerExtras(control=control, reference=reference, loras=loras)
    data = layer_extras_data(extras)
    assert read_layer_extras(Fields(data, "extras", []), None) == extras


@given(
    model=st.text(max_size=9), kind=st.sampled_from(ControlKind), other=st.text(max_size=9),
    loras=lists,
)  # fmt: skip
def test_run_extras_read_back_as_written(model, kind, other, loras):
    extras = RunExtras(model, kind, other, loras)
    assert read_run_extras(Fields(run_extras_data(extras), "extras", [])) == extras


def test_a_saved_collage_keeps_its_extras(tmp_path):
    layer = LayerExtras(0.25, picture(3), (LoraUse("/a/ink.safetensors", 0.5),), 0.0)
    run = RunExtras("/a/canny", ControlKind.DEPTH, "/a/ip", (LoraUse("/a/b.safetensors", -1.0),))
    document = collage(layer, run)
    save_collage(document, tmp_path / "a.collage")
    opened = load_collage(tmp_path / "a.collage")
    assert opened.document == document
    assert not opened.notices


def test_defaults_are_not_written():
    data = document_data(collage(LayerExtras(), RunExtras()), "1")
    assert "extras" not in data["settings"]
    assert "extras" not in data["layers"][0]
    assert "control_picture" not in data["layers"][0]


def test_keys_of_a_newer_version_are_kept():
    source = Fields({"control": 0.1, "sparkle": [1]}, "extras", [])
    assert layer_extras_data(read_layer_extras(source, None)) == {"control": 0.1, "sparkle": [1]}


@pytest.mark.parametrize(
    "data",
    [{"control": 2}, {"reference": "much"}, {"loras": [{"path": ""}]}, {"loras": [{"weight": 9}]}],
)
def test_wrong_values_are_refused(data):
    with pytest.raises(BadData):
        read_layer_extras(Fields(data, "extras", []), None)


def test_a_lora_weight_beyond_two_is_refused():
    with pytest.raises(ValueError, match=r"LoRA weights lie in -2\.\.2, got 3\."):
        LoraUse("a", 3.0)


def test_recipes_name_extras_only_where_there_are_some():
    plain = collage(LayerExtras(), RunExtras())
    assert "control" not in describe_layers(plain)[1]
    shown = picture(5)
    cat = replace(plain.layers[0], extras=LayerExtras(0.2, shown, (LoraUse("ink", 0.5),)))
    described = describe_layers(plain.with_layers(cat))[1]
    assert described["control"] == 0.2
    assert described["control_picture"] == shown.key
    assert described["loras"] == [{"path": "ink", "weight": 0.5}]


@pytest.mark.parametrize("feature", Feature)
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_only_references_without_masks_are_impossible(family, feature):
    reason = why_not(family, feature)
    assert bool(reason) == (feature is Feature.REFERENCE and family in {"sd3", "flux"})
    assert not reason or reason.endswith(".")
