"""What is known of each picture so far: one file per picture, complete or not there at all.

A file also says how its labels were made. Labels that were made otherwise are made anew.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from collage_studio.training.rich_context.config import TrainingRefused
from collage_studio.training.rich_context.items import (
    Item,
    item_data,
    item_of,
    write_whole,
)

LABELS = "labels"


class LabelFiles:
    """The labels of a training folder.

    Args:
        made: how labels are made, as JSON data; others do not count.
    """

    def __init__(self, out: Path, made: dict[str, Any]) -> None:
        self._folder = out / LABELS
        self._made: Any = json.loads(json.dumps(made))

    def read(self, key: str, picture: Path) -> Item | None:
        """The item of a picture that has its labels; it may be one without objects.

        Args:
            key: of the item.
        """
        path = self._path(key)
        try:
            said: Any = json.loads(path.read_text("utf-8"))
            if said["made"] != self._made or said["bytes"] != picture.stat().st_size:
                return None
            return item_of(json.dumps(said["item"]), str(path))
        except (OSError, ValueError, KeyError, TypeError, TrainingRefused):
            return None

    def write(self, item: Item, picture: Path) -> None:
        """Keep what was found."""
        path = self._path(item.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        said = {"made": self._made, "bytes": picture.stat().st_size, "item": item_data(item)}
        write_whole(path, json.dumps(said, ensure_ascii=False, indent=1) + "\n")

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()[:24]
        return self._folder / name[:2] / f"{name}.json"
