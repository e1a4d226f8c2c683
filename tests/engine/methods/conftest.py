"""One tiny family of each kind, made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collage_studio.engine.families.base import Family
from tests.engine.tiny_families import FAMILIES

_made: dict[str, Family] = {}


@pytest.fixture(scope="session")
def family_named() -> Callable[[str], Family]:
    """The tiny family of this name; made at the first call."""

    def get(name: str) -> Family:
        if name not in _made:
            _made[name] = FAMILIES[name]()
        return _made[name]

    return get
