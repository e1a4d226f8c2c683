"""Stable Diffusion 1.x and 2.x and models of the same classes, such as the bundled starter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from collage_studio.engine.families.base import LearnedWords, ReadText, Vocabulary
from collage_studio.engine.families.latent import parts_of
from collage_studio.engine.families.parts import bytes_of, settled
from collage_studio.engine.families.text import ClipText
from collage_studio.engine.families.unet import UNetFamily
from collage_studio.engine.memory import network_dtype


class StableDiffusion(UNetFamily):
    """One checkpoint, given the parts of a diffusers StableDiffusionPipeline."""

    name = "stable_diffusion"

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            unet=unet,
            vae=vae,
            scheduler_config=scheduler_config,
            device=device,
            dtype=dtype or network_dtype(device),
        )
        self.text_encoder = settled(text_encoder, device, self.dtype)
        self.tokenizer = tokenizer
        self._clip = ClipText("clip_l", self.text_encoder, tokenizer, device)

    @classmethod
    def of_pipeline(
        cls, pipe: Any, device: torch.device, dtype: torch.dtype | None = None
    ) -> StableDiffusion:
        """The family around the networks of a StableDiffusionPipeline."""
        return cls(
            **parts_of(pipe, "unet", "vae", "text_encoder", "tokenizer"),
            device=device,
            dtype=dtype,
        )

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        return self._clip.length - 2

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """By encoder, where learned looks can be put."""
        return {part.name: part.vocabulary for part in (self._clip,)}

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text` to (1, T, d), padded as the stock pipeline does it."""
        states = self._clip.read(text, learned)
        return ReadText(states.last, states.offsets, states.skipped)

    def read_joined(
        self,
        texts: Sequence[str],
        *,
        upstream: bool = False,
        learned: Sequence[Sequence[LearnedWords]] = (),
    ) -> tuple[Tensor, Tensor]:
        """Encode texts as one sequence: rows (T, d) and the number of each row's text (T,)."""
        return self._clip.read_joined(texts, upstream=upstream, learned=learned)

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        return bytes_of(self.unet, self.vae, self.text_encoder)
