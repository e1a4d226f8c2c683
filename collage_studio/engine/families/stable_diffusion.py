"""Stable Diffusion 1.x and 2.x and models of the same classes, such as the bundled starter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from torch import Tensor, nn

from collage_studio.document.geometry import Size
from collage_studio.engine.api import BadRequest, ModelUnavailable
from collage_studio.engine.attention import AttentionEdit, biased_cross_attention
from collage_studio.engine.families.base import (
    Conditioning,
    Encoded,
    LearnedWords,
    Prediction,
    ReadText,
)
from collage_studio.engine.learned import overwritten
from collage_studio.engine.memory import network_dtype
from collage_studio.engine.schedule import LEAST_SIGNAL, Level, Schedule


class StableDiffusion:
    """One checkpoint, given the parts of a diffusers StableDiffusionPipeline."""

    name = "stable_diffusion"
    guidance_is_input = False

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        scheduler_config: dict[str, Any],
        device: torch.device,
    ) -> None:
        _check_parts(unet, int(vae.config.latent_channels))
        self.device = device
        self._dtype = network_dtype(device)
        self.unet = _settled(unet, device, self._dtype)
        self.text_encoder = _settled(text_encoder, device, self._dtype)
        # The autoencoder stays in float32: some overflow in half precision.
        self.vae = _settled(vae, device, torch.float32)
        self.tokenizer = tokenizer
        self.scheduler_config = dict(scheduler_config)
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.latent_channels = int(vae.config.latent_channels)
        self.alignment = 2 ** (len(unet.config.block_out_channels) - 1)
        sample = unet.config.sample_size
        self.native_px = self.factor * int(sample if isinstance(sample, int) else min(sample))

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        return self._text_length - 2

    @property
    def _text_length(self) -> int:
        longest = int(self.text_encoder.config.max_position_embeddings)
        return min(int(self.tokenizer.model_max_length), longest)

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text` to (1, T, d), padded as the stock pipeline does it."""
        length = self._text_length
        coded = self.tokenizer(
            text,
            padding="max_length",
            max_length=length,
            truncation=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        uses_mask = getattr(self.text_encoder.config, "use_attention_mask", False)
        mask = coded.attention_mask.to(self.device) if uses_mask else None
        offsets = tuple(_trimmed(text, int(s), int(e)) for s, e in coded.offset_mapping[0])
        with overwritten(self.text_encoder.get_input_embeddings(), "clip_l", offsets, learned):
            rows = self.text_encoder(coded.input_ids.to(self.device), attention_mask=mask)[0]
        whole = self.tokenizer(text, truncation=False, verbose=False).input_ids
        end = max((end for _, end in offsets), default=0)
        skipped = text[end:].strip() if len(whole) > length else ""
        return ReadText(rows, offsets, skipped)

    def encode(self, picture: Tensor) -> Encoded:
        """Latent of one picture (1, 3, H, W) in [-1, 1], scaled as the network expects it."""
        scale = float(self.vae.config.scaling_factor)
        picture = picture.to(self.device, torch.float32).contiguous()
        coded = self.vae.encode(picture)
        if isinstance(self.vae, AutoencoderTiny):
            return Encoded(coded.latents * scale)
        return Encoded(coded.latent_dist.mean * scale, coded.latent_dist.std * scale)

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about [-1, 1], one after the other to save memory."""
        latent = latent.float() / float(self.vae.config.scaling_factor)
        return torch.cat([self.vae.decode(row[None]).sample for row in latent])

    def schedule(self, sampler: str, steps: int, grid: Size) -> Schedule:
        """Levels of a fresh diffusers scheduler with this checkpoint's betas and spacing."""
        if sampler not in SCHEDULERS:
            raise BadRequest(
                f"There is no sampler {sampler!r}; use one of {', '.join(SCHEDULERS)}."
            )
        with warnings.catch_warnings():
            # diffusers 0.42 hands torch tensors to numpy 2 in a way both deprecate.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            scheduler: Any = stock_scheduler(sampler, self.scheduler_config)
            scheduler.set_timesteps(steps)
        timesteps = scheduler.timesteps.to(self.device)
        if sampler == "ddim":
            before, after = _ddim_levels(scheduler)
        else:
            levels = tuple(Level.of_sigma(float(sigma)) for sigma in scheduler.sigmas)
            before, after = levels[:-1], levels[1:]
        return Schedule(sampler, timesteps, before, after)

    def forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        """One call of the UNet: noise, v or the sample, as the checkpoint was trained."""
        given = {
            "sample": x.to(self._dtype),
            "timestep": schedule.timesteps[index],
            "encoder_hidden_states": conditioning.rows.to(self._dtype),
        }
        for attachment in conditioning.attachments:
            given |= attachment.inputs(given)
        return self.unet(**given, return_dict=False)[0].float()

    def interpret(self, out: Tensor, x: Tensor, schedule: Schedule, index: int) -> Prediction:
        """The clean and the noise estimate behind the network's output."""
        a, b = schedule.before[index]
        match self.scheduler_config.get("prediction_type", "epsilon"):
            case "epsilon":
                return Prediction((x - b * out) / max(a, LEAST_SIGNAL), out)
            case "v_prediction":
                return Prediction(a * x - b * out, a * out + b * x)
            case _:
                return Prediction(out, (x - a * out) / b)

    def attending(self, edit: AttentionEdit) -> AbstractContextManager[None]:
        """Apply `edit` in all attn2 layers, within a with block."""
        return biased_cross_attention(self.unet, edit)

    def watched_modules(self) -> tuple[nn.Module, ...]:
        """Blocks of the network and the autoencoder, each a fraction of a forward pass."""
        found = list[nn.Module]()
        for block in (*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks):
            found += [*getattr(block, "resnets", ()), *getattr(block, "attentions", ())]
        for part in (self.vae.encoder, self.vae.decoder):
            layers = getattr(part, "layers", None)
            found += list(layers if layers is not None else part.children())
        return tuple(found)

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        parts = (self.unet, self.vae, self.text_encoder)
        return sum(p.numel() * p.element_size() for part in parts for p in part.parameters())


SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m": (
        DPMSolverMultistepScheduler,
        {
            "algorithm_type": "dpmsolver++",
            "solver_order": 2,
            "solver_type": "midpoint",
            "final_sigmas_type": "zero",
            "thresholding": False,
        },
    ),
    # DDIM's own default clips latents to [-1, 1], which is meant for pixels.
    "ddim": (DDIMScheduler, {"clip_sample": False, "thresholding": False}),
}
"""The allow-list: only samplers that let pinned pixels be edited between steps."""


