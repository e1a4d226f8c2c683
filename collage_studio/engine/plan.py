"""What a run is to do, worked out before any network runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collage_studio.document.model import Document
from collage_studio.document.recipe import RunSettings
from collage_studio.engine.api import Picture
from collage_studio.engine.text_plan import TextPlan
from collage_studio.engine.workspace import Floats, Workspace

Masks = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One request, ready to run for any seed.

    Args:
        base: (H, W, 3) what stays where nothing may change.
        start: (H, W, 3) what the model begins with; equals `base` where nothing may change.
        noise: (H, W) float32 [0, 1] at canvas size; exactly 0 = never changes.
        masks: visible masks of layers and groups, padded working pixels (h, w).
        is_blank: free pixels begin as pure noise instead of `start`.
    """

    document: Document
    settings: RunSettings
    workspace: Workspace
    text: TextPlan
    base: Picture
    start: Picture
    noise: Floats
    masks: Masks
    is_blank: bool = False
