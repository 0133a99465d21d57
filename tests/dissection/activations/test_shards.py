import errno
import gc
import json
import os
import pickle
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from broden.system.files import atomic
from dissection.activations.cells import Cells, pack, prune, unpack
from dissection.activations.shards import (
    Shard,
    ShardError,
    ShardStore,
    _with_zeros,
    _without_zeros,
)
from tests.dissection import references
from tests.dissection.probes import layer

few = settings(max_examples=40, deadline=None, derandomize=True)
GRID, UNITS = (3, 5), 6


def some_cells(seed=0, images=4, units=UNITS, grid=GRID, share=0.3):
    """Return random cells and the (N, h, w, U) maps they came from, -inf where not kept."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(images, *grid, units)).astype(np.float32)
    above = rng.random(maps.shape) < share
    packed = pack(torch.from_numpy(maps), torch.from_numpy(above))
    pooled = maps.mean((1, 2)), maps.max((1, 2))
    bound, ties = rng.normal(size=units).astype(np.float32), rng.integers(0, 9, units)
    kept = references.neighbourhood(above.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    return Cells(*packed, *pooled, bound, ties), np.where(kept, maps, np.float32(-np.inf))


def same(first, second):
    """Tell whether two shards hold the same bytes."""
    parts = [
        (a, b)
        for name in first.layers
        for a, b in zip(first.layers[name], second.layers[name], strict=True)
    ]
    return (
        first.images.tolist() == second.images.tolist()
        and list(first.layers) == list(second.layers)
        and all((a.dtype, a.shape) == (b.dtype, b.shape) for a, b in parts)
        and all(a.tobytes() == b.tobytes() for a, b in parts)
    )


@pytest.fixture
def shard():
    return Shard(
        np.array([2, 5, 6, 90]),
        {"layer.1": some_cells(1)[0], "fc": some_cells(2, units=3, grid=(1, 1))[0]},
    )


@pytest.fixture
def store(tmp_path):
    return ShardStore(tmp_path / "shards", "key")


def files(store):
    return sorted(path.name for path in store.folder.iterdir())


@few
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9)),
    st.sampled_from([0.0, 0.2, 1.0]),
)
def test_unpacking_undoes_packing(seed, shape, share):
    images, height, width, units = shape
    cells, maps = some_cells(seed, images, units, (height, width), share)
    assert cells.above.shape == (images, -(-height * width * units // 8))
    assert cells.kept.tolist() == np.isfinite(maps).sum((1, 2, 3)).tolist()
    assert cells.values.shape == (cells.kept.sum(),)
    some = np.random.default_rng(seed).permutation(images)[: 1 + seed % images]
    np.testing.assert_array_equal(unpack(cells, (height, width), some), maps[some])


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_a_kept_cell_takes_its_value_and_few_are_told_by_few_bytes(share, store):
    cells, maps = some_cells(images=16, units=256, share=share)
    store.write(0, Shard(np.arange(16), {"a": cells}))
    kept, pooled = np.isfinite(maps).sum(), 2 * 16 * 256 + 3 * 256
    told = (1 + 8 * share) / 64 if share < 0.1 else 9 / 64
    assert store.size() <= 4 * (kept + pooled) + maps.size * told + 3500


def test_round_trip_is_exact(store, shard):
    store.write(3, shard)
    read = store.read(3)
    assert same(read, shard)
    assert list(read.layers) == ["layer.1", "fc"]
    assert files(store) == ["000003.npz"]


def test_same_shards_are_same_bytes(store, shard, tmp_path):
    other = ShardStore(tmp_path / "other", "key")
    for place in (store, other):
        place.write(0, shard)
    assert store.path(0).read_bytes() == other.path(0).read_bytes()


def test_finished_shards_are_those_with_a_name(store, shard):
    assert store.finished(range(9)) == []
    for number in (7, 2):
        store.write(number, shard)
    store.path(4).with_suffix(".npz.17.part").write_bytes(b"half")
    assert store.finished(range(9)) == [2, 7]
    assert store.finished(range(0, 9, 2)) == [2]
    assert store.size() == store.path(2).stat().st_size + store.path(7).stat().st_size


def test_clearing_leaves_nothing(store, shard):
    store.clear()
    store.write(0, shard)
    store.path(1).with_suffix(".npz.17.part").write_bytes(b"half")
    store.clear()
    assert not store.folder.exists()


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_savez(handle, **_arrays):
    handle.write(b"half")
    full_disk()


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        ("dissection.activations.shards.np.savez", half_savez),
        ("broden.system.files.os.fsync", full_disk),
        ("broden.system.files.os.replace", full_disk),
    ],
)
@pytest.mark.parametrize("before", [False, True], ids=["new", "replaced"])
def test_shard_that_cannot_be_written_leaves_nothing(
    name, fails, before, store, shard, monkeypatch
):
    if before:
        store.write(0, shard)
    monkeypatch.setattr(name, fails)
    with pytest.raises(OSError, match="No space left"):
        store.write(0, Shard(np.arange(4), {"a": some_cells(7)[0]}))
    monkeypatch.undo()
    assert files(store) == (["000000.npz"] if before else [])
    assert not before or same(store.read(0), shard)


def test_interrupted_shard_leaves_nothing(store, shard, monkeypatch):
    def interrupt(_handle):
        raise KeyboardInterrupt

    monkeypatch.setattr("broden.system.files.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(0, shard)
    assert files(store) == []


def test_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with atomic(path) as handle:
        handle.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_file_in_the_place_of_the_folder_is_an_error_of_the_system(store, shard):
    store.folder.write_bytes(b"")
    with pytest.raises(OSError, match="shards"):
        store.write(0, shard)


def assert_refused(store, reason):
    with pytest.raises(ShardError, match=reason) as caught:
        store.read(0)
    text = str(caught.value)
    assert text.startswith(str(store.path(0)))
    assert "\n" not in text


def test_shard_of_another_run_is_refused(store, shard):
    ShardStore(store.folder, "other key").write(0, shard)
    assert_refused(store, "belongs to a run with other settings")


def test_shard_of_another_format_is_refused(store, shard, monkeypatch):
    monkeypatch.setattr("dissection.activations.shards.FORMAT", "shard/0")
    store.write(0, shard)
    monkeypatch.undo()
    assert_refused(store, "belongs to a run with other settings")


def test_missing_shard_is_refused(store):
    assert_refused(store, "is damaged")


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_truncated_shard_is_refused(share, store, shard):
    store.write(0, shard)
    data = store.path(0).read_bytes()
    store.path(0).write_bytes(data[: int(share * len(data))])
    assert_refused(store, "is damaged")
    gc.collect()  # a handle that was left open would warn here


def test_no_flipped_byte_passes_as_another_shard(store):
    shard = Shard(np.arange(2), {"a": some_cells(3, images=2, units=7)[0]})
    store.write(0, shard)
    data = store.path(0).read_bytes()
    reasons, places = [], range(0, len(data), 3)
    for place in places:
        flipped = data[place] ^ (1 << place % 8)
        store.path(0).write_bytes(data[:place] + bytes([flipped]) + data[place + 1 :])
        try:
            assert same(store.read(0), shard)
        except ShardError as error:
            reasons.append(str(error))
    assert len(reasons) > 0.7 * len(places)
    assert not any("\n" in reason for reason in reasons)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 4096, b"not a shard", pickle.dumps({"header": 1})],
    ids=["empty", "zeros", "text", "pickle"],
)
def test_other_files_are_refused(data, store):
    store.folder.mkdir()
    store.path(0).write_bytes(data)
    assert_refused(store, "is damaged")


def test_shard_without_an_array_is_refused(store, shard):
    store.write(0, shard)
    with np.load(store.path(0)) as arrays:
        kept = {name: arrays[name] for name in arrays if name != "1/mean"}
    np.savez(store.path(0), **kept)
    assert_refused(store, "is damaged")


@pytest.mark.parametrize(
    "change", [{"layers": None}, {"layers": {"layer.1": 0}}, {"layers": 3}, None]
)
def test_a_header_of_another_shape_is_refused(change, store, shard):
    store.write(0, shard)
    with np.load(store.path(0)) as arrays:
        held = dict(arrays)
    header = json.loads(bytes(held["header"]))
    if change is None:
        del header["layers"]
    held["header"] = np.frombuffer(json.dumps(header | (change or {})).encode(), np.uint8)
    np.savez(store.path(0), **held)
    assert_refused(store, "is damaged")


def test_shard_with_objects_is_refused(store, shard):
    store.write(0, shard)
    with np.load(store.path(0)) as arrays:
        held = dict(arrays)
    held["0/mean"] = np.array([{"a": 1}], object)
    np.savez(store.path(0), **held)
    assert_refused(store, "is damaged")


def test_flipped_values_are_noticed(store, shard):
    store.write(0, shard)
    data = store.path(0).read_bytes()
    for part in [shard.images, *shard.layers["layer.1"][1:]]:
        place = data.index(part.tobytes()) + part.nbytes // 2
        store.path(0).write_bytes(
            data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        )
        assert_refused(store, "is damaged")


def test_pruning_keeps_what_a_higher_bound_needs():
    maps = layer(3, 5, UNITS, GRID)
    bound = references.thresholds(maps, 0.05)
    cells = maps.transpose(0, 2, 3, 1).copy()
    packed = pack(torch.from_numpy(cells), torch.ones(cells.shape, dtype=torch.bool))
    pooled = cells.mean((1, 2)), cells.max((1, 2))
    lowest, no_ties = np.full(UNITS, -np.inf, np.float32), np.zeros(UNITS, np.int64)
    whole = Cells(*packed, *pooled, lowest, no_ties)
    pruned = prune(whole, bound, GRID)
    needed = references.neighbourhood(maps > bound[:, None, None]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(
        unpack(pruned, GRID, np.arange(5)), np.where(needed, cells, np.float32(-np.inf))
    )
    assert 0 < len(pruned.values) < len(whole.values) / 2
    for name in ("mean", "maximum"):
        assert getattr(pruned, name) is getattr(whole, name)


def test_a_discarded_shard_is_not_finished(store, shard):
    store.write(1, shard)
    store.write(2, shard)
    store.discard(1)
    store.discard(3)
    assert store.finished(range(4)) == [2]


@pytest.mark.parametrize(
    "images",
    [np.arange(4.0), np.arange(4, dtype=np.int32), np.arange(4).reshape(2, 2), np.array(4)],
    ids=["floats", "short", "table", "number"],
)
def test_numbers_of_images_that_are_no_row_of_integers_are_refused(images, store, shard):
    store.write(0, Shard(images, shard.layers))
    assert_refused(store, "no row of integers")


@few
@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(0, 40), st.sampled_from([0, 0.1, 1]))
def test_bits_without_their_zero_bytes_are_those_bits(seed, images, width, share):
    rng = np.random.default_rng(seed)
    bits = (rng.integers(1, 256, (images, width)) * (rng.random((images, width)) < share)).astype(
        np.uint8
    )
    np.testing.assert_array_equal(_with_zeros(_without_zeros(bits)), bits)


@few
@given(st.data())
def test_damaged_bits_are_refused_and_take_no_memory(data):
    stored = _without_zeros(np.array([[0, 7, 0, 1], [0, 0, 0, 3]], np.uint8))
    sizes = st.sampled_from([-(2**63), -1, 0, 1, 3, 5, 9, 2**31, 2**62, 2**63 - 1])
    shape = np.array([data.draw(sizes), data.draw(sizes)], "<i8").view(np.uint8)
    damaged = data.draw(
        st.sampled_from(
            [
                stored[: data.draw(st.integers(0, len(stored) - 1))],
                np.concatenate([shape, stored[16:]]),
                np.concatenate([stored, stored[-1:]]),
            ]
        )
    )
    with suppress(ValueError):
        assert _with_zeros(damaged).size <= 8 * len(stored)


def test_a_directory_called_as_a_shard_is_gone_round(store, shard):
    (store.folder / "000000.npz" / "mine").mkdir(parents=True)
    assert store.finished([0, 1]) == []
    store.write(0, shard)
    store.write(1, shard)
    assert store.finished([0, 1]) == [0, 1]
    assert same(store.read(0), shard)
    assert store.size() == 2 * store.path(1).stat().st_size
    store.clear()
    assert files(store) == ["000000.npz"]
    assert (store.folder / "000000.npz" / "mine").is_dir()


def test_only_shards_are_cleared_and_nothing_behind_a_link(store, shard, tmp_path):
    store.write(0, shard)
    (store.folder / "mine.npz").touch()
    store.clear()
    assert files(store) == ["mine.npz"]
    store.write(0, shard)
    linked = ShardStore(tmp_path / "linked", "key")
    linked.folder.symlink_to(store.folder)
    linked.clear()
    assert files(store) == ["000000.npz", "mine.npz"]