def stock_scheduler(sampler: str, config: dict[str, Any]) -> Any:
    """A fresh diffusers scheduler that keeps the checkpoint's betas, spacing and prediction."""
    scheduler_class, overrides = SCHEDULERS[sampler]
    accepted = scheduler_class._get_init_keys(scheduler_class)  # pyright: ignore[reportPrivateUsage]
    kept = {key: value for key, value in config.items() if key in accepted}
    return scheduler_class.from_config(kept | overrides)


def _ddim_levels(scheduler: Any) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    def level(alphas: Tensor) -> Level:
        return Level(float(alphas) ** 0.5, (1.0 - float(alphas)) ** 0.5)

    stride = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    times = [int(t) for t in scheduler.timesteps]
    before = tuple(level(scheduler.alphas_cumprod[t]) for t in times)
    # DDIM steps by a constant stride, which with some spacings is not the next timestep.
    after = tuple(
        level(
            scheduler.alphas_cumprod[t - stride] if t >= stride else scheduler.final_alpha_cumprod
        )
        for t in times
    )
    return before, after


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _settled(module: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Ready to run, with weights at addresses that do not depend on the file they came from."""
    # The plain method: diffusers' own logs a warning about modules it would keep in float32.
    nn.Module.to(module, device=device, dtype=dtype)
    module.eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return module


def check_channels(found: int, expected: int) -> None:
    """Raise `ModelUnavailable` for networks that want more than a latent, such as inpainting's."""
    if found > expected:
        raise ModelUnavailable(
            f"This model reads {found} channels instead of {expected}: it is made for "
            "inpainting or instructions. Choose a plain text-to-image model."
        )


def _check_parts(unet: Any, latent_channels: int) -> None:
    check_channels(int(unet.config.in_channels), latent_channels)
    if getattr(unet.config, "time_cond_proj_dim", None) is not None:
        raise ModelUnavailable(
            "This model has guidance distilled into it, which is not supported. "
            "Choose one that is not distilled."
        )
