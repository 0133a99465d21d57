"""What is counted beside the labels, against loops over all pixels."""

import copy

import numpy as np
import pytest
import torch

from dissection.activations.shards import Shard, ShardStore
from dissection.activations.top import merge_top, no_images, top_of
from dissection.execution.passes import fold_shards
from dissection.networks.layouts import LayerInfo
from dissection.overlap.counting import Counting, Thresholds
from dissection.overlap.validity import heat
from dissection.overlap.validity.evidence import Evidence, pairing_of
from dissection.overlap.validity.levels import above, add
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
N, L, K = len(IMAGES), len(PRIMARY), len(CATEGORIES)
QUANTILES = (0.1, 0.05, 0.02)
OWN = 1
SHIFTS = 13
SHARDS = [[4, 2], [6], [5], [1, 2]]
INFOS = [LayerInfo("conv", "Conv2d", 6, (3, 5)), LayerInfo("fine", "Conv2d", 4, (12, 9))]
HELD = [references.label_masks(shown, GRID) for shown in IMAGES]


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with write_probe(tmp_path_factory.mktemp("evidence") / "tiny.h5", IMAGES) as opened:
        yield opened


@pytest.fixture(scope="module")
def maps():
    return {info.name: layer(8, N, info.units, info.grid) for info in INFOS}


@pytest.fixture(scope="module")
def active(maps):
    """Where each unit is active by each quantile, (T, N, U, H, W) of each layer."""
    return {
        name: np.stack([references.masks(m, references.thresholds(m, q), GRID) for q in QUANTILES])
        for name, m in maps.items()
    }


@pytest.fixture(scope="module")
def pairs(probe):
    return pairing_of(probe, np.random.default_rng(3).permutation(N), SHIFTS)


@pytest.fixture(scope="module")
def store(tmp_path_factory, maps):
    store = ShardStore(tmp_path_factory.mktemp("evidence") / "shards", "key")
    kept = {}
    for name, part in maps.items():
        size = references.rank(QUANTILES[0], part[:, 0].size)
        kept[name] = collect(part, size, SHARDS)[1]
    first = 0
    for number, batches in enumerate(SHARDS):
        images = np.arange(first, first + sum(batches))
        store.write(number, Shard(images, {name: cells[number] for name, cells in kept.items()}))
        first += sum(batches)
    return store


def folded(store, numbers, probe, maps, pairs, most=None):
    """Return a fold over some shards."""
    levels = {
        name: torch.from_numpy(np.stack([references.thresholds(m, q) for q in QUANTILES]))
        for name, m in maps.items()
    }
    thresholds = {name: Thresholds(rows[OWN], rows.unbind(), OWN) for name, rows in levels.items()}
    evidence = Evidence(probe, pairs, INFOS, len(QUANTILES), torch.device("cpu"))
    tops = {
        i.name: merge_top([no_images(i.units), top_of(np.arange(N), maps[i.name].max((2, 3)))])
        for i in INFOS
    }
    fold = Counting(probe, INFOS, thresholds, tops, pairs.group, evidence)
    fold_shards(store, numbers, [fold], torch.device("cpu"), lambda number: None)
    return fold


@pytest.fixture(scope="module")
def fold(store, probe, maps, pairs):
    return folded(store, range(4), probe, maps, pairs)


