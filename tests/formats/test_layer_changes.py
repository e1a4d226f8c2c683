"""What a run did to each layer goes into the metadata; recipes of joined pictures are kept."""

from __future__ import annotations

from dataclasses import replace
from xml.sax.saxutils import escape

from format_documents import CANVAS, layer

from collage_studio.document.compositing import composite_picture
from collage_studio.document.geometry import Affine
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import describe_layers
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.png import read_recipe, write_png
from collage_studio.formats.recipe import layer_changes
from collage_studio.formats.xmp import xmp_packet


def test_exports_tell_how_much_each_layer_was_changed(tmp_path):
    document = Document(CANVAS, (layer(1, "Tent"), layer(2, "Dog", Affine.translation(60, 40))))
    rgb = composite_picture(document)[..., :3].copy()
    tent = visible_masks(document)["id-1"] > 0
    rgb[tent] = 255 - rgb[tent]
    told = tuple(
        {**entry, "quality": {"identity": 0.91234}} if entry["name"] != "Background" else entry
        for entry in describe_layers(document)
    )
    recipe = Recipe("harmonise", 7, RunSettings(), "", layers=told)
    document = replace(document, accepted=Variation("v", 1, Raster.from_rgb(rgb), recipe))
    write_png(document, tmp_path / "a.png")
    changes = {item["name"]: item for item in read_recipe(tmp_path / "a.png")["changes"]}
    assert changes["Dog"] == {
        "id": "id-2", "name": "Dog", "delta_e": 0.0, "ssim": 1.0, "changed_px": 0, "identity": 1.0,
    }  # fmt: skip
    assert changes["Tent"]["identity"] == 0.9123
    assert "identity" not in changes["Background"]
    assert changes["Tent"]["changed_px"] == int(tent.sum())
    assert changes["Tent"]["delta_e"] > 5
    assert changes["Tent"]["ssim"] < 0.9
    assert escape('"changes": [{') in xmp_packet(document).decode()
    dog = replace(document.layers[1], placement=Affine.translation(50, 40))
    moved = document.with_layers(document.layers[0], dog)
    assert layer_changes(moved) == [], "There is nothing left to compare with."
    assert layer_changes(replace(document, accepted=None)) == []


def test_the_recipe_of_a_joined_picture_survives_a_file(tmp_path):
    picture = Raster.from_rgb(composite_picture(Document(CANVAS))[..., :3].copy())
    taken = (("background", 12), ("id-1", 40))
    recipe = Recipe("mix", 5, RunSettings(), "", also="1f" * 16, taken=taken)
    document = Document(CANVAS, (layer(1, "Tent"),), accepted=Variation("v", 1, picture, recipe))
    save_collage(document, tmp_path / "a.collage")
    loaded = load_collage(tmp_path / "a.collage").document
    assert loaded.accepted is not None
    assert loaded.accepted.recipe == recipe
