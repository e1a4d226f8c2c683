"""Edges, likeness and LoRAs in the window: reasons, files, edits."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from ui_documents import OpenWindow

from collage_studio.app.extras_library import ExtrasLibrary, reason_against
from collage_studio.document.extras import STARTER_CONTROL, ControlKind, LoraUse, RunExtras
from collage_studio.formats.extra_files import ExtraKind
from collage_studio.ui.dialogs.extras_part import RunExtrasPart
from collage_studio.ui.panels.document_page import change_settings
from collage_studio.ui.panels.extras_section import ExtrasSection

HEADERS = {
    ExtraKind.CONTROL: "controlnet_cond_embedding.conv_in.weight",
    ExtraKind.LORA: "lora_unet_input_blocks_1_attn2_to_k.lora_down.weight",
    ExtraKind.REFERENCE: "image_proj.proj.weight",
}


def file_of(kind: ExtraKind, path: Path, width: int = 0) -> Path:
    """A file with the header of its kind; its few numbers are zeros."""
    shape = [1, width or 1]
    size = 4 * shape[1]
    names = [HEADERS[kind]]
    if width and kind is ExtraKind.CONTROL:
        names.append("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight")
    entries = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [i * size, (i + 1) * size]}
        for i, name in enumerate(names)
    }
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size * len(names)))
    return path


@pytest.fixture
def section(opened: OpenWindow) -> ExtrasSection:
    opened.session.selection.select(["tent"])
    [found] = opened.window.inspector.layer_page.findChildren(ExtrasSection)
    found.fold.line.set_open(True)
    return found


def test_bars_that_nothing_listens_to_say_why_and_offer_the_way(section: ExtrasSection) -> None:
    assert not section.edges.isEnabled()
    assert "Edges need a model that follows them" in section.edges.toolTip()
    assert not section.likeness.isEnabled()
    assert "Likeness needs a model" in section.likeness.toolTip()
    assert section.control.isEnabled()
    assert section.loras.add_button.isEnabled()


def test_the_starters_own_model_for_edges_needs_no_file(
    opened: OpenWindow, section: ExtrasSection
) -> None:
    assert "Choose Starter's edges" in section.edges.toolTip()
    section.control.chosen.emit(STARTER_CONTROL)
    assert opened.session.editor.document.settings.extras.control_model == STARTER_CONTROL
    assert section.edges.isEnabled()
    assert section.control.value == STARTER_CONTROL


def test_the_starters_own_model_goes_with_the_starter_alone(opened: OpenWindow) -> None:
    library = ExtrasLibrary(opened.session.store)
    assert [info.path for info in library.fitting(ExtraKind.CONTROL, "Starter")] == ["starter"]
    assert library.fitting(ExtraKind.CONTROL, "SDXL") == ()


def test_a_model_for_edges_turns_the_bar_on(
    opened: OpenWindow, section: ExtrasSection, tmp_path: Path
) -> None:
    section.control.add(file_of(ExtraKind.CONTROL, tmp_path / "canny.safetensors"))
    editor = opened.session.editor
    assert editor.document.settings.extras.control_model.endswith("canny.safetensors")
    assert section.edges.isEnabled()
    section.edges.set_by_hand(80)
    assert editor.document.find("tent").extras.control == 0.8  # type: ignore[union-attr]
    assert editor.document.find("dog").extras.control == 0.5  # type: ignore[union-attr]
    opened.session.selection.select(["trees"])
    section.edges.set_by_hand(20)
    assert editor.document.find("left").extras.control == 0.2  # type: ignore[union-attr]
    editor.undo()
    assert editor.document.find("left").extras.control == 0.5  # type: ignore[union-attr]


def test_a_kind_without_a_picture_says_so(
    opened: OpenWindow, section: ExtrasSection, tmp_path: Path
) -> None:
    path = file_of(ExtraKind.CONTROL, tmp_path / "depth.safetensors")
    extras = RunExtras(str(path), ControlKind.DEPTH)
    change_settings(opened.session.editor, "Edges", extras=extras)
    assert "For depth a picture is needed" in section.edges.toolTip()
    layer = opened.session.editor.document.find("dog")
    assert layer is not None
    section.give_picture(layer.raster)
    assert section.edges.isEnabled()
    assert section.picture.value == "own"


def test_loras_are_added_weighed_and_removed(
    opened: OpenWindow, section: ExtrasSection, tmp_path: Path
) -> None:
    section.loras.add(file_of(ExtraKind.LORA, tmp_path / "ink.safetensors"))
    tent = lambda: opened.session.editor.document.find("tent").extras.loras  # type: ignore[union-attr]  # noqa: E731
    assert [use.weight for use in tent()] == [1.0]
    section.loras._bars[0].set_by_hand(60)
    assert [use.weight for use in tent()] == [0.6]
    section.loras._remove(0)
    assert tent() == ()
    section.loras.add(tmp_path / "gone.pt")
    assert "is a pickle" in section._said.full_text


def test_files_for_another_family_are_not_offered(
    opened: OpenWindow, section: ExtrasSection, tmp_path: Path
) -> None:
    library = ExtrasLibrary(opened.session.store)
    xl = library.add(
        file_of(ExtraKind.CONTROL, tmp_path / "xl.safetensors", 2048), ExtraKind.CONTROL
    )
    assert xl.family == "SDXL"
    assert xl not in library.fitting(ExtraKind.CONTROL, "Starter")
    assert library.fitting(ExtraKind.CONTROL, "SDXL") == (xl,)
    section.control.show_file("", "Starter")
    assert xl.path not in dict(section.control._options)


def test_families_without_masked_references_disable_the_choice(
    opened: OpenWindow, section: ExtrasSection
) -> None:
    assert reason_against(ExtraKind.REFERENCE, "FLUX.1")
    section.reference.show_file("", "FLUX.1")
    assert not section.reference.isEnabled()
    assert "know no masks" in section.reference.toolTip()


def test_run_settings_show_and_change_the_same(
    opened: OpenWindow, section: ExtrasSection, tmp_path: Path
) -> None:
    session = opened.session
    part = RunExtrasPart(session.editor, session.library, ExtrasLibrary(session.store))
    part.setParent(opened.window)
    ink = file_of(ExtraKind.LORA, tmp_path / "ink.safetensors")
    part.show_extras(session.editor.document.settings.extras)
    part.loras.add(ink)
    part.control.add(file_of(ExtraKind.CONTROL, tmp_path / "canny.safetensors"))
    extras = session.editor.document.settings.extras
    assert extras.loras == (LoraUse(str(ink), 1.0),)
    assert extras.control_model.endswith("canny.safetensors")
    assert section.edges.isEnabled()
    part.show_extras(extras)
    part._change("Reads", control_kind=ControlKind.POSE)
    assert session.editor.document.settings.extras.control_kind is ControlKind.POSE


def test_folders_that_judge_pictures_are_checked_and_kept(
    opened: OpenWindow, tmp_path: Path
) -> None:
    session = opened.session
    part = RunExtrasPart(session.editor, session.library, ExtrasLibrary(session.store))
    part.setParent(opened.window)
    part.clip.add(tmp_path)
    assert "holds no CLIP model" in part._said.text()
    assert session.editor.document.settings.extras.clip_model == ""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    part.clip.add(tmp_path)
    assert "no .safetensors file" in part._said.text()
    (tmp_path / "model.safetensors").write_bytes(b"")
    part.clip.add(tmp_path)
    part.sam.add(tmp_path)
    assert "holds no SAM model" in part._said.text()
    extras = session.editor.document.settings.extras
    assert (extras.clip_model, extras.sam_model) == (str(tmp_path), "")
    part.show_extras(extras)
    assert part.clip.value == str(tmp_path)
    part.clip.taken.emit("")
    assert session.editor.document.settings.extras.clip_model == ""
