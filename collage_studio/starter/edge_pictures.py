"""Edge pictures of training scenes, drawn as the engine draws them for a run.

A scene is put together as a collage and shown to `engine.extras.control_picture`, so the control
learns from exactly the lines that it is given later.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collage_studio.document.extras import ControlKind
from collage_studio.document.geometry import Size
from collage_studio.document.model import Document
from collage_studio.engine.extras.control_picture import drawn_control
from collage_studio.engine.harmonise import region_masks
from collage_studio.engine.workspace import Workspace
from collage_studio.evaluate.collages import BACKDROP, collage_of
from collage_studio.starter.autoencoder import SHRINK
from collage_studio.starter.world import Scene

Lines = NDArray[np.bool_]


def edge_pictures(scene: Scene, size: int) -> tuple[Lines, Lines]:
    """Lines of the scene's collage, (size, size): of all layers, and of the objects alone."""
    whole = collage_of(scene, noise=1.0, size=size)
    objects = [layer for layer in whole.layers if layer.id != BACKDROP]
    return _lines(whole), _lines(whole.with_layers(*objects))


def _lines(document: Document) -> Lines:
    size: Size = document.size
    space = Workspace.of(size, min(size.shape), SHRINK)
    masks = region_masks(document, space)
    drawn = drawn_control(document, masks, space, ControlKind.CANNY, softness=0.0)
    return drawn.picture[..., 0] > 0.5


class EdgePool:
    """The edge pictures of a pool's scenes, kept in one file beside its latents."""

    def __init__(self, scenes: Sequence[Scene], file: Path, size: int) -> None:
        """Draw the pictures of these scenes; read them if `file` holds them already."""
        self._size = size
        seeds = np.array([scene.seed for scene in scenes])
        self._packed = _read(file, seeds, size)
        if self._packed is None:
            self._packed = np.stack([_pack(scene, size) for scene in scenes])
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".part")
            with unfinished.open("wb") as stream:
                np.savez(stream, seeds=seeds, size=size, lines=self._packed)
            os.replace(unfinished, file)

    def window(
        self, scene: int, corner: tuple[int, int], cells: int, *, objects_only: bool
    ) -> NDArray[np.float32]:
        """The lines in a window of latent cells, (3, 8 cells, 8 cells), 0 or 1."""
        assert self._packed is not None
        rows = self._packed[scene, int(objects_only)]
        lines = np.unpackbits(rows, axis=-1)[:, : self._size]
        top, left = (part * SHRINK for part in corner)
        side = cells * SHRINK
        cut = lines[top : top + side, left : left + side].astype(np.float32)
        return np.broadcast_to(cut, (3, side, side))


def _pack(scene: Scene, size: int) -> NDArray[np.uint8]:
    return np.packbits(np.stack(edge_pictures(scene, size)), axis=-1)


def _read(file: Path, seeds: NDArray[np.int64], size: int) -> NDArray[np.uint8] | None:
    """The packed lines in `file` if they are those of these scenes."""
    if not file.exists():
        return None
    with np.load(file) as known:
        fits = int(known["size"]) == size and np.array_equal(known["seeds"], seeds)
        return known["lines"] if fits else None
