"""Tells what a ControlNet, LoRA or IP-Adapter file is made for, from its header: no torch.

Nothing in the file is executed; pickles are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from collage_studio.formats.checkpoint import PICKLES, read_header
from collage_studio.formats.errors import FormatError

_WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "SDXL"}
_FLUX_WIDTH, _SD3_WIDTHS = 3072, (1536, 2432)
_UNET_PARTS = ("down.blocks", "up.blocks", "mid.block", "put.blocks", "middle.block")
_ORIGINAL = "control_model."

Shapes = Mapping[str, tuple[int, ...]]


class ExtraKind(StrEnum):
    """A ControlNet, a LoRA or an IP-Adapter, as they are called on screen."""

    CONTROL = "control model"
    LORA = "LoRA"
    REFERENCE = "reference model"


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """What the header says.

    Args:
        weights: the .safetensors file itself, also where a folder was given.
        family: a name such as "SDXL"; empty if the layers do not tell.
        width: of the text rows that its layers read; 0 where it has no such layers.
    """

    kind: ExtraKind
    path: Path
    weights: Path
    family: str
    width: int
    bytes: int


def inspect_extra(path: Path, kind: ExtraKind) -> ExtraFile:
    """What the file or folder at `path` is made for.

    Raises:
        FormatError: it is gone, a pickle, damaged, or something else than `kind`.
    """
    weights = _weights(path, kind)
    shapes = read_header(weights).shapes
    found = kind_of(shapes)
    if found is not kind:
        something = f"a {found}" if found else "something else"
        raise FormatError(f"{path.name} is no {kind} but {something}. Choose another file.")
    width = _text_width(shapes)
    return ExtraFile(
        kind, path, weights, _family(shapes, kind, width), width, weights.stat().st_size
    )


def _weights(path: Path, kind: ExtraKind) -> Path:
    """The one .safetensors file that `path` is or holds."""
    if path.is_dir():
        files = sorted(file for file in path.glob("*.safetensors"))
        if kind is ExtraKind.CONTROL and (path / "diffusion_pytorch_model.safetensors") in files:
            return path / "diffusion_pytorch_model.safetensors"
        if len(files) == 1:
            return files[0]
        if files:
            raise FormatError(f"{path.name} holds {len(files)} files. Choose the one to use.")
        if any(file.suffix in PICKLES for file in path.iterdir()):
            raise FormatError(_pickle(kind))
        raise FormatError(f"The folder {path.name} holds no .safetensors file. Choose another.")
    if path.suffix.lower() in PICKLES:
        raise FormatError(_pickle(kind))
    if not path.is_file():
        raise FormatError(f"The file of the {kind} {path.name} is gone. Find it or choose another.")
    if path.suffix != ".safetensors":
        raise FormatError(f"{path.name} is no {kind}. Choose a .safetensors file or a folder.")
    return path


def _pickle(kind: ExtraKind) -> str:
    return f"This {kind} is a pickle, which can run code. Use its .safetensors version."


def kind_of(shapes: Shapes) -> ExtraKind | None:
    """What these layers belong to; None for none of the three."""
    names = tuple(name.removeprefix(_ORIGINAL) for name in shapes)
    if any(
        name.startswith(("image_proj.", "ip_adapter.")) or ".ip_adapter" in name for name in names
    ):
        return ExtraKind.REFERENCE
    if any(_is_lora(name) for name in names):
        return ExtraKind.LORA
    starts = ("controlnet_", "input_hint_block.", "pos_embed_input.", "zero_convs.")
    if any(name.startswith(starts) for name in names):
        return ExtraKind.CONTROL
    return None


def _is_lora(name: str) -> bool:
    return any(part in name for part in ("lora_down", "lora_up", ".lora_A", ".lora_B", ".lora."))


def _text_width(shapes: Shapes) -> int:
    """How wide the text rows are that cross-attention layers read; 0 without such layers."""
    return next((shape[-1] for shape in _text_readers(shapes) if len(shape) == 2), 0)


def _text_readers(shapes: Shapes) -> Iterator[tuple[int, ...]]:
    for name, shape in shapes.items():
        plain = name.replace("_", ".")
        reads = "to.k.ip" in plain or (
            any(part in plain for part in _UNET_PARTS)
            and ("attn2.to.k" in plain or "attn2.processor.to.k" in plain)
        )
        if reads and not any(part in name for part in ("lora_up", "lora_B", "lora.up", "dora")):
            yield shape


def _family(shapes: Shapes, kind: ExtraKind, width: int) -> str:
    names = tuple(shapes)
    if width:
        return _WIDTHS.get(width, "")
    if any("single_blocks" in n or "single_transformer_blocks" in n for n in names) or any(
        "double_blocks" in n or "controlnet_x_embedder" in n for n in names
    ):
        return "FLUX.1"
    if any("joint_blocks" in n or n.startswith("pos_embed_input.") for n in names):
        return "Stable Diffusion 3"
    if kind is ExtraKind.LORA and any(
        "transformer_blocks" in n and "attn1" not in n for n in names
    ):
        return _joint_family(shapes)
    if any(n.startswith(("lora_te2_", "text_encoder_2.")) for n in names):
        return "SDXL"
    return ""


def _joint_family(shapes: Shapes) -> str:
    """SD3 or FLUX.1 by the width of their tokens."""
    widths = {
        shape[-1] for name, shape in shapes.items() if "lora_A" in name or "lora_down" in name
    }
    if _FLUX_WIDTH in widths:
        return "FLUX.1"
    return "Stable Diffusion 3" if widths & set(_SD3_WIDTHS) else ""
