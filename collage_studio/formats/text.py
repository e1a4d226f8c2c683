"""Names and texts that every other program can read."""

from __future__ import annotations

import unicodedata

_MAX_NAME = 255


def plain_name(name: str, fallback: str = "Layer") -> str:
    """`name` without characters that XML and other programs refuse, at most 255 UTF-16 units."""
    kept = "".join(c if _is_writable(c) else " " for c in name).strip() or fallback
    while len(kept.encode("utf-16-le")) > 2 * _MAX_NAME:
        kept = kept[:-1]
    return kept


def plain_text(text: str) -> str:
    """`text` without characters that XML refuses; line breaks stay."""
    return "".join(c if c in "\n\t" or _is_writable(c) else " " for c in text)


def ascii_name(name: str, length: int = 31) -> str:
    """The nearest name in ASCII, for readers that know nothing else."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.strip()[:length] or "Layer"


def file_name(name: str, fallback: str = "Layer") -> str:
    """A file's stem that every system takes."""
    kept = "".join("-" if c in '<>:"/\\|?*' else c for c in plain_name(name, fallback))
    return kept.strip(" .")[:80].strip(" .") or fallback


def _is_writable(character: str) -> bool:
    code = ord(character)
    return not (
        code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE
    )
