import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from dissection.activations.cells import neighbourhood, where
from dissection.overlap.stencils import axis, evaluate, masks, stencils
from tests.dissection import references

few = settings(max_examples=60, deadline=None, derandomize=True)
#: (h, w) -> (H, W): one cell, one line, not square, enlarged by any factor, equal, and shrunk.
SHAPES = [
    ((1, 1), (6, 5)),
    ((1, 1), (1, 1)),
    ((1, 6), (9, 24)),
    ((5, 1), (20, 7)),
    ((2, 3), (8, 12)),
    ((3, 5), (12, 40)),
    ((3, 4), (10, 11)),
    ((7, 7), (112, 112)),
    ((13, 13), (113, 113)),
    ((13, 13), (112, 112)),
    ((14, 11), (113, 96)),
    ((6, 8), (6, 8)),
    ((6, 4), (6, 16)),
    ((9, 7), (5, 4)),
    ((28, 28), (16, 16)),
    ((10, 3), (4, 21)),
    ((12, 1), (3, 1)),
]
#: Those where every product is exact in float64, so that even cancelling values are.
EXACT = [(c, p) for c, p in SHAPES if all(n * 2**7 % m == 0 for n, m in zip(c, p, strict=True))]


def ids(shape):
    return f"{shape[0][0]}x{shape[0][1]}->{shape[1][0]}x{shape[1][1]}"


def shapes(these):
    return pytest.mark.parametrize(("cells", "pixels"), these, ids=map(ids, these))


def found(maps, threshold, pixels):
    """Return the masks of (N, U, h, w) maps."""
    cells = torch.from_numpy(maps.transpose(0, 2, 3, 1).astype(np.float32)).contiguous()
    on = stencils(maps.shape[2:], pixels)
    return masks(cells, torch.from_numpy(threshold.astype(np.float32)), on, pixels).numpy()


def whole_maps(seed, cells, high, units=4, images=2):
    """Return maps of integers, thresholds some cells equal, with regions at the threshold."""
    rng = np.random.default_rng(seed)
    maps = rng.integers(-high, high + 1, (images, units, *cells))
    threshold = np.sort(maps, axis=None)[rng.integers(maps.size // 2, maps.size, units)]
    tied = rng.random(maps.shape) < 0.3
    maps[tied] = np.broadcast_to(threshold[:, None, None], maps.shape)[tied]
    return maps, threshold


@pytest.mark.parametrize(
    ("cells", "pixels"), sorted({pair for c, p in SHAPES for pair in zip(c, p, strict=True)})
)
def test_blocks_of_an_axis_are_the_rows_of_the_upsampling_matrix(cells, pixels):
    first, size, weight = (part.numpy() for part in axis(cells, pixels)[:3])
    np.testing.assert_array_equal((~np.isnan(weight)).sum(0), size)
    matrix = np.zeros((pixels, cells))
    seen = []
    for block in range(cells + 1):
        for place, share in enumerate(weight[:, block].tolist()):
            if not np.isnan(share):
                pixel = first[block] + place
                seen.append(pixel)
                matrix[pixel, max(block - 1, 0)] += 1 - share
                matrix[pixel, min(block, cells - 1)] += share
    assert seen == list(range(pixels))
    np.testing.assert_allclose(matrix, references.upsampling(cells, pixels), rtol=0, atol=1e-15)


@shapes(SHAPES)
def test_masks_are_those_of_exact_arithmetic(cells, pixels):
    maps, threshold = whole_maps(1, cells, 2**18)
    expected = references.exact_masks(maps, threshold, pixels)
    np.testing.assert_array_equal(found(maps, threshold, pixels), expected)


@shapes(EXACT)
@few
@given(st.integers(0, 2**32))
def test_values_that_cancel_at_the_threshold_are_not_above_it(cells, pixels, seed):
    maps, threshold = whole_maps(seed, cells, 3, units=3, images=1)
    expected = references.exact_masks(maps, threshold, pixels)
    np.testing.assert_array_equal(found(maps, threshold, pixels), expected)


@shapes(SHAPES)
def test_masks_are_those_of_dense_upsampling(cells, pixels):
    maps = np.random.default_rng(2).normal(size=(2, 5, *cells)).astype(np.float32)
    threshold = references.thresholds(maps, 0.2)
    expected = references.masks(maps, threshold, pixels)
    np.testing.assert_array_equal(found(maps, threshold, pixels), expected)
    excess = torch.from_numpy(maps.astype(float) - threshold.astype(float)[:, None, None])
    up = functional.interpolate(excess, size=pixels, mode="bilinear", align_corners=False)
    np.testing.assert_array_equal((up > 0).numpy(), expected)


@shapes(SHAPES)
def test_cells_far_from_any_above_the_bound_need_not_be_known(cells, pixels):
    maps = np.random.default_rng(3).normal(size=(3, 4, *cells)).astype(np.float32)
    threshold, bound = references.thresholds(maps, 0.05), references.thresholds(maps, 0.1)
    known = references.neighbourhood(maps > bound[:, None, None])
    sparse = np.where(known, maps, -np.inf)
    assert (sparse == -np.inf).any() or max(cells) < 9
    expected = references.masks(maps, threshold, pixels)
    np.testing.assert_array_equal(found(sparse, threshold, pixels), expected)


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -7.3, 1e-45, 3.4e38, -3.4e38])
@shapes(SHAPES)
def test_constant_maps_are_active_everywhere_or_nowhere(cells, pixels, value):
    maps = np.full((1, 3, *cells), value, np.float32)
    threshold = np.array([value, np.nextafter(np.float32(value), np.float32(-np.inf)), 3.402e38])
    active = found(maps, threshold, pixels)
    assert [part.all() for part in active[0]] == [False, True, False]
    assert [part.any() for part in active[0]] == [False, True, False]


