"""Messages between the app and its worker: pickled small parts, pictures in shared memory.

Only this program's own pair of processes speaks here, so pickle is safe. Rasters and masks of
a request cross once per worker life, by key; the worker asks for what it has dropped.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from collage_studio.document.model import Mask, Raster
from collage_studio.engine.api import Event, Request
from collage_studio.jobs.segments import Outbox, SegmentRef

INLINE_BYTES = 65_536
"""Smaller arrays travel inside the pickled message."""

Asset = Raster | Mask
AssetId = tuple[str, str]
"""("raster" or "mask", content key)."""


@dataclass(frozen=True, slots=True)
class Run:
    """App to worker: start this job."""

    job_id: str
    request: Request


@dataclass(frozen=True, slots=True)
class TakeAsset:
    """App to worker: pixels for requests to come."""

    id: AssetId
    array: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Cancel:
    """App to worker: stop this job."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """App to worker: end yourself."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Either way: these segments were copied and may go."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to app: the engine is loaded."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Worker to app: an event of a job."""

    job_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Missing:
    """Worker to app: send these again, then the job."""

    job_id: str
    assets: tuple[AssetId, ...]


Message = Run | TakeAsset | Cancel | Stop | Taken | Ready | Happened | Missing


def asset_id(asset: Asset) -> AssetId:
    return ("raster" if isinstance(asset, Raster) else "mask"), asset.key


def asset_array(asset: Asset) -> npt.NDArray[Any]:
    return asset.pixels if isinstance(asset, Raster) else asset.values


def make_asset(identity: AssetId, array: npt.NDArray[Any]) -> Asset:
    """The raster or mask with pixels that have just crossed, under its known key."""
    kind, key = identity
    return Raster(array, key) if kind == "raster" else Mask(array, key)


def _proxy(data: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(data)


class _Packer(pickle.Pickler):
    """Leaves rasters, masks and large arrays out of the pickle."""

    def __init__(self, file: io.BytesIO, outbox: Outbox) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._outbox = outbox
        self.assets: dict[AssetId, Asset] = {}

    def persistent_id(self, obj: Any) -> object:
        if isinstance(obj, Raster | Mask):
            identity = asset_id(obj)
            self.assets[identity] = obj
            return identity
        if isinstance(obj, np.ndarray) and obj.nbytes >= INLINE_BYTES:
            with suppress(MemoryError):
                return self._outbox.put(obj)
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, MappingProxyType):
            return _proxy, (dict(obj),)
        return NotImplemented


class _Unpacker(pickle.Unpickler):
    def __init__(
        self,
        file: io.BytesIO,
        take: Callable[[SegmentRef], npt.NDArray[Any]],
        find: Callable[[AssetId], Asset | None],
    ) -> None:
        super().__init__(file)
        self._take = take
        self._find = find
        self.taken: list[str] = []
        self.missing: dict[AssetId, None] = {}

    def persistent_load(self, pid: Any) -> Any:
        if isinstance(pid, SegmentRef):
            self.taken.append(pid.name)
            return self._take(pid)
        asset = self._find(pid)
        if asset is None:
            self.missing[pid] = None
        return asset


@dataclass(frozen=True, slots=True)
class Packed:
    """A message as bytes, and the rasters and masks it speaks of by key only."""

    data: bytes
    assets: dict[AssetId, Asset]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A message that arrived.

    Args:
        taken: names of the segments it was copied from, to be reported with `Taken`.
        missing: what the receiver does not hold; the message is not whole without it.
    """

    message: Message
    taken: tuple[str, ...]
    missing: tuple[AssetId, ...]


def pack(message: Message, outbox: Outbox) -> Packed:
    """Write a message; its large arrays lie in `outbox` until the other side has taken them."""
    file = io.BytesIO()
    packer = _Packer(file, outbox)
    packer.dump(message)
    return Packed(file.getvalue(), packer.assets)


def unpack(
    data: bytes,
    take: Callable[[SegmentRef], npt.NDArray[Any]],
    find: Callable[[AssetId], Asset | None] = lambda _identity: None,
) -> Unpacked:
    """Read a message; `take` copies a segment, `find` looks up a raster or mask by key."""
    unpacker = _Unpacker(io.BytesIO(data), take, find)
    message = unpacker.load()
    return Unpacked(message, tuple(unpacker.taken), tuple(unpacker.missing))


class AssetStore:
    """What the worker holds of rasters and masks, least recently used first."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._assets: OrderedDict[AssetId, Asset] = OrderedDict()

    def __len__(self) -> int:
        return len(self._assets)

    def put(self, identity: AssetId, array: npt.NDArray[Any]) -> None:
        self._assets[identity] = make_asset(identity, array)
        self._assets.move_to_end(identity)

    def find(self, identity: AssetId) -> Asset | None:
        asset = self._assets.get(identity)
        if asset is not None:
            self._assets.move_to_end(identity)
        return asset

    def drop_excess(self) -> None:
        """Drop the least recently used beyond the budget; never called in the middle of a job."""
        held = sum(asset_array(asset).nbytes for asset in self._assets.values())
        while held > self._budget and self._assets:
            _, asset = self._assets.popitem(last=False)
            held -= asset_array(asset).nbytes


def unsent(assets: Iterable[AssetId], sent: set[AssetId]) -> tuple[AssetId, ...]:
    """Those not believed to be with the worker, in order."""
    return tuple(identity for identity in assets if identity not in sent)
