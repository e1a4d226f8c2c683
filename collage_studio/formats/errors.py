"""FormatError and the sentences that say why a file could not be read or written."""

from __future__ import annotations

import errno
import shutil
from datetime import datetime
from pathlib import Path


class FormatError(Exception):
    """A file could not be read or written; `str(error)` is one or two sentences for the user."""


def size_text(count: int) -> str:
    """A number of bytes as people read it: "640 KB", "14 MB", "2.1 GB"."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1e3)) if count else 0} KB"
    if count < 1_000_000_000:
        return f"{round(count / 1e6)} MB"
    return f"{count / 1e9:.1f} GB"


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written to the disk of `folder`; 0 if that cannot be found out."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def intact_text(path: Path) -> str:
    """What is still safe after a failed write to `path`."""
    try:
        saved = datetime.fromtimestamp(path.stat().st_mtime)
    except OSError:
        return "Nothing was written."
    when = f"{saved:%H:%M}" if saved.date() == datetime.now().date() else f"{saved:%d %B, %H:%M}"
    return f"The save from {when} is intact."


def disk_full(path: Path, needed: int | None) -> FormatError:
    """The error for a disk without room for `needed` bytes (None: not known) at `path`."""
    free = size_text(free_bytes(path.parent))
    reason = f"{size_text(needed)} needed" if needed else "the disk is full"
    return FormatError(f"Could not save: {reason}, {free} free. {intact_text(path)}")


def write_failure(path: Path, error: OSError, needed: int | None = None) -> FormatError:
    """Translate what the system said about writing `path` into a sentence."""
    folder = path.parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path, needed)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = f"the folder {folder} cannot be written to"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR):
        reason = f"there is no folder {folder}"
    elif error.errno == errno.ENAMETOOLONG:
        reason = "the name is too long"
    elif error.errno == errno.EFBIG:
        reason = "this disk takes no file of that size"
    else:
        reason = f"the disk refused ({error.strerror or error})"
    return FormatError(f"Could not save: {reason}. {intact_text(path)} Choose another place.")


def read_failure(path: Path, error: OSError) -> FormatError:
    """Translate what the system said about reading `path` into a sentence."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return FormatError(f"{path.name} is gone. Look for it in another folder.")
    if error.errno == errno.EISDIR:
        return FormatError(f"{path.name} is a folder. Choose a file in it.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FormatError(f"{path.name} may not be read. Ask its owner for permission.")
    return FormatError(f"{path.name} cannot be read: {error.strerror or error}. Try a copy of it.")
