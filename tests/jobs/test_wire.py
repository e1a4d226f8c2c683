"""What crosses between the processes arrives equal, and leaves no shared memory behind."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_documents import collage, raster, request

from collage_studio.document.model import Mask
from collage_studio.document.recipe import Recipe, RunSettings
from collage_studio.engine.api import Produced, RerollRequest
from collage_studio.jobs import segments
from collage_studio.jobs.segments import Outbox, remove_from, take
from collage_studio.jobs.wire import (
    INLINE_BYTES,
    AssetStore,
    Happened,
    Run,
    asset_array,
    asset_id,
    pack,
    unpack,
)


def test_a_request_arrives_equal_once_its_pixels_are_known():
    outbox, store = Outbox("cstest", unlinks=True), AssetStore(1 << 30)
    sent = Run("job", request(1, 2))
    packed = pack(sent, outbox)
    assert len(packed.assets) == 3  # two rasters, and one mask that both layers share
    incomplete = unpack(packed.data, lambda ref: take(ref, unlink=True), store.find)
    assert set(incomplete.missing) == set(packed.assets)
    for identity, asset in packed.assets.items():
        store.put(identity, asset_array(asset))
    arrived = unpack(packed.data, lambda ref: take(ref, unlink=True), store.find)
    assert arrived.missing == ()
    assert arrived.message == sent
    assert len(outbox) == 0


def test_what_a_reroll_may_change_beside_its_layers_crosses_too():
    outbox, store = Outbox("cstest", unlinks=True), AssetStore(1 << 30)
    also = Mask(np.full((128, 160), 90, np.uint8))
    sent = Run("job", RerollRequest(collage(1), (), (1,), RunSettings(), also=also))
    packed = pack(sent, outbox)
    for identity, asset in packed.assets.items():
        store.put(identity, asset_array(asset))
    arrived = unpack(packed.data, lambda ref: take(ref, unlink=True), store.find)
    assert arrived.message == sent
    assert ("mask", also.key) in packed.assets


def test_a_request_without_its_pixels_is_a_few_kilobytes():
    outbox = Outbox("cstest", unlinks=True)
    assert len(pack(Run("job", request(1, document=collage(20))), outbox).data) < 16_000


def test_a_mapping_proxy_in_a_document_crosses():
    outbox = Outbox("cstest", unlinks=True)
    document = replace(collage(0), unknown=MappingProxyType({"newer": [1, 2]}))
    packed = pack(Run("job", request(1, document=document)), outbox)
    message = unpack(packed.data, lambda ref: take(ref, unlink=True)).message
    assert isinstance(message, Run)
    assert dict(message.request.document.unknown) == {"newer": [1, 2]}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 120))
def test_pictures_of_any_size_arrive_equal(width: int, height: int):
    outbox = Outbox("cstest", unlinks=False)
    picture = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    event = Produced(1, picture, Recipe("harmonise", 1, RunSettings(), ""))
    packed = pack(Happened("job", event), outbox)
    assert len(outbox) == (picture.nbytes >= INLINE_BYTES)
    arrived = unpack(packed.data, lambda ref: take(ref, unlink=True))
    outbox.release(arrived.taken)
    assert isinstance(arrived.message, Happened)
    assert isinstance(arrived.message.event, Produced)
    np.testing.assert_array_equal(arrived.message.event.picture, picture)
    assert len(outbox) == 0


def test_a_full_shared_memory_sends_the_pixels_through_the_pipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segments, "free_bytes", lambda: 1000)
    outbox = Outbox("cstest", unlinks=True)
    picture = np.full((100, 100, 3), 7, np.uint8)
    event = Produced(1, picture, Recipe("harmonise", 1, RunSettings(), ""))
    packed = pack(Happened("job", event), outbox)
    assert len(outbox) == 0
    arrived = unpack(packed.data, lambda ref: take(ref, unlink=True)).message
    assert isinstance(arrived, Happened)
    assert isinstance(arrived.event, Produced)
    np.testing.assert_array_equal(arrived.event.picture, picture)


def test_segments_of_a_dead_process_are_found_by_their_numbers():
    dead = Outbox("csdead", unlinks=False)
    first, *_ = (dead.put(np.zeros(20_000, np.uint8)) for _ in range(3))
    take(first, unlink=True)
    dead.clear()
    assert remove_from("csdead", first.number + 1) == 2
    assert remove_from("csdead", first.number + 1) == 0


def test_the_store_drops_the_least_recently_used_beyond_its_budget():
    one, two, three = raster(1), raster(2), Mask(np.zeros((100, 100), np.uint8))
    store = AssetStore(one.pixels.nbytes + three.values.nbytes)
    for asset in (one, two, three):
        store.put(asset_id(asset), asset_array(asset))
    store.find(asset_id(one))
    store.drop_excess()
    assert store.find(asset_id(two)) is None
    assert store.find(asset_id(one)) == one
    assert store.find(asset_id(three)) == three
