import time
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from dissection.config import IouConfig
from dissection.networks.layouts import LayerInfo
from dissection.overlap.assign import Best, Detectors
from dissection.overlap.results import LayerResult, concept_table, tally_table, unit_table
from dissection.overlap.storing import write_scores
from dissection.overlap.tally import Counts
from dissection.results.tables import read_table, read_tally, tally_categories
from tests.dissection import references
from tests.dissection.probes import CATEGORIES, GRID, LABELS, PRIMARY, corner_images, layer, table

UNIONS, UNITS, K, MIN_IOU = ("category", "mask", "all"), 6, len(CATEGORIES), 0.04
NAMES = {number: name for number, (name, _) in LABELS.items()}
FIELDS = ("label", "truth", "activation", "intersect", "iou")


def result(name, seed, union="category"):
    """Return what a run would know of a layer, and the counts, from slow references."""
    images = corner_images(seed)
    maps = layer(seed, len(images), UNITS)
    threshold = references.thresholds(maps, 0.1)
    held = [references.label_masks(shown, GRID) for shown in images]
    counted = references.count(references.masks(maps, threshold, GRID), held, PRIMARY, K)
    iou = {rule: references.iou(counted, PRIMARY, rule) for rule in UNIONS}
    best = [references.best(row, NAMES) for row in iou[union]]
    chosen = [
        [references.best(row, [n for n in NAMES if PRIMARY[n] == k]) for k in range(K)]
        for row in iou[union]
    ]
    both = np.array(chosen)
    image, value = references.top_images(maps.max((2, 3)), 3)
    return LayerResult(
        LayerInfo(name, "Conv2d", UNITS, maps.shape[2:]),
        threshold,
        Counts(*counted[:4]),
        iou,
        Best(
            np.array([label for label, _ in best]),
            np.array([score for _, score in best]),
            both[..., 0].astype(np.int64),
            both[..., 1],
        ),
        Detectors(0, 0, 0, (0,) * K),
        image,
        value,
    ), counted


def repeated(found, times):
    """Return a layer with each unit several times."""

    def more(part):
        return np.concatenate([part] * times)

    return found._replace(
        info=replace(found.info, units=times * UNITS),
        threshold=more(found.threshold),
        counts=Counts(*map(more, found.counts)),
        iou={rule: more(values) for rule, values in found.iou.items()},
        best=Best(*map(more, found.best)),
    )


def labels(counted):
    return replace(table(), pixels=counted.pixels)


@pytest.fixture(scope="module")
def layers():
    return [result("features.0", 0), result("layer4", 1)]


@pytest.fixture(scope="module")
def units(layers):
    return unit_table(
        [found for found, _ in layers], labels(layers[0][1]), IouConfig(min_iou=MIN_IOU)
    )


def test_unit_table_has_the_documented_columns(units):
    expected = ["layer", "unit", "label", "category", "iou", "detector", "threshold"]
    for category in CATEGORIES:
        expected += [f"{category}-label", f"{category}-iou"]
    assert [*units.columns] == expected
    assert len(units) == 2 * UNITS
    assert units["unit"].tolist() == [*range(UNITS)] * 2
    assert units["layer"].tolist() == ["features.0"] * UNITS + ["layer4"] * UNITS


