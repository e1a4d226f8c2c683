"""An engine that takes as long to load as a large model on a slow disk."""

from __future__ import annotations

import time


class SlowToLoad:
    """Sleeps before it can be used."""

    def __init__(self, _device: str) -> None:
        time.sleep(60)
