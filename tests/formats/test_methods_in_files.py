"""Layout layers and the settings of methods come back from a .collage file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from collage_studio.document.geometry import Rect, Size
from collage_studio.document.layouts import add_layout, box_layer
from collage_studio.document.method_settings import DenseDiffusion, MethodSettings, NoiseCollage
from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.collage_json import document_data
from collage_studio.formats.collage_reading import Assets, read_document
from collage_studio.formats.fields import BadData


def collage() -> Document:
    methods = MethodSettings(
        noise_collage=NoiseCollage(outside="ring", in_front=True, background_weight=0.25),
        dense_diffusion=DenseDiffusion(words=0.5),
    )
    settings = RunSettings(method="noise_collage", methods=methods)
    document = Document(Size(64, 48), settings=settings)
    return add_layout(document, box_layer(Rect(3, 4, 30, 40), text="a cat", layer_id="cat"))


def test_layout_and_settings_survive_a_file(tmp_path: Path):
    path = tmp_path / "layout.collage"
    save_collage(collage(), path)
    assert load_collage(path).document == collage()


def test_a_file_without_settings_of_methods_has_the_usual_ones():
    data = document_data(replace(collage(), layers=()), "1")
    del data["settings"]["methods"]
    assert read_document(data, Assets(), []).settings.methods == MethodSettings()


def test_a_setting_out_of_range_is_named():
    data = document_data(replace(collage(), layers=()), "1")
    data["settings"]["methods"]["noise_collage"]["drop_rate"] = 7
    with pytest.raises(BadData, match="drop rate must lie"):
        read_document(data, Assets(), [])
