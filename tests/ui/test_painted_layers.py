"""Painted layers in the window: copied, cleaned and exported with their painted noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ui_documents import OpenWindow, camp

from collage_studio.document.edits import change_layer
from collage_studio.document.model import Document, Layer, Mask, Raster
from collage_studio.document.noise_paint import over, set_paint


def painted() -> Document:
    document = camp()
    raster = tent_of(document).raster
    assert raster is not None
    cover = np.zeros(raster.size.shape, np.float32)
    cover[: raster.size.height // 2] = 0.6
    return set_paint(document, "tent", over(None, raster.size, 0.8, cover))


def tent_of(document: Document) -> Layer:
    layer = document.find("tent")
    assert layer is not None
    return layer


def test_a_painted_layer_is_pasted_into_another_document_with_its_paint(opened: OpenWindow) -> None:
    editor = opened.session.editor
    editor.replace(painted(), saved=True)
    opened.session.selection.select(["tent"])
    opened.window.table.run("edit.copy")
    opened.window.table.run("file.new")
    assert editor.document.find("tent") is None
    opened.window.table.run("edit.paste")
    [pasted] = [layer for layer in editor.document.walk() if layer.name == "Tent"]
    assert pasted.noise_paint == tent_of(painted()).noise_paint


def test_clean_colours_keeps_the_paint(opened: OpenWindow) -> None:
    editor, document = opened.session.editor, painted()
    raster = tent_of(document).raster
    assert raster is not None
    grain = np.random.default_rng(1).integers(0, 256, raster.pixels.shape, np.uint8)
    soft = np.tile(np.linspace(0, 255, raster.size.width).astype(np.uint8), (grain.shape[0], 1))
    document = change_layer(document, "tent", raster=Raster(grain), mask=Mask(soft))
    editor.replace(document, saved=True)
    before = tent_of(editor.document)
    opened.session.selection.select(["tent"])
    opened.window.table.run("mask.clean")
    opened.window.canvas.background.finish()
    after = tent_of(editor.document)
    assert after.raster != before.raster
    assert after.noise_paint == before.noise_paint


def test_an_export_that_loses_paint_says_so(opened: OpenWindow, tmp_path: Path) -> None:
    opened.session.editor.replace(painted(), saved=True)
    opened.session.files.export(tmp_path / "camp.ora")
    opened.session.writer.finish()
    said = opened.window.notices.notices[-1].text
    assert said.endswith("checked. Painted noise stays in the .collage only: Tent.")
