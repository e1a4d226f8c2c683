"""Stable Diffusion 3 and 3.5: two CLIP encoders and T5 one after the other, a joint transformer."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from collage_studio.document.geometry import Size
from collage_studio.engine.api import BadRequest
from collage_studio.engine.families.base import (
    Conditioning,
    Frame,
    LearnedWords,
    ReadText,
    Vocabulary,
)
from collage_studio.engine.families.latent import parts_of
from collage_studio.engine.families.parts import bytes_of, settled
from collage_studio.engine.families.text import ClipText, Offsets, T5Text
from collage_studio.engine.families.transformer import (
    PATCH,
    TransformerFamily,
    padded,
    tokens_of,
)
from collage_studio.engine.memory import network_dtype, t5_dtype
from collage_studio.engine.schedule import Schedule

T5_LENGTH = 256
"""Rows of T5 that the stock pipeline reads unless told otherwise."""


class StableDiffusion3(TransformerFamily):
    """One checkpoint, given the parts of a diffusers StableDiffusion3Pipeline.

    Rows 0 to 76 hold both CLIP encoders side by side, the rest T5's; without T5 these are zeros.
    """

    name = "sd3"
    guidance_is_input = False

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
        text_encoder_3: Any = None,
        tokenizer_3: Any = None,
        t5_length: int = T5_LENGTH,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            transformer=transformer,
            vae=vae,
            scheduler_config=scheduler_config,
            device=device,
            dtype=dtype or network_dtype(device, wide=True),
        )
        self.native_px = self.factor * int(transformer.config.sample_size)
        self.text_encoder = settled(text_encoder, device, self.dtype)
        self.text_encoder_2 = settled(text_encoder_2, device, self.dtype)
        self._small = ClipText("clip_l", self.text_encoder, tokenizer, device)
        self._large = ClipText("clip_g", self.text_encoder_2, tokenizer_2, device)
        self._t5_length = t5_length
        self.text_encoder_3, self._t5 = None, None
        if text_encoder_3 is not None and tokenizer_3 is not None:
            self.text_encoder_3 = settled(text_encoder_3, device, t5_dtype(self.dtype))
            self._t5 = T5Text(self.text_encoder_3, tokenizer_3, t5_length, device)

    @classmethod
    def of_pipeline(
        cls, pipe: Any, device: torch.device, dtype: torch.dtype | None = None
    ) -> StableDiffusion3:
        """The family around the networks of a StableDiffusion3Pipeline."""
        return cls(
            **parts_of(
                pipe,
                "transformer",
                "vae",
                "text_encoder",
                "text_encoder_2",
                "text_encoder_3",
                "tokenizer",
                "tokenizer_2",
                "tokenizer_3",
            ),
            device=device,
            dtype=dtype,
        )

    @property
    def text_limit(self) -> int:
        """Tokens of one text, without begin and end."""
        return max(self._small.length - 2, 0 if self._t5 is None else self._t5.length - 1)

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """By encoder, where learned looks can be put."""
        return {
            part.name: part.vocabulary
            for part in (self._small, self._large, self._t5)
            if part is not None
        }

    def read_text(self, text: str, learned: Sequence[LearnedWords] = ()) -> ReadText:
        """Encode `text` to (1, 77 + L, 4096); skipped is what no encoder has read."""
        small, large = self._small.read(text, learned), self._large.read(text, learned)
        clip = torch.cat([small.penultimate, large.penultimate], dim=-1)
        t5, offsets, skipped = self._read_t5(text, learned)
        clip = functional.pad(clip, (0, t5.shape[-1] - clip.shape[-1]))
        rows = torch.cat([clip, t5.to(clip.dtype)], dim=1)
        pooled = torch.cat([small.pooled, large.pooled], dim=-1)
        unread = min(small.skipped, skipped, key=len)
        return ReadText(rows, small.offsets + offsets, unread, pooled)

    def _read_t5(self, text: str, learned: Sequence[LearnedWords]) -> tuple[Tensor, Offsets, str]:
        if self._t5 is not None:
            return self._t5.read(text, learned)
        width = int(self.transformer.config.joint_attention_dim)
        rows = torch.zeros(1, self._t5_length, width, device=self.device)
        return rows, ((0, 0),) * self._t5_length, text

    def forward(
        self, x: Tensor, schedule: Schedule, index: int, conditioning: Conditioning
    ) -> Tensor:
        """One call of the transformer: the velocity noise - z."""
        height, width = x.shape[-2:]
        x = padded(x)
        given = {
            "hidden_states": x.to(self.dtype),
            "timestep": schedule.timesteps[index].expand(x.shape[0]),
            "encoder_hidden_states": conditioning.rows.to(self.dtype),
            "pooled_projections": conditioning.pooled.to(self.dtype),
        }
        for attachment in conditioning.attachments:
            given |= attachment.inputs(given)
        rows, columns = (side // PATCH for side in x.shape[-2:])
        self._sites.see(rows, columns, conditioning.rows.shape[1])
        with self._placed(conditioning.frames):
            out = self.transformer(**given, return_dict=False)[0]
        return out[..., :height, :width].float()

    @contextmanager
    def _placed(self, frames: Sequence[Frame]) -> Generator[None]:
        """Positions of each row's window on the canvas, which the network would put in its middle.

        The canvas lies in the middle of the table of positions, as a whole picture does.
        """
        embed = self.transformer.pos_embed
        if all(frame.is_whole for frame in frames):
            yield
            return
        whole = embed.cropped_pos_embed
        table = torch.cat([_cut_out(whole, frame) for frame in frames])

        def cut(height: int, width: int) -> Tensor:
            del height, width
            return table

        embed.cropped_pos_embed = cut
        try:
            yield
        finally:
            del embed.cropped_pos_embed

    @property
    def weight_bytes(self) -> int:
        """Memory of all weights."""
        texts = (self.text_encoder, self.text_encoder_2, self.text_encoder_3)
        return bytes_of(self.transformer, self.vae, *texts)


def _cut_out(whole: Any, frame: Frame) -> Tensor:
    """(1, n, d) positions of the window's tokens."""
    size, window = tokens_of(frame.grid), frame.window
    try:
        table = whole(size.height * PATCH, size.width * PATCH)
    except ValueError as error:
        raise BadRequest(_TOO_LARGE) from error
    table = table.unflatten(1, size.shape)
    top, left = window.top // PATCH, window.left // PATCH
    seen = tokens_of(Size(window.width, window.height))
    return table[:, top : top + seen.height, left : left + seen.width].flatten(1, 2)


_TOO_LARGE = (
    "The collage is larger than this model can see at once. "
    "Lower the resolution of the run or choose another model."
)
