"""What exports say about how a picture was made: our recipe as JSON, and the common text form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from collage_studio import __version__
from collage_studio.document.change import LayerChange, layer_change
from collage_studio.document.compositing import composite_picture
from collage_studio.document.masks import visible_masks
from collage_studio.document.model import Document, Layer
from collage_studio.document.quality import quality_of
from collage_studio.formats.collage_json import recipe_data
from collage_studio.formats.picture import accepted_pixels

KEY = "collage:recipe"
# Pillow refuses text chunks that unpack to more than 1 MiB, and readers hold all of it in memory.
MAX_BYTES = 1_000_000


def document_recipe(document: Document) -> dict[str, Any]:
    """How the final picture of `document` was made, as plain data.

    `recipe` is that of the accepted variation, or None where the picture is the collage itself.
    """
    caption, _ = document.written_caption()
    accepted = document.accepted
    data: dict[str, Any] = {
        "format": "collage-studio recipe",
        "version": 1,
        "app_version": __version__,
        "size": [document.size.width, document.size.height],
        "caption": caption,
        "settings": asdict(document.settings),
        "layers": [
            {
                "id": layer.id,
                "name": layer.name,
                "kind": str(layer.kind),
                "text": layer.text,
                "noise": layer.noise,
                "state": str(layer.state),
                "attention_in": layer.attention_in,
                "attention_out": layer.attention_out,
                "placement": list(layer.placement.as_tuple()),
                **({"noise_paint": layer.noise_paint.key} if layer.noise_paint else {}),
            }
            for layer in (document.background, *document.walk())
        ],
        "recipe": recipe_data(accepted.recipe) if accepted else None,
    }
    changes = layer_changes(document)
    return {**data, "changes": changes} if changes else data


def layer_changes(document: Document) -> list[dict[str, Any]]:
    """How much the accepted picture changed each visible layer: name, delta_e, ssim, changed_px.

    `changed_px` 0 = provably untouched; `identity` where its run measured it. Empty without an
    accepted picture, and where a layer lies or looks otherwise than its run saw it: there is
    nothing left to compare with.
    """
    accepted = accepted_pixels(document)
    if accepted is None or not _lies_as_run(document):
        return []
    before, after = composite_picture(document)[..., :3], accepted[..., :3]
    masks = visible_masks(document)
    found = list[dict[str, Any]]()
    for layer in (document.background, *document.walk()):
        mask = masks.get(layer.id)
        change = None if mask is None else layer_change(before, after, mask)
        if change is not None:
            found.append(
                {
                    "id": layer.id,
                    "name": layer.name,
                    "delta_e": round(change.colour, 3),
                    "ssim": round(change.structure, 4),
                    "changed_px": change.changed_px,
                    **_identity(document, layer, change),
                }
            )
    return found


def _identity(document: Document, layer: Layer, change: LayerChange) -> dict[str, float]:
    found = quality_of(document.accepted.recipe, layer.id).identity if document.accepted else None
    if found is None:
        return {}
    return {"identity": 1.0 if change.is_untouched else round(found, 4)}


def _lies_as_run(document: Document) -> bool:
    """Whether every layer still has the place and the pixels that the accepted recipe tells of."""
    entries = document.accepted.recipe.layers if document.accepted else ()
    if not entries:
        return True
    known = {str(entry.get("id")): entry for entry in entries}
    leaves = [layer for layer in document.walk() if not layer.is_group]
    pictures = {key for key, entry in known.items() if entry.get("pixels")}
    return pictures <= {layer.id for layer in leaves} and all(
        layer.id in known and _is_as(layer, known[layer.id]) for layer in document.walk()
    )


def _is_as(layer: Layer, entry: Mapping[str, Any]) -> bool:
    mask = layer.mask.key if layer.mask and layer.mask_enabled else ""
    now = {
        "placement": list(layer.placement.as_tuple()),
        "pixels": layer.raster.key if layer.raster else "",
        "mask": mask,
        "visible": layer.visible,
        "opacity": layer.opacity,
    }
    return all(entry.get(key, value) == value for key, value in now.items())


def recipe_json(document: Document) -> str:
    """The recipe as JSON below 1 MB; the lists of layers are left out where it would be longer."""
    data = document_recipe(document)
    text = json.dumps(data)
    if len(text) > MAX_BYTES:
        recipe = data["recipe"] and {**data["recipe"], "layers": []}
        data.pop("changes", None)
        text = json.dumps({**data, "layers": [], "recipe": recipe})
    return text


def parameters_text(document: Document) -> str:
    """The form that many picture tools show; empty where no run made the picture."""
    if document.accepted is None:
        return ""
    recipe = document.accepted.recipe
    settings = recipe.settings
    facts = {
        "Steps": settings.steps,
        "Sampler": settings.sampler,
        "CFG scale": settings.guidance,
        "Seed": recipe.seed,
        "Size": f"{document.size.width}x{document.size.height}",
        "Model": settings.model,
        "Version": f"Collage Studio {recipe.app_version or __version__}",
    }
    lines = [recipe.caption]
    if settings.avoid:
        lines.append(f"Negative prompt: {settings.avoid}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n".join(lines)
