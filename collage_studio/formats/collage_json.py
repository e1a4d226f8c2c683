"""Document -> the plain data of collage.json (docs/file-format.md lists its keys)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from collage_studio.document.model import Document, Layer, Raster, Recipe, Variation

FORMAT = "collage-studio"
VERSION = 1


def pixels_member(key: str) -> str:
    """Where the archive keeps a raster."""
    return f"pixels/{key}.png"


def mask_member(key: str) -> str:
    """Where the archive keeps a mask."""
    return f"masks/{key}.png"


def document_data(document: Document, app_version: str) -> dict[str, Any]:
    """What collage.json says about `document`; pixels appear by key only."""
    accepted = document.accepted
    return {
        **document.unknown,
        "format": FORMAT,
        "version": VERSION,
        "app_version": app_version,
        "size": [document.size.width, document.size.height],
        "caption": [
            part if isinstance(part, str) else {"layer": part.layer_id}
            for part in document.caption.parts
        ],
        "settings": asdict(document.settings),
        "background": _layer_data(document.background),
        "layers": [_layer_data(layer) for layer in document.layers],
        "variations": [_variation_data(variation) for variation in document.variations],
        "accepted": _variation_data(accepted) if accepted else None,
    }


def recipe_data(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain data."""
    return {
        "kind": recipe.kind,
        "seed": recipe.seed,
        "settings": asdict(recipe.settings),
        "caption": recipe.caption,
        "layer_ids": list(recipe.layer_ids),
        "start": str(recipe.start),
        "layers": [dict(layer) for layer in recipe.layers],
        "app_version": recipe.app_version,
    }


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