def overlaps(on, partner):
    """Return pixels of each unit under each label, its maps laid over the partners' labels."""
    found = np.zeros((on.shape[1], L), np.int64)
    for image, other in enumerate(partner):
        for label, mask in HELD[other].items():
            found[:, label] += (on[image] & mask).sum((1, 2))
    return found


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_shifted_counts_are_those_of_loops(fold, active, pairs, name):
    on = active[name][OWN]
    overlaps_of = fold.evidence.layers[name].overlaps
    levels, others = above(overlaps_of.levels).intersection[1:, :, OWN], overlaps_of.shifted
    assert 0 < len(levels) < SHIFTS == len(levels) + len(others)
    for one, partner in zip([*levels, *others], pairs.partner, strict=True):
        np.testing.assert_array_equal(one, overlaps(on, partner))


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_every_quantile_has_the_counts_of_its_own_run(fold, active, pairs, name):
    found = above(fold.evidence.layers[name].overlaps.levels)
    assert len(found.intersection) == 1 + 2
    assert found.intersection.shape[2] == len(QUANTILES)
    for place, on in enumerate(active[name]):
        wanted = references.count(on, HELD, PRIMARY, K)
        np.testing.assert_array_equal(found.intersection[0, :, place], wanted.intersection)
        np.testing.assert_array_equal(found.all[:, place], wanted.all)
        np.testing.assert_array_equal(found.category[:, place], wanted.category)
        np.testing.assert_array_equal(found.mask[:, place], wanted.mask)
        for shift in (0, 1):
            shifted = overlaps(on, pairs.partner[shift])
            np.testing.assert_array_equal(found.intersection[1 + shift, :, place], shifted)


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_counts_and_masks_are_those_of_the_runs_own_quantile(fold, active, name):
    on = active[name][OWN]
    wanted = references.count(on, HELD, PRIMARY, K)
    for part in ("intersection", "all", "category", "mask"):
        np.testing.assert_array_equal(getattr(fold.counts[name], part), getattr(wanted, part))
    assert fold.masks[name].any()


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_groups_split_the_counts(fold, active, pairs, name):
    on, groups = active[name][OWN], int(pairs.group.max()) + 1
    units = on.shape[1]
    found = fold.grouped(name)
    for group in range(groups):
        images = np.flatnonzero(pairs.group == group)
        held = [HELD[image] for image in images]
        wanted = references.count(on[images], held, PRIMARY, K)
        rows = slice(group * units, (group + 1) * units)
        for part in ("intersection", "all", "category", "mask"):
            np.testing.assert_array_equal(getattr(found, part)[rows], getattr(wanted, part))


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_images_in_which_unit_and_label_overlap_are_counted(fold, active, name):
    on = active[name][OWN]
    wanted = np.zeros((on.shape[1], L), int)
    for image, held in enumerate(HELD):
        for label, mask in held.items():
            wanted[:, label] += (on[image] & mask).any((1, 2))
    np.testing.assert_array_equal(fold.overlapping[name], wanted)


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_expected_overlap_is_the_mean_over_all_pairs_of_a_stratum(fold, active, probe, pairs, name):
    on, wanted = active[name][OWN], 0
    kinds = [frozenset(PRIMARY[label] for label in held) for held in HELD]
    for image in range(N):
        others = [other for other in range(N) if kinds[other] == kinds[image]]
        one = np.zeros((on.shape[1], L))
        for other in others:
            for label, mask in HELD[other].items():
                one[:, label] += (on[image] & mask).sum((1, 2))
        wanted = wanted + one / len(others)
    evidence = fold.evidence
    found = heat.expected(
        evidence.layers[name].steps,
        torch.from_numpy(evidence.labels),
        torch.from_numpy(evidence.strata),
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_labels_touch_where_a_pixel_carries_both(fold):
    wanted = np.zeros((L, L), bool)
    for held in HELD:
        for one, mask in held.items():
            for other, second in held.items():
                wanted[one, other] |= (mask & second).any()
    np.testing.assert_array_equal(fold.evidence.touching > 0, wanted)
    assert wanted.any()


@pytest.mark.parametrize("groups", [[[0, 2], [1, 3]], [[3], [2, 1, 0]], [[], [0, 1, 2, 3]]])
def test_shards_in_any_groups_add_up(groups, fold, store, probe, maps, pairs):
    first, second = (folded(store, group, probe, maps, pairs).evidence for group in groups)
    whole = fold.evidence
    np.testing.assert_array_equal(first.labels + second.labels, whole.labels)
    for name, wanted in whole.layers.items():
        one, two = copy.deepcopy(first.layers[name]), second.layers[name]
        assert torch.equal(one.steps + two.steps, wanted.steps)
        add(one.overlaps, two.overlaps)
        assert torch.equal(one.overlaps.shifted, wanted.overlaps.shifted)
        for both, all_of_them in zip(one.overlaps.levels, wanted.overlaps.levels, strict=True):
            assert torch.equal(both, all_of_them)


def test_partners_are_of_the_same_kind_and_never_the_image_itself(pairs, probe):
    kinds = [tuple(row) for row in probe.presence]
    for partner in pairs.partner:
        assert sorted(partner) == list(range(N))
        for image, other in enumerate(partner):
            assert kinds[image] == kinds[other]
            assert other != image or kinds.count(kinds[image]) == 1
    assert pairs.alone == sum(kinds.count(kind) == 1 for kind in kinds)


@pytest.mark.parametrize(("most", "kept"), [(1, 1), (2 * 4, 2), (10**9, 3)])
def test_rare_strata_are_counted_as_one_where_memory_is_short(most, kept):
    stratum = np.array([0, 1, 1, 2, 1, 0])
    found = heat.kept_apart(stratum, 1, 1, most)
    assert len(np.unique(found)) == kept
    if kept == 2:
        assert found.tolist() == [1, 0, 0, 1, 0, 1]