def test_zero_does_not_exceed_negative_zero():
    zeros = np.zeros((1, 2, 3, 3), np.float32)
    assert not found(zeros, np.array([-0.0, 0.0], np.float32), (9, 9)).any()
    assert not found(-zeros, np.array([-0.0, 0.0], np.float32), (9, 9)).any()


def test_opposite_extremes_do_not_overflow():
    maps = np.tile(np.array([3.4e38, -3.4e38], np.float32), (1, 1, 2, 2))
    threshold = np.array([-3.4e38], np.float32)
    expected = references.masks(maps, threshold, (8, 16))
    np.testing.assert_array_equal(found(maps, threshold, (8, 16)), expected)
    assert expected.any()


def test_differences_to_the_threshold_lose_no_digit():
    # 3 * (2**24 + 1) - (3 * 2**24 - 1) = 4, but 0 where float32 rounds the differences
    maps = np.array([[[[2**24, -3 * 2**24]]]])
    threshold = np.array([-1])
    expected = references.exact_masks(maps, threshold, (1, 4))
    assert expected.ravel().tolist() == [True, True, False, False]
    np.testing.assert_array_equal(found(maps, threshold, (1, 4)), expected)


def test_grouping_of_images_and_units_changes_no_pixel():
    maps = np.random.default_rng(4).normal(size=(5, 6, 7, 5)).astype(np.float32)
    threshold = references.thresholds(maps, 0.1)
    together = found(maps, threshold, (33, 41))
    for image in range(5):
        np.testing.assert_array_equal(
            found(maps[image : image + 1], threshold, (33, 41))[0], together[image]
        )
    units = np.array([4, 0, 5])
    np.testing.assert_array_equal(
        found(maps[:, units], threshold[units], (33, 41)), together[:, units]
    )


@shapes(SHAPES)
def test_no_pixel_is_evaluated_twice(cells, pixels):
    maps = np.random.default_rng(5).normal(size=(2, 3, *cells)).astype(np.float32)
    threshold = references.thresholds(maps, 0.3)
    on = stencils(cells, pixels)
    runs = evaluate(
        torch.from_numpy(maps.transpose(0, 2, 3, 1).copy()), torch.from_numpy(threshold), on
    )
    active = runs.pixels(runs.map * pixels[0] * pixels[1])
    assert len(active.unique()) == len(active) == references.masks(maps, threshold, pixels).sum()


def test_nothing_is_evaluated_where_no_cell_is_above():
    on = stencils((4, 4), (8, 8))
    runs = evaluate(torch.zeros(2, 4, 4, 3), torch.zeros(3), on)
    assert len(runs.map) == 0
    assert len(runs.pixels(runs.map)) == 0


@few
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 6))
def test_neighbourhood_is_each_cell_and_what_touches_it(seed, height, width):
    above = np.random.default_rng(seed).random((2, 3, height, width)) < 0.15
    cells = torch.from_numpy(above.transpose(0, 2, 3, 1).copy())
    result = neighbourhood(cells).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(result, references.neighbourhood(above))
    np.testing.assert_array_equal(cells.numpy().transpose(0, 3, 1, 2), above)


def test_places_of_a_mask_ascend():
    mask = torch.tensor([[[False, True], [True, False]], [[False, False], [True, True]]])
    assert where(mask).tolist() == [1, 2, 6, 7]
    assert where(mask.transpose(0, 2)).tolist() == [2, 3, 4, 7]
    assert where(torch.zeros(0, 3, dtype=torch.bool)).tolist() == []
