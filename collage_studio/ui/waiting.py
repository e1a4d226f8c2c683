"""Modules that are slow to import and not needed until the window is painted.

numpy and OpenCV take a sixth of the time until then, and half of the program's modules import
them for what they do later. While a stand-in is in `sys.modules`, `import numpy as np` takes no
time; the first attribute that is asked of it loads the real one. `importlib.util.LazyLoader` would
load at the second `import` of the same module.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any

SLOW_MODULES = ("numpy", "numpy.typing", "cv2")
"""Each package stands before its parts."""


class WaitingModules:
    """Stand-ins for modules, until `load` is called or one of them is used."""

    def __init__(self, names: Sequence[str] = SLOW_MODULES) -> None:
        self._waiting: dict[str, ModuleType] = {}
        self._lock = RLock()
        if not any(name in sys.modules for name in names):
            for name in names:
                self._put(name)

    def load(self) -> None:
        """Import the real modules; whoever holds a stand-in finds everything in it from then on."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            for name in waiting:
                del sys.modules[name]
            for name, module in waiting.items():
                vars(module).update(vars(import_module(name)))

    def find(self, module: str, name: str) -> Any:
        """What the real module has under `name`; raises AttributeError as it does."""
        with self._lock:
            self.load()
            return getattr(sys.modules[module], name)

    def _put(self, name: str) -> None:
        module = self._waiting[name] = sys.modules[name] = _StandIn(name, self)
        package, _, part = name.rpartition(".")
        if package:
            setattr(self._waiting[package], part, module)


class _StandIn(ModuleType):
    def __init__(self, name: str, waiting: WaitingModules) -> None:
        super().__init__(name)
        self._waiting_modules = waiting

    def __getattr__(self, name: str) -> Any:
        return self._waiting_modules.find(self.__name__, name)
