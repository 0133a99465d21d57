import doctest
import math

import pytest
import torch

from dissection.clip import measures, scoring, similarity
from dissection.clip.similarity import SIMILARITIES

NAMES = list(SIMILARITIES)
ALONE = ["rank_reorder", "cosine", "cosine_cubed"]  # of each unit, whatever the others are
# 200 images: more than soft_wpmi's 100, and ten in rank_reorder's top 5%
N, M, U = 200, 13, 7


def inputs(seed=0, images=N, concepts=M, units=U, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    scores = 0.25 + 0.05 * torch.randn(images, concepts, generator=draw, dtype=torch.float64)
    activations = torch.randn(images, units, generator=draw, dtype=torch.float64)
    # unit u follows concept u
    activations += 20 * scores[:, [u % concepts for u in range(units)]]
    return scores.to(dtype), activations.to(dtype)


def ranked(column, k):
    values = column.tolist()
    return sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]


def softmax(row, a):
    powers = [math.exp(a * value) for value in row.tolist()]
    return [power / sum(powers) for power in powers]


def information(scores, activations, k, a, lam, weight):
    """Plain loops over units, concepts and ranks."""
    prob = [softmax(row, a) for row in scores]
    evidence = []
    for unit in activations.t():
        top = ranked(unit, k)
        evidence.append(
            [
                sum(math.log(1 + weight(r) * (prob[i][m] - 1) + 1e-7) for r, i in enumerate(top))
                for m in range(scores.shape[1])
            ]
        )
    prior = [
        math.log(sum(math.exp(row[m]) for row in evidence) / len(evidence))
        for m in range(scores.shape[1])
    ]
    return torch.tensor(
        [[value - lam * prior[m] for m, value in enumerate(row)] for row in evidence],
        dtype=torch.float64,
    )


def slow_soft_wpmi(scores, activations):
    return information(
        scores, activations, 100, 10, 1.0, lambda r: 0.998 - r / 100 * (0.998 - 0.97)
    )


def slow_wpmi(scores, activations):
    return information(scores, activations, 28, 2, 0.6, lambda r: 1.0)


def slow_rank_reorder(scores, activations):
    """With the mean over every pair for chance: right up to a factor a unit."""
    result = []
    for unit in activations.t():
        top = ranked(unit, int(len(unit) * 0.05))
        values = [unit[i].item() for i in top]
        upwards = sorted(values)
        chance = sum(abs(x - y) ** 3 for x in values for y in values) / len(values) ** 2
        row = []
        for concept in scores.t():
            mine = [concept[i].item() for i in top]
            order = sorted(range(len(mine)), key=lambda j: (mine[j], j))
            moved = {j: upwards[place] for place, j in enumerate(order)}
            error = sum(abs(values[j] - moved[j]) ** 3 for j in moved) / len(values)
            row.append(-error / chance / math.sqrt(max(sum(mine) / len(mine), 1e-6)))
        result.append(row)
    return torch.tensor(result, dtype=torch.float64)


def angle(x, y, least):
    lengths = [max(math.sqrt(sum(v * v for v in values)), least) for values in (x, y)]
    return sum(v * w for v, w in zip(x, y, strict=True)) / lengths[0] / lengths[1]


def slow_cosine(scores, activations):
    return torch.tensor(
        [[angle(u.tolist(), m.tolist(), 1e-12) for m in scores.t()] for u in activations.t()],
        dtype=torch.float64,
    )


def cubes(values):
    mean = sum(values) / len(values)
    return [(value - mean) ** 3 for value in values]


def slow_cosine_cubed(scores, activations):
    return torch.tensor(
        [
            [angle(cubes(u.tolist()), cubes(m.tolist()), 1e-3) for m in scores.t()]
            for u in activations.t()
        ],
        dtype=torch.float64,
    )


