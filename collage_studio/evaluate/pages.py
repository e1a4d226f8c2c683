"""Puts figures into Markdown pages, between two marks."""

from __future__ import annotations

from pathlib import Path


def update_page(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name: begin -->` and `<!-- name: end -->` in a file.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = path.read_text(encoding="utf-8")
    before, found_begin, rest = whole.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{path} has no lines {begin} and {end} to put the figures between.")
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")
