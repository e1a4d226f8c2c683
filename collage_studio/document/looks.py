"""A learned look: what a model was taught about one cutout, as a frozen value.

A look is one small safetensors file: vectors (n, width) by text encoder ("clip_l", "clip_g", "t5")
and, in its header, how they came about. Files that other tools made are read too. No torch here.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = "Mapping[str, npt.NDArray[np.float32]]"
"""(n, width) float32 by text encoder."""

MAX_BYTES = 4 << 20
MAX_VECTORS = 64
_RECIPE = "collage_look"
_LENGTH = struct.Struct("<Q")
_WIDEST_HEADER = 1 << 16
_OTHER_NAMES = {"emb_params": "clip_l"}
_NUMBERS = {"F32": "<f4", "F16": "<f2"}


class BadLook(ValueError):
    """These bytes are no look; `str(error)` is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class LookRecipe:
    """How a look came about.

    Args:
        name: the layer's name. text: the words that stood behind the learned ones.
        model: what `RunSettings.model` said. family: its architecture.
        picture: `picture_key` of the cutout.
        steps: done so far, of `planned` at most; `finished` also where learning stopped by itself.
        loss: on the fixed noise of the test, now; `first_loss` before learning.
    """

    name: str = ""
    text: str = ""
    model: str = ""
    family: str = ""
    picture: str = ""
    steps: int = 0
    planned: int = 0
    finished: bool = True
    loss: float = 0.0
    first_loss: float = 0.0
    seed: int = 0
    app_version: str = ""


class Look:
    """One learned look, never changed; `key` is the SHA-256 of its bytes."""

    def __init__(self, data: bytes) -> None:
        """Check `data`; raise `BadLook` with a sentence if it is no look."""
        self.data = data
        header, self._body = _split(data)
        self._entries = {
            _OTHER_NAMES.get(name, name): _checked_entry(entry, len(self._body))
            for name, entry in header.items()
            if name != "__metadata__"
        }
        counts = {entry[1][0] for entry in self._entries.values()}
        if len(counts) != 1:
            raise BadLook("This file holds no learned look.")
        self.count = counts.pop()
        self.recipe = _recipe_of(header.get("__metadata__"))

    @classmethod
    def of(cls, vectors: Vectors, recipe: LookRecipe) -> Look:
        """The look with these vectors (n, width) by encoder."""
        arrays = {name: np.ascontiguousarray(v, "<f4") for name, v in sorted(vectors.items())}
        header: dict[str, Any] = {"__metadata__": {_RECIPE: json.dumps(asdict(recipe))}}
        at = 0
        for name, array in arrays.items():
            offsets = [at, at + array.nbytes]
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
            at = offsets[1]
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return cls(_LENGTH.pack(len(text)) + text + b"".join(a.tobytes() for a in arrays.values()))

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def vectors(self) -> Vectors:
        """What stands for the cutout: (count, width) float32 by encoder, read-only."""
        found = {name: self._array(*entry) for name, entry in self._entries.items()}
        return MappingProxyType(found)

    @property
    def widths(self) -> Mapping[str, int]:
        """Width of the vectors by encoder."""
        return {name: shape[1] for name, (_, shape, _) in self._entries.items()}

    def _array(
        self, dtype: np.dtype[Any], shape: tuple[int, int], start: int
    ) -> npt.NDArray[np.float32]:
        flat = np.frombuffer(self._body, dtype, shape[0] * shape[1], start)
        array = flat.reshape(shape).astype(np.float32)
        array.setflags(write=False)
        return array

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Look) and self.data == other.data)

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[type[Look], tuple[bytes]]:
        return Look, (self.data,)

    def __repr__(self) -> str:
        return f"Look({self.recipe.name!r}, {self.count} vectors, {sorted(self._entries)})"


def picture_key(pixels: str, mask: str) -> str:
    """What a look remembers of its cutout: the key of pixels and mask ("" for none) together."""
    return hashlib.sha256(f"{pixels}|{mask}".encode()).hexdigest()


def fits(look: Look, widths: Mapping[str, int]) -> bool:
    """Whether a model whose encoders have these widths can read the look.

    Args:
        widths: by encoder; one that the look does not name reads ordinary words instead.
    """
    shared = look.widths.keys() & widths.keys()
    return bool(shared) and all(look.widths[name] == widths[name] for name in shared)


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    if len(data) > MAX_BYTES:
        raise BadLook("This file is too large for a learned look.")
    try:
        (length,) = _LENGTH.unpack_from(data)
        if length > _WIDEST_HEADER or _LENGTH.size + length > len(data):
            raise BadLook("This file holds no learned look.")
        end = _LENGTH.size + length
        header = json.loads(data[_LENGTH.size : end])
    except (ValueError, struct.error, RecursionError) as error:
        raise BadLook("This file holds no learned look.") from error
    if not isinstance(header, dict):
        raise BadLook("This file holds no learned look.")
    return cast("dict[str, Any]", header), data[end:]


def _checked_entry(entry: Any, room: int) -> tuple[np.dtype[Any], tuple[int, int], int]:
    """Number type, shape and start of one tensor that lies wholly within `room` bytes."""
    try:
        dtype = np.dtype(_NUMBERS[entry["dtype"]])
        sides = [int(side) for side in entry["shape"]]
        start, end = (int(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadLook("This file holds no learned look.") from error
    rows, width = (1, *sides) if len(sides) == 1 else (*sides, 0)[:2]
    if len(sides) > 2 or not 1 <= rows <= MAX_VECTORS or width < 1:
        raise BadLook("This file holds no learned look.")
    if start < 0 or end > room or end - start != rows * width * dtype.itemsize:
        raise BadLook("This learned look is damaged.")
    return dtype, (rows, width), start


def _recipe_of(metadata: Any) -> LookRecipe:
    """The recipe; an empty one for looks of other tools, and whatever of it is readable."""
    try:
        data = json.loads(metadata[_RECIPE])
        usual = asdict(LookRecipe())
        recipe = LookRecipe(**{name: type(v)(data.get(name, v)) for name, v in usual.items()})
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return LookRecipe()
    return recipe if math.isfinite(recipe.loss) else LookRecipe()
