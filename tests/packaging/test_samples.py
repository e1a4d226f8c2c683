"""The sample collages open, and speak the bundled model's language."""

import re
from pathlib import Path

import pytest

from collage_studio.document.compositing import composite_picture
from collage_studio.formats.collage_file import load_collage
from collage_studio.resources_dir import resources_path
from collage_studio.starter.tokenizer import build_tokenizer

SAMPLES = sorted(resources_path("samples").glob("*.collage"))


def test_there_are_samples() -> None:
    assert "Lakeside camp" in {path.stem for path in SAMPLES}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_opens_without_a_notice(path: Path) -> None:
    opened = load_collage(path)
    assert opened.notices == ()
    assert composite_picture(opened.document).std() > 10


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_caption_is_in_the_starters_vocabulary(path: Path) -> None:
    tokenizer = build_tokenizer()
    words = re.findall(r"\w+", load_collage(path).document.written_caption()[0])
    assert [word for word in words if len(_ids(tokenizer, word)) != 1] == []


def _ids(tokenizer, word: str) -> list[int]:
    return tokenizer(word, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_layer_of_a_sample_is_a_chip_in_its_caption(path: Path) -> None:
    document = load_collage(path).document
    assert set(document.caption.layer_ids) == {layer.id for layer in document.layers}
