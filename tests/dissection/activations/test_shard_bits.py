"""What a shard says of its sizes is never believed before it is checked."""

import tracemalloc

import numpy as np
import pytest
import torch

from dissection.activations.cells import Cells, pack
from dissection.activations.shards import Shard, ShardError, ShardStore, _without_zeros

IMAGES, GRID, UNITS = 5, (4, 6), 40
BYTES = GRID[0] * GRID[1] * UNITS // 8
#: Offsets in what is stored: two sizes, bits of which bytes are not 0, those bytes.
BITS = 16
SOME = BITS + IMAGES * BYTES // 8


@pytest.fixture
def store(tmp_path):
    return ShardStore(tmp_path / "shards", "key")


@pytest.fixture
def shard():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(IMAGES, *GRID, UNITS)).astype(np.float32)
    packed = pack(torch.from_numpy(maps), torch.from_numpy(maps > 2))
    bound, ties = np.full(UNITS, 2, np.float32), np.zeros(UNITS, np.int64)
    cells = Cells(*packed, maps.mean((1, 2)), maps.max((1, 2)), bound, ties)
    return Shard(np.arange(IMAGES), {"maps": cells})


def rewritten(store, shard, change):
    """Write the shard with other bytes of its bits, whose checksums are right."""
    store.write(0, shard)
    with np.load(store.path(0)) as arrays:
        held = dict(arrays)
    held["0/above"] = change(held["0/above"].copy())
    np.savez(store.path(0), **held)


def sizes(rows, columns):
    def change(stored):
        stored[:BITS] = np.array([rows, columns], "<i8").view(np.uint8)
        return stored

    return change


def at(place, value):
    def change(stored):
        stored[place] = value
        return stored

    return change


def test_the_unchanged_is_read(store, shard):
    rewritten(store, shard, lambda stored: stored)
    np.testing.assert_array_equal(store.read(0).layers["maps"].above, shard.layers["maps"].above)
    assert len(_without_zeros(shard.layers["maps"].above)) > SOME


DAMAGED = {
    "nothing": lambda stored: stored[:0],
    "half a size": lambda stored: stored[:7],
    "one size": lambda stored: stored[:8],
    "half of the second": lambda stored: stored[:15],
    "no bits": lambda stored: stored[:BITS],
    "half of the bits": lambda stored: stored[: (BITS + SOME) // 2],
    "no bytes": lambda stored: stored[:SOME],
    "a byte less": lambda stored: stored[:-1],
    "a byte more": lambda stored: np.append(stored, np.uint8(1)),
    "many bytes more": lambda stored: np.append(stored, np.zeros(10_000, np.uint8)),
    "a bit more": at(BITS, 255),
    "all bits": lambda stored: np.concatenate(
        [stored[:BITS], np.full(SOME - BITS, 255, np.uint8), stored[SOME:]]
    ),
    "no bit": lambda stored: np.concatenate(
        [stored[:BITS], np.zeros(SOME - BITS, np.uint8), stored[SOME:]]
    ),
    "fewer images": sizes(IMAGES - 1, BYTES),
    "more images": sizes(IMAGES + 1, BYTES),
    "no images": sizes(0, BYTES),
    "no cells": sizes(IMAGES, 0),
    "nothing at all": sizes(0, 0),
    "negative": sizes(-IMAGES, BYTES),
    "negative twice": sizes(-IMAGES, -BYTES),
    "lowest": sizes(-(2**63), 2),
    "lowest twice": sizes(-(2**63), -(2**63)),
    "huge": sizes(IMAGES, 2**40),
    "huge images": sizes(2**62, BYTES),
    "a product beyond 64 bits": sizes(2**62, 2**62),
    "a product that is 0 in 64 bits": sizes(2**32, 2**32),
    "a product that is right in 64 bits": sizes(2**61 + IMAGES, BYTES),
    "largest": sizes(2**63 - 1, 2**63 - 1),
    "none of the largest": sizes(0, 2**63 - 1),
    "largest of none": sizes(2**63 - 1, 0),
    "other type": lambda stored: stored.astype(np.int64),
    "floats": lambda stored: stored.astype(np.float32),
    "table": lambda stored: stored[: len(stored) // 2 * 2].reshape(-1, 2),
    "one number": lambda _stored: np.uint8(7),
    "texts": lambda _stored: np.array(["bits", "bytes"]),
    "empty rows": lambda _stored: np.empty((0, 3), np.uint8),
    "times": lambda stored: stored[: len(stored) // 8 * 8].view("M8[s]"),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bits_are_refused_in_one_line_and_little_memory(change, store, shard):
    rewritten(store, shard, change)
    tracemalloc.start()
    try:
        with pytest.raises(ShardError, match="is damaged") as caught:
            store.read(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(store.path(0)))
    assert peak < 10 * store.size()


def test_every_cut_of_the_bits_is_refused(store, shard):
    store.write(0, shard)
    with np.load(store.path(0)) as arrays:
        held = dict(arrays)
    whole = held["0/above"]
    for end in range(0, len(whole), 7):
        np.savez(store.path(0), **held | {"0/above": whole[:end]})
        with pytest.raises(ShardError, match="is damaged"):
            store.read(0)
