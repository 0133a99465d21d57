"""What a comparison says in words has the numbers of plain loops over the units."""

import re
from collections import defaultdict

import pandas as pd
import pytest

from broden.labels import spoken
from dissection.comparing import compare
from dissection.comparison.sentences import TOPICS, sentences
from dissection.comparison.side_by_side import COMMON, OVERALL, only, shared
from dissection.results.reading import read_all
from tests.dissection import labelled

UNITS = {
    "one": [("car", 0.5), ("car", 0.3), ("dog", 0.2), ("sea-s", 0.1), ("tree", 0.01)],
    "two": [("car", 0.5), ("dog", 0.02), ("sea-s", 0.2), ("sea-s", 0.1)],
    "three": [("car", 0.3), ("cat", 0.2), ("tree", 0.2)],
}


def _tallies(folder, names):
    paths = []
    for name in names:
        labels, scores = zip(*UNITS[name], strict=True)
        kinds = ["scene" if label.endswith("-s") else "object" for label in labels]
        path = labelled.tally(folder / f"netdissect-{name}-layer4.csv", labels, scores, kinds)
        paths.append(f"{name}:layer4={path}")
    return paths


def _by_topic(said):
    found = defaultdict(list)
    for one in said:
        found[one.topic].append(one.text)
    return found


def _detected(name):
    return [label for label, score in UNITS[name] if score > 0.04]


@pytest.mark.parametrize("names", [["one"], ["one", "two"], ["two", "one", "three"]])
def test_sentences_count_what_loops_count(tmp_path, names):
    said = compare(_tallies(tmp_path, names)).sentences
    found = _by_topic(said)
    assert [one.topic for one in said] == sorted((one.topic for one in said), key=TOPICS.index)
    for name in names:
        different, units = len(set(_detected(name))), len(UNITS[name])
        assert re.search(rf"\b{name} has {different} unique detectors? \(of {units}", said[0].text)
        assert f"{name} has {len(_detected(name))} detectors" in found["other counts"][0]
        others = {label for other in names if other != name for label in _detected(other)}
        if others:
            mine = set(_detected(name)) - others
            assert any(
                text.startswith(f"Only {name} has {len(mine)} concept") for text in found["only"]
            )


def test_shared_concepts_have_the_units_of_each_network(tmp_path):
    parts = read_all(_tallies(tmp_path, UNITS))
    table = shared(parts)
    for layer in ("layer4", OVERALL):
        here = table[table["layer"] == layer].set_index("concept")
        expected = {}
        for label in {label for units in UNITS.values() for label, _ in units}:
            numbers = [_detected(name).count(label) for name in UNITS]
            if sum(number > 0 for number in numbers) > 1:
                expected[label] = numbers
        assert {name: row[list(UNITS)].tolist() for name, row in here.iterrows()} == expected
        assert here.index[0] == "car"
        assert here["networks"].to_dict() == {"car": 3, "sea-s": 2}


def test_what_is_shared_and_what_only_one_has_are_all_that_detectors_have(tmp_path):
    parts = read_all(_tallies(tmp_path, UNITS))
    both = pd.concat([shared(parts), only(parts)])
    found = set(both[both["layer"] == "layer4"]["concept"])
    assert found == {label for name in UNITS for label in _detected(name)}


def test_a_suffix_is_written_out_where_people_read(tmp_path):
    text = _by_topic(compare(_tallies(tmp_path, ["one", "two"])).sentences)["shared"][0]
    assert "sea (scene) (1 and 2)" in text
    assert "-s" not in text
    assert spoken("sea", "scene") == "sea"


def test_layers_of_other_names_share_concepts_overall(tmp_path):
    one = labelled.descriptions(tmp_path / "clip_dissect-one.csv", {"conv5": ["a", "b"]})
    other = labelled.descriptions(tmp_path / "clip_dissect-other.csv", {"layer4": ["b", "b"]})
    parts = read_all([one, other])
    table = shared(parts)
    assert table[["layer", "concept", "one", "other"]].to_numpy().tolist() == [[OVERALL, "b", 1, 2]]
    assert COMMON not in set(table["layer"])
    found = _by_topic(sentences(parts))
    assert found["only"] == [
        "The networks have no layer in common in which to look for what only one has."
    ]
    assert not found["more"]


def test_depth_is_said_from_first_to_last_layer(tmp_path):
    kinds = ["object", "scene", "scene"]
    first = labelled.tally(tmp_path / "a.csv", ["car", "sea-s", "x-s"], [0.3, 0.01, 0.01], kinds)
    last = labelled.tally(tmp_path / "b.csv", ["car", "sea-s", "sea-s"], [0.3, 0.2, 0.1], kinds)
    found = _by_topic(compare([f"n:layer1={first}", f"n:layer2={last}"]).sentences)
    assert found["depth"] == [
        "From layer1 to layer2, n goes from 1 to 2 unique detectors; the share of scene among "
        "detectors rises from 0% (0 of 1) to 67% (2 of 3); the share of object among detectors "
        "falls from 100% (1 of 1) to 33% (1 of 3)."
    ]
    assert found["layers"] == ["n by layer: 1 in layer1 and 2 in layer2 (unique detectors)."]


def test_agreement_is_said_beside_what_chance_gives(tmp_path):
    iou, clip, _ = labelled.published(tmp_path)
    found = compare([iou, clip], encoder="none")
    text = _by_topic(found.sentences)["agreement"][0]
    row = found.crosschecks[0].agreement
    row = row[(row["measure"] == "exact") & (row["group"] == "all")].iloc[-1]
    assert f"{row['value']:.1%} of 3 units of net" in text
    assert f"{row['low']:.1%} to {row['high']:.1%}" in text


def test_many_networks_and_long_names_stay_short(tmp_path):
    units = labelled.tally(tmp_path / "t.csv", ["car", "y" * 300], [0.3, 0.2])
    parts = read_all([f"{'z' * 300}{number}:l={units}" for number in range(27)])
    said = sentences(parts)
    assert max(len(one.text) for one in said) < 1500
    assert "22 more networks" in said[0].text


def test_no_detectors_are_said_as_such(tmp_path):
    paths = [
        f"{name}:l={labelled.tally(tmp_path / f'{name}.csv', ['car'], [0.01])}" for name in "ab"
    ]
    found = _by_topic(compare(paths).sentences)
    assert found["shared"] == ["No concept is shared by both networks."]
    assert found["only"] == ["No network has a concept that the others lack in a layer of several."]
