"""The tables that set networks side by side count what plain loops count."""

import pandas as pd
import pytest

from dissection.comparison.findings import counts, summary, write, write_counts
from dissection.comparison.side_by_side import COMMON, OVERALL, compare, detectors, distinct, only
from dissection.results.reading import read, read_all
from tests.dissection import labelled


@pytest.fixture
def networks(tmp_path):
    layers = {"layer1": ["q"], "layer2": ["a", "a", "b"], "layer3": ["a"] * 4 + ["c"]}
    one = labelled.descriptions(tmp_path / "clip_dissect-one.csv", layers)
    layers = {"layer2": ["b", "b", "d, e"], "layer3": ["a", "b", "b", "b", "b"]}
    other = labelled.descriptions(tmp_path / "clip_dissect-other.csv", layers)
    return read_all([one, other])


def test_distinct_concepts_per_layer_and_overall(networks):
    table = compare(networks).distinct.set_index(["network", "layer"])
    counts = table["concepts"].to_dict()
    assert counts["one", "layer2"] == 2
    assert counts["one", "layer3"] == 2
    assert counts["one", COMMON] == 3
    assert counts["one", OVERALL] == 4
    assert counts["other", OVERALL] == counts["other", COMMON] == 3
    assert table["units"]["one", OVERALL] == 9


def test_units_of_each_concept_side_by_side(networks):
    found = compare(networks)
    table = found.concepts.set_index(["layer", "concept"])
    assert table.loc[("layer2", "b")].tolist() == [1, 2]
    assert table.loc[("layer2", "d, e")].tolist() == [0, 1]
    assert table.loc[(OVERALL, "a")].tolist() == [6, 1]
    assert table.groupby("layer").sum().loc[OVERALL].tolist() == [9, 8]
    assert list(dict.fromkeys(found.concepts["layer"])) == [
        *("layer1", "layer2", "layer3", COMMON, OVERALL),
    ]


def test_frequent_concepts_are_carried_by_more_units_than_asked(networks):
    frequent = compare(networks).frequent
    assert frequent[frequent["layer"] == "layer3"]["concept"].tolist() == ["a", "b"]
    assert "layer2" not in set(frequent["layer"])
    assert len(compare(networks, more_than=0).frequent) == len(compare(networks).concepts)


def test_concepts_of_one_network_alone(networks):
    table = compare(networks).only
    rows = set(table[["layer", "network", "concept"]].itertuples(index=False, name=None))
    assert rows == {
        ("layer2", "one", "a"),
        ("layer2", "other", "d, e"),
        ("layer3", "one", "c"),
        ("layer3", "other", "b"),
        (COMMON, "one", "c"),
        (COMMON, "other", "d, e"),
    }


def test_by_iou_a_network_has_what_its_detectors_detect(tmp_path):
    one = labelled.tally(
        tmp_path / "netdissect-one-fc.csv", ["car", "dog", "cat", "sea"], [0.5, 0.4, 0.01, 0.3]
    )
    other = labelled.tally(tmp_path / "netdissect-other-fc.csv", ["dog", "sea"], [0.02, 0.3])
    found = read_all([one, other])
    table = only(found)
    rows = table[table["layer"] == "fc"][["network", "concept"]]
    assert rows.to_numpy().tolist() == [["one", "car"], ["one", "dog"]]
    counts = distinct(found).set_index(["network", "layer"])
    assert counts.loc[("one", "fc")].tolist() == [4, 4, 3, 3]
    assert counts.loc[("other", "fc")].tolist() == [2, 2, 1, 1]


def test_networks_with_the_same_concepts_have_none_alone(tmp_path):
    paths = [
        labelled.descriptions(tmp_path / f"clip_dissect-{name}.csv", {"fc": ["a", "b"]})
        for name in ("one", "other")
    ]
    assert only(read_all(paths)).empty


def test_one_network_has_tables_too(networks):
    counts = distinct(networks[:1])
    assert counts["concepts"].tolist() == [1, 2, 2, 4]
    assert only(networks[:1]).empty


