"""The process that segments by clicks: one picture looked at once, every line answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collage_studio.commands.segment_server import main, serve
from collage_studio.cutout.scribbles import CutoutError
from collage_studio.cutout.segment import Click
from collage_studio.formats.images import load_image
from collage_studio.formats.pixels_png import encode_png


class ByColour:
    """Finds all pixels of the colour that was clicked on, less those of colours taken away."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self._picture = np.zeros((1, 1, 3))

    def set_picture(self, key: str, picture: Any) -> None:
        if key not in self.looked:
            self.looked.append(key)
        self._picture = np.asarray(picture, np.float32)

    def predict(self, clicks: Sequence[Click], box: Any = None) -> tuple[Any, float]:
        del box
        found = np.zeros(self._picture.shape[:2], np.float32)
        for click in clicks:
            colour = self._picture[int(click.y), int(click.x)]
            alike = np.abs(self._picture - colour).max(axis=2) < 20
            found[alike] = 1.0 if click.is_object else 0.0
        if not found.any():
            raise CutoutError("No object found at this point.")
        return found, 0.9


def asked(tmp_path: Path, *questions: dict[str, Any]) -> tuple[ByColour, list[dict[str, Any]]]:
    rgb = np.zeros((20, 30, 3), np.uint8)
    rgb[:, 15:] = (220, 40, 30)
    picture = tmp_path / "in.png"
    picture.write_bytes(encode_png(rgb))
    backend, answers = ByColour(), list[dict[str, Any]]()
    look = {"picture": str(picture), "key": "one"}
    serve(backend, [json.dumps(line) for line in (look, *questions)], answers.append)
    return backend, answers


def test_a_click_is_answered_with_an_alpha(tmp_path: Path):
    out = tmp_path / "out.png"
    backend, answers = asked(tmp_path, {"clicks": [[20, 5, True]], "out": str(out)})
    assert backend.looked == ["one"]
    assert answers == [{"seen": "one"}, {"alpha": str(out), "sure": 0.9}]
    alpha = load_image(out).pixels[..., 0]
    assert (alpha[:, 15:] == 255).all()
    assert not alpha[:, :15].any()


def test_what_is_not_found_is_said_and_the_next_line_is_read(tmp_path: Path):
    out = str(tmp_path / "out.png")
    _, answers = asked(
        tmp_path,
        {"clicks": [[20, 5, False]], "out": out},
        {"clicks": [[2, 5, True]], "out": out},
    )
    assert answers[1] == {"failed": "No object found at this point."}
    assert answers[2]["alpha"] == out


def test_files_that_are_no_models_end_the_process_with_a_sentence(tmp_path: Path, capsys):
    assert main([str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")]) == 1
    said = json.loads(capsys.readouterr().out)
    assert "a.onnx" in said["failed"]
