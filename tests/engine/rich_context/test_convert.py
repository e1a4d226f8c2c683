"""The four published containers, and files that look like them.

Checkpoints have the published names and shapes; their weights are views of one number, which keeps
the files small where the container stores views, and the tests quick.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from collage_studio import cli
from collage_studio.engine.rich_context import bases, convert
from collage_studio.engine.rich_context.checkpoint import load_adapter
from collage_studio.engine.rich_context.config import AdapterConfig
from collage_studio.formats.errors import FormatError
from tests.engine.rich_context.networks import sd15_unet

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _narrow_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of both bases as published, 40 times narrower, so that files stay small."""
    whole = bases.published

    def narrow(base: str) -> AdapterConfig:
        config = whole(base)
        blocks = {path: (width // 40, heads) for path, (width, heads) in config.blocks.items()}
        return AdapterConfig(config.text_width, blocks, hidden=8)

    monkeypatch.setattr(convert, "published", narrow)


def state_of(base: str = bases.SD15) -> State:
    generator = torch.Generator().manual_seed(0)
    shapes = bases.shapes_of(convert.published(base))
    return {name: torch.randn(shape, generator=generator).half() for name, shape in shapes.items()}


def prefixed(state: State, start: str) -> State:
    return {start + name: value for name, value in state.items()}


OTHER = {"conv_in.weight": torch.zeros(2), "mid_block.attentions.0.proj_in.weight": torch.ones(3)}


def whole_unet(state: State) -> State:
    more = {"vae.x": torch.zeros(1), "text_encoder.y": torch.zeros(1)}
    average = prefixed({name: value + 1 for name, value in state.items()}, "ema_unet.module.")
    return prefixed(state | OTHER, "unet.") | average | more


def folder(state: State, path: Path) -> Path:
    (path / "unet").mkdir(parents=True)
    (path / "model_index.json").write_text("{}")
    save_file(state | OTHER, path / "unet" / "diffusion_pytorch_model.safetensors")
    return path


def sharded(state: State, path: Path) -> Path:
    (path / "unet").mkdir(parents=True)
    names = sorted(state)
    parts = {"a.safetensors": names[:50], "b.safetensors": names[50:]}
    for part, own in parts.items():
        save_file({name: state[name] for name in own}, path / "unet" / part)
    index = {"weight_map": {name: part for part, own in parts.items() for name in own}}
    (path / "unet" / "model.safetensors.index.json").write_text(json.dumps(index))
    return path


def pickled(state: Any, path: Path) -> Path:
    path = path.with_suffix(".pt")
    torch.save(state, path)
    return path


def stored(state: State, path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    save_file(state, path)
    return path


def old(state: State) -> State:
    """Names of before the release."""
    return {name.replace("null_text_feat", "null_positive_feature", 1)
            if ".fuser." in name else name: value for name, value in state.items()}  # fmt: skip


CONTAINERS: dict[str, Callable[[State, Path], Path]] = {
    "folder": folder,
    "sharded folder": sharded,
    "unet": lambda state, path: pickled(whole_unet(state), path),
    "deepspeed": lambda state, path: pickled(
        {"module": prefixed(whole_unet(old(state)), "_forward_module."), "step": 5}, path
    ),
    "lightning": lambda state, path: pickled({"state_dict": whole_unet(state), "epoch": 1}, path),
    "adapter": lambda state, path: pickled(state | {"ema_unet.x.fuser.y": torch.ones(1)}, path),
    "adapter safetensors": stored,
    "before 2020": lambda state, path: legacy(state, path),
}


def legacy(state: State, path: Path) -> Path:
    path = path.with_suffix(".pt")
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_adapter(container: str, tmp_path: Path) -> None:
    state = state_of()
    source = CONTAINERS[container](state, tmp_path / "source")
    target = tmp_path / "adapter.safetensors"
    done = convert.convert(source, target)
    assert (done.base, done.tensors) == (bases.SD15, 103)
    assert done.parameters == sum(value.numel() for value in state.values())
    written = load_file(target)
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], value) for name, value in state.items())
    about = load_adapter(target).metadata
    assert about["base"] == bases.SD15
    assert about["join"] == "fixed"
    assert len(about["sha256"]) == 64


def test_sdxl_is_told_by_its_text_width(tmp_path: Path) -> None:
    source = stored(state_of(bases.SDXL), tmp_path / "source")
    done = convert.convert(source, tmp_path / "adapter.safetensors", join="upstream")
    assert (done.base, done.tensors) == (bases.SDXL, 427)
    assert load_adapter(tmp_path / "adapter.safetensors").metadata["join"] == "upstream"


