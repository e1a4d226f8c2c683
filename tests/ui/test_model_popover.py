"""The models' popover says each model's family, and why one cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

from ui_documents import OpenWindow

from collage_studio.app.models import ModelLibrary
from collage_studio.app.settings import PreferencesStore
from collage_studio.ui.dialogs.model_popover import ModelPopover


def model_folder(path: Path, pipeline: str) -> Path:
    """A folder in diffusers layout with one empty part."""
    (path / "unet").mkdir(parents=True)
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DConditionModel"]}
    (path / "model_index.json").write_text(json.dumps(index))
    (path / "unet" / "weights.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return path


def test_rows_say_family_and_reason(opened: OpenWindow, tmp_path: Path):
    library = ModelLibrary(PreferencesStore(tmp_path / "settings.json"))
    library.add(model_folder(tmp_path / "Juggernaut XL", "StableDiffusionXLPipeline"))
    library.add(model_folder(tmp_path / "FLUX.1-dev", "FluxPipeline"))
    lost = model_folder(tmp_path / "sd3.5-medium", "StableDiffusion3Pipeline")
    library.add(lost)
    (lost / "unet" / "weights.safetensors").unlink()
    told = list[str]()
    popover = ModelPopover(opened.window, opened.session.editor, library, told.append, told.append)
    popover.prepare()
    popover.move(20, 20)
    popover.adjustSize()
    popover.show()
    names = [row.accessibleName() for row in popover._rows]
    assert names[1].startswith("Juggernaut XL, SDXL")
    assert names[2].startswith("FLUX.1-dev, FLUX.1")
    assert "is not complete: unet has no weights" in names[3]
    assert [row.isEnabled() for row in popover._rows] == [True, True, True, False]
    assert popover._rows[3].height() > popover._rows[2].height()
    popover.add(model_folder(tmp_path / "chroma", "ChromaPipeline"))
    assert told == [
        "chroma is of the family Chroma, which does not run here. "
        "Choose a Stable Diffusion, SDXL, Stable Diffusion 3 or FLUX.1 model."
    ]
    popover.close()