def agree(name, have, want, tolerance):
    if name == "rank_reorder":
        factor = (have / want).median(dim=1, keepdim=True).values
        # five orders estimate the mean over all orders
        assert ((factor - 1).abs() < 0.6).all()
        want = want * factor
    torch.testing.assert_close(have.double(), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 5e-4)], ids=str
)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_equals_plain_loops(name, seed, dtype, tolerance):
    scores, activations = inputs(seed, dtype=dtype)
    want = globals()[f"slow_{name}"](scores.double(), activations.double())
    agree(name, SIMILARITIES[name](scores, activations), want, tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_equals_plain_loops_where_many_activations_are_equal(name):
    scores, activations = inputs(2)
    activations = activations.clamp(min=activations.quantile(0.9, dim=0)).round(decimals=1)
    agree(
        name,
        SIMILARITIES[name](scores, activations),
        globals()[f"slow_{name}"](scores, activations),
        1e-9,
    )


@pytest.mark.parametrize("name", NAMES)
def test_planted_concepts_win(name):
    scores, activations = inputs(3, images=2000, dtype=torch.float32)
    # rank_reorder sees only the order within the top 5%, in which noise must not rule
    activations += 200 * scores[:, :U]
    assert SIMILARITIES[name](scores, activations).argmax(1).tolist() == list(range(U))


@pytest.mark.parametrize("name", NAMES)
def test_order_of_units_and_concepts_only_permutes(name):
    scores, activations = inputs()
    draw = torch.Generator().manual_seed(1)
    units, concepts = (torch.randperm(size, generator=draw) for size in (U, M))
    have = SIMILARITIES[name](scores[:, concepts], activations[:, units])
    torch.testing.assert_close(have, SIMILARITIES[name](scores, activations)[units][:, concepts])


@pytest.mark.parametrize("name", ["soft_wpmi", "wpmi", "cosine", "cosine_cubed"])
def test_order_of_images_does_not_matter(name):
    scores, activations = inputs()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    have = SIMILARITIES[name](scores[order], activations[order])
    torch.testing.assert_close(have, SIMILARITIES[name](scores, activations))


@pytest.mark.parametrize("name", ALONE)
def test_other_units_do_not_matter(name):
    scores, activations = inputs()
    alone = SIMILARITIES[name](scores, activations[:, 2:4])
    torch.testing.assert_close(alone, SIMILARITIES[name](scores, activations)[2:4])


def test_prior_is_a_mean_over_the_units_given():
    scores, activations = inputs()
    together = SIMILARITIES["soft_wpmi"](scores, activations)
    torch.testing.assert_close(together.exp().mean(0), torch.ones(M, dtype=torch.float64))


@pytest.mark.parametrize("name", NAMES)
def test_arguments_stay_as_they_are(name):
    scores, activations = inputs()
    before = scores.clone(), activations.clone()
    SIMILARITIES[name](scores, activations)
    assert torch.equal(scores, before[0])
    assert torch.equal(activations, before[1])


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_float32(name):
    scores, activations = inputs(dtype=torch.bfloat16)
    have = SIMILARITIES[name](scores, activations)
    assert torch.equal(have, SIMILARITIES[name](scores.float(), activations.float()))


@pytest.mark.parametrize(
    ("name", "scale", "offset"),
    [
        ("soft_wpmi", 1e-6, 1e-4),
        ("wpmi", 1e-6, 1e-4),
        ("rank_reorder", 1e-6, 1e-4),
        ("rank_reorder", 1e20, 0),
        ("cosine", 1e-6, 0),
        ("cosine_cubed", 100, 10),
    ],
)
def test_offset_and_scale_of_activations_do_not_matter(name, scale, offset):
    scores, activations = inputs()
    changed = SIMILARITIES[name](scores, scale * activations + offset)
    torch.testing.assert_close(changed, SIMILARITIES[name](scores, activations))


@pytest.mark.parametrize("name", NAMES)
def test_constant_units_give_finite_values(name):
    scores, activations = inputs()
    activations[:, 1], activations[:, 4] = 0, 3.5
    result = SIMILARITIES[name](scores, activations)
    assert result.isfinite().all()
    if name.startswith("cosine"):
        assert (result[1] == 0).all()
    elif name == "rank_reorder":
        # equal activations order nothing: all that counts is the mean score of the first images
        chance = -(scores[: N // 20].mean(0) ** -0.5)
        torch.testing.assert_close(result[1], chance)
        torch.testing.assert_close(result[4], chance)
    else:
        assert torch.equal(result[1], result[4])


@pytest.mark.parametrize("name", ["soft_wpmi", "wpmi"])
def test_fewer_images_than_top_k_are_all_used(name):
    scores, activations = inputs(images=20)
    agree(
        name,
        SIMILARITIES[name](scores, activations),
        globals()[f"slow_{name}"](scores, activations),
        1e-9,
    )


def test_rank_reorder_needs_two_images_in_its_top():
    scores, activations = inputs(images=39)
    with pytest.raises(ValueError, match=r"1 of 39, and needs 2; use at least 40 images"):
        similarity.rank_reorder(scores, activations)
    scores, activations = inputs(images=40)
    assert similarity.rank_reorder(scores, activations).isfinite().all()


def test_rank_reorder_baseline_follows_the_seed():
    scores, activations = inputs()
    first, again, other = (
        similarity.rank_reorder(scores, activations, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    factor = other / first
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert not torch.equal(first, other)


def test_rank_reorder_baseline_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    similarity.rank_reorder(*inputs())
    assert torch.equal(torch.get_rng_state(), state)


def test_rank_reorder_never_prefers_a_negative_mean_score():
    scores, activations = inputs()
    scores[:, 5] -= 1
    result = similarity.rank_reorder(scores, activations)
    assert result.isfinite().all()
    assert (result.argmin(1) == 5).all()


def test_few_dominating_probabilities_do_not_overflow():
    scores = 40 * torch.eye(300, 4)
    scores[:, 0] = 40.0
    result = similarity.soft_wpmi(scores, torch.arange(900.0).view(300, 3), top_k=200)
    assert result.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_named(name, value):
    for broken, text in ((0, "concept scores .* image 7, concept 2"), (1, "activations .* unit 2")):
        given = inputs()
        given[broken][7, 2] = value
        with pytest.raises(ValueError, match=text):
            SIMILARITIES[name](*given)


@pytest.mark.parametrize(
    ("scores", "activations", "text"),
    [
        (torch.zeros(4), torch.zeros(4, 2), r"concept scores must be .* shape \(4,\)"),
        (torch.zeros(4, 3), torch.zeros(4), r"activations must be .* shape \(4,\)"),
        (torch.zeros(4, 3), torch.zeros(5, 2), "have 4 images and activations 5"),
        (torch.zeros(4, 0), torch.zeros(4, 2), r"at least one of each; got .* \(4, 0\)"),
        (torch.zeros(4, 3), torch.zeros(4, 0), r"at least one of each; got .* \(4, 0\)"),
        (torch.zeros(0, 3), torch.zeros(0, 2), r"at least one of each; got .* \(0, 3\)"),
        (torch.ones(4, 3).int(), torch.zeros(4, 2), "must be floating-point"),
    ],
    ids=["scores-1d", "activations-1d", "images", "no-concept", "no-unit", "no-image", "integers"],
)
def test_bad_shapes(scores, activations, text):
    with pytest.raises(ValueError, match=text):
        similarity.soft_wpmi(scores, activations)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("soft_wpmi", {"top_k": 0}, "top_k must be at least 1, got 0"),
        ("soft_wpmi", {"p_start": 1.2}, "p_start 1.2 .* must lie in"),
        ("soft_wpmi", {"p_end": -20.0}, "p_end -20.0 must lie in"),
        ("wpmi", {"min_prob": 0.0}, "min_prob 0.0 be at least"),
        ("rank_reorder", {"top_fraction": 0.0}, "top_fraction must be above 0"),
    ],
)
def test_bad_options(name, options, text):
    with pytest.raises(ValueError, match=text):
        SIMILARITIES[name](*inputs(), **options)


def test_registry():
    assert NAMES == ["soft_wpmi", "wpmi", "rank_reorder", "cosine", "cosine_cubed"]
    assert NAMES == list(measures.MEASURES)
    for name, function in SIMILARITIES.items():
        assert similarity.similarity(name) is function
    with pytest.raises(ValueError, match=r"unknown similarity 'sof_wpmi', nearest: soft_wpmi"):
        similarity.similarity("sof_wpmi")


@pytest.mark.parametrize("module", [measures, scoring, similarity])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
