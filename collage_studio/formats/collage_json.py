"""Document -> the plain data of collage.json (docs/file-format.md lists its keys)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.formats.extras_json import layer_extras_data, run_extras_data

FORMAT = "collage-studio"
VERSION = 1


def pixels_member(key: str) -> str:
    """Where the archive keeps a raster."""
    return f"pixels/{key}.png"


def mask_member(key: str) -> str:
    """Where the archive keeps a mask."""
    return f"masks/{key}.png"


def look_member(key: str) -> str:
    """Where the archive keeps a learned look."""
    return f"looks/{key}.safetensors"


def document_data(document: Document, app_version: str) -> dict[str, Any]:
    """What collage.json says about `document`; pixels appear by key only."""
    accepted = document.accepted
    data: dict[str, Any] = {
        **document.unknown,
        "format": FORMAT,
        "version": VERSION,
        "app_version": app_version,
        "size": [document.size.width, document.size.height],
        "caption": [
            part if isinstance(part, str) else {"layer": part.layer_id}
            for part in document.caption.parts
        ],
        "settings": settings_data(document.settings),
        "background": _layer_data(document.background),
        "layers": [_layer_data(layer) for layer in document.layers],
        "variations": [_variation_data(variation) for variation in document.variations],
        "accepted": _variation_data(accepted) if accepted else None,
    }
    if document.beside:
        data["beside"] = [_layer_data(layer) for layer in document.beside]
    if document.written_back:
        data["written_back"] = document.written_back
    return data


def recipe_data(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain data."""
    data: dict[str, Any] = {
        "kind": recipe.kind,
        "seed": recipe.seed,
        "settings": settings_data(recipe.settings),
        "caption": recipe.caption,
        "layer_ids": list(recipe.layer_ids),
        "start": str(recipe.start),
        "layers": [dict(layer) for layer in recipe.layers],
        "app_version": recipe.app_version,
    }
    if recipe.also:
        data["also"] = recipe.also
    if recipe.taken:
        data["taken"] = [{"layer": layer_id, "seed": seed} for layer_id, seed in recipe.taken]
    return data


def settings_data(settings: RunSettings) -> dict[str, Any]:
    """Run settings as plain data; extras only where there are some."""
    data = asdict(settings)
    del data["extras"]
    extras = run_extras_data(settings.extras)
    return {**data, "extras": extras} if extras else data


def _layer_data(layer: Layer) -> dict[str, Any]:
    data: dict[str, Any] = {
        **layer.unknown,
        "id": layer.id,
        "name": layer.name,
        "kind": str(layer.kind),
        "mask_enabled": layer.mask_enabled,
        "placement": list(layer.placement.as_tuple()),
        "opacity": layer.opacity,
        "blend": str(layer.blend),
        "visible": layer.visible,
        "locked": layer.locked,
        "text": layer.text,
        "noise": layer.noise,
        "state": str(layer.state),
        "attention_in": layer.attention_in,
        "attention_out": layer.attention_out,
        "fill": list(layer.fill),
    }
    if layer.raster:
        data["pixels"] = _raster_data(layer.raster)
    if layer.mask:
        size = layer.mask.size
        data["mask"] = {"key": layer.mask.key, "width": size.width, "height": size.height}
    if layer.harmonised:
        placed = list(layer.harmonised_placement.as_tuple())
        data["harmonised"] = {**_raster_data(layer.harmonised), "placement": placed}
    if layer.noise_paint:
        data["noise_paint"] = _raster_data(layer.noise_paint)
    if layer.clipped:
        data["clipped"] = True
    if layer.look:
        data["look"] = {"key": layer.look.key}
    if layer.extras.control_picture:
        data["control_picture"] = _raster_data(layer.extras.control_picture)
    if extras := layer_extras_data(layer.extras):
        data["extras"] = extras
    if layer.children:
        data["children"] = [_layer_data(child) for child in layer.children]
    return data


def _raster_data(raster: Raster) -> dict[str, Any]:
    size = raster.size
    return {"key": raster.key, "width": size.width, "height": size.height, "depth": raster.depth}


def _variation_data(variation: Variation) -> dict[str, Any]:
    box = variation.box
    return {
        "id": variation.id,
        "run": variation.run,
        "picture": _raster_data(variation.picture),
        "recipe": recipe_data(variation.recipe),
        "box": [box.left, box.top, box.right, box.bottom] if box else None,
    }
