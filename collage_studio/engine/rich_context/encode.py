"""From a region plan to the tensors that the grounding encoder takes.

Only real tokens are packed: those of the members' texts, and for atoms without any (the background)
all rows of the empty text. Begin, end, separators and padding of a text carry no box and are read
by nobody, as in the released code, where their bias is -1000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from collage_studio.document.region_plan import LayoutObject, RegionPlan

NOWHERE = -1.0
"""Each side of the box of tokens that belong to no object."""

Reader = Callable[[Sequence[LayoutObject]], tuple[Tensor, Tensor]]
"""Objects of one atom to the rows (T, C) of their texts and, for each, which object it belongs
to: (T,), -1 = none."""
TextReader = Callable[[Sequence[str]], tuple[Tensor, Tensor]]


def reading(read: TextReader) -> Reader:
    """A reader of objects that looks at their texts alone."""
    return lambda objects: read(tuple(one.text for one in objects))


@dataclass(frozen=True, slots=True, eq=False)
class LayoutTokens:
    """The layouts of B rows of a network call; K tokens each, packed and padded.

    Args:
        tokens: (B, K, C) text rows. boxes: (B, K, 4) of their objects; -1 for none.
        atom: (B, K) which atom reads the token. bias: (B, K) added to its logits, at most 0.
        valid: (B, K) False for padding.
        atoms: (B, h, w) the atom of each latent cell.
        covered: (B, h, w) False everywhere in a row whose layout is dropped.
        warnings: sentences about texts that did not fit.
    """

    tokens: Tensor
    boxes: Tensor
    atom: Tensor
    bias: Tensor
    valid: Tensor
    atoms: Tensor
    covered: Tensor
    warnings: tuple[str, ...] = ()

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What goes into `cross_attention_kwargs={"gligen": ...}`."""
        return {name: getattr(self, name) for name in _TENSORS}

    def to(self, device: torch.device | str) -> LayoutTokens:
        """The same on another device."""
        moved = {name: value.to(device) for name, value in self.inputs.items()}
        return replace(self, **moved)

    @classmethod
    def dropped(cls, grid: tuple[int, int], width: int) -> LayoutTokens:
        """One row without a layout, on (h, w) cells for texts of that width."""
        none = torch.zeros(1, 0)
        return cls(
            torch.zeros(1, 0, width),
            torch.zeros(1, 0, 4),
            none.long(),
            none,
            none.bool(),
            torch.zeros(1, *grid, dtype=torch.long),
            torch.zeros(1, *grid, dtype=torch.bool),
        )


_TENSORS = tuple(one.name for one in fields(LayoutTokens) if one.name != "warnings")


def layout_tokens(plan: RegionPlan, read: Reader, *, scale: float = 1.0) -> LayoutTokens:
    """The tokens of one layout, B = 1; the texts of each atom are read as one sequence.

    A token of object i gets the bias (A_min / A_i - 1) scale.

    Args:
        scale: of the prior that smaller objects say more; 0 treats all alike.
    """
    found = list[_Atom]()
    for atom, members in enumerate(plan.members):
        if not (plan.atoms == atom).any():
            continue
        order, objects = range(len(members)), plan.of_atom(atom)
        rows, owner = read(objects)
        if len(members) > 1 and _is_full(owner, len(members)):
            # Something is cut off at the end, so what matters most goes first.
            order = sorted(order, key=lambda at, atom=atom: (-plan.prior[atom][at], -at))
            rows, owner = read([objects[at] for at in order])
        found.append(_atom(plan, atom, tuple(order), rows, owner, scale))
    atoms = torch.from_numpy(plan.atoms).long()[None]
    return LayoutTokens(
        torch.cat([one.rows for one in found])[None],
        torch.cat([one.boxes for one in found])[None],
        torch.cat([torch.full((len(one.rows),), one.number) for one in found])[None],
        torch.cat([one.bias for one in found])[None],
        torch.ones(1, sum(len(one.rows) for one in found), dtype=torch.bool),
        atoms,
        torch.ones_like(atoms, dtype=torch.bool),
        tuple(dict.fromkeys(text for one in found for text in one.warnings)),
    ).to(found[0].rows.device)


def batch(layouts: Sequence[LayoutTokens | None]) -> LayoutTokens:
    """The rows of one network call; None is a row whose layout is dropped.

    Make it once for a run: what is kept across steps hangs on these very tensors.

    Raises:
        ValueError: all rows are None (see `LayoutTokens.dropped`), or their grids differ.
    """
    given = [one for one in layouts if one is not None]
    if not given:
        raise ValueError("A batch of layouts needs at least one; use LayoutTokens.dropped.")
    grid, like = tuple(given[0].atoms.shape[-2:]), given[0].tokens
    if any(tuple(one.atoms.shape[-2:]) != grid for one in given):
        raise ValueError("Layouts of one batch need the same grid.")
    none = LayoutTokens.dropped((grid[0], grid[1]), like.shape[-1]).to(like.device)
    rows = [none if one is None else one for one in layouts]
    longest = max(one.tokens.shape[1] for one in rows)
    joined = {
        name: torch.cat([_padded(getattr(one, name), longest, like.dtype) for one in rows])
        if name not in ("atoms", "covered")
        else torch.cat([getattr(one, name) for one in rows])
        for name in _TENSORS
    }
    return LayoutTokens(**joined, warnings=tuple(w for one in given for w in one.warnings))


@dataclass(frozen=True, slots=True, eq=False)
class _Atom:
    """What one atom reads: k rows with their boxes and biases."""

    number: int
    rows: Tensor
    boxes: Tensor
    bias: Tensor
    warnings: tuple[str, ...] = ()


def _is_full(owner: Tensor, texts: int) -> bool:
    """Whether no row is padding: only begin, end and separators belong to no text."""
    return int((owner < 0).sum()) <= 1 + texts


def _atom(
    plan: RegionPlan,
    number: int,
    order: tuple[int, ...],
    rows: Tensor,
    owner: Tensor,
    scale: float,
) -> _Atom:
    """Give the rows of member number `order[owner]` its box and its prior."""
    read = owner >= 0
    device = rows.device
    if not bool(read.any()):
        nowhere = torch.full((len(rows), 4), NOWHERE, device=device)
        return _Atom(number, rows, nowhere, torch.zeros(len(rows), device=device))
    members = [plan.members[number][at] for at in order]
    boxes = torch.tensor([plan.objects[index].box for index in members], device=device)
    prior = torch.tensor([plan.prior[number][at] for at in order], device=device)
    own = owner[read].to(device)
    said = set(own.tolist())
    lost = [plan.objects[index].text for at, index in enumerate(members) if at not in said]
    warnings = tuple(
        f"“{text}” is not read where it meets others: too many words." for text in lost
    )
    return _Atom(number, rows[read.to(device)], boxes[own], (prior[own] - 1.0) * scale, warnings)


def _padded(values: Tensor, length: int, dtype: torch.dtype) -> Tensor:
    """(1, K, ...) lengthened to `length` with zeros."""
    missing = length - values.shape[1]
    if values.ndim == 3 and values.is_floating_point():
        values = values.to(dtype)
    if not missing:
        return values
    return torch.cat([values, values.new_zeros(values.shape[0], missing, *values.shape[2:])], dim=1)
