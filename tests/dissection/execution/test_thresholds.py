"""Thresholds are exact whatever was presumed, whatever was killed, on one rank or two."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations import forward
from dissection.activations.cells import unpack
from dissection.activations.shards import ShardStore
from dissection.execution import thresholds
from dissection.execution.thresholds import run_until_exact
from tests.dissection import recalled, references
from tests.dissection.probes import layer

few = settings(max_examples=60, deadline=None, derandomize=True)
IMAGES, GRID, UNITS, SHARD = 26, (3, 5), 6, 4


class Killed(BaseException):
    """Stands for a kill: nothing in the run may catch it."""


def kill_after(images):
    """Return an `advance` that dies when so many images are through."""
    left = [images]
    lock = threading.Lock()

    def advance(number):
        with lock:
            left[0] -= number
            if left[0] <= 0:
                raise Killed

    return advance


def ignore(_number):
    pass


def start(maps, folder, quantile, advance=ignore, ranks=1, batch=3):
    """Run a job once and return the thresholds of each layer."""
    if ranks == 1:
        with torch.inference_mode():
            found = [run_until_exact(recalled.job(maps, folder, quantile, batch), advance)]
    else:
        found = recalled.over_two(
            lambda two: run_until_exact(recalled.job(maps, folder, quantile, batch, two), advance)
        )
    for passed in found[1:]:
        for name, one in passed.thresholds.items():
            assert torch.equal(one, found[0].thresholds[name])
    return {name: one[0].numpy() for name, one in found[0].thresholds.items()}


def assert_exact(found, maps, folder, quantile):
    """The thresholds are those of a sort, and the shards hold all that masks need."""
    with torch.inference_mode():
        job = recalled.job(maps, folder, quantile)
    for name, one in maps.items():
        wanted = references.thresholds(one, quantile)
        np.testing.assert_array_equal(found[name], wanted)
        seen = []
        for number in job.plan.shards():
            shard = job.store.read(number)
            cells, part = shard.layers[name], one[shard.images]
            kept = unpack(cells, one.shape[2:], np.arange(len(part))).transpose(0, 3, 1, 2)
            needed = references.neighbourhood(part > wanted[:, None, None])
            np.testing.assert_array_equal(kept[needed], part[needed])
            assert (cells.bound <= wanted).all()
            seen += shard.images.tolist()
        assert sorted(seen) == list(range(len(one)))


@pytest.fixture
def passes(monkeypatch):
    """The shards of each pass of images through the network."""
    seen, original = [], forward.run_images

    def spied(plan, store, mine, *more):
        seen.append([number for number in mine if number not in store.finished(mine)])
        return original(plan, store, mine, *more)

    monkeypatch.setattr(thresholds, "run_images", spied)
    return seen


def presume(patch, rank):
    patch.setattr(forward, "SHARD_IMAGES", SHARD)
    if rank is not None:
        patch.setattr(
            forward, "presumed_size", lambda _quantile, seen, images, cells: rank(seen, cells)
        )


@few
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.005, 0.05, 0.2, 0.5, 0.95]),
    st.sampled_from([1, 2, 5, 20, 60, 150]),
    st.booleans(),
    st.lists(st.integers(1, 2 * IMAGES), max_size=3),
    st.sampled_from([1, 3, 4]),
    st.sampled_from([1, 1, 1, 2]),
)
def test_any_presumption_and_any_kills_end_in_the_sorted_thresholds(
    tmp_path_factory, seed, quantile, rank, rising, kills, batch, ranks
):
    folder = tmp_path_factory.mktemp("run") / "shards"
    maps = {
        "fine": layer(seed, IMAGES, UNITS, GRID),
        "coarse": layer(seed + 1, IMAGES, 5, (1, 2)),
    }
    with pytest.MonkeyPatch.context() as patch:
        presume(patch, lambda seen, _cells: 1 + rank * seen // IMAGES if rising else rank)
        for images in kills:
            try:
                start(maps, folder, quantile, kill_after(images), ranks, batch)
            except (Killed, threading.BrokenBarrierError):
                continue
        found = start(maps, folder, quantile, ranks=ranks, batch=batch)
        assert_exact(found, maps, folder, quantile)


def test_units_of_which_too_little_was_kept_and_others_may_be_killed_and_resumed(
    tmp_path, monkeypatch, passes
):
    """A shard of the second pass has no bound for the one and a finite one for the others."""
    maps = {"fine": layer(3, IMAGES, UNITS, GRID)[:, [1, 0, 3, 4]]}
    with monkeypatch.context() as patch:
        presume(patch, lambda _seen, _cells: 1)
        with pytest.raises(Killed):
            start(maps, tmp_path, 0.2, kill_after(IMAGES + 6), batch=1)
        bound = recalled.job(maps, tmp_path, 0.2).store.read(0).layers["fine"].bound
        assert np.isinf(bound).any()
        assert np.isfinite(bound).any()
    presume(monkeypatch, lambda _seen, _cells: 10**6)
    del passes[:]
    found = start(maps, tmp_path, 0.2, batch=1)
    assert_exact(found, maps, tmp_path, 0.2)
    # what the second pass had counted of the values at a bound was not lost
    assert passes == [[1, 2, 3, 4, 5, 6]]


def test_what_holds_always_runs_no_image_again(tmp_path, monkeypatch, passes):
    maps = {"fine": layer(4, IMAGES, UNITS, GRID)}
    presume(monkeypatch, lambda _seen, _cells: 10**6)
    assert_exact(start(maps, tmp_path, 0.2), maps, tmp_path, 0.2)
    assert passes == [[0, 1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("ranks", [1, 2])
def test_only_shards_that_kept_too_little_run_again(ranks, tmp_path, monkeypatch, passes, caplog):
    caplog.set_level("INFO", "dissection")
    maps = {"fine": layer(5, IMAGES, UNITS, GRID)}
    presume(monkeypatch, lambda seen, _cells: 10**6 if seen <= 8 else 3)
    assert_exact(start(maps, tmp_path, 0.2, ranks=ranks), maps, tmp_path, 0.2)
    if ranks == 1:
        assert passes == [[0, 1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6]]
        assert "a bound was presumed too high: 18 images run again" in caplog.text
    else:
        assert sorted(passes) == sorted([[0, 2, 4, 6], [1, 3, 5], [4, 6], [5]])


def test_a_rank_without_images_waits_for_the_other(tmp_path, monkeypatch, passes):
    maps = {"fine": layer(6, 3, UNITS, GRID)}
    presume(monkeypatch, lambda _seen, _cells: 1)
    assert_exact(start(maps, tmp_path, 0.5, ranks=2, batch=1), maps, tmp_path, 0.5)
    assert sorted(passes) == [[], [], [0], [0]]


@pytest.mark.parametrize("half", range(8))
def test_a_kill_while_shards_are_discarded_loses_nothing(half, tmp_path, monkeypatch):
    maps = {"fine": layer(7, IMAGES, UNITS, GRID)}
    presume(monkeypatch, lambda seen, _cells: 1)
    original, calls = ShardStore.discard, []

    def dying(store, number):
        calls.append(number)
        if len(calls) > half:
            raise Killed
        original(store, number)

    with monkeypatch.context() as patch:
        patch.setattr(ShardStore, "discard", dying)
        if half < 7:
            with pytest.raises(Killed):
                start(maps, tmp_path, 0.2)
    assert_exact(start(maps, tmp_path, 0.2), maps, tmp_path, 0.2)


MANY, MANY_SHARD = 320, 16


def many_ties():
    """Return units with a value that very many activations have."""
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(MANY, 7, *GRID)).astype(np.float32)
    maps[:, 0] = 0
    # a unit that is silent but for fewer activations than the quantile, or for a few more
    maps[:, 1] = np.where(rng.random((MANY, *GRID)) < 0.03, np.abs(maps[:, 1]), 0)
    maps[:, 2] = np.where(rng.random((MANY, *GRID)) < 0.055, np.abs(maps[:, 2]), 0)
    maps[:, 3] = np.clip(4 * maps[:, 3], 0, 6)
    maps[:, 4] = np.round(maps[:, 4] * 2) / 2
    # all activations of an image are at the top or none
    maps[:, 5] = np.where(rng.random((MANY, 1, 1)) < 0.3, 6, np.minimum(maps[:, 5], 5))
    return {"fine": maps}


@pytest.fixture
def many(monkeypatch):
    presume(monkeypatch, None)
    monkeypatch.setattr(forward, "SHARD_IMAGES", MANY_SHARD)
    return many_ties()


@pytest.mark.parametrize("quantile", [0.005, 0.05, 0.3])
@pytest.mark.parametrize("ranks", [1, 2])
def test_units_with_ties_run_no_image_again(quantile, ranks, many, tmp_path, passes):
    assert_exact(start(many, tmp_path, quantile, ranks=ranks, batch=8), many, tmp_path, quantile)
    assert len(passes) == ranks


@pytest.mark.parametrize("images", [1, 16, 17, 48, 100, 200, 319])
@pytest.mark.parametrize("ranks", [1, 2])
def test_units_with_ties_run_no_image_again_after_a_kill(images, ranks, many, tmp_path, passes):
    with pytest.raises((Killed, threading.BrokenBarrierError)):
        start(many, tmp_path, 0.05, kill_after(images), ranks, 8)
    del passes[:]
    assert_exact(start(many, tmp_path, 0.05, ranks=ranks, batch=8), many, tmp_path, 0.05)
    assert len(passes) == ranks


def test_any_missing_shard_of_units_with_ties_is_all_that_runs_again(many, tmp_path, passes):
    start(many, tmp_path, 0.05, batch=8)
    with torch.inference_mode():
        store = recalled.job(many, tmp_path, 0.05).store
    for missing in ([0], [7], [19], [0, 1, 2], [3, 18]):
        for number in missing:
            store.discard(number)
        del passes[:]
        assert_exact(start(many, tmp_path, 0.05, batch=8), many, tmp_path, 0.05)
        assert passes == [missing]


def test_a_change_of_the_number_of_ranks_runs_no_image_again(many, tmp_path, passes):
    with pytest.raises((Killed, threading.BrokenBarrierError)):
        start(many, tmp_path, 0.05, kill_after(150), 2, 8)
    del passes[:]
    assert_exact(start(many, tmp_path, 0.05, batch=8), many, tmp_path, 0.05)
    assert len(passes) == 1


def test_of_many_images_less_is_kept_than_without_presuming(many, tmp_path, monkeypatch):
    sizes = []
    for rank in (None, lambda _seen, _cells: 10**6):
        presume(monkeypatch, rank)
        monkeypatch.setattr(forward, "SHARD_IMAGES", MANY_SHARD)
        folder = tmp_path / str(len(sizes))
        start(many, folder, 0.05, batch=8)
        with torch.inference_mode():
            store = recalled.job(many, folder, 0.05).store
        sizes.append(sum(len(store.read(n).layers["fine"].values) for n in range(20)))
    assert sizes[0] < 0.9 * sizes[1]


@pytest.mark.parametrize("images", [1, 4, 5, 9, 13, 17])
@pytest.mark.parametrize("quantile", [0.02, 0.2])
def test_a_second_pass_that_was_killed_is_not_begun_again(
    images, quantile, tmp_path, monkeypatch, passes
):
    maps = {"fine": layer(8, IMAGES, UNITS, GRID)}
    with monkeypatch.context() as patch:
        presume(patch, lambda seen, _cells: 10**6 if seen <= 8 else 2)
        with pytest.raises(Killed):
            start(maps, tmp_path, quantile, kill_after(IMAGES + images))
    assert len(passes) == 2
    presume(monkeypatch, lambda _seen, _cells: 10**6)
    assert_exact(start(maps, tmp_path, quantile), maps, tmp_path, quantile)
    assert len(passes) == 3
    assert len(passes[2]) < len(passes[1]) or images < 4


@pytest.mark.parametrize("quantile", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("ranks", [1, 2])
def test_shards_that_are_all_there_are_enough(quantile, ranks, tmp_path, monkeypatch, passes):
    """Also where the bound rose to the very threshold in the last images."""
    presume(monkeypatch, None)
    for images in range(1, 41, 3):
        maps = {"fine": layer(images, images, UNITS, GRID)}
        folder = tmp_path / str(images)
        start(maps, folder, quantile, ranks=ranks)
        del passes[:]
        assert_exact(start(maps, folder, quantile, ranks=ranks), maps, folder, quantile)
        assert passes == [[]] * ranks