def test_the_same_layers_need_no_common_row(tmp_path):
    paths = [
        labelled.descriptions(tmp_path / f"clip_dissect-{name}.csv", {"fc": [name]})
        for name in ("a", "b", "c")
    ]
    found = compare(read_all(paths))
    assert set(found.distinct["layer"]) == {"fc", OVERALL}
    assert len(found.only) == 6


def test_detectors_by_both_rules(tmp_path):
    labels = ["car", "car", "dog", "sea-s", ""]
    scores = [0.5, 0.3, 0.02, 0.2, 0.3]
    categories = ["object", "object", "object", "scene", "scene"]
    path = tmp_path / "netdissect-net-fc.csv"
    labelled.tally(path, labels, scores, categories)
    raw = pd.read_csv(path, keep_default_na=False)
    # the sea unit is also a good car within its category; a nameless best label counts nowhere
    raw.loc[raw["label"] == "sea-s", ["object-label", "object-iou"]] = ["boat", 0.1]
    raw.loc[raw["label"] == "", ["label", "score"]] = ["ghost", 0.01]
    raw.to_csv(path, index=False)
    table = detectors(read(path)[0]).set_index("category")
    columns = ["detectors", "unique_best", "detectors_paper", "unique_paper"]
    assert table.loc["object", columns].tolist() == [2, 1, 3, 2]
    assert table.loc["scene", columns].tolist() == [1, 1, 1, 1]
    assert table.loc["all", columns].tolist() == [3, 2, 3, 3]


def test_files_and_summary_agree(networks, tmp_path):
    found = compare(networks)
    names = write(found, tmp_path / "out")
    assert names == [
        *("clip-distinct.csv", "clip-concepts.csv", "clip-concepts-more-than-3.csv"),
        *("clip-only.csv", "clip-shared.csv"),
    ]
    read_back = pd.read_csv(tmp_path / "out" / "clip-concepts.csv")
    pd.testing.assert_frame_equal(read_back, found.concepts)
    text = summary(found)
    assert "3 (8)" in text
    assert "a (4)" in text


def test_detectors_are_written_for_iou(tmp_path):
    paths = [
        labelled.tally(tmp_path / f"netdissect-{name}-fc.csv", ["car"], [0.5])
        for name in ("a", "b")
    ]
    found = compare(read_all(paths))
    assert "iou-detectors.csv" in write(found, tmp_path)
    assert "1: 1 / 1" in summary(found)


def test_networks_of_one_method_are_needed(tmp_path, networks):
    with pytest.raises(ValueError, match="two or more networks labelled by one method, got 1"):
        compare(networks[:1])
    iou = read(labelled.tally(tmp_path / "netdissect-net-fc.csv", ["car"], [0.5]))
    with pytest.raises(ValueError, match="by clip and iou"):
        compare([*networks, *iou])


def test_counts_of_one_network_are_those_of_its_tables(tmp_path):
    path = tmp_path / "netdissect-one-layer4.csv"
    labels, categories = ["car", "car", "dog", "sea"], ["object", "object", "object", "scene"]
    labelled.tally(path, labels, [0.5, 0.3, 0.02, 0.2], categories)
    (one,) = read(path)
    assert write_counts(one, tmp_path) == ["iou-distinct.csv", "iou-detectors.csv"]
    written = pd.read_csv(tmp_path / "iou-detectors.csv").set_index("category")
    assert written.loc["object", ["detectors", "unique_best"]].tolist() == [2, 1]
    assert written.loc["all", ["detectors", "unique_best"]].tolist() == [3, 2]
    lines = counts(one).splitlines()
    assert lines[2].split(None, 1) == ["layer4", "3 (4), 2 (3)"]
    assert "2: 1 / 1" in lines[-1]
    assert "3: 2 / 2" in lines[-1]


def test_counts_of_several_layers_end_with_all_of_them(networks, tmp_path):
    lines = counts(networks[0]).splitlines()
    assert lines[-1].split("  ") == ["all layers", "4 (9)"]
    assert len(lines) == 6
    assert write_counts(networks[0], tmp_path) == ["clip-distinct.csv"]
