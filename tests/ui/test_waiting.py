"""Stand-ins for modules that are slow to import: what they let through, and when they load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from collage_studio.ui.waiting import WaitingModules

BEFORE = """
import json, sys
from collage_studio.ui.waiting import WaitingModules
waiting = WaitingModules()
import numpy as np
import numpy.typing as npt
import cv2
"""


def _say(code: str) -> list[object]:
    outcome = subprocess.run(
        [sys.executable, "-c", BEFORE + code], capture_output=True, text=True, check=True
    )
    return json.loads(outcome.stdout)


def test_importing_loads_nothing_and_the_first_use_loads_all() -> None:
    said = _say("""
before = "numpy.linalg" in sys.modules
answer = int(np.add(2, 3))
print(json.dumps([before, answer, "numpy.linalg" in sys.modules, cv2.getNumThreads() > 0]))
""")
    assert said == [False, 5, True, True]


def test_parts_of_a_package_and_names_from_it_are_found() -> None:
    said = _say("""
import numpy.random
from numpy import float32
from numpy.typing import NDArray
import numpy
sum_of = np.asarray([1, 2], float32).sum()
same = numpy.float32 is np.float32 is float32 and NDArray is npt.NDArray
print(json.dumps([float(sum_of), same, isinstance(np.zeros(1), numpy.ndarray)]))
""")
    assert said == [3.0, True, True]


def test_threads_that_use_it_at_once_get_the_same_module() -> None:
    said = _say("""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    kinds = list(pool.map(lambda _: np.ndarray, range(8)))
print(json.dumps([len(set(kinds)), sys.modules["numpy"].ndarray is kinds[0]]))
""")
    assert said == [1, True]


def test_a_missing_name_is_refused_as_the_module_does() -> None:
    said = _say("""
try:
    np.no_such_thing
except AttributeError as error:
    print(json.dumps([str(error)]))
""")
    assert said == ["module 'numpy' has no attribute 'no_such_thing'"]


def test_a_module_that_is_there_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    there = sys.modules["json"]
    waiting = WaitingModules(("json",))
    waiting.load()
    assert sys.modules["json"] is there
