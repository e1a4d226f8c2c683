"""FLUX.1 dev and schnell: T5 rows, CLIP's pooled vector, guidance as an input, packed latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from collage_studio.document.geometry import Rect
from collage_studio.engine.families.base import Conditioning, LearnedWords, ReadText, Vocabulary
from collage_studio.engine.families.latent import parts_of
from collage_studio.engine.families.parts import bytes_of, check_channels, settled
from collage_studio.engine.families.text import ClipText, T5Text
from collage_studio.engine.families.transformer import (
    PATCH,
    TransformerFamily,
    padded,
)
from collage_studio.engine.memory import network_dtype, t5_dtype
from collage_studio.engine.schedule import Schedule

NATIVE_CELLS = 128
"""Latent cells along a side of what the pipeline draws unless told otherwise."""

DEV_LENGTH, SCHNELL_LENGTH = 512, 256
"""Rows of T5 that the published models were trained with."""


class Flux(TransformerFamily):
    """One checkpoint, given the parts of a diffusers FluxPipeline.

    Both were distilled to need no second prediction: dev takes the guidance scale as an input,
    schnell has no use for it. Only words to avoid are read beside the caption.

    A canvas keeps its own shift of the noise levels in a crop, and a crop its own positions.
    """

    name = "flux"
    ends_at_step = True
    guidance_is_input = True
    takes_one_frame = True

    def __init__(
        self,
        *,
        transformer: Any,
        vae: Any,
        text_encoder: Any,
        text_encoder_2: Any,
        tokenizer: Any,
        tokenizer_2: Any,
        scheduler_config: Mapping[str, Any],
        device: torch.device,
        t5_length: int = 0,
        native_px: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        channels = int(vae.config.latent_channels)
        check_channels(int(transformer.config.in_channels), channels * PATCH * PATCH)
        super().__init__(
            transformer=transformer,
            vae=vae,
            scheduler_config=scheduler_config,
            device=device,
            dtype=dtype or network_dtype(device, wide=True),
        )
        self._takes_scale = bool(transformer.config.guidance_embeds)
        self.native_px = native_px or self.factor * NATIVE_CELLS
        self.text_encoder = settled(text_encoder, device, self.dtype)
        self.text_encoder_2 = settled(text_encoder_2, device, t5_dtype(self.dtype))
        self._clip = ClipText("clip_l", self.text_encoder, tokenizer, device)
        length = t5_length or (DEV_LENGTH if self._takes_scale else SCHNELL_LENGTH)
        self._t5 = T5Text(self.text_encoder_2, tokenizer_2, length, device)

    @classmethod
    def of_pipeline(cls, pipe: Any, device: torch.device, dtype: torch.dtype | None = None) -> Flux:
        """The family around the networks of a FluxPipeline."""
        return cls(
            **parts_of(
                pipe,
                "transformer",
                "vae",
                "text_encoder",
                "text_encoder_2",
                "tokenizer",
                "tokenizer_2",
            ),
            device=device,
            dtype=dtype,
        )

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without its end."""
        return self._t5.length - 1

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """By encoder, where learned looks can be put."""
        return {part.name: part.vocabulary for part in (self._clip, self._t5)}

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text` to T5's rows (1, L, 4096) and CLIP's pooled vector."""
        rows, offsets, skipped = self._t5.read(text, learned)
        return ReadText(rows, offsets, skipped, self._clip.read(text, learned).pooled)

    def forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        """One call of the transformer: the velocity noise - z.

        It takes the positions of all rows as one, so rows of several frames are run in turn; an
        edit of the attention then sees only those of one frame.
        """
        if len(set(conditioning.frames)) == 1:
            return self._forward(x, schedule, index, conditioning)
        out = torch.empty_like(x)
        for frame in set(conditioning.frames):
            rows = [row for row, own in enumerate(conditioning.frames) if own == frame]
            texts = [conditioning.texts[row] for row in rows]
            part = replace(conditioning, texts=texts, frames=(frame,))
            out[rows] = self._forward(x[rows], schedule, index, part)
        return out

    def _forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x)
        text = conditioning.rows
        guidance = torch.full((len(x),), conditioning.guidance, device=self.device)
        given = {
            "hidden_states": packed(x).to(self.dtype),
            "timestep": schedule.timesteps[index].expand(len(x)) / 1000,
            "guidance": guidance if self._takes_scale else None,
            "encoder_hidden_states": text.to(self.dtype),
            "pooled_projections": conditioning.pooled.to(self.dtype),
            "txt_ids": torch.zeros(text.shape[1], 3, device=self.device),
            "img_ids": positions(conditioning.frame(0).window, self.device),
        }
        for attachment in conditioning.attachments:
            given |= attachment.inputs(given)
        rows, columns = (side // PATCH for side in x.shape[-2:])
        self._sites.see(rows, columns, text.shape[1])
        out = self.transformer(**given, return_dict=False)[0]
        return unpacked(out, rows, columns)[..., :height, :width].float()

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        return bytes_of(self.transformer, self.vae, self.text_encoder, self.text_encoder_2)


def packed(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h w / 4, 4 C): two by two cells are one token, row by row."""
    x = x.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))  # (B, C, h/2, 2, w/2, 2)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpacked(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The opposite of `packed` for a picture of rows x columns tokens."""
    x = tokens.unflatten(2, (-1, PATCH, PATCH)).unflatten(1, (rows, columns))
    return x.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)  # (B, C, h, w)


def positions(window: Rect, device: torch.device) -> Tensor:
    """(n, 3) of the window's tokens: 0, row and column on the canvas."""
    rows = torch.arange(window.top / PATCH, window.bottom / PATCH, device=device)
    columns = torch.arange(window.left / PATCH, window.right / PATCH, device=device)
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([torch.zeros_like(down), down, right], dim=-1).flatten(0, 1)
