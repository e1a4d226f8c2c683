"""Stable Diffusion XL: two CLIP encoders, a pooled vector, and sizes the network is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from collage_studio.engine.api import ModelUnavailable
from collage_studio.engine.families.base import (
    Conditioning,
    Frame,
    LearnedWords,
    ReadText,
    Vocabulary,
)
from collage_studio.engine.families.latent import parts_of
from collage_studio.engine.families.parts import bytes_of, settled
from collage_studio.engine.families.text import ClipText
from collage_studio.engine.families.unet import UNetFamily
from collage_studio.engine.memory import network_dtype


class StableDiffusionXL(UNetFamily):
    """One checkpoint, given the parts of a diffusers StableDiffusionXLPipeline.

    Args:
        empty_is_zeros: an empty text is all zeros instead of the encoding of "". It is what the
            stock pipeline takes for "no words to avoid" where the checkpoint says
            `force_zeros_for_empty_prompt`, as the published ones do.
    """

    name = "sdxl"

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        text_encoder_2: Any,
        tokenizer: Any,
        tokenizer_2: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype | None = None,
        empty_is_zeros: bool = True,
    ) -> None:
        if text_encoder is None or text_encoder_2 is None:
            raise ModelUnavailable(
                "This is the SDXL refiner, which draws no pictures of its own. "
                "Choose an SDXL base model."
            )
        super().__init__(
            unet=unet,
            vae=vae,
            scheduler_config=scheduler_config,
            device=device,
            dtype=dtype or network_dtype(device),
        )
        self.text_encoder = settled(text_encoder, device, self.dtype)
        self.text_encoder_2 = settled(text_encoder_2, device, self.dtype)
        self._small = ClipText("clip_l", self.text_encoder, tokenizer, device)
        self._large = ClipText("clip_g", self.text_encoder_2, tokenizer_2, device)
        self._empty_is_zeros = empty_is_zeros

    @classmethod
    def of_pipeline(
        cls, pipe: Any, device: torch.device, dtype: torch.dtype | None = None
    ) -> StableDiffusionXL:
        """The family around the networks of a StableDiffusionXLPipeline."""
        return cls(
            **parts_of(
                pipe, "unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"
            ),
            device=device,
            dtype=dtype,
            empty_is_zeros=bool(pipe.config.force_zeros_for_empty_prompt),
        )

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        return min(self._small.length, self._large.length) - 2

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """By encoder, where learned looks can be put."""
        return {part.name: part.vocabulary for part in (self._small, self._large)}

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text` to (1, T, 768 + 1280): both encoders' states before their last block."""
        small, large = self._small.read(text, learned), self._large.read(text, learned)
        rows = torch.cat([small.penultimate, large.penultimate], dim=-1)
        pooled = large.pooled
        if self._empty_is_zeros and not text:
            rows, pooled = torch.zeros_like(rows), torch.zeros_like(pooled)
        return ReadText(rows, small.offsets, small.skipped, pooled)

    def read_joined(
        self,
        texts: Sequence[str],
        *,
        upstream: bool = False,
        learned: Sequence[Sequence[LearnedWords]] = (),
    ) -> tuple[Tensor, Tensor]:
        """Encode texts as one sequence: rows (T, 768 + 1280) and the number of each row's text.

        Unlike `read_text` both encoders' states are those after the final norm.
        """
        small, owner = self._small.read_joined(texts, upstream=upstream, learned=learned)
        large, _ = self._large.read_joined(texts, upstream=upstream, learned=learned)
        length = min(len(small), len(large))
        return torch.cat([small[:length], large[:length]], dim=-1), owner[:length]

    def _more_inputs(self, conditioning: Conditioning) -> Mapping[str, Any]:
        count = len(conditioning.texts)
        sizes = torch.cat([self._sizes(conditioning.frame(row)) for row in range(count)])
        pooled = conditioning.pooled.to(self.dtype)
        return {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}

    def _sizes(self, frame: Frame) -> Tensor:
        """(1, 6) px: height and width of the canvas, top and left of the window, its sides."""
        sides = (
            *frame.grid.shape,
            frame.window.top,
            frame.window.left,
            frame.window.height,
            frame.window.width,
        )
        return torch.tensor([[side * self.factor for side in sides]], dtype=self.dtype).to(
            self.device
        )

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        return bytes_of(self.unet, self.vae, self.text_encoder, self.text_encoder_2)
