import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from broden.reader import ProbeSet
from dissection.activations.shards import Shard, ShardError, ShardStore
from dissection.networks.layouts import LayerInfo
from dissection.overlap.counting import Top, count_shards, merge_top, no_images
from dissection.overlap.tally import Counts, merge
from tests.dissection import references
from tests.dissection.probes import (
    CATEGORIES,
    GRID,
    PRIMARY,
    collect,
    corner_images,
    layer,
    write_probe,
)

IMAGES = corner_images(7, more=14)
N, QUANTILE, K = len(IMAGES), 0.05, len(CATEGORIES)
#: Sizes of the batches of each shard.
SHARDS = [[4, 2], [6], [5], [1, 2]]
INFOS = [LayerInfo("conv", "Conv2d", 6, (3, 5)), LayerInfo("fine", "Conv2d", 4, (12, 9))]
few = settings(max_examples=40, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with write_probe(tmp_path_factory.mktemp("counting") / "tiny.h5", IMAGES) as opened:
        yield opened


@pytest.fixture(scope="module")
def maps():
    return {info.name: layer(8, N, info.units, info.grid) for info in INFOS}


@pytest.fixture(scope="module")
def thresholds(maps):
    return {name: torch.from_numpy(references.thresholds(m, QUANTILE)) for name, m in maps.items()}


def fill(store, maps):
    """Write the shards of some layers as a run does."""
    kept = {}
    for name, part in maps.items():
        size = references.rank(QUANTILE, part[:, 0].size)
        kept[name] = collect(part, size, SHARDS)[1]
    first = 0
    for number, batches in enumerate(SHARDS):
        store.write(number, Shard(first, {name: cells[number] for name, cells in kept.items()}))
        first += sum(batches)
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory, maps):
    return fill(ShardStore(tmp_path_factory.mktemp("counting") / "shards", "key"), maps)


def silent(_images):
    pass


def assert_counts(found, wanted):
    for name in Counts._fields:
        np.testing.assert_array_equal(getattr(found, name).numpy(), getattr(wanted, name), name)


def test_counts_are_those_of_dense_maps(store, probe, maps, thresholds):
    seen = []
    counts, tops = count_shards(store, range(4), probe, INFOS, thresholds, seen.append)
    held = [references.label_masks(shown, GRID) for shown in IMAGES]
    for name, part in maps.items():
        active = references.masks(part, thresholds[name].numpy(), GRID)
        wanted = references.count(active, held, PRIMARY, K)
        assert_counts(counts[name], wanted)
        np.testing.assert_array_equal(probe.labels.pixels, wanted.pixels)
        image, value = references.top_images(part.max((2, 3)), 10)
        np.testing.assert_array_equal(tops[name].image, image)
        np.testing.assert_array_equal(tops[name].value, value)
    assert seen == [6, 6, 5, 3]


@pytest.mark.parametrize("groups", [[[0, 2], [1, 3]], [[3], [2, 1, 0]], [[], [0, 1, 2, 3]]])
def test_shards_in_any_groups_add_up(groups, store, probe, thresholds):
    whole, tops = count_shards(store, range(4), probe, INFOS, thresholds, silent)
    parts = [count_shards(store, g, probe, INFOS, thresholds, silent) for g in groups]
    for info in INFOS:
        name = info.name
        assert_counts(merge(parts[0][0][name], parts[1][0][name]), whole[name])
        merged = merge_top([parts[1][1][name], parts[0][1][name]])
        np.testing.assert_array_equal(merged.image, tops[name].image)
        np.testing.assert_array_equal(merged.value, tops[name].value)


def test_pruned_shards_give_the_same_counts(probe, maps, thresholds, tmp_path):
    store = fill(ShardStore(tmp_path / "shards", "key"), maps)
    before, size = count_shards(store, range(4), probe, INFOS, thresholds, silent), store.size()
    bounds = {name: part.numpy() for name, part in thresholds.items()}
    for number in range(4):
        store.prune(number, bounds, {info.name: info.grid for info in INFOS})
    after = count_shards(store, range(4), probe, INFOS, thresholds, silent)
    assert store.size() < size
    for name in maps:
        assert_counts(after[0][name], before[0][name])
        np.testing.assert_array_equal(after[1][name].image, before[1][name].image)


def test_permuted_images_change_no_count(probe, maps, thresholds, store, tmp_path):
    order = np.random.default_rng(0).permutation(N)
    shuffled = write_probe(tmp_path / "shuffled.h5", [IMAGES[i] for i in order])
    other = fill(ShardStore(tmp_path / "shards", "key"), {n: m[order] for n, m in maps.items()})
    with shuffled:
        moved, _ = count_shards(other, range(4), shuffled, INFOS, thresholds, silent)
    counts, _ = count_shards(store, range(4), probe, INFOS, thresholds, silent)
    for name in maps:
        assert_counts(moved[name], counts[name])


def test_limited_probe_counts_its_images(probe, maps, thresholds, store):
    with ProbeSet(probe.path, limit=12) as limited:
        counts, _ = count_shards(store, range(2), limited, INFOS, thresholds, silent)
        held = [references.label_masks(shown, GRID) for shown in IMAGES[:12]]
        for name, part in maps.items():
            active = references.masks(part[:12], thresholds[name].numpy(), GRID)
            wanted = references.count(active, held, PRIMARY, K)
            assert_counts(counts[name], wanted)
            np.testing.assert_array_equal(limited.labels.pixels, wanted.pixels)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_torch_keeps_its_threads(probe, thresholds, store):
    count_shards(store, range(4), probe, INFOS, thresholds, silent)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_missing_shard_stops_the_count(probe, thresholds, store):
    with pytest.raises(ShardError, match="000009"):
        count_shards(store, [0, 9], probe, INFOS, thresholds, silent)
    assert torch.get_num_threads() == 3


@few
@given(st.data())
def test_top_images_of_any_partition_are_the_same(data):
    images, units = data.draw(st.integers(1, 25)), 3
    maxima = data.draw(
        st.lists(
            st.lists(st.integers(-3, 3), min_size=units, max_size=units),
            min_size=images,
            max_size=images,
        )
    )
    maxima = np.array(maxima, np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, images), max_size=3)))
    parts = [
        Top(np.broadcast_to(i, (units, len(i))), maxima[i].T)
        for i in np.split(np.arange(images), cuts)
    ]
    found = merge_top(data.draw(st.permutations(parts)), 4)
    nested = merge_top([merge_top(parts[:1], 4), no_images(units), *parts[1:]], 4)
    image, value = references.top_images(maxima, 4)
    for top in (found, nested):
        np.testing.assert_array_equal(top.image, image)
        np.testing.assert_array_equal(top.value, value)
