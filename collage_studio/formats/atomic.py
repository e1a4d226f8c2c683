"""Replacing a file all at once: the old one is intact until the new one is complete on disk."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

from collage_studio.formats.errors import disk_full, free_bytes, write_failure


@contextlib.contextmanager
def replacing(path: Path, needed: int | None = None) -> Generator[IO[bytes], None, None]:
    """Yield a new file beside `path` that takes its place when the block ends well.

    It is made before the block runs, so an unwritable folder is told before long work.
    On any failure the old file stays as it was and the new one is removed. The block may read
    the new file back through its `name` to verify it.

    Args:
        needed: bytes that will be written, where known; checked against the free space.

    Raises:
        FormatError: the folder cannot be written to, or the disk is full.
    """
    path = path.resolve()
    temporary: Path | None = None
    try:
        if needed is not None and 0 < free_bytes(path.parent) < needed:
            raise disk_full(path, needed)
        descriptor, name = tempfile.mkstemp(prefix=".saving-", suffix=path.suffix, dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        with temporary.open("w+b", buffering=1 << 20) as file:  # unlike fdopen's, it has a name
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_mode(temporary, path)
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise write_failure(path, error, needed) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _give_mode(temporary: Path, path: Path) -> None:
    """Temporary files are private; the new file gets the old one's mode or the usual one."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    with contextlib.suppress(OSError):
        temporary.chmod(mode)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on disk, where the system can."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
