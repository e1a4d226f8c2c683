"""Loads IP-Adapters: one .safetensors file, and the image encoder that lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from collage_studio.document.extras import Feature, why_not
from collage_studio.engine.api import BadRequest
from collage_studio.engine.extras.control_loading import inspected, misfit
from collage_studio.engine.families.base import Family
from collage_studio.engine.families.parts import settled
from collage_studio.engine.regions.maps import network_of
from collage_studio.formats.extra_files import ExtraFile, ExtraKind

_ENCODER_PLACES = ("image_encoder", "../image_encoder", "../models/image_encoder")


@dataclass(frozen=True, slots=True)
class ReferenceAdapter:
    """An IP-Adapter in memory.

    Args:
        layers: weights of keys and values by attention layer, each (c, d).
        reads_states: it takes all of the encoder's tokens, as the "plus" kinds do.
    """

    encoder: Any
    projection: Any
    layers: Mapping[str, tuple[Tensor, Tensor]]
    reads_states: bool

    @property
    def side(self) -> int:
        """Sides of the pictures it reads, in px."""
        return int(self.encoder.config.image_size)

    def tokens(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(1, n, d) for a normalised picture (1, 3, s, s), and for none."""
        weight = next(self.encoder.parameters())
        pixels = pixels.to(weight.device, weight.dtype)
        if self.reads_states:
            read, none = (
                self.encoder(picture, output_hidden_states=True).hidden_states[-2]
                for picture in (pixels, torch.zeros_like(pixels))
            )
        else:
            read = self.encoder(pixels).image_embeds
            none = torch.zeros_like(read)
        return tuple(self.projection(part).reshape(1, -1, self._width) for part in (read, none))  # pyright: ignore[reportReturnType]  two of them

    @property
    def _width(self) -> int:
        return next(iter(self.layers.values()))[0].shape[1]


def load_reference(path: str, family: Family) -> ReferenceAdapter:
    """The adapter at `path`, ready for the family's UNet.

    Raises:
        BadRequest: it or its image encoder is gone, a pickle, damaged or made for another model.
    """
    reason = why_not(family.name, Feature.REFERENCE)
    if reason:
        raise BadRequest(reason)
    found = inspected(path, ExtraKind.REFERENCE, family)
    damaged = f"{found.path.name} is damaged or not complete. Fetch it again or choose another."
    try:
        state: dict[str, Tensor] = load_file(str(found.weights))
    except (SafetensorError, OSError) as error:
        raise BadRequest(damaged) from error
    proj = _below(state, "image_proj.")
    if not proj or ("norm.weight" in proj and "proj.weight" not in proj and "latents" not in proj):
        raise BadRequest(
            f"{found.path.name} reads faces by a model of their own, which is not supported. "
            "Choose a plain adapter or a “plus” one."
        )
    unet = network_of(family)
    dtype = next(unet.parameters()).dtype
    layers = _layers(_below(state, "ip_adapter."), unet, found, family)
    encoder = _encoder(found)
    try:
        projection = unet._convert_ip_adapter_image_proj_to_diffusers(proj)
    except (RuntimeError, KeyError, ValueError) as error:
        raise BadRequest(damaged) from error
    reads_states = type(projection).__name__ != "ImageProjection"
    _check_encoder(proj, encoder, found, reads_states=reads_states)
    return ReferenceAdapter(
        settled(encoder, family.device, dtype),
        settled(projection, family.device, dtype),
        {name: tuple(w.to(family.device, dtype) for w in pair) for name, pair in layers.items()},  # pyright: ignore[reportArgumentType]  pairs stay pairs
        reads_states,
    )


def _below(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {key.removeprefix(start): v for key, v in state.items() if key.startswith(start)}


def _layers(
    state: Mapping[str, Tensor], unet: Any, found: ExtraFile, family: Family
) -> dict[str, tuple[Tensor, Tensor]]:
    """Keys' and values' weights by layer: the file counts 1, 3, 5, … through the UNet's attn2."""
    sites = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    layers = dict[str, tuple[Tensor, Tensor]]()
    for index, site in enumerate(sites):
        pair = tuple(state.get(f"{2 * index + 1}.to_{part}_ip.weight") for part in "kv")
        key, value = pair
        attention = unet.get_submodule(site.removesuffix(".processor"))
        inner = attention.to_q.weight.shape[0]
        if key is None or value is None or key.shape[0] != inner:
            raise BadRequest(misfit(found, family))
        layers[site] = key, value
    return layers


def _encoder(found: ExtraFile) -> Any:
    """The image encoder beside the adapter."""
    from transformers import CLIPVisionModelWithProjection

    places = (found.weights.parent / place for place in _ENCODER_PLACES)
    folder = next((place for place in places if (place / "config.json").is_file()), None)
    if folder is None:
        raise BadRequest(
            f"The image encoder of {found.path.name} is missing. "
            "Put its folder, named image_encoder, beside the file."
        )
    if not any(folder.glob("*.safetensors")):
        raise BadRequest(
            f"The image encoder of {found.path.name} has no .safetensors file. Fetch that version."
        )
    try:
        return _quietly(CLIPVisionModelWithProjection, folder)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadRequest(
            f"The image encoder of {found.path.name} is damaged or not complete. Fetch it again."
        ) from error


def _quietly(model: Any, folder: Path) -> Any:
    return model.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)


def _check_encoder(
    proj: Mapping[str, Tensor], encoder: Any, found: ExtraFile, *, reads_states: bool
) -> None:
    read = next(
        (proj[k] for k in ("proj.weight", "proj_in.weight", "proj.0.weight") if k in proj), None
    )
    config = encoder.config
    given = int(config.hidden_size if reads_states else config.projection_dim)
    if read is not None and int(read.shape[1]) != given:
        raise BadRequest(
            f"{found.path.name} needs another image encoder than the one beside it. "
            "Put the folder it was published with there."
        )
