import numpy as np
import pytest
import torch

from broden.reader import ProbeSet
from dissection.activations.cells import prune
from dissection.activations.shards import Shard, ShardStore
from dissection.activations.top import Top, merge_top
from dissection.networks.layouts import LayerInfo
from dissection.overlap.counting import Counting
from dissection.overlap.tally import Counts, merge
from tests.dissection import references
from tests.dissection.probes import (
    CATEGORIES,
    GRID,
    PRIMARY,
    collect,
    corner_images,
    counted,
    layer,
    own,
    write_probe,
)

IMAGES = corner_images(7, more=14)
N, QUANTILE, K = len(IMAGES), 0.05, len(CATEGORIES)
#: Sizes of the batches of each shard.
SHARDS = [[4, 2], [6], [5], [1, 2]]
INFOS = [LayerInfo("conv", "Conv2d", 6, (3, 5)), LayerInfo("fine", "Conv2d", 4, (12, 9))]


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
        images = np.arange(first, first + sum(batches))
        store.write(number, Shard(images, {name: cells[number] for name, cells in kept.items()}))
        first += sum(batches)
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory, maps):
    return fill(ShardStore(tmp_path_factory.mktemp("counting") / "shards", "key"), maps)


def assert_counts(found, wanted):
    for name in Counts._fields:
        np.testing.assert_array_equal(getattr(found, name).numpy(), getattr(wanted, name), name)


def test_counts_are_those_of_dense_maps(store, probe, maps, thresholds):
    seen = []
    fold, tops = counted(store, range(4), probe, INFOS, thresholds, seen.append)
    held = [references.label_masks(shown, GRID) for shown in IMAGES]
    for name, part in maps.items():
        active = references.masks(part, thresholds[name].numpy(), GRID)
        wanted = references.count(active, held, PRIMARY, K)
        assert_counts(fold.counts[name], wanted)
        np.testing.assert_array_equal(probe.labels.pixels, wanted.pixels)
        image, value = references.top_images(part.max((2, 3)), 10)
        np.testing.assert_array_equal(tops[name].image, image)
        np.testing.assert_array_equal(tops[name].value, value)
        shown = active[image, np.arange(len(image))[:, None]]
        packed = np.packbits(shown.reshape(*image.shape, -1), axis=2)
        np.testing.assert_array_equal(fold.masks[name], packed)
        assert packed.any()
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("groups", [[[0, 2], [1, 3]], [[3], [2, 1, 0]], [[], [0, 1, 2, 3]]])
def test_shards_in_any_groups_add_up(groups, store, probe, thresholds):
    whole, tops = counted(store, range(4), probe, INFOS, thresholds)
    parts = [counted(store, g, probe, INFOS, thresholds) for g in groups]
    for info in INFOS:
        name = info.name
        assert_counts(merge(*(fold.counts[name] for fold, _ in parts)), whole.counts[name])
        merged = merge_top([parts[1][1][name], parts[0][1][name]])
        np.testing.assert_array_equal(merged.image, tops[name].image)
        np.testing.assert_array_equal(merged.value, tops[name].value)


def test_pruned_shards_give_the_same_counts(probe, maps, thresholds, tmp_path):
    store = fill(ShardStore(tmp_path / "shards", "key"), maps)
    before, size = counted(store, range(4), probe, INFOS, thresholds), store.size()
    grids = {info.name: info.grid for info in INFOS}
    for number in range(4):
        images, layers = store.read(number)
        pruned = {n: prune(part, thresholds[n].numpy(), grids[n]) for n, part in layers.items()}
        store.write(number, Shard(images, pruned))
    after = counted(store, range(4), probe, INFOS, thresholds)
    assert store.size() < size
    for name in maps:
        assert_counts(after[0].counts[name], before[0].counts[name])
        np.testing.assert_array_equal(after[0].masks[name], before[0].masks[name])
        np.testing.assert_array_equal(after[1][name].image, before[1][name].image)


def test_permuted_images_change_no_count(probe, maps, thresholds, store, tmp_path):
    order = np.random.default_rng(0).permutation(N)
    shuffled = write_probe(tmp_path / "shuffled.h5", [IMAGES[i] for i in order])
    other = fill(ShardStore(tmp_path / "shards", "key"), {n: m[order] for n, m in maps.items()})
    with shuffled:
        moved, _ = counted(other, range(4), shuffled, INFOS, thresholds)
    fold, _ = counted(store, range(4), probe, INFOS, thresholds)
    for name in maps:
        assert_counts(moved.counts[name], fold.counts[name])


def test_limited_probe_counts_its_images(probe, maps, thresholds, store):
    with ProbeSet(probe.path, limit=12) as limited:
        fold, _ = counted(store, range(2), limited, INFOS, thresholds)
        held = [references.label_masks(shown, GRID) for shown in IMAGES[:12]]
        for name, part in maps.items():
            active = references.masks(part[:12], thresholds[name].numpy(), GRID)
            wanted = references.count(active, held, PRIMARY, K)
            assert_counts(fold.counts[name], wanted)
            np.testing.assert_array_equal(limited.labels.pixels, wanted.pixels)


def test_threads_change_no_count(store, probe, thresholds):
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(counted(store, range(4), probe, INFOS, thresholds)[0])
    finally:
        torch.set_num_threads(before)
    for info in INFOS:
        assert_counts(found[1].counts[info.name], found[0].counts[info.name])
        np.testing.assert_array_equal(found[1].masks[info.name], found[0].masks[info.name])


def test_shards_without_a_top_image_add_no_mask(store, probe, thresholds):
    whole, tops = counted(store, range(4), probe, INFOS, thresholds)
    # the image that the first unit answers to most, for every unit
    only = {
        n: Top(*(np.broadcast_to(a[:1, :1], (len(a), 1)) for a in top)) for n, top in tops.items()
    }
    fold = Counting(probe, INFOS, own(thresholds), only)
    parts = [fold.part(store.read(number)) for number in range(4)]
    for part in parts:
        fold.add(part)
    for info in INFOS:
        name = info.name
        assert [len(part.layers[name].masks.unit) for part in parts].count(0) == 3
        np.testing.assert_array_equal(fold.masks[name][0, 0], whole.masks[name][0, 0])
        assert fold.masks[name].shape[1] == 1