def test_unit_table_names_each_unit(units, layers):
    rows = units.to_dict("records")
    for number, row in enumerate(rows):
        found, _ = layers[number // UNITS]
        unit = number % UNITS
        scores = found.iou["category"][unit]
        label, score = references.best(scores, NAMES)
        assert (row["label"], row["iou"]) == (NAMES[label], score)
        assert row["category"] == CATEGORIES[PRIMARY[label]]
        assert row["detector"] == (score > MIN_IOU)
        assert row["threshold"] == found.threshold[unit]
        for k, category in enumerate(CATEGORIES):
            own = [n for n in NAMES if PRIMARY[n] == k]
            label, score = references.best(scores, own)
            assert row[f"{category}-label"] == NAMES.get(label, "")
            assert row[f"{category}-iou"] == score
    assert {row["detector"] for row in rows} == {True, False}


def test_iou_of_a_detector_exceeds_the_minimum(layers):
    found, counted = layers[0]
    highest = float(found.best.iou.max())
    assert not unit_table([found], labels(counted), IouConfig(min_iou=highest))["detector"].any()
    below = float(np.nextafter(highest, 0))
    assert unit_table([found], labels(counted), IouConfig(min_iou=below))["detector"].sum() == 1


def test_unlabelled_is_never_named(units):
    for column in units.columns:
        if column.endswith("label"):
            assert "-" not in units[column].tolist()
    assert set(units["texture-label"]) == {""}
    assert set(units["texture-iou"]) == {0.0}


def test_concepts_are_counted_by_layer_most_units_first(units):
    concepts = concept_table(units)
    assert [*concepts.columns] == ["layer", "label", "category", "units"]
    expected = []
    for name in ("features.0", "layer4"):
        rows = [row for row in units.to_dict("records") if row["layer"] == name]
        held = {(row["label"], row["category"]) for row in rows}
        found = []
        for label, category in held:
            own = [row for row in rows if row["label"] == label]
            found.append((-len(own), label, category))
        for many, label, category in sorted(found):
            expected.append((name, label, category, -many))
    assert [*concepts.itertuples(index=False, name=None)] == expected
    assert concepts["units"].sum() == len(units)


def test_layers_keep_their_order_among_concepts(units):
    swapped = pd.concat([units[UNITS:], units[:UNITS]])
    assert [*dict.fromkeys(concept_table(swapped)["layer"])] == ["layer4", "features.0"]


@pytest.mark.parametrize("union", UNIONS)
def test_tally_has_the_published_columns_and_the_counts(union):
    found, counted = result("layer4", 2, union)
    tally = tally_table(found, labels(counted), union)
    columns = ["unit", "category", "label", "score"]
    columns += [f"{category}-{field}" for category in CATEGORIES for field in FIELDS]
    assert [*tally.columns] == columns
    assert sorted(tally["unit"]) == [*range(1, UNITS + 1)]
    for row in tally.to_dict("records"):
        unit = row["unit"] - 1
        label, score = references.best(found.iou[union][unit], NAMES)
        assert (row["label"], row["score"]) == (NAMES[label], score)
        assert row["category"] == CATEGORIES[PRIMARY[label]]
        for k, category in enumerate(CATEGORIES):
            own = [n for n in NAMES if PRIMARY[n] == k]
            label, score = references.best(found.iou[union][unit], own)
            area = {
                "category": counted.category[unit, k],
                "mask": counted.mask[unit, k],
                "all": counted.all[unit],
            }[union]
            wanted = (
                NAMES.get(label, ""),
                counted.pixels[label],
                area,
                counted.intersection[unit, label],
                score,
            )
            assert tuple(row[f"{category}-{field}"] for field in FIELDS) == wanted


def test_tally_is_best_first_and_units_of_equal_score_in_order():
    found, counted = result("layer4", 3)
    many = repeated(found, 9)
    tally = tally_table(many, labels(counted), "category")
    order = sorted(range(9 * UNITS), key=lambda unit: (-many.best.iou[unit], unit))
    assert (tally["unit"] - 1).tolist() == order


@pytest.mark.parametrize("union", UNIONS)
def test_tally_comes_back_from_a_file(union, tmp_path):
    found, counted = result("layer4", 4, union)
    tally = tally_table(found, labels(counted), union)
    tally.to_csv(tmp_path / "tally.csv", index=False)
    read = read_tally(tmp_path / "tally.csv")
    assert read.pop("unit_1based").tolist() == tally["unit"].tolist()
    read["unit"] += 1
    pd.testing.assert_frame_equal(read, tally, check_dtype=False, check_exact=True)
    assert tally_categories(read) == [*CATEGORIES]
    assert_iou_follows_from_counts(read)


def assert_iou_follows_from_counts(tally):
    """Check IoU, label and category of each unit against the counts beside them."""
    categories = tally_categories(tally)
    for row in tally.to_dict("records"):
        scores = {}
        for category in categories:
            truth, area, shared = (row[f"{category}-{f}"] for f in FIELDS[1:4])
            union = truth + area - shared
            scores[category] = shared / union if union else 0.0
            assert row[f"{category}-iou"] == pytest.approx(scores[category], rel=1e-12)
        assert row["score"] == pytest.approx(max(scores.values()), rel=1e-12)
        named = row["category"]
        assert row["label"] == row[f"{named}-label"]
        assert scores[named] == max(scores.values())


#: As the original code wrote them: areas with a decimal point, blank where nothing overlapped.
PUBLISHED = """\
unit,category,label,score,object-label,object-truth,object-activation,object-intersect,object-iou,\
part-label,part-truth,part-activation,part-intersect,part-iou
7,object,horse,0.25,horse,500,1016043.0,203308.0,0.25,leg,80,40.0,20,0.20000000000000001
2,part,NA,0.125,,24924928,0.0,0,0.0,NA,10,8.0,2,0.125
"""


def test_published_tally_parses(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(PUBLISHED)
    read = read_tally(path)
    assert read["unit"].tolist() == [6, 1]
    assert read["unit_1based"].tolist() == [7, 2]
    assert read["object-activation"].tolist() == [1016043, 0]
    for column in ("truth", "activation", "intersect"):
        assert read[f"object-{column}"].dtype == np.int64
    assert read["object-label"].tolist() == ["horse", ""]
    assert read["label"].tolist() == ["horse", "NA"]
    assert read["part-iou"].tolist() == [0.2, 0.125]
    assert tally_categories(read) == ["object", "part"]


def test_iou_and_label_of_a_published_row_follow_from_its_counts(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text(
        PUBLISHED.splitlines()[0] + "\n"
        "976,object,labyrinth,0.016768791938641055,labyrinth,51914,1016043.0,17613,"
        "0.016768791938641055,head,4946761,573244.0,43418,0.0079279302967340797\n"
        "51,part,torso,0.5,,24924928,0.0,0,0.0,torso,4,2.0,2,0.5\n"
    )
    assert_iou_follows_from_counts(read_tally(path))


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("unit,label\n1,a\n", "category, score"),
        ("unit,category,label,score\n1,a,b,0.5\n", "<category>-label"),
        (
            "unit,category,label,score,a-label,a-truth,a-iou\n1,a,b,0.5,b,1,0.5\n",
            "a-activation, a-intersect",
        ),
        ("layer,unit,label,category,iou\n", "score"),
    ],
)
def test_other_tables_are_refused_and_the_columns_named(text, lacking, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"is not a NetDissect tally: .* {lacking}$") as caught:
        read_tally(path)
    assert str(path) in str(caught.value)


def masks(layers):
    """Return packed masks of eight pixels for each unit's top images."""
    return {
        found.info.name: (found.top_image % 251).astype(np.uint8)[..., None] for found, _ in layers
    }


def test_scores_hold_every_count_by_layer(layers, tmp_path):
    mass = labels(layers[0][1])
    shown = masks(layers)
    write_scores(tmp_path / "scores.h5", [found for found, _ in layers], mass, shown, (2, 4))
    with h5py.File(tmp_path / "scores.h5") as file:
        assert file["categories"].asstr()[()].tolist() == [*CATEGORIES]
        names = file["labels/name"].asstr()[()].tolist()
        of = file["labels/category"].asstr()[()].tolist()
        for number in range(len(PRIMARY)):
            assert names[number] == NAMES.get(number, "-")
            assert of[number] == (CATEGORIES[PRIMARY[number]] if number in NAMES else "")
        np.testing.assert_array_equal(file["labels/pixels"], mass.pixels)
        assert [*file["layers"]] == ["features.0", "layer4"]
        for found, counted in layers:
            group = file[f"layers/{found.info.name}"]
            for path, wanted in {
                "threshold": found.threshold,
                "intersection": counted.intersection,
                "area/category": counted.category,
                "area/mask": counted.mask,
                "area/all": counted.all,
                "top/image": found.top_image,
                "top/value": found.top_value,
                "top/mask": shown[found.info.name],
                **{f"iou/{rule}": found.iou[rule] for rule in UNIONS},
            }.items():
                assert group[path].dtype == wanted.dtype
                np.testing.assert_array_equal(group[path], wanted, path)


def test_scores_of_the_same_result_are_the_same_bytes(layers, tmp_path):
    for name in ("a.h5", "b.h5"):
        found = [found for found, _ in layers]
        write_scores(tmp_path / name, found, labels(layers[0][1]), masks(layers), (2, 4))
        time.sleep(1.1)  # a time of creation would be in seconds
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_scores_are_written_whole_or_not_at_all(layers, tmp_path, monkeypatch):
    def fail(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("broden.system.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_scores(tmp_path / "a.h5", [layers[0][0]], labels(layers[0][1]), masks(layers), (2, 4))
    assert [*tmp_path.iterdir()] == []


def test_numbers_are_read_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).random(500)
    path = tmp_path / "t.csv"
    pd.DataFrame(
        {"layer": "1", "unit": range(500), "iou": values, "detector": values > 0.5}
    ).to_csv(path, index=False)
    table = read_table(path)
    np.testing.assert_array_equal(table["iou"].to_numpy(), values)
    np.testing.assert_array_equal(table["detector"].to_numpy(), values > 0.5)
    assert table["detector"].dtype == bool
    assert table["unit"].dtype == np.int64
    assert set(table["layer"]) == {"1"}
