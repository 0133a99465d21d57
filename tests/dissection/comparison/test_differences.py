"""Differences of counts are those of plain loops over resampled images; without counts none."""

import numpy as np
import pandas as pd
import pytest

import dissection
from dissection.comparison.differences import differences, recounted, text
from dissection.config import UNIONS, IouConfig
from dissection.results.candidates import candidates, label_pixels
from dissection.results.reading import read_all
from dissection.statistics.bootstrap import resamples
from tests.dissection import grouped, labelled, planted

UNITS, GROUPS = 12, 10


def counts_of(counted, weights, min_iou=0.04):
    """Return detectors and unique detectors of each resample, by plain loops."""
    detectors, unique = [], []
    for weight in weights:
        scores = grouped.iou(*counted, weight)
        named = []
        for labels, row in zip(counted[0], scores, strict=True):
            best = max(range(len(row)), key=lambda place: (row[place], -place))
            if row[best] > min_iou:
                named.append(labels[best])
        detectors.append(len(named))
        unique.append(len(set(named)))
    return np.array(detectors), np.array(unique)


def between(values):
    """Return what 95% of values lie between, by sorting them."""
    ordered = sorted(values)
    cut = 0.025 * (len(ordered) - 1)
    return ordered[int(np.floor(cut))], ordered[int(np.ceil(len(ordered) - 1 - cut))]


def same_everywhere(detectors, labels, units=UNITS):
    """Counts of which every group of images says the same: so many detectors of so many labels."""
    label = np.array([[1 + unit % labels, 5] for unit in range(units)])
    both = np.zeros((GROUPS, units, 2), int)
    both[:, :detectors, 0] = 20
    return label, both, np.full((GROUPS, units, 2), 40), np.full((GROUPS, grouped.LABELS), 40)


@pytest.fixture
def drawn():
    return [grouped.drawn(seed, UNITS, GROUPS) for seed in (1, 2)]


@pytest.mark.parametrize("same", [True, False], ids=["one probe set", "two probe sets"])
def test_ranges_are_those_of_plain_loops(tmp_path, drawn, same):
    probes = ("p", "p" if same else "q")
    for place, (counted, probe) in enumerate(zip(drawn, probes, strict=True)):
        grouped.run(tmp_path / f"n{place}", [counted], f"d{place}", f"n{place}", probe=probe)
    table = differences(read_all([tmp_path / "n0", tmp_path / "n1"]))
    seeds = (0, 0) if same else (0, 1)
    again = [
        counts_of(counted, resamples(GROUPS, 200, seed))
        for counted, seed in zip(drawn, seeds, strict=True)
    ]
    found = [counts_of(counted, [np.ones(GROUPS, int)]) for counted in drawn]
    assert table["count"].tolist() == ["detectors", "unique detectors"]
    for which, row in enumerate(table.itertuples()):
        sign = 1 if row.network == "n0" else -1
        assert row.difference == sign * (found[0][which][0] - found[1][which][0]) >= 0
        assert (row.low, row.high) == between(sign * (again[0][which] - again[1][which]))
        assert row.paired is same
        assert ("independently" in row.sentence) is not same
    assert (table["low"] < table["high"]).all()


def test_a_network_and_itself_on_the_same_images_do_not_differ(tmp_path, drawn):
    for name in ("a", "b"):
        grouped.run(tmp_path / name, drawn[:1], name, name)
    table = differences(read_all([tmp_path / "a", tmp_path / "b"]))
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert table["sentence"][0] == (
        "a has as many detectors as b in fc; resampled images: 0 to 0; "
        "these images do not tell them apart"
    )


