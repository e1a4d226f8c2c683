"""Puts LoRA files into networks: the diffusers and the kohya layout, every family."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.control_loading import inspected, misfit
from collage_studio.engine.families.base import Family
from collage_studio.engine.regions.maps import network_of
from collage_studio.formats.extra_files import ExtraFile, ExtraKind

_KOHYA_TEXTS = ("lora_te_", "lora_te1_", "lora_te2_", "lora_te3_")


def load_adapter(family: Family, path: str, name: str, *, texts: bool) -> None:
    """Load the LoRA at `path` as adapter `name`; it is not weighed or active yet.

    Args:
        texts: load what it has for the text encoders too.

    Raises:
        BadRequest: it is gone, a pickle, damaged or made for another family.
    """
    found = inspected(path, ExtraKind.LORA, family)
    try:
        state: dict[str, Tensor] = load_file(str(found.weights))
    except (SafetensorError, OSError) as error:
        raise BadRequest(
            f"{found.path.name} is damaged or not complete. Fetch it again or choose another."
        ) from error
    if not texts:
        state = {k: v for k, v in state.items() if not k.startswith((*_KOHYA_TEXTS, "text_enc"))}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _put_in(family, state, name, found)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(misfit(found, family)) from error


def _put_in(family: Family, state: dict[str, Tensor], name: str, found: ExtraFile) -> None:
    network, loader = network_of(family), _loader(family)
    more = {"unet_config": network.config} if family.name in ("stable_diffusion", "sdxl") else {}
    if family.name == "flux":
        more = {"return_alphas": True}
    read = loader.lora_state_dict(state, **more)
    converted, alphas = read if isinstance(read, tuple) else (read, None)
    converted = _prefixed(converted, loader)
    start = "unet" if hasattr(network, "down_blocks") else "transformer"
    own = {key: value for key, value in converted.items() if key.startswith(f"{start}.")}
    _check_fit(own, start, network, found, family)
    if own:
        network.load_lora_adapter(own, prefix=start, network_alphas=alphas, adapter_name=name)
    for end in ("", "_2"):
        encoder, prefix = getattr(family, f"text_encoder{end}", None), f"text_encoder{end}"
        part = {key: value for key, value in converted.items() if key.startswith(f"{prefix}.")}
        if part and encoder is not None:
            loader.load_lora_into_text_encoder(
                part, network_alphas=alphas, text_encoder=encoder, prefix=prefix, adapter_name=name
            )


def _loader(family: Family) -> Any:
    from diffusers.loaders import lora_pipeline

    return {
        "stable_diffusion": lora_pipeline.StableDiffusionLoraLoaderMixin,
        "sdxl": lora_pipeline.StableDiffusionXLLoraLoaderMixin,
        "sd3": lora_pipeline.SD3LoraLoaderMixin,
        "flux": lora_pipeline.FluxLoraLoaderMixin,
    }[family.name]


def _prefixed(state: Mapping[str, Tensor], loader: Any) -> dict[str, Tensor]:
    """Keys with the name of their network in front; files without any are the network's own."""
    names = ("unet.", "transformer.", "text_encoder.", "text_encoder_2.")
    if any(key.startswith(names) for key in state):
        return dict(state)
    start = getattr(loader, "unet_name", None) or loader.transformer_name
    return {f"{start}.{key}": value for key, value in state.items()}


def _check_fit(
    state: Mapping[str, Tensor], start: str, network: Any, found: ExtraFile, family: Family
) -> None:
    """Refuse layers that the network does not have, which PEFT would leave out silently."""
    modules = {name for name, _ in network.named_modules()}
    ends = (".lora_A.weight", ".lora.down.weight", ".down.weight")
    wanted = set[str]()
    for key in state:
        for end in ends:
            if key.endswith(end):
                wanted.add(_module_of(key.removeprefix(f"{start}.").removesuffix(end)))
                break
    if wanted and not wanted & modules:
        raise BadRequest(misfit(found, family))


def _module_of(name: str) -> str:
    """The module's own name; the oldest layout says `processor.to_q_lora` for `to_q`."""
    name = name.replace(".processor.", ".").removesuffix("_lora")
    return f"{name}.0" if name.endswith(".to_out") else name
