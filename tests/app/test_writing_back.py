"""The accepted picture finds its way into the layers, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from collage_studio.app.editor import Editor
from collage_studio.app.writing_back import WriteBack, for_layered_file, needs_write_back
from collage_studio.document.compositing import composite_picture
from collage_studio.document.edits import accept_variation, add_variations, remove_layers
from collage_studio.document.geometry import Affine, Size
from collage_studio.document.harmonised import harmonised_stack, has_harmonised
from collage_studio.document.model import Document, Layer, Raster, Variation
from collage_studio.document.recipe import Recipe, RunSettings


class LaterHands:
    """Keeps work until `finish`, as a busy machine would."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def submit(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self.waiting.append((work, then))

    def finish(self) -> None:
        while self.waiting:
            work, then = self.waiting.pop(0)
            then(work())


def collage() -> Document:
    rng = np.random.default_rng(0)
    room = Layer(
        "room", "Room", raster=Raster.from_rgb(rng.integers(0, 255, (24, 32, 3), np.uint8))
    )
    box = Layer(
        "box",
        "Box",
        raster=Raster.from_rgb(np.full((8, 8, 3), 200, np.uint8)),
        placement=Affine.translation(4, 4),
    )
    variations = tuple(
        Variation(
            f"v{seed}",
            1,
            Raster.from_rgb(np.full((24, 32, 3), 60 + 40 * seed, np.uint8)),
            Recipe("harmonise", seed, RunSettings(), ""),
        )
        for seed in (1, 2)
    )
    return add_variations(Document(Size(32, 24), (room, box)), variations)


def watched() -> tuple[Editor, LaterHands, WriteBack]:
    editor, hands = Editor(collage()), LaterHands()
    return editor, hands, WriteBack(editor, hands.submit)


def shown(document: Document) -> np.ndarray:
    return composite_picture(harmonised_stack(document))


def accept(editor: Editor, key: str) -> None:
    editor.apply(lambda document: accept_variation(document, key), "Accept")


def test_accepting_puts_the_picture_into_the_layers_without_an_undo_step_of_its_own():
    editor, hands, _ = watched()
    accept(editor, "v1")
    hands.finish()
    assert np.abs(shown(editor.document).astype(int) - 100).max() <= 1
    assert not needs_write_back(editor.document)
    editor.undo()
    hands.finish()
    assert not has_harmonised(editor.document)


def test_moving_a_layer_meanwhile_loses_neither_the_move_nor_the_pixels():
    editor, hands, _ = watched()
    accept(editor, "v1")
    box = editor.document.layers[1]
    moved = replace(box, placement=Affine.translation(20, 10))
    editor.apply(lambda document: document.with_layers(document.layers[0], moved), "Move")
    hands.finish()
    box = editor.document.layers[1]
    assert box.placement == Affine.translation(20, 10)
    assert box.harmonised is not None
    assert np.abs(shown(editor.document)[12:16, 22:26].astype(int) - 100).max() <= 2


def test_a_layer_deleted_meanwhile_stays_deleted():
    editor, hands, _ = watched()
    accept(editor, "v1")
    editor.apply(lambda document: remove_layers(document, ("box",)), "Delete")
    hands.finish()
    assert [layer.id for layer in editor.document.layers] == ["room"]


def test_only_the_newest_accepted_picture_counts():
    editor, hands, _ = watched()
    accept(editor, "v1")
    editor.undo()
    accept(editor, "v2")
    hands.finish()
    assert editor.document.written_back == "v2"
    assert np.abs(shown(editor.document).astype(int) - 140).max() <= 1


def test_nothing_is_asked_for_twice():
    editor, hands, keeper = watched()
    accept(editor, "v1")
    keeper.refresh()
    keeper.refresh()
    assert len(hands.waiting) == 1


def test_a_closed_keeper_watches_no_more():
    editor, hands, keeper = watched()
    keeper.close()
    accept(editor, "v1")
    assert not hands.waiting


def test_a_saved_document_stays_saved():
    document = accept_variation(collage(), "v1")
    editor, hands = Editor(document), LaterHands()
    WriteBack(editor, hands.submit).refresh()
    hands.finish()
    assert has_harmonised(editor.document)
    assert not editor.is_modified


def test_a_psd_gets_the_harmonised_pixels_and_a_png_needs_none():
    document = accept_variation(collage(), "v1")
    assert has_harmonised(for_layered_file(document, Path("a.PSD")))
    assert for_layered_file(document, Path("a.png")) is document
