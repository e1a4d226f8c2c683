"""Tell interested parties that something changed; subscriptions are objects their owner closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Message = TypeVar("Message")


class Subscription:
    """One listener's place in an announcer; `close` gives it up and may be called twice."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close: Callable[[], None] | None = close

    def close(self) -> None:
        if self._close is not None:
            self._close()
            self._close = None


class Announcer(Generic[Message]):
    """Calls every subscriber, in order of subscription, in the thread that announces."""

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[Message], None]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self, listener: Callable[[Message], None]) -> Subscription:
        key, self._next = self._next, self._next + 1
        self._listeners[key] = listener
        return Subscription(lambda: self._listeners.pop(key, None) and None)

    def announce(self, message: Message) -> None:
        for key in tuple(self._listeners):
            listener = self._listeners.get(key)
            if listener is not None:
                listener(message)
