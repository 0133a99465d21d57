import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dissection.activations.sampling import DOUBT, presumed_size, shards_of
from tests.dissection import references

few = settings(max_examples=60, deadline=None, derandomize=True)
NEARLY_1 = math.nextafter(1, 0)
QUANTILES = [1e-300, 1e-6, 0.005, 0.04, 0.2, 0.5, 0.9, 0.95, 0.999, NEARLY_1]


def chance_of_too_high(rank, exceeding, seen, images, cells):
    """Return how likely that many of the activations seen exceed the threshold.

    They fill whole images, and a part of one if they do not come out even.
    """
    whole, rest = divmod(exceeding, cells)

    def at_least(activations, images, seen):
        needed = math.ceil(activations / cells)
        if not 0 < seen <= images:
            return float(needed <= 0)
        return stats.hypergeom(images, whole, seen).sf(needed - 1)

    if not rest:
        return at_least(rank, images, seen)
    share = seen / images
    without = at_least(rank, images - 1, seen) if seen < images else 0
    return share * at_least(rank - rest, images - 1, seen - 1) + (1 - share) * without


@pytest.mark.parametrize("quantile", [0.001, 0.005, 0.02, 0.2, 0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("images", [1, 2, 63, 600, 5000, 63305])
@pytest.mark.parametrize("cells", [1, 49, 196])
def test_a_presumed_bound_is_seldom_too_high_however_activations_cluster(quantile, images, cells):
    exceeding = references.rank(quantile, images * cells) - 1
    for seen in {1, 2, 5, 20, 64, 128, 300, 1000, 4000, 30000, images // 2, images - 1, images}:
        if 1 <= seen <= images:
            rank = presumed_size(quantile, seen, images, cells)
            # in whole images, and in as many as can be
            assert chance_of_too_high(rank, exceeding, seen, images, cells) <= DOUBT
            spread = stats.hypergeom(images * cells, exceeding, seen * cells).sf(rank - 1)
            assert spread <= DOUBT


def test_an_exact_chance_is_that_of_many_draws():
    images, cells, seen, exceeding, rank = 12, 4, 5, 10, 8
    above = np.zeros(images, int)
    above[:3] = [4, 4, 2]
    rng = np.random.default_rng(0)
    drawn = [above[rng.permutation(images)[:seen]].sum() >= rank for _ in range(20_000)]
    assert chance_of_too_high(rank, exceeding, seen, images, cells) == pytest.approx(
        np.mean(drawn), abs=0.015
    )


@few
@given(
    st.sampled_from(QUANTILES) | st.floats(0, 1, exclude_max=True),
    st.integers(1, 3000),
    st.integers(1, 300),
    st.data(),
)
def test_the_rank_rises_with_the_images_seen_to_that_of_the_threshold(
    quantile, images, cells, data
):
    exact = references.rank(quantile, images * cells)
    seen = sorted(data.draw(st.sets(st.integers(1, images), min_size=1, max_size=8)))
    ranks = [presumed_size(quantile, number, images, cells) for number in seen]
    assert ranks == sorted(ranks)
    assert all(1 <= rank <= exact for rank in ranks)
    # more than the share, or it would be too high every other time
    assert all(rank > math.floor(quantile * n * cells) for rank, n in zip(ranks, seen, strict=True))
    assert presumed_size(quantile, images, images, cells) == exact


@pytest.mark.parametrize("quantile", QUANTILES)
@pytest.mark.parametrize("seen", [1, 2, 7, 64, 1000])
def test_every_quantile_has_a_rank(quantile, seen):
    rank = presumed_size(quantile, seen, 1000, 49)
    assert 1 <= rank <= references.rank(quantile, 1000 * 49)


@pytest.mark.parametrize("quantile", [0.0, *QUANTILES])
def test_of_one_image_the_rank_is_that_of_the_threshold(quantile):
    assert presumed_size(quantile, 1, 1, 49) == references.rank(quantile, 49)


@pytest.mark.parametrize("seen", [1, 10, 600])
def test_no_activation_exceeds_the_threshold_of_quantile_0(seen):
    assert presumed_size(0, seen, 600, 49) == 1


def test_of_a_large_set_a_small_share_is_kept():
    exact = references.rank(0.005, 63305 * 49)
    ranks = [presumed_size(0.005, n, 63305, 49) for n in (64, 640, 6400, 40000)]
    assert ranks[0] < exact / 40
    assert ranks[1] < exact / 20
    assert ranks[2] < exact / 5
    assert ranks[3] < 0.85 * exact


def splitmix64(number):
    """Return the hash of an integer in Python's own arithmetic."""
    mixed = (number + 0x9E3779B97F4A7C15) % 2**64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
    return mixed ^ mixed >> 31


@pytest.mark.parametrize("most", [1, 4, 64])
def test_every_image_is_in_one_shard_and_shards_are_alike(most):
    for images in range(1, 301):
        shards = shards_of(images, most)
        assert len(shards) == math.ceil(images / most)
        assert sorted(np.concatenate(shards).tolist()) == list(range(images))
        sizes = {len(shard) for shard in shards}
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1
        for shard in shards:
            assert shard.dtype == np.int64
            assert (np.diff(shard) > 0).all()


def test_shards_are_the_same_in_every_version():
    found = [shard.tolist() for shard in shards_of(12, 4)]
    assert found == [[1, 5, 9, 10], [2, 3, 6, 7], [0, 4, 8, 11]]
    order = sorted(range(1000), key=splitmix64)
    for number, shard in enumerate(shards_of(1000, 64)):
        assert shard.tolist() == sorted(order[number::16])
    assert [len(shard) for shard in shards_of(63305, 64)].count(63) == 990 * 64 - 63305


def test_a_shard_of_a_sorted_set_is_a_sample_of_it():
    numbers = np.concatenate(shards_of(6400, 64)[:5])
    # 320 draws of a half: 9 is their standard deviation
    assert abs((numbers < 3200).sum() - 160) < 36
    blocks = np.bincount(np.concatenate(shards_of(6400, 64)[:20]) // 640, minlength=10)
    assert stats.chisquare(blocks).pvalue > 0.001
