"""Reading untrusted JSON objects: every value is checked, and keys nobody asked for are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

E = TypeVar("E", bound=StrEnum)


class BadData(Exception):
    """A value is not what it must be; `str(error)` names it, without the file's name."""


class Fields:
    """The keys of one JSON object.

    Args:
        where: what messages call the object: "layer Tent".
        notices: collects what was read as something else.
    """

    def __init__(self, data: object, where: str, notices: list[str]) -> None:
        if not isinstance(data, dict):
            raise BadData(f"{where} is no list of named values")
        self._data = cast(dict[str, Any], data)
        self._asked = set[str]()
        self.where = where
        self.notices = notices

    def raw(self, key: str) -> Any:
        """The value as it is; None if absent."""
        self._asked.add(key)
        return self._data.get(key)

    def text(self, key: str, default: str = "") -> str:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise BadData(f"{key} of {self.where} is no text")
        return value

    def number(
        self, key: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """A finite number within [low, high]."""
        value = self.raw(key)
        if value is None:
            return default
        return self._checked(key, value, low, high)

    def whole(self, key: str, default: int, low: float = -math.inf, high: float = math.inf) -> int:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, int):
            raise BadData(f"{key} of {self.where} is no whole number")
        if isinstance(value, bool) or not low <= value <= high:
            raise BadData(f"{key} of {self.where} is out of range")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadData(f"{key} of {self.where} is neither true nor false")
        return value

    def choice(self, key: str, default: E) -> E:
        """One of the words of an enum; a word we do not know is noticed and read as `default`."""
        value = self.text(key, str(default))
        try:
            return type(default)(value)
        except ValueError:
            self.notices.append(f"{key} “{value}” of {self.where} is not known; {default} is used.")
            return default

    def items(self, key: str) -> list[Any]:
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadData(f"{key} of {self.where} is no list")
        return cast(list[Any], value)

    def numbers(self, key: str, count: int) -> list[float] | None:
        """Exactly `count` finite numbers; None if the key is absent."""
        if self.raw(key) is None:
            return None
        values = self.items(key)
        if len(values) != count:
            raise BadData(f"{key} of {self.where} needs {count} numbers")
        return [self._checked(key, value, -math.inf, math.inf) for value in values]

    def inner(self, key: str, where: str = "") -> Fields | None:
        """The object under `key`; None if absent."""
        value = self.raw(key)
        return None if value is None else Fields(value, where or self.where, self.notices)

    def unknown(self) -> Mapping[str, Any]:
        """The keys nobody asked for."""
        return {key: value for key, value in self._data.items() if key not in self._asked}

    def _checked(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadData(f"{key} of {self.where} is no number")
        if abs(value) > 1e300 or not math.isfinite(value) or not low <= value <= high:
            raise BadData(f"{key} of {self.where} is out of range")
        return value
