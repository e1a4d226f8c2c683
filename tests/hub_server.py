"""A model hub on this computer: one repository behind a small server."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME, REVISION = "someone/tiny-model", "0123abc"


@dataclass
class Hub:
    """A repository behind a small server, and what it was asked for."""

    root: Path
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    wrong_hash: str = ""
    licence: str = ""
    tags: list[str] = field(default_factory=list)
    address: str = ""
    pause_seconds: float = 0.0

    def listing(self) -> bytes:
        siblings = [
            {
                "rfilename": str(file.relative_to(self.root)),
                "size": file.stat().st_size,
                "lfs": {"sha256": self.wrong_hash or hashlib.sha256(file.read_bytes()).hexdigest()},
            }
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
        ]
        told = {"sha": REVISION, "siblings": siblings, "tags": self.tags, "gated": False}
        card = {"cardData": {"license": self.licence}} if self.licence else {}
        return json.dumps(told | card).encode()


class Answers(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, *args) -> None:
        self.hub = hub
        super().__init__(*args)

    def log_message(self, *_args) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.hub.asked.append((self.path, wanted))
        time.sleep(self.hub.pause_seconds)
        if self.hub.status != 200:
            self.send_response(self.hub.status)
            self.end_headers()
            return
        if self.path.startswith("/api/"):
            data, status = self.hub.listing(), 200
        else:
            file = self.path.removeprefix(f"/{NAME}/resolve/{REVISION}/")
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            data, status = (self.hub.root / file).read_bytes()[start:], 206 if start else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def served(root: Path) -> Generator[Hub]:
    """Inside the block a hub with the files below `root` answers at `Hub.address`."""
    hub = Hub(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answers, hub))
    server.daemon_threads = False
    thread = threading.Thread(target=partial(server.serve_forever, 0.02))
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()
