"""The cache makes each array once and stays within its budget."""

import numpy as np

from collage_studio.document.byte_cache import ByteCache


def test_array_is_made_once():
    cache, made = ByteCache(100), []

    def make():
        made.append(1)
        return np.zeros(10, np.uint8)

    assert cache.get("a", make) is cache.get("a", make)
    assert len(made) == 1
    assert not cache.get("a", make).flags.writeable


def test_least_recently_used_array_goes_first():
    cache = ByteCache(25)
    first = cache.get("a", lambda: np.zeros(10, np.uint8))
    cache.get("b", lambda: np.zeros(10, np.uint8))
    assert cache.get("a", lambda: np.ones(10, np.uint8)) is first
    cache.get("c", lambda: np.zeros(10, np.uint8))
    assert len(cache) == 2
    assert cache.get("a", lambda: np.ones(10, np.uint8)) is first
    assert cache.get("b", lambda: np.ones(10, np.uint8)).all()


def test_array_above_the_budget_is_returned_but_not_held():
    cache = ByteCache(5)
    assert cache.get("a", lambda: np.ones(10, np.uint8)).sum() == 10
    assert len(cache) == 0
