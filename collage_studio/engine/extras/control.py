"""Per-layer control: ControlNet residuals multiplied by a map of strengths.

Collage Diffusion, later version: each residual r of a ControlNet becomes r C, C = sum M_i s_i
averaged to the residual's size. C = 1 is the ControlNet as it is, C = 0 none, both to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.extras import ControlKind
from collage_studio.engine.extras.control_picture import ControlPicture
from collage_studio.engine.families.base import Conditioning, Family, Frame
from collage_studio.engine.families.flux import packed
from collage_studio.engine.families.transformer import padded
from collage_studio.engine.regions.maps import MapLevels, cut, network_of
from collage_studio.engine.workspace import Workspace

UNION_MODES = {
    ControlKind.CANNY: 0,
    ControlKind.TILE: 1,
    ControlKind.DEPTH: 2,
    ControlKind.POSE: 4,
    ControlKind.SCRIBBLE: 0,
}
"""What FLUX ControlNets for several kinds call them."""


@dataclass(slots=True)
class _Prepared:
    """What a network is given for one set of frames, made once."""

    hints: dict[tuple[Frame, ...], Tensor] = field(default_factory=dict[tuple[Frame, ...], Tensor])
    levels: dict[tuple[Frame, ...], MapLevels] = field(
        default_factory=dict[tuple[Frame, ...], MapLevels]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """One ControlNet with a control picture of the canvas; an attachment of every call.

    Args:
        picture: (1, 3, H, W) [0, 1] padded working pixels of the whole canvas.
        strength: (h, w) [0, 1] the map C on the cells of the whole canvas.
    """

    family: Family
    net: Any
    kind: ControlKind
    picture: Tensor
    strength: Tensor
    prepared: _Prepared = field(default_factory=_Prepared, init=False)

    @classmethod
    def of(
        cls, family: Family, net: Any, kind: ControlKind, shown: ControlPicture, space: Workspace
    ) -> Control:
        """The control of a run: picture and map as `control_picture` made them."""
        pixels = torch.from_numpy(shown.picture).permute(2, 0, 1)[None].contiguous()
        strength = space.cells(shown.strength).to(family.device)
        return cls(family, net, kind, pixels.to(family.device), strength)

    def at(self, conditioning: Conditioning) -> PlacedControl:
        """The control for the frames of one call."""
        return PlacedControl(self, tuple(conditioning.frames))

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing: a call has frames, and `at` places the control there."""
        del given
        return {}

    def levels(self, frames: tuple[Frame, ...]) -> MapLevels:
        """The map C of these frames."""
        found = self.prepared.levels.get(frames)
        if found is None:
            found = self.prepared.levels[frames] = MapLevels.of(self.strength, frames)
        return found

    def hint(self, frames: tuple[Frame, ...]) -> Tensor:
        """The control picture of these frames as the net wants it, one for all rows or one each."""
        found = self.prepared.hints.get(frames)
        if found is None:
            made = {frame: self._encoded(frame) for frame in set(frames)}
            each = frames[:1] if len(made) == 1 else frames
            found = self.prepared.hints[frames] = torch.cat([made[frame] for frame in each])
        return found

    def _encoded(self, frame: Frame) -> Tensor:
        """(1, ...) pixels for UNets and nets with a hint block, latents or tokens for others."""
        pixels = cut(self.picture, frame.window, self.family.factor)
        network = network_of(self.family)
        if hasattr(network, "down_blocks"):
            bgr = getattr(self.net.config, "controlnet_conditioning_channel_order", "rgb") == "bgr"
            return pixels.flip(1) if bgr else pixels
        if getattr(self.net, "input_hint_block", None) is not None:
            return pixels * 2.0 - 1.0
        latent = padded(self._latent(pixels * 2.0 - 1.0))
        return packed(latent) if hasattr(self.net, "controlnet_x_embedder") else latent

    def _latent(self, picture: Tensor) -> Tensor:
        """What SD3 and FLUX nets were trained on: the autoencoder's mean, scaled."""
        latent = self.family.encode(picture).mean
        if not getattr(self.net.config, "force_zeros_for_pooled_projection", False):
            return latent
        # Nets without a pooled vector were trained on latents without the shift.
        config = getattr(self.family, "vae").config  # noqa: B009
        return latent + float(config.shift_factor or 0.0) * float(config.scaling_factor)


@dataclass(frozen=True, slots=True)
class PlacedControl:
    """A control for the frames of one call."""

    control: Control
    frames: tuple[Frame, ...]

    @property
    def net(self) -> Any:
        return self.control.net

    def at(self, conditioning: Conditioning) -> PlacedControl:
        """The control for other frames."""
        return self.control.at(conditioning)

    def inputs(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The scaled residuals, by the names that the denoising network has for them."""
        if "sample" in given:
            return self._unet(given)
        return self._flux(given) if "img_ids" in given else self._sd3(given)

    def _unet(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        sample: Tensor = given["sample"]
        hint = self._hint(len(sample)).to(sample.dtype)
        down, mid = self.net(
            sample,
            given["timestep"],
            encoder_hidden_states=given["encoder_hidden_states"],
            controlnet_cond=hint,
            added_cond_kwargs=given.get("added_cond_kwargs"),
            return_dict=False,
        )
        return {
            "down_block_additional_residuals": self._scaled(down),
            "mid_block_additional_residual": self._scaled([mid])[0],
        }

    def _sd3(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        hidden: Tensor = given["hidden_states"]
        pooled, config = given["pooled_projections"], self.net.config
        zeros = config.force_zeros_for_pooled_projection
        [residuals] = self.net(
            hidden_states=hidden,
            timestep=given["timestep"],
            encoder_hidden_states=(
                None if config.joint_attention_dim is None else given["encoder_hidden_states"]
            ),
            pooled_projections=torch.zeros_like(pooled) if zeros else pooled,
            controlnet_cond=self._hint(len(hidden)).to(hidden.dtype),
            return_dict=False,
        )
        return {"block_controlnet_hidden_states": self._scaled(residuals)}

    def _flux(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        hidden: Tensor = given["hidden_states"]
        names = ("encoder_hidden_states", "pooled_projections", "timestep", "img_ids", "txt_ids")
        mode = None
        if self.net.union:
            number = UNION_MODES[self.control.kind]
            mode = torch.full((len(hidden), 1), number, device=hidden.device)
        double, single = self.net(
            hidden_states=hidden,
            controlnet_cond=self._hint(len(hidden)).to(hidden.dtype),
            controlnet_mode=mode,
            guidance=given.get("guidance"),
            **{name: given[name] for name in names},
            return_dict=False,
        )
        return {
            name: None if residuals is None else self._scaled(residuals)
            for name, residuals in (
                ("controlnet_block_samples", double),
                ("controlnet_single_block_samples", single),
            )
        }

    def _scaled(self, residuals: Sequence[Tensor]) -> list[Tensor]:
        """Each residual (B, C, h', w') or (B, n, d) times the map of its size."""
        levels = self.control.levels(self.frames)
        return [_times(residual, levels) for residual in residuals]

    def _hint(self, rows: int) -> Tensor:
        hint = self.control.hint(self.frames)
        return hint if len(hint) == rows else hint.expand(rows, *hint.shape[1:])


def _times(residual: Tensor, levels: MapLevels) -> Tensor:
    """The residual where the map is 1, nothing where it is 0."""
    is_plane = residual.ndim == 4
    found = levels.planes(*residual.shape[-2:]) if is_plane else levels.tokens(residual.shape[1])
    if found is None:
        raise ValueError(f"No level of the canvas has the size of a residual {residual.shape}.")
    return residual * found.to(residual.dtype)
