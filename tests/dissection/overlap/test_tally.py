import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.overlap.stencils import evaluate, stencils
from dissection.overlap.tally import Counts, Labels, add, merge, no_counts, overlapped
from tests.dissection import references
from tests.dissection.probes import CATEGORIES, GRID, PRIMARY, corner_images, layer
from tests.dissection.references import Shown

K = len(CATEGORIES)
CELLS = (3, 5)
few = settings(max_examples=25, deadline=None, derandomize=True)


def coded(images, primary=PRIMARY, grid=GRID):
    """Return the sets of labels of some images, pixel by pixel."""
    held = [references.label_masks(shown, grid) for shown in images]
    sets, code = [], np.zeros((len(images), grid[0] * grid[1], 1), np.int16)
    for i, masks in enumerate(held):
        number = {}
        for pixel, (y, x) in enumerate(np.ndindex(grid)):
            here = tuple(name for name, mask in masks.items() if mask[y, x])
            code[i, pixel] = number.setdefault(here, len(number))
        sets.append(list(number))
    most = max(map(len, sets)), max(1, *(len(masks) for masks in held))
    member, label = np.zeros((len(images), *most)), np.zeros((len(images), most[1]), np.int64)
    presence = np.zeros((len(images), K), np.int64)
    for i, masks in enumerate(held):
        label[i, : len(masks)] = list(masks)
        for name in masks:
            presence[i, primary[name]] = 1
        for n, names in enumerate(sets[i]):
            member[i, n, [list(masks).index(name) for name in names]] = 1
    partner = np.arange(len(images))[:, None]
    parts = (code, partner, member, label, presence, np.array(primary))
    return Labels(*map(torch.from_numpy, parts))


def counted(maps, threshold, labels, images=None, total=None):
    """Count some images of a block together."""
    images = torch.arange(len(maps)) if images is None else torch.tensor(images)
    cells = torch.from_numpy(maps.transpose(0, 2, 3, 1)[images.numpy()]).contiguous()
    on = stencils(maps.shape[2:], GRID)
    total = total or no_counts(maps.shape[1], len(labels.primary), K, "cpu")
    runs = evaluate(cells, torch.from_numpy(threshold), on)
    return add(overlapped(runs, images, maps.shape[1], labels), labels, total)


def expected(maps, threshold, images, primary=PRIMARY):
    held = [references.label_masks(shown, GRID) for shown in images]
    return references.count(references.masks(maps, threshold, GRID), held, primary, K)


def assert_counts(found, wanted):
    for name in Counts._fields:
        part = getattr(found, name)
        assert part.dtype == torch.int64
        np.testing.assert_array_equal(part.numpy(), np.asarray(getattr(wanted, name)), name)


@pytest.mark.parametrize("quantile", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("units", [1, 6])
@pytest.mark.parametrize("seed", [0, 1])
def test_counts_are_those_of_loops_over_pixels(quantile, units, seed):
    images = corner_images(seed)
    maps = layer(seed, len(images), units, CELLS)
    threshold = references.thresholds(maps, quantile)
    found = counted(maps, threshold, coded(images))
    assert_counts(found, expected(maps, threshold, images))
    assert found.intersection.any() == (quantile > 0)


def test_each_rule_counts_other_images():
    plane = np.zeros(GRID, np.uint16)
    plane[:, 4:] = 1
    images = [Shown([(0, plane)]), Shown([(0, np.flip(plane, 1))]), Shown()]
    maps = np.zeros((3, 1, *GRID), np.float32)
    maps[:, :, :, 6:] = 1
    found = counted(maps, np.zeros(1, np.float32), coded(images))
    active = GRID[0] * 2
    assert found.intersection[0, 1] == active
    assert found.all.tolist() == [3 * active]
    assert found.category[0].tolist() == [2 * active, 0, 0, 0, 0]
    assert found.mask[0].tolist() == [active, 0, 0, 0, 0]


def test_more_than_255_labels_in_an_image():
    rng = np.random.default_rng(0)
    primary = rng.integers(0, K, 700).tolist()
    images = [
        Shown([(0, rng.integers(0, 700, GRID, dtype=np.uint16)) for _ in range(number)], [(1, 5)])
        for number in (9, 0, 2)
    ]
    labels = coded(images, primary)
    assert labels.member.shape[1] > 40
    maps = layer(1, 3, 6, CELLS)
    threshold = references.thresholds(maps, 0.4)
    assert_counts(counted(maps, threshold, labels), expected(maps, threshold, images, primary))


@pytest.mark.parametrize(
    "images", [[Shown()] * 3, [Shown(whole=[(2, 7)])] * 3], ids=["nothing", "whole images"]
)
def test_images_need_no_planes(images):
    maps = layer(2, 3, 6, CELLS)
    threshold = references.thresholds(maps, 0.2)
    assert_counts(counted(maps, threshold, coded(images)), expected(maps, threshold, images))


def test_silent_units_count_nothing():
    images = corner_images()
    maps = np.zeros((len(images), 3, *CELLS), np.float32)
    found = counted(maps, np.zeros(3, np.float32), coded(images))
    assert not any(part.any() for part in found)


@few
@given(st.data())
def test_counts_of_any_partition_add_up(data):
    images = corner_images(3)
    maps = layer(3, len(images), 6, CELLS)
    threshold, labels = references.thresholds(maps, 0.1), coded(images)
    order = data.draw(st.permutations(range(len(images))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(images) - 1), max_size=4)))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(images)], strict=True)]
    whole = counted(maps, threshold, labels)
    parts = [counted(maps, threshold, labels, group) for group in groups]
    first, *rest = data.draw(st.permutations(parts))
    merged = first
    for part in rest:
        merged = merge(merged, part)
    assert_counts(merged, whole)
    running = no_counts(6, len(PRIMARY), K, "cpu")
    for group in groups:
        assert counted(maps, threshold, labels, group, running) is running
    assert_counts(running, whole)


def test_permuted_units_permute_the_counts():
    images = corner_images(4)
    maps = layer(4, len(images), 6, CELLS)
    threshold, labels = references.thresholds(maps, 0.1), coded(images)
    order = np.array([3, 5, 0, 1, 4, 2])
    found = counted(maps, threshold, labels)
    moved = counted(maps[:, order], threshold[order], labels)
    assert_counts(moved, Counts(*(part[order] for part in found)))


def test_permuted_images_change_no_count():
    images = corner_images(5)
    maps = layer(5, len(images), 6, CELLS)
    threshold = references.thresholds(maps, 0.1)
    order = np.random.default_rng(0).permutation(len(images))
    found = counted(maps, threshold, coded(images))
    moved = counted(maps[order], threshold, coded([images[i] for i in order]))
    assert_counts(moved, found)


def test_merging_leaves_its_arguments_alone():
    ones = Counts(*(torch.ones_like(part) for part in no_counts(2, 3, 1, "cpu")))
    twice = merge(ones, ones)
    assert all((part == 2).all() for part in twice)
    assert all((part == 1).all() for part in ones)
