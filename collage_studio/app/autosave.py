"""Writes unsaved work and the queue aside from time to time and finds both again after a crash.

There is no timer here: the caller asks `due` and calls `write`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from collage_studio.app.editor import Editor
from collage_studio.app.kept_queue import KeptJob, read_jobs, remove_jobs, same_jobs, write_jobs
from collage_studio.app.settings import config_dir, write_text_atomically
from collage_studio.document.model import Document
from collage_studio.formats.collage_file import load_collage, save_collage
from collage_studio.formats.errors import FormatError
from collage_studio.formats.opened import Opened


def recovery_dir() -> Path:
    """Where unsaved work is kept; the folder need not exist yet."""
    return config_dir() / "recovery"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Work of a session that ended without saving.

    Args:
        path: the file it belongs to; None for an untitled collage.
        when: the moment it was written.
    """

    opened: Opened
    path: Path | None
    when: datetime
    folder_key: str

    @property
    def notice(self) -> str:
        return f"Restored your work from {self.when:%H:%M}."


class Autosave:
    """One session's safety copy. A lock that the system drops at a crash marks it as in use."""

    def __init__(
        self,
        editor: Editor,
        folder: Path | None = None,
        *,
        interval_seconds: float = 60.0,
        jobs: Callable[[], tuple[KeptJob, ...]] = tuple,
    ) -> None:
        """Args: jobs: gives those that are not over; with any, saved work is written aside too."""
        self._editor = editor
        self._jobs = jobs
        self._folder = folder or recovery_dir()
        self._interval = interval_seconds
        self._key = uuid.uuid4().hex[:12]
        self._written: Document | None = None
        self._kept: tuple[KeptJob, ...] = ()
        self._last = time.monotonic()
        self._lock: IO[bytes] | None = None
        self._writer: threading.Thread | None = None

    @property
    def interval_seconds(self) -> float:
        """How long edits wait until they are written aside."""
        return self._interval

    @interval_seconds.setter
    def interval_seconds(self, seconds: float) -> None:
        self._interval = seconds

    @property
    def is_needed(self) -> bool:
        """Whether something would be lost if the program ended now: edits, or jobs."""
        return self._editor.is_modified or bool(self._jobs())

    def due(self, now: float | None = None) -> bool:
        """Whether edits or jobs have waited long enough; `now` in time.monotonic seconds."""
        if not self.is_needed or self._is_writing:
            return False
        if self._editor.document is self._written and same_jobs(self._jobs(), self._kept):
            return False
        return (time.monotonic() if now is None else now) - self._last >= self._interval

    @property
    def _is_writing(self) -> bool:
        return self._writer is not None and self._writer.is_alive()

    def write_soon(self, path: Path | None = None) -> None:
        """Write what is there now in a thread of its own; documents and jobs never change."""
        if not self._is_writing:
            self._last = time.monotonic()
            now = self._editor.document, self._jobs(), path
            self._writer = threading.Thread(target=self._write, args=now, name="autosave")
            self._writer.start()

    def write(self, path: Path | None = None) -> bool:
        """Write the document aside; `path` is the file it belongs to. False if that failed."""
        self._finish_writing()
        self._last = time.monotonic()
        return self._write(self._editor.document, self._jobs(), path)

    def _finish_writing(self) -> None:
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    def _write(self, document: Document, jobs: tuple[KeptJob, ...], path: Path | None) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._hold_lock()
            save_collage(document, self._file(self._key, ".collage"))
            write_jobs(jobs, document, self._folder, self._key)
            note = {"path": str(path) if path else "", "when": time.time()}
            write_text_atomically(self._file(self._key, ".json"), json.dumps(note))
        except (OSError, FormatError):
            return False
        self._written, self._kept = document, jobs
        return True

    def clear(self) -> None:
        """The work was saved or given up: remove the safety copy."""
        self._finish_writing()
        self._written, self._kept = None, ()
        self._remove(self._key)

    def drop_if_saved(self) -> None:
        """Remove the safety copy of work that lies in its file by now."""
        if self._written is not None and not self.is_needed and not self._is_writing:
            self.clear()

    def leave(self) -> None:
        """End the session with unsaved work: its safety copy stays, and the next start finds it."""
        self._finish_writing()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def close(self) -> None:
        """End the session in order."""
        self.clear()
        self.leave()
        with contextlib.suppress(OSError):
            self._file(self._key, ".lock").unlink(missing_ok=True)

    def recover(self) -> tuple[Recovered, ...]:
        """Work of sessions that are no longer alive, newest first, as far as it can be read."""
        found = list[Recovered]()
        for file in self._folder.glob("*.collage") if self._folder.is_dir() else ():
            if file.stem != self._key and not self._is_held(file.stem):
                recovered = self._read(file)
                if recovered is not None:
                    found.append(recovered)
        return tuple(sorted(found, key=lambda item: item.when, reverse=True))

    def jobs_of(self, recovered: Recovered) -> tuple[KeptJob, ...]:
        """The jobs that the session left, as far as they can be read."""
        return read_jobs(recovered.opened.document, self._folder, recovered.folder_key)

    def forget(self, recovered: Recovered) -> None:
        """Remove recovered work: it was taken over or refused."""
        self._remove(recovered.folder_key)
        self._file(recovered.folder_key, ".lock").unlink(missing_ok=True)

    def _file(self, key: str, suffix: str) -> Path:
        return self._folder / f"{key}{suffix}"

    def _remove(self, key: str) -> None:
        for suffix in (".collage", ".json"):
            with contextlib.suppress(OSError):
                self._file(key, suffix).unlink(missing_ok=True)
        remove_jobs(self._folder, key)

    def _read(self, file: Path) -> Recovered | None:
        try:
            opened = load_collage(file)
        except FormatError:
            return None
        note: Any = {}
        with contextlib.suppress(OSError, ValueError):
            note = json.loads(file.with_suffix(".json").read_text("utf-8"))
        note = note if isinstance(note, dict) else {}
        path, when = note.get("path"), note.get("when")
        return Recovered(
            opened,
            Path(path) if isinstance(path, str) and path else None,
            datetime.fromtimestamp(when if isinstance(when, int | float) else file.stat().st_mtime),
            file.stem,
        )

    def _hold_lock(self) -> None:
        if self._lock is None:
            file = self._file(self._key, ".lock").open("wb")
            if not _try_lock(file):
                file.close()
                raise BlockingIOError(f"{file.name} is held by another session.")
            self._lock = file

    def _is_held(self, key: str) -> bool:
        lock = self._file(key, ".lock")
        if not lock.exists():
            return False
        try:
            with lock.open("ab") as file:
                return not _try_lock(file)
        except OSError:
            return True


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
