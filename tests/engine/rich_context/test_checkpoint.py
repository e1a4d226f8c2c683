"""Adapter files: written whole, read back equal, refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from collage_studio.engine.rich_context.adapter import RichContextAdapter
from collage_studio.engine.rich_context.checkpoint import load_adapter, save_adapter
from collage_studio.formats.errors import FormatError
from tests.engine.rich_context.networks import randomised, sd15_unet


def adapter() -> RichContextAdapter:
    unet = sd15_unet()
    return randomised(
        RichContextAdapter.for_unet(unet, residual=True, normed=True, gated=True, hidden=16)
    )


def test_an_adapter_comes_back_with_its_options_and_metadata(tmp_path: Path) -> None:
    path, saved = tmp_path / "adapter.safetensors", adapter()
    save_adapter(saved, path, {"steps": "200"}, half=False)
    with torch.inference_mode():
        loaded = load_adapter(path)
    assert loaded.config == saved.config
    assert loaded.metadata["steps"] == "200"
    assert loaded.position_net.residual
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert not any(weight.is_inference() for weight in loaded.parameters())


def test_half_precision_takes_half_the_room(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapter(), path, {})
    assert {value.dtype for value in load_file(path).values()} == {torch.float16}
    assert next(load_adapter(path).parameters()).dtype == torch.float32


def test_loading_draws_nothing(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapter(), path, {})
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_adapter(path)
    assert torch.equal(torch.rand(1), expected)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapter(), path, {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FormatError, match="damaged or not complete"):
        load_adapter(path)


def test_a_published_file_is_sent_to_the_converter(tmp_path: Path) -> None:
    path = tmp_path / "published.safetensors"
    save_file(dict(adapter().state_dict()), path)
    with pytest.raises(FormatError, match="rich-context convert"):
        load_adapter(path)


def test_other_files_and_newer_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(FormatError, match="no rich-context adapter"):
        load_adapter(path)
    about = {"kind": "rich-context adapter", "version": "9"}
    save_file({"x": torch.zeros(1)}, path, metadata=about)
    with pytest.raises(FormatError, match="newer version"):
        load_adapter(path)
    save_file({"x": torch.zeros(1)}, path, metadata=about | {"version": "1", "config": "[]"})
    with pytest.raises(FormatError, match="damaged"):
        load_adapter(path)
    with pytest.raises(FormatError, match="is gone"):
        load_adapter(tmp_path / "none.safetensors")


def test_an_unwritable_place_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no folder"):
        save_adapter(adapter(), tmp_path / "none" / "adapter.safetensors", {})
    assert not list(tmp_path.iterdir())
