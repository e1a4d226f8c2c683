"""The shape of a rich-context adapter: which blocks it goes into, how wide they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

BLOCK_CLASS = "BasicTransformerBlock"


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter is made of. The published one has only defaults.

    Args:
        text_width: of the rows that the network's cross-attention reads.
        blocks: width and heads of each transformer block, by its path in the network.
        residual: the grounding encoder adds to the text instead of replacing it, and adds
            nothing at first.
        hidden: width inside the grounding encoder.
        inner: width inside the attention; None = that of the block.
        normed: queries are normed as the block norms those of its own cross-attention.
        gated: a factor per block, 0 at first, so that the output's weights need not be.
    """

    text_width: int
    blocks: Mapping[str, tuple[int, int]]
    residual: bool = False
    hidden: int = 512
    inner: int | None = None
    normed: bool = False
    gated: bool = False

    @classmethod
    def of_unet(cls, unet: Any, **options: Any) -> AdapterConfig:
        """What fits a UNet; `options` are the fields beside `text_width` and `blocks`."""
        return cls(int(unet.config.cross_attention_dim), unet_blocks(unet), **options)

    def fits(self, unet: Any) -> bool:
        """Whether the network has exactly these blocks, as wide as here."""
        width = unet.config.cross_attention_dim
        return width == self.text_width and unet_blocks(unet) == dict(self.blocks)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AdapterConfig:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            data: dict[str, Any] = dict(json.loads(text))
            found = {path: (int(w), int(heads)) for path, (w, heads) in data["blocks"].items()}
            known: dict[str, Any] = data | {"blocks": found}
            return cls(**known)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("This is no description of an adapter.") from error


def unet_blocks(unet: Any) -> dict[str, tuple[int, int]]:
    """Width and heads of a UNet's transformer blocks, by path, in the network's order."""
    return {
        path: (int(block.attn1.to_q.in_features), int(block.attn1.heads))
        for path, block in unet.named_modules()
        if type(block).__name__ == BLOCK_CLASS
    }