def test_sentences_say_who_has_how_many_more(tmp_path):
    rotated = [
        {
            "seed": np.array([0, 1]),
            "iou": np.full((2, UNITS), iou),
            "label": np.ones((2, UNITS), int),
        }
        for iou in (0.1, 0.0)
    ]
    few, many = same_everywhere(3, 3), same_everywhere(9, 4)
    grouped.run(tmp_path / "a", [few], "a", "scenes", rotated=rotated[0])
    grouped.run(tmp_path / "b", [many], "b", "objects", rotated=rotated[1])
    table = differences(read_all([tmp_path / "a", tmp_path / "b"]))
    assert table["sentence"].tolist() == [
        "objects has 6 more detectors than scenes in fc; resampled images: 6 to 6; "
        "rotated twins differ by 12 the other way",
        "objects has 1 more unique detector than scenes in fc; resampled images: 1 to 1; "
        "rotated twins differ by 1 the other way",
    ]
    assert table["twins"].tolist() == [-12.0, -1.0]
    assert text(table).split("\n")[1:3] == table["sentence"].tolist()


def test_layers_of_a_network_are_compared_in_their_order(tmp_path):
    counted = [same_everywhere(*given) for given in ((2, 2, 6), (3, 3, 12), (9, 3, 12))]
    grouped.run(tmp_path / "a", counted, "a", "net", ("one", "two", "three"))
    table = differences(read_all([tmp_path / "a"]))
    assert table["paired"].all()
    assert [text.partition(";")[0] for text in table["sentence"]] == [
        "net has 1 more detector in two than in one (of 12 and 6 units)",
        "net has 1 more unique detector in two than in one (of 12 and 6 units)",
        "net has 6 more detectors in three than in two",
        "net has as many unique detectors in three as in two",
    ]


def test_tables_and_runs_without_counts_have_no_sentences(tmp_path):
    old = labelled.run(tmp_path / "old", name="old")
    new = grouped.run(tmp_path / "new", [same_everywhere(3, 3)], "n", "new")
    table = labelled.tally(tmp_path / "third.csv", ["car"], [0.5])
    for results in ([old], [old, new], [new, table], [old, new, table]):
        found = dissection.compare(results, encoder="none", permutations=20)
        assert list(found.differences.columns)
        assert found.differences.empty
        assert "differences" not in found.summary()
        found.write(tmp_path / "out")
        assert not (tmp_path / "out" / "iou-differences.csv").exists()


def test_the_table_is_written_and_the_sentences_are_printed(tmp_path, drawn):
    for name, counted in zip("ab", drawn, strict=True):
        grouped.run(tmp_path / name, [counted], name, name)
    found = dissection.compare([tmp_path / "a", tmp_path / "b"])
    found.write(tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "iou-differences.csv")
    pd.testing.assert_frame_equal(written, found.differences)
    for sentence in written["sentence"]:
        assert f"\n{sentence}\n" in found.summary()


def test_results_of_the_same_images_share_their_resamples(tmp_path, drawn):
    for place, (counted, probe) in enumerate(zip([*drawn, drawn[0]], "pqp", strict=True)):
        grouped.run(tmp_path / f"{place}", [counted], f"d{place}", f"n{place}", probe=probe)
    found = recounted(read_all([tmp_path / f"{place}" for place in range(3)]))
    assert [one.draw for one in found] == [0, 1, 0]
    assert (found[0].resampled.detectors == found[2].resampled.detectors).all()


@pytest.mark.parametrize("union", UNIONS)
def test_groups_of_a_run_add_up_to_its_table(union, tmp_path):
    probe = planted.write(tmp_path / "planted.h5", planted.drawn(images=60))
    config = IouConfig(quantile=0.05, union=union, min_iou=0.3)
    result = dissection.dissect(
        planted.network(), "maps", probe, out=tmp_path / "run", config=config
    )
    stored, pixels = candidates(tmp_path / "run", "maps", 8), label_pixels(tmp_path / "run")
    together = [part.sum(0, keepdims=True) for part in (stored.intersection, stored.area, pixels)]
    scores = grouped.iou(stored.label, *together)
    assert scores.max(1) == pytest.approx(result.units["iou"].to_numpy(), abs=1e-12)
    one = recounted(read_all([tmp_path / "run"]))[0]
    counts = result.card["counts"]["maps"]
    assert one.found == (counts["detectors"], counts["unique_best"])
    assert one.resampled.detectors.std(ddof=1) == pytest.approx(counts["detectors_sd"])
    rotated = counts["rotated"][0]
    assert one.twins == (rotated["detectors"], rotated["unique_best"])
