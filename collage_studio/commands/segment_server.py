"""A process that segments by clicks for the window: JSON lines in, JSON lines and PNG files out.

`python -m collage_studio.commands.segment_server ENCODER DECODER` opens the user's pair once. Then
{"picture": path, "key": key} is looked at, once for each key, and {"clicks": [[x, y, on], ...],
"out": path} is answered with {"alpha": path, "sure": share} or {"failed": sentence}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from collage_studio.cutout.layers import as_mask, picture_of
from collage_studio.cutout.scribbles import CutoutError
from collage_studio.cutout.segment import Click, OnnxSegmenter, SegmentBackend
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import encode_png

Say = Callable[[dict[str, Any]], object]


def serve(backend: SegmentBackend, lines: Iterable[str], say: Say) -> None:
    """Answer every line; what cannot be done is said as a sentence, then the next is read."""
    for line in lines:
        if not line.strip():
            continue
        try:
            say(_answer(backend, json.loads(line)))
        except CutoutError as error:
            say({"failed": str(error)})


def _answer(backend: SegmentBackend, asked: dict[str, Any]) -> dict[str, Any]:
    if "picture" in asked:
        picture = picture_of(load_image(Path(asked["picture"])))
        backend.set_picture(str(asked["key"]), picture)
        return {"seen": asked["key"]}
    clicks = [Click(float(x), float(y), bool(on)) for x, y, on in asked["clicks"]]
    alpha, sure = backend.predict(clicks)
    Path(asked["out"]).write_bytes(encode_png(as_mask(alpha).values))
    return {"alpha": asked["out"], "sure": sure}


def main(arguments: list[str]) -> int:
    """Open the pair and serve standard input until it ends."""

    def say(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    try:
        backend = OnnxSegmenter(Path(arguments[0]), Path(arguments[1]))
    except CutoutError as error:
        say({"failed": str(error)})
        return 1
    say({"ready": True})
    serve(backend, sys.stdin, say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
