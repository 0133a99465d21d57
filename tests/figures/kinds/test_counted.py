"""What figures show is what plain loops count."""

from collections import Counter

import numpy as np
import pytest

from dissection.comparison.spread import spread, sweep
from figures.drawing import render
from figures.kinds import bargraph, concepts, depth, distinct, only
from figures.options import Options
from figures.style import styled
from tests.figures.drawable import labelling

ONE = {"l1": ["o car"] * 5 + ["t dots"] * 2, "l2": ["o car", "s sea", "s sea", "p leg", "p leg"]}
OTHER = {"l1": ["o cat"] * 4 + ["t dots", "o car"], "l2": ["s sea", "m sand", "m sand", "m sand"]}
SCORES = {"l1": [0.5, 0.4, 0.3, 0.02, 0.01, 0.2, 0.03], "l2": [0.2, 0.01, 0.3, 0.4, 0.41]}


@pytest.fixture
def pair():
    return [labelling("one", ONE, SCORES), labelling("other", OTHER)]


def test_concepts_carried_by_more_units_than_asked(pair):
    table = concepts.rows(pair, more_than=3, most=10)
    found = {(r.layer, r.concept, r.network): (r.units, r.detectors) for r in table.itertuples()}
    assert found == {
        ("l1", "o car", "one"): (5, 3),
        ("l1", "o car", "other"): (1, 1),
        ("l1", "o cat", "one"): (0, 0),
        ("l1", "o cat", "other"): (4, 4),
    }
    assert table["concept"].iloc[0] == "o car"
    assert set(table["category"]) == {"object"}


@pytest.mark.parametrize("method", ["iou", "clip"])
def test_bars_are_the_units_and_of_iou_the_detectors_before_them(inputs, method):
    found = list(concepts.drawings(inputs, Options(more_than=0)))
    drawing = next(one for one in found if one.name == f"concepts-{method}")
    with styled():
        axes = render(drawing).axes
    widths = sorted(round(bar.get_width()) for one in axes for bar in one.patches)
    bars = drawing.table[drawing.table["units"] > 0]
    pale = bars.loc[bars["units"] > bars["detectors"], "units"]
    wanted = [*pale, *bars["detectors"]] if method == "iou" else bars["units"]
    assert widths == sorted(wanted)


def test_of_more_concepts_than_fit_the_most_carried_are_shown(pair):
    table = concepts.rows(pair, more_than=0, most=1)
    assert table.groupby("layer")["concept"].unique().map(list).to_dict() == {
        "l1": ["o car"], "l2": ["m sand"],
    }  # fmt: skip


def test_distinct_concepts_of_one_layer_have_no_second_bar(pair):
    table = distinct.rows(pair).set_index(["network", "layer"])
    assert table.loc[("one", "l1"), ["concepts", "unique_best"]].tolist() == [2, 2]
    assert table.loc[("one", "all layers"), "concepts"] == 4
    single = [labelling(name, {"l1": ["o car"]}) for name in ("a", "b")]
    assert distinct.rows(single)["layer"].tolist() == ["l1", "l1"]


def test_shares_of_categories_are_of_detectors(pair):
    table = depth.rows(pair)
    for part in pair:
        for layer in part.layers:
            units = part.layer(layer)
            found = Counter(units[units["score"] > 0.04]["category"])
            rows = table[(table["network"] == part.name) & (table["layer"] == layer)]
            assert dict(zip(rows["category"], rows["detectors"], strict=True)) == {
                c: found[c] for c in part.categories
            }
            assert rows["share"].sum() == pytest.approx(1)
            assert rows["rate"].iloc[0] == sum(found.values()) / len(units)
    assert list(dict.fromkeys(table["category"]))[:2] == ["object", "part"]


def test_the_bar_graph_counts_detectors_by_category(pair):
    table = bargraph.rows(pair[0], "l2")
    assert table.to_numpy().tolist() == [
        ["object", "o car", 1], ["part", "p leg", 2], ["scene", "s sea", 1],
    ]  # fmt: skip


def test_only_here_counts_what_is_left_out():
    many = [f"o {i:02d}" for i in range(only.MOST + 3) for _ in range(i + 1)]
    table = only.rows([labelling("a", {"l": many}), labelling("b", {"l": ["s sea"]})])
    here = table[(table["layer"] == "l") & (table["network"] == "a")]
    assert len(here) == only.MOST + 1
    assert here["concept"].iloc[0] == "o 16"
    rest = here.iloc[-1]
    assert (rest["concept"], rest["others"], rest["units"]) == ("", 3, 1 + 2 + 3)


def test_the_distribution_is_of_each_categorys_best_label(pair):
    table = spread(pair).set_index(["layer", "category", "network"])
    own = pair[0].layer("l1")["texture-score"]
    row = table.loc[("l1", "texture", "one")]
    assert row["median"] == np.median(own)
    assert row["highest"] == own.max()
    assert row["share"] == np.mean([score > 0.04 for score in own])


def test_fewer_units_pass_a_higher_threshold(pair):
    table = sweep(pair[:1])
    for row in table[table["layer"] == "l1"].itertuples():
        above = [s > row.threshold for s in SCORES["l1"]]
        assert row.detectors == sum(above)
        assert row.unique_best == len({n for n, a in zip(ONE["l1"], above, strict=True) if a})
    at = table[(table["threshold"] == 0.04) & (table["layer"] == "l2")]
    assert at["detectors"].item() == pair[0].layer("l2")["detector"].sum()
