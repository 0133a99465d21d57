import hashlib
import math
from functools import partial

import numpy as np
import pytest
import torch

from dissection.clip.measures import MEASURES, fewest_images
from dissection.clip.scoring import score
from dissection.clip.similarity import SIMILARITIES
from dissection.clip.worth import pairing_of, worth

NAMES = list(SIMILARITIES)
N, M, D, NOISE = 300, 40, 32, 60
FOLLOWED = [unit // 3 for unit in range(30)]
"""Concept of each unit that has one."""
FOLLOWING = len(FOLLOWED)


class Labelled:
    """As much of a probe set as pairing asks for."""

    labels = ()

    def __init__(self, presence):
        self.presence = np.array(presence, bool)

    def __len__(self):
        return len(self.presence)


class Unlabelled(list):
    """So many images without labels."""

    labels = None

    def __init__(self, images):
        super().__init__(range(images))


def planted(count):
    """Return features of images and concepts, and units of which some follow a concept.

    The cosines are about 0.2, as CLIP's; three units follow each of the first concepts.
    """
    draw = torch.Generator().manual_seed(0)
    normal = partial(torch.randn, generator=draw, dtype=torch.float64)
    shared = normal(1, D)
    texts = torch.nn.functional.normalize(0.35 * shared + normal(M, D), dim=1)
    images = torch.nn.functional.normalize(0.9 * shared + 1.2 * normal(count, D), dim=1)
    scores = images @ texts.t()
    shown = ((scores - scores.mean(0)) / scores.std(0))[:, FOLLOWED]
    following = shown + 0.3 * normal(count, FOLLOWING)
    activations = torch.cat([following, normal(count, NOISE)], 1)
    return images, texts, activations.clamp(min=0)


@pytest.fixture(scope="module")
def drawn():
    return planted(N)


def judged(drawn, name, pairs):
    """Return the similarity of a measure and what its descriptions are worth."""
    images, texts, activations = drawn

    def scored(shown, answers):
        return score(shown, texts, answers, name)

    similarity = scored(images, activations).float().numpy()
    return similarity, worth(scored, images, activations, similarity, pairs, name)


def stands(similarity, name):
    """Return how each unit stands out, from lists."""
    found = []
    for row in similarity.tolist():
        best = row.index(max(row))
        column = [other[best] for other in similarity.tolist()]
        found.append(row[best] - (math.fsum(column) / len(column) if "wpmi" in name else 0))
    return found


def half_of(images):
    """Return 0 or 1 for each image, from the order of digests of their numbers."""
    ranked = sorted(range(images), key=lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    return [ranked.index(n) % min(images, 50) % 2 for n in range(images)]


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_that_of_whole_matrices(drawn, name):
    pairs = pairing_of(Unlabelled(N), 3)
    similarity, found = judged(drawn, name, pairs)
    images, texts, activations = drawn
    np.testing.assert_allclose(found.observed, stands(similarity, name), rtol=1e-5, atol=1e-5)
    for row, partner in zip(found.null, pairs.partner.tolist(), strict=True):
        shown = torch.stack([images[n] for n in partner])
        want = stands(SIMILARITIES[name](shown @ texts.t(), activations), name)
        np.testing.assert_allclose(row, want, rtol=1e-5, atol=1e-5)
    assert found.null.dtype == found.observed.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_p_and_q_are_those_of_loops(drawn, name):
    similarity, found = judged(drawn, name, pairing_of(Unlabelled(N), 4))
    units, shifts, null = len(similarity), 4, found.null.tolist()
    mean = [math.fsum(row[u] for row in null) / shifts for u in range(units)]
    chance = [
        (row[u] - mean[u]) * math.sqrt(shifts / (shifts - 1)) for row in null for u in range(units)
    ]
    own = [
        (value - mean[u]) / math.sqrt(1 + 1 / shifts)
        for u, value in enumerate(found.observed.tolist())
    ]
    p = [(1 + sum(x >= mine for x in chance)) / (1 + len(chance)) for mine in own]
    q = [min(min(1, b * units / sum(c <= b for c in p)) for b in p if b >= a) for a in p]
    assert found.p == pytest.approx(p)
    assert found.q == pytest.approx(q)
    assert found.significant == sum(value <= 0.05 for value in q)


@pytest.mark.parametrize("name", NAMES)
def test_units_rightly_described_are_significant_and_those_of_noise_are_not(name):
    # a twentieth of the images is little evidence
    images = 2000 if name == "rank_reorder" else N
    similarity, found = judged(planted(images), name, pairing_of(Unlabelled(images), 5))
    right = np.flatnonzero(similarity.argmax(1)[:FOLLOWING] == FOLLOWED)
    significant = found.q <= 0.05
    assert len(right) > FOLLOWING / 3
    assert significant[right].mean() > 0.8
    assert significant[FOLLOWING:].mean() <= 0.1


@pytest.mark.parametrize("name", NAMES)
def test_stability_counts_the_halves_that_give_the_description(drawn, name):
    similarity, found = judged(drawn, name, pairing_of(Unlabelled(N), 2))
    images, texts, activations = drawn
    halves = [[n for n, side in enumerate(half_of(N)) if side == which] for which in (0, 1)]
    assert sorted(map(len, halves)) == [N // 2, N // 2]
    want = np.zeros(len(similarity))
    for half in halves:
        scores = images[half] @ texts.t()
        best = SIMILARITIES[name](scores, activations[half]).argmax(1).numpy()
        want += (best == similarity.argmax(1)) / 2
    assert found.stability.tolist() == want.tolist()
    assert set(want) <= {0, 0.5, 1}


@pytest.mark.parametrize(("name", "images"), [("rank_reorder", 79), ("soft_wpmi", 1)])
def test_a_half_that_is_too_small_leaves_stability_open(drawn, name, images):
    shown, texts, activations = drawn
    small = shown[:images], texts, activations[:images]
    _, found = judged(small, name, pairing_of(Unlabelled(images), 2))
    assert np.isnan(found.stability).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_fewest_images_are_enough_and_fewer_are_not(name):
    values, few = torch.rand(60, 3), fewest_images(name)
    MEASURES[name](values[:few])
    if few > 1:
        with pytest.raises(ValueError, match=f"at least {few} images"):
            MEASURES[name](values[: few - 1])


def test_one_shift_leaves_p_open(drawn):
    _, found = judged(drawn, "soft_wpmi", pairing_of(Unlabelled(N), 1))
    assert np.isnan(found.p).all()
    assert np.isnan(found.q).all()
    assert found.significant == 0
    assert found.stability.max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_all_alone_give_p_of_one(drawn, name):
    presence = np.eye(N, dtype=bool)
    pairs = pairing_of(Labelled(presence), 3)
    similarity, found = judged(drawn, name, pairs)
    assert pairs.alone == N
    np.testing.assert_array_equal(found.null, np.tile(found.observed, (3, 1)))
    assert found.p.tolist() == [1.0] * len(similarity)


def test_images_are_paired_within_their_categories():
    rng = np.random.default_rng(1)
    presence = rng.random((60, 3)) < 0.5
    presence[7] = presence[8] = False
    presence = np.column_stack([presence, np.arange(60) == 7])
    pairs = pairing_of(Labelled(presence), 5)
    assert (presence[pairs.partner.numpy()] == presence).all()
    rows = [tuple(row) for row in presence.tolist()]
    assert pairs.alone == sum(rows.count(row) == 1 for row in rows)
    same = (pairs.partner.numpy() == np.arange(60)).all(0)
    assert same.sum() == pairs.alone


def test_without_labels_every_image_has_another_partner_on_each_shift():
    pairs = pairing_of(Unlabelled(30), 5)
    partner = pairs.partner.numpy()
    assert pairs.alone == 0
    assert all(len(set(column)) == 5 for column in partner.T.tolist())
    assert not (partner == np.arange(30)).any()


def test_partners_are_no_neighbours_in_the_order_of_the_images():
    step = np.abs(pairing_of(Unlabelled(1000), 1).partner.numpy() - np.arange(1000))
    assert np.median(step) > 100
