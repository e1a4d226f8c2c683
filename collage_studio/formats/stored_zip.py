"""Zip files whose members are stored: written without re-packing, read with limits.

zipfile cannot copy a member's bytes from one archive to another, nor read an archive that was
cut off; both matter for large documents.
"""

from __future__ import annotations

import struct
import threading
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from collage_studio.formats.errors import FormatError, read_failure, size_text
from collage_studio.formats.limits import MAX_MEMBERS, MAX_RATIO, MAX_UNPACKED_BYTES

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_VERSION, _VERSION64, _UTF8 = 20, 45, 0x800
_DATE = 0x21  # 1980-01-01: the same document gives the same bytes
_TOP32, _TOP16 = 0xFFFFFFFF, 0xFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member lies: its local header begins at byte `offset`."""

    offset: int
    packed: int
    size: int
    crc: int
    method: int


class Archive:
    """A zip opened for reading. Safe to use from several threads."""

    def __init__(self, path: Path, file: IO[bytes] | None = None) -> None:
        """Read the list of members and check it against the limits.

        Args:
            file: the archive, where it lies inside the file at `path`.

        Raises:
            FormatError: unreadable, not a zip at all, or larger unpacked than allowed.
        """
        self.path = path
        self._lock = threading.Lock()
        try:
            self._file: IO[bytes] = file or path.open("rb")
        except OSError as error:
            raise read_failure(path, error) from error
        try:
            self.members, self.is_cut_off = _list_members(self._file, path.name)
            _check_limits(self.members, path)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called again."""
        self._file.close()

    def read(self, name: str, limit: int = MAX_UNPACKED_BYTES) -> bytes:
        """All bytes of member `name`, verified.

        Raises:
            FormatError: missing, damaged or larger than `limit` bytes.
        """
        member = self.members.get(name)
        if member is None:
            raise FormatError(f"{name} is missing in {self.path.name}.")
        if member.size > limit:
            raise FormatError(f"{name} in {self.path.name} unpacks to {size_text(member.size)}.")
        data = self._packed(name, member)
        if member.method == zipfile.ZIP_DEFLATED:
            data = _inflated(data, member.size)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise FormatError(f"{name} in {self.path.name} is damaged.")
        return data

    def _packed(self, name: str, member: Member) -> bytes:
        try:
            with self._lock:
                self._file.seek(member.offset)
                header = self._file.read(_LOCAL.size)
                if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
                    raise FormatError(f"{name} in {self.path.name} is damaged.")
                name_length, extra_length = _LOCAL.unpack(header)[-2:]
                self._file.seek(name_length + extra_length, 1)
                return self._file.read(member.packed)
        except OSError as error:
            raise read_failure(self.path, error) from error


def _inflated(data: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj(-15)
    try:
        return unpacker.decompress(data, size + 1)
    except zlib.error:
        return b""


def _list_members(file: IO[bytes], name: str) -> tuple[Mapping[str, Member], bool]:
    """The members, and whether the archive has lost its end."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, struct.error, NotImplementedError, OSError):
        found = _scan_members(file)
        if not found:
            raise FormatError(f"{name} cannot be read: it is damaged or of another kind.") from None
        return found, True
    if any(info.flag_bits & 1 for info in infos):
        raise FormatError(f"{name} is locked with a password. Save it without one.")
    return {
        info.filename: Member(
            info.header_offset, info.compress_size, info.file_size, info.CRC, info.compress_type
        )
        for info in infos
        if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    }, False


def _scan_members(file: IO[bytes]) -> dict[str, Member]:
    """The complete members of an archive without its list, found from their local headers."""
    found = dict[str, Member]()
    file.seek(0, 2)
    total, offset = file.tell(), 0
    while len(found) <= MAX_MEMBERS:
        file.seek(offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
            break
        _, _, flags, method, _, _, crc, packed, size, names, extra = _LOCAL.unpack(header)
        name = file.read(names).decode("utf-8", "replace")
        end = offset + _LOCAL.size + names + extra + packed
        if end > total or flags & 9 or packed == _TOP32:
            break
        found[name] = Member(offset, packed, size, crc, method)
        offset = end
    return found


def _check_limits(members: Mapping[str, Member], path: Path) -> None:
    on_disk = path.stat().st_size
    unpacked = sum(member.size for member in members.values())
    packed = sum(member.packed for member in members.values())
    swollen = any(m.size > 1_000_000 + MAX_RATIO * m.packed for m in members.values())
    if len(members) > MAX_MEMBERS:
        raise FormatError(f"{path.name} holds {len(members)} files, which no collage needs.")
    if swollen or packed > on_disk or unpacked > MAX_UNPACKED_BYTES:
        raise FormatError(
            f"{path.name} was not opened: its {size_text(on_disk)} would unpack to "
            f"{size_text(unpacked)}, as a harmful file does."
        )


class StoredZip:
    """Writes an archive of stored members into `file`, in the order they are added."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._offset = 0
        self._central = list[bytes]()

    def add(self, name: str, data: bytes, crc: int | None = None) -> None:
        """Append a member; `crc` only where the caller has just computed it.

        Raises:
            FormatError: 4 GB or more.
        """
        if len(data) >= _TOP32:
            raise FormatError("A picture of 4 GB or more cannot be saved. Make it smaller.")
        raw, size = name.encode(), len(data)
        crc = zlib.crc32(data) if crc is None else crc
        common = (_UTF8, 0, 0, _DATE, crc, size, size, len(raw))
        self._write(_LOCAL.pack(b"PK\x03\x04", _VERSION, *common, 0) + raw)
        start = self._offset - _LOCAL.size - len(raw)
        self._write(data)
        extra, version, low = b"", _VERSION, start
        if start >= _TOP32:
            extra, version, low = struct.pack("<HHQ", 1, 8, start), _VERSION64, _TOP32
        entry = _CENTRAL.pack(b"PK\x01\x02", version, version, *common, len(extra), 0, 0, 0, 0, low)
        self._central.append(entry + raw + extra)

    def finish(self) -> None:
        """Write the list of members; nothing may be added afterwards."""
        start, count = self._offset, len(self._central)
        self._write(b"".join(self._central))
        size = self._offset - start
        if start >= _TOP32 or count >= _TOP16:
            record = self._offset
            self._write(
                _END64.pack(
                    b"PK\x06\x06", 44, _VERSION64, _VERSION64, 0, 0, count, count, size, start
                )
            )
            self._write(_LOCATOR64.pack(b"PK\x06\x07", 0, record, 1))
        count, start = min(count, _TOP16), min(start, _TOP32)
        self._write(_END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._offset += len(data)
