"""Loads ControlNets: a diffusers folder, or one .safetensors file in either key layout."""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from collage_studio.document.extras import FAMILY_NAMES, STARTER_CONTROL
from collage_studio.engine.api import BadRequest
from collage_studio.engine.families.base import Family
from collage_studio.engine.families.parts import settled
from collage_studio.engine.regions.maps import network_of
from collage_studio.formats.errors import FormatError
from collage_studio.formats.extra_files import ExtraFile, ExtraKind, inspect_extra
from collage_studio.resources_dir import resources_path

CLASSES = {
    "stable_diffusion": "ControlNetModel",
    "sdxl": "ControlNetModel",
    "sd3": "SD3ControlNetModel",
    "flux": "FluxControlNetModel",
}
"""The diffusers class of a family's ControlNets."""

_ORIGINAL_HINT = (0, 4, 8, 12)
"""Convolutions of the original layout after which the channels are new."""


def inspected(path: str, kind: ExtraKind, family: Family) -> ExtraFile:
    """What a file or folder is made for; raise `BadRequest` with a sentence if it does not fit."""
    try:
        found = inspect_extra(Path(path).expanduser(), kind)
    except FormatError as error:
        raise BadRequest(str(error)) from error
    config = network_of(family).config
    reads = config.cross_attention_dim if "cross_attention_dim" in config else 0
    joint = {"sd3": "Stable Diffusion 3", "flux": "FLUX.1"}.get(family.name, "")
    wrong = found.width != reads if found.width and reads else found.width > 0 and not reads
    if wrong or (found.family and not found.width and found.family != joint):
        raise BadRequest(misfit(found, family))
    return found


def misfit(found: ExtraFile, family: Family) -> str:
    """Why a file does not go with the chosen model."""
    made_for = found.family or "another model"
    return (
        f"The {found.kind} {found.path.name} is made for {made_for}, and the chosen model is "
        f"{FAMILY_NAMES.get(family.name, family.name)}. Choose files that go together."
    )


def load_control(path: str, family: Family) -> Any:
    """The ControlNet at `path`, or the bundled one, ready to run beside `family`.

    Raises:
        BadRequest: it is gone, a pickle, damaged or made for another family.
    """
    bundled = path == STARTER_CONTROL
    place = str(resources_path("starter", "control")) if bundled else path
    found = inspected(place, ExtraKind.CONTROL, family)
    config = _config(found)
    expected = CLASSES[family.name]
    if config is not None and config.get("_class_name", expected) != expected:
        raise BadRequest(misfit(found, family))
    try:
        net = _built(config, found, family)
    except (SafetensorError, OSError) as error:
        raise BadRequest(
            f"{found.path.name} is damaged or not complete. Fetch it again or choose another."
        ) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(misfit(found, family)) from error
    network = network_of(family)
    net = settled(net, family.device, next(network.parameters()).dtype)
    if getattr(net, "pos_embed", 0) is None:
        # Such nets read what the transformer has already placed.
        net.pos_embed = network.pos_embed
    return net


def _config(found: ExtraFile) -> dict[str, Any] | None:
    """config.json beside the weights; None without one."""
    try:
        data: Any = json.loads((found.weights.parent / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    is_net = isinstance(data, dict) and "ControlNet" in str(data.get("_class_name", ""))
    return cast("dict[str, Any]", data) if is_net else None


def _built(config: dict[str, Any] | None, found: ExtraFile, family: Family) -> Any:
    """The net of the file's layers; without a config, shaped like the network it controls."""
    state: dict[str, Tensor] = load_file(str(found.weights))
    network = network_of(family)
    match family.name:
        case "sd3":
            net = _sd3(config, state, network)
        case "flux":
            net = _flux(config, state, network)
        case _:
            net, state = _unet(config, state, network)
    net.load_state_dict(state, strict=True)
    return net


def _unet(config: dict[str, Any] | None, state: dict[str, Tensor], unet: Any) -> tuple[Any, Any]:
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
    from diffusers.models.controlnets.controlnet import ControlNetModel

    if config is not None:
        net: Any = ControlNetModel.from_config(config)
    else:
        net = ControlNetModel.from_unet(
            unet,
            conditioning_embedding_out_channels=_hint_channels(state),
            load_weights_from_unet=False,
        )
    if "controlnet_cond_embedding.conv_in.weight" not in state:
        state = convert_controlnet_checkpoint(state, dict(net.config))
    return net, state


def _hint_channels(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Channels of the convolutions that read the control picture, as the weights have them."""
    for prefix in ("", "control_model."):
        if f"{prefix}input_hint_block.0.weight" in state:
            found = (state.get(f"{prefix}input_hint_block.{i}.weight") for i in _ORIGINAL_HINT)
            return tuple(int(weight.shape[0]) for weight in found if weight is not None)
    first = state["controlnet_cond_embedding.conv_in.weight"]
    blocks = {
        int(name.split(".")[-2]): int(tensor.shape[0])
        for name, tensor in state.items()
        if name.startswith("controlnet_cond_embedding.blocks.") and name.endswith("weight")
    }
    return int(first.shape[0]), *(blocks[index] for index in sorted(blocks) if index % 2)


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values alone, without the notes of diffusers about them."""
    return {name: value for name, value in config.items() if not name.startswith("_")}


def _count(state: Mapping[str, Tensor], start: str) -> int:
    return len({name.split(".")[1] for name in state if name.startswith(start)})


def _sd3(config: dict[str, Any] | None, state: Mapping[str, Tensor], transformer: Any) -> Any:
    from diffusers.models.controlnets.controlnet_sd3 import SD3ControlNetModel

    if config is None:
        channels = int(state["pos_embed_input.proj.weight"].shape[1])
        latent = int(transformer.config.in_channels)
        config = _plain(transformer.config) | {
            "num_layers": _count(state, "transformer_blocks."),
            "extra_conditioning_channels": channels - latent,
        }
    return SD3ControlNetModel.from_config(config)


def _flux(config: dict[str, Any] | None, state: Mapping[str, Tensor], transformer: Any) -> Any:
    from diffusers.models.controlnets.controlnet_flux import FluxControlNetModel

    if config is None:
        modes = state.get("controlnet_mode_embedder.weight")
        config = _plain(transformer.config) | {
            "num_layers": _count(state, "transformer_blocks."),
            "num_single_layers": _count(state, "single_transformer_blocks."),
            "num_mode": None if modes is None else int(modes.shape[0]),
        }
    with flux_position_warning_ignored():
        return FluxControlNetModel.from_config(config)


@contextmanager
def flux_position_warning_ignored() -> Generator[None]:
    """diffusers 0.42 builds its own FLUX ControlNets with a class that it calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*FluxPosEmbed", FutureWarning)
        yield
