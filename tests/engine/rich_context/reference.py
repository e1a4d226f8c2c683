"""The paper's equations written out: 30 copies of the pixels, one per region, then masked sums.

Nothing of the adapter's code is used, only its weights.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from collage_studio.document.region_plan import RegionPlan
from collage_studio.engine.rich_context.encode import Reader

COPIES = 30


class Published(NamedTuple):
    """The six tensors of the released code, for one row; `boxes` -1 = no object."""

    masks: Tensor  # (30, h, w)
    text: Tensor  # (30, 77, C)
    boxes: Tensor  # (30, 77, 4)
    bias: Tensor  # (30, 77)
    present: Tensor  # (30,)


def published(plan: RegionPlan, read: Reader, *, scale: float = 1.0) -> Published:
    """What the released code makes of a plan; at most 30 regions."""
    rows, _ = read(())
    found = Published(
        torch.zeros(COPIES, *plan.grid.shape),
        torch.zeros(COPIES, *rows.shape),
        torch.full((COPIES, len(rows), 4), -1.0),
        torch.full((COPIES, len(rows)), -1000.0),
        torch.zeros(COPIES),
    )
    place = 0
    for atom, members in enumerate(plan.members):
        mask = plan.atoms == atom
        if not mask.any():
            continue
        text, owner = read(plan.of_atom(atom))
        found.masks[place] = torch.from_numpy(mask)
        found.text[place] = text
        found.present[place] = 1
        for position, j in enumerate(owner.tolist()):
            if j >= 0:
                found.boxes[place, position] = torch.tensor(plan.objects[members[j]].box)
                found.bias[place, position] = (plan.prior[atom][j] - 1.0) * scale
        place += 1
    return found


def dropped(like: Published) -> Published:
    return like._replace(masks=like.masks * 0, present=like.present * 0)


class ReferenceGrounding(nn.Module):
    """z = [text ; fourier], MLP; a module so that it fits the door."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self._w = weights

    def forward(self, rows: Sequence[Published]) -> list[tuple[Published, Tensor]]:
        return [(row, self._grounded(row)) for row in rows]

    def _grounded(self, row: Published) -> Tensor:
        codes = list[Tensor]()
        for k in range(8):
            angle = row.boxes * 100.0 ** (k / 8)
            codes += [angle.sin(), angle.cos()]
        z = torch.cat([row.text, *codes], dim=-1)
        there = row.present[:, None, None]
        z = z * there + (1 - there) * self._w["null_text_feature"]
        for layer in (0, 2, 4):
            weight, bias = (self._w[f"linears.{layer}.{name}"] for name in ("weight", "bias"))
            z = z @ weight.T + bias
            z = z * torch.sigmoid(z) if layer < 4 else z
        return z


class ReferenceFuser(nn.Module):
    """x + sum_k M_k to_out(softmax(q k_k^T / sqrt(d) + bias_k) v_k) + (1 - sum_k M_k) null."""

    def __init__(self, weights: dict[str, Tensor], heads: int) -> None:
        super().__init__()
        self._w = weights
        self._heads = heads

    def forward(self, x: Tensor, rows: list[tuple[Published, Tensor]]) -> Tensor:
        return torch.stack([self._one(x[i], *row) for i, row in enumerate(rows)])

    def _one(self, x: Tensor, row: Published, text: Tensor) -> Tensor:
        copies = x.repeat(COPIES, 1, 1)  # (30, L, D)
        q, k, v = (
            self._split(source @ self._w[f"attn.{name}.weight"].T)
            for name, source in (("to_q", copies), ("to_k", text), ("to_v", text))
        )
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + row.bias[:, None, None]
        out = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
        out = out @ self._w["attn.to_out.0.weight"].T + self._w["attn.to_out.0.bias"]
        masks = _nearest(row.masks, x.shape[0]).flatten(1)[..., None]  # (30, L, 1)
        bare = 1 - masks.sum(0)
        return x + (masks * out).sum(0) + bare * self._w["null_text_feat"]

    def _split(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self._heads, -1)).transpose(1, 2)


def _nearest(masks: Tensor, pixels: int) -> Tensor:
    height, width = masks.shape[-2:]
    while height * width > pixels:
        height, width = -(-height // 2), -(-width // 2)
    return functional.interpolate(masks[None], (height, width), mode="nearest")[0]


@contextmanager
def installed(
    unet: Any, state: dict[str, Tensor], blocks: Mapping[str, tuple[int, int]]
) -> Generator[None]:
    """Inside the block the reference is in the door of `unet`, with the weights of an adapter."""
    unet.position_net = ReferenceGrounding(_under(state, "position_net."))
    for path, (_, heads) in blocks.items():
        unet.get_submodule(path).fuser = ReferenceFuser(_under(state, f"{path}.fuser."), heads)
    yield
    del unet.position_net
    for path in blocks:
        del unet.get_submodule(path).fuser


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