def test_averaged_weights_are_taken_where_asked(tmp_path: Path) -> None:
    state = state_of()
    source = pickled({"state_dict": whole_unet(state)}, tmp_path / "source")
    convert.convert(source, tmp_path / "adapter.safetensors", average=True)
    written = load_file(tmp_path / "adapter.safetensors")
    assert all(torch.equal(written[name], value + 1) for name, value in state.items())


def gligen() -> State:
    return {
        "position_net.null_position_feature": torch.zeros(64),
        "down_blocks.0.attentions.0.transformer_blocks.0.fuser.alpha_attn": torch.zeros(()),
        "down_blocks.0.attentions.0.transformer_blocks.0.fuser.linear.weight": torch.zeros(2, 2),
    }


def casa() -> State:
    block = "mid_block.attentions.0.transformer_blocks.0.fuser.self_attn.to_q.weight"
    return state_of() | {block: torch.zeros(2, 2)}


def other_width() -> State:
    return {
        name: torch.zeros(value.shape[0], 1024) if name.endswith("to_k.weight") else value
        for name, value in state_of().items()
    }


def incomplete() -> State:
    return dict(list(state_of().items())[:-4])


def other_blocks() -> State:
    block = "down_blocks.7.attentions.0.transformer_blocks.0.fuser.attn.to_q.weight"
    return state_of() | {block: torch.zeros(2, 2)}


def other_shape() -> State:
    return state_of() | {"position_net.linears.2.weight": torch.zeros(3, 3)}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (gligen, "is a GLIGEN model"),
        (casa, r"variant with regional self-attention \(casa\)"),
        (other_width, "reads texts of width 1024"),
        (incomplete, "lacks 4 of 103 tensors"),
        (other_blocks, "which an adapter for Stable Diffusion 1 has not"),
        (other_shape, r"of shape \[3, 3\] instead of \[8, 8\]"),
        (lambda: OTHER, "holds no rich-context adapter"),
    ],
)
def test_other_checkpoints_are_refused_with_a_sentence(
    state: Callable[[], State], sentence: str, tmp_path: Path
) -> None:
    for write in (stored, pickled):
        source = write(state(), tmp_path / "source")
        with pytest.raises(FormatError, match=sentence):
            convert.convert(source, tmp_path / "adapter.safetensors")
    assert not (tmp_path / "adapter.safetensors").exists()


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("evil"),))


def test_a_pickle_that_runs_code_is_refused_and_has_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path / "new.pt", tmp_path / "plain.ckpt"):
        if source.suffix == ".pt":
            torch.save({"unet": _Evil()}, source)
        else:
            source.write_bytes(pickle.dumps({"unet": _Evil()}, protocol=2))
        with pytest.raises(FormatError, match="asks for more than tensors"):
            convert.convert(source, tmp_path / "adapter.safetensors")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("write", [stored, pickled, legacy])
def test_a_file_that_was_cut_off_is_refused(
    write: Callable[[State, Path], Path], tmp_path: Path
) -> None:
    source = write(state_of(), tmp_path / "source")
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(FormatError, match="damaged or not complete"):
        convert.convert(source, tmp_path / "adapter.safetensors")


def test_missing_sources_and_other_targets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is gone"):
        convert.convert(tmp_path / "none.pt", tmp_path / "adapter.safetensors")
    with pytest.raises(FormatError, match="no weights of a UNet"):
        convert.convert(tmp_path, tmp_path / "adapter.safetensors")
    with pytest.raises(FormatError, match=r"must end in \.safetensors"):
        convert.convert(tmp_path, tmp_path / "adapter.pt")


def test_the_command_converts_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = stored(state_of(), tmp_path / "source"), tmp_path / "adapter.safetensors"
    assert cli.main(["rich-context", "convert", str(source), str(target)]) == 0
    assert capsys.readouterr().out.startswith("Wrote adapter.safetensors: Stable Diffusion 1, 103 ")
    assert cli.main(["rich-context", "convert", str(tmp_path / "no.pt"), str(target)]) == 1
    assert "is gone" in capsys.readouterr().err


def test_a_converted_adapter_has_the_blocks_of_its_base() -> None:
    assert len(convert.published(bases.SD15).blocks) == len(
        [name for name, _ in sd15_unet().named_modules() if name.endswith(".attn2")]
    )
