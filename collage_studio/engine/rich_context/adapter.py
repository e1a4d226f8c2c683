"""Regional cross-attention in every transformer block of a UNet, put in by a with block.

Diffusers keeps a door for GLIGEN: a UNet called with `cross_attention_kwargs={"gligen": {...}}`
gives these tensors to `unet.position_net` and its outcome to `block.fuser`, right after
self-attention, in every block. Both are put in here, so no network class is changed. The names of
the weights are those of the published adapter.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from collage_studio.engine.api import BadRequest
from collage_studio.engine.rich_context.config import AdapterConfig
from collage_studio.engine.rich_context.grounding import Grounded, GroundingEncoder

FUSER = "fuser"


class _Projections(nn.Module):
    """The linear layers of an attention. Not diffusers' own, whose processors others replace."""

    def __init__(self, width: int, inner: int, text_width: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(text_width, inner, bias=False)
        self.to_v = nn.Linear(text_width, inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, width)])


class RegionalCrossAttention(nn.Module):
    """x + to_out(softmax(q(x) k^T / sqrt(d) + bias) v) over the tokens of each cell's atom.

    Cells without tokens, and rows whose layout is dropped, get x + null_text_feat. At first
    nothing is added: the output's weights (or the gate) and the null feature are 0.
    """

    def __init__(self, width: int, heads: int, config: AdapterConfig) -> None:
        super().__init__()
        self.heads = heads
        self.strength = 1.0
        self.attn = _Projections(width, config.inner or width, config.text_width)
        self.null_text_feat = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width) if config.normed else None
        self.gate = nn.Parameter(torch.zeros(())) if config.gated else None
        if not config.gated:
            for weight in self.attn.to_out.parameters():
                nn.init.zeros_(weight)

    def forward(self, x: Tensor, layout: Grounded) -> Tensor:
        """x (B, L, D), the pixels behind self-attention, with what their atoms say added."""
        tiles = layout.tiles(x.shape[1])
        attn = self.attn
        added = x.new_zeros(x.shape[0] * x.shape[1], x.shape[2])
        if len(tiles.cells):
            seen = x.flatten(0, 1)[tiles.cells]
            query = attn.to_q(seen if self.norm is None else self.norm(seen))
            key, value = layout.pair(attn.to_k, attn.to_v)
            out = attn.to_out[0](tiles.attend(query, key, value, self.heads))
            out = out if self.gate is None else out * self.gate
            added = added.index_copy(0, tiles.cells, out.to(x.dtype))
        elif torch.is_grad_enabled():
            added = added + self._nothing(layout).to(x.dtype)
        added = added.view_as(x) + tiles.bare * self.null_text_feat.to(x.dtype)
        return x + (added if self.strength == 1.0 else added * self.strength)

    def _nothing(self, layout: Grounded) -> Tensor:
        """0, made from all weights: each gets a gradient in every step, as DDP wants it."""
        parts = [layout.text.sum(), *(weight.sum() for weight in self.parameters())]
        return torch.stack([part.float() for part in parts]).sum() * 0.0


class RichContextAdapter(nn.Module):
    """A grounding encoder and one regional attention per block, by the names of their UNet.

    Attributes:
        metadata: what its file says about it; empty for a new one.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.metadata: dict[str, str] = {}
        self.position_net = GroundingEncoder(
            config.text_width, config.hidden, residual=config.residual
        )
        if config.residual:
            for weight in self.position_net.linears[-1].parameters():
                nn.init.zeros_(weight)
        for path, (width, heads) in config.blocks.items():
            _plant(self, f"{path}.{FUSER}", RegionalCrossAttention(width, heads, config))

    @classmethod
    def for_unet(cls, unet: Any, *, from_attn2: bool = False, **options: Any) -> RichContextAdapter:
        """A new adapter that fits `unet` and adds nothing yet; options are `AdapterConfig`'s.

        Args:
            from_attn2: start from the block's own cross-attention, which reads text already;
                useful with `residual` and `normed`, and for the output only where `gated`.
        """
        adapter = cls(AdapterConfig.of_unet(unet, **options))
        if from_attn2:
            for path, fuser in adapter.fusers.items():
                _copy(unet.get_submodule(path), fuser)
        return adapter

    @property
    def fusers(self) -> dict[str, RegionalCrossAttention]:
        """The regional attention of each block, by the block's path."""
        return {path: self._fuser(path) for path in self.config.blocks}

    def _fuser(self, path: str) -> RegionalCrossAttention:
        found = self.get_submodule(f"{path}.{FUSER}")
        if not isinstance(found, RegionalCrossAttention):
            raise TypeError(f"{path} has no regional attention.")
        return found

    @property
    def strength(self) -> float:
        """What the regional attention adds is multiplied by this, 0..1; 1 as trained."""
        return next((fuser.strength for fuser in self.fusers.values()), 1.0)

    @strength.setter
    def strength(self, value: float) -> None:
        for fuser in self.fusers.values():
            fuser.strength = value


@contextmanager
def attached(unet: Any, adapter: RichContextAdapter, strength: float = 1.0) -> Generator[None]:
    """Inside the block `unet` reads layouts through its GLIGEN door; calls without are unchanged.

    Everything the adapter kept from these calls is dropped at the end.

    Raises:
        BadRequest: it does not fit the network, or something else is in the way.
    """
    if not adapter.config.fits(unet):
        raise BadRequest(
            "This rich-context adapter was made for another model. Choose the one for this model."
        )
    blocks: Mapping[str, Any] = {path: unet.get_submodule(path) for path in adapter.config.blocks}
    if _taken(unet, "position_net") or any(_taken(block, FUSER) for block in blocks.values()):
        raise BadRequest(
            "This model has layout attention of its own (GLIGEN). Choose one without it."
        )
    before, adapter.strength = adapter.strength, strength
    try:
        unet.position_net = adapter.position_net
        for path, fuser in adapter.fusers.items():
            blocks[path].fuser = fuser
        yield
    finally:
        unet._modules.pop("position_net", None)
        for block in blocks.values():
            block._modules.pop(FUSER, None)
        adapter.position_net.forget()
        adapter.strength = before


def _taken(module: Any, name: str) -> bool:
    return module._modules.get(name) is not None


def _plant(root: nn.Module, path: str, module: nn.Module) -> None:
    """Register `module` under a path with dots, with empty modules on the way."""
    *parents, last = path.split(".")
    for name in parents:
        found = dict(root.named_children()).get(name)
        if found is None:
            found = nn.Module()
            root.add_module(name, found)
        root = found
    root.add_module(last, module)


@torch.no_grad()
def _copy(block: Any, fuser: RegionalCrossAttention) -> None:
    """Begin with the weights of the block's cross-attention, where they have the same shape."""
    pairs = [(getattr(block.attn2, name), getattr(fuser.attn, name)) for name in _COPIED]
    if fuser.norm is not None:
        pairs.append((block.norm2, fuser.norm))
    if fuser.gate is not None:
        pairs.append((block.attn2.to_out[0], fuser.attn.to_out[0]))
    for source, target in pairs:
        for name, weight in target.named_parameters():
            own = getattr(source, name, None)
            if own is not None and own.shape == weight.shape:
                weight.copy_(own)


_COPIED = ("to_q", "to_k", "to_v")
