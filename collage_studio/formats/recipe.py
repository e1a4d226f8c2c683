"""What exports say about how a picture was made: our recipe as JSON, and the common text form."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from collage_studio import __version__
from collage_studio.document.model import Document
from collage_studio.formats.collage_json import recipe_data

KEY = "collage:recipe"
# Pillow refuses text chunks that unpack to more than 1 MiB, and readers hold all of it in memory.
MAX_BYTES = 1_000_000


def document_recipe(document: Document) -> dict[str, Any]:
    """How the final picture of `document` was made, as plain data.

    `recipe` is that of the accepted variation, or None where the picture is the collage itself.
    """
    caption, _ = document.written_caption()
    accepted = document.accepted
    return {
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
            }
            for layer in (document.background, *document.walk())
        ],
        "recipe": recipe_data(accepted.recipe) if accepted else None,
    }


def recipe_json(document: Document) -> str:
    """The recipe as JSON below 1 MB; the lists of layers are left out where it would be longer."""
    data = document_recipe(document)
    text = json.dumps(data)
    if len(text) > MAX_BYTES:
        recipe = data["recipe"] and {**data["recipe"], "layers": []}
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
