"""Figures of how far labels can be believed show what plain loops count of the files of a run."""

import json
import re
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from figures import catalogue
from figures.drawing import Drawing, render
from figures.inputs import read
from figures.kinds import bargraph, chance, depth, intervals, rotated, sensitivity, thresholds
from figures.options import Options
from figures.style import styled
from tests.dissection import believed, labelled
from tests.figures.drawable import given, labelling
from tests.figures.kinds.test_edges import _seen, _words

LAYERS = {"l3": 30, "l4": 60}
NEW = ("chance", "intervals", "thresholds", "rotated")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("believed")
    return [
        believed.run(base / name, LAYERS, name, seed) for seed, name in enumerate(("one", "two"))
    ]


@pytest.fixture(scope="module")
def inputs(folders):
    return read(folders, lambda _: None)


def drawings(inputs, kinds=tuple(catalogue.FIGURES)):
    found = list(catalogue.drawings(inputs, Options(), kinds))
    return [one for one in found if isinstance(one, Drawing)]


def array(folder, layer, name):
    with h5py.File(folder / "scores.h5") as file:
        return file[f"layers/{layer}/{name}"][()]


def counts(folder, layer):
    return json.loads((folder / "run.json").read_text())["counts"][layer]


def test_bins_hold_the_units_and_the_mean_of_the_shifts(inputs, folders):
    part = inputs.by("iou")[0]
    table = chance.rows(part)
    assert believed.LIMIT in table["low"].tolist()
    for layer, units in LAYERS.items():
        here = table[table["layer"] == layer]
        scores, null = part.layer(layer)["score"], array(folders[0], layer, "validity/null")
        assert here["units"].sum() == units
        assert here["by_chance"].sum() == pytest.approx(units)
        for row in here.itertuples():
            assert row.units == sum(row.low < value <= row.high for value in scores)
            shifted = sum(row.low < value <= row.high for value in null.ravel())
            assert row.by_chance == pytest.approx(shifted / believed.SHIFTS)
        above = here["low"] >= believed.LIMIT
        assert here["units"][above].sum() == part.layer(layer)["detector"].sum()
        expected = counts(folders[0], layer)["expected_by_chance"]["mean"]
        assert here["by_chance"][above].sum() == pytest.approx(expected)


@pytest.mark.parametrize(("limit", "top"), [(0.0, 0.5), (0.04, 0.0), (0.9, 0.95), (0.04, 0.04)])
def test_bins_reach_from_nothing_to_the_highest(limit, top):
    edges = chance._edges(limit, top)
    assert edges[0] == 0
    assert edges[-1] >= top
    assert limit in edges
    assert (np.diff(edges) > 0).all()


def test_intervals_are_those_of_the_table_by_falling_iou(inputs, folders):
    table = intervals.rows(inputs.by("iou")[1])
    units = pd.read_csv(folders[1] / "units.csv", keep_default_na=False)
    for layer in LAYERS:
        here, wanted = table[table["layer"] == layer], units[units["layer"] == layer]
        wanted = wanted.sort_values("iou", ascending=False, kind="stable")
        assert here["rank"].tolist() == list(range(1, LAYERS[layer] + 1))
        assert here["unit"].tolist() == wanted["unit"].tolist()
        for ours, theirs in (("low", "iou_low"), ("high", "iou_high"), ("chance", "chance_iou")):
            assert here[ours].tolist() == wanted[theirs].tolist()
        null = array(folders[1], layer, "validity/null")
        means = [sum(null[:, unit]) / len(null) for unit in here["unit"]]
        np.testing.assert_allclose(here["best_by_chance"], means)


def test_cells_are_those_of_the_grid(inputs, folders):
    table = thresholds.rows(inputs.by("iou")[0])
    grid = array(folders[0], "l4", "sensitivity/detectors")
    by_chance = array(folders[0], "l4", "sensitivity/expected")
    for row in table[table["layer"] == "l4"].itertuples():
        place = believed.QUANTILES.index(row.quantile), believed.CUTS.index(row.cut)
        assert (row.detectors, row.by_chance) == (grid[place], by_chance[place])


def test_cells_are_drawn_in_their_places_and_the_runs_own_is_framed(inputs):
    drawing = next(d for d in drawings(inputs, ["thresholds"]) if d.name == "thresholds-one")
    with styled():
        figure = render(drawing)
    own, by_chance = (axes for axes in figure.axes[:2])
    here = drawing.table[drawing.table["layer"] == "l3"]
    for axes, column in ((own, "detectors"), (by_chance, "by_chance")):
        written = {tuple(t.get_position()): float(t.get_text()) for t in axes.texts}
        assert len(written) == len(here)
        for row in here.itertuples():
            x, y = believed.CUTS.index(row.cut) + 0.5, believed.QUANTILES.index(row.quantile) + 0.5
            assert written[(x, y)] == pytest.approx(getattr(row, column), abs=0.51)
        (frame,) = axes.patches
        assert frame.get_xy() == (believed.CUTS.index(0.04), believed.QUANTILES.index(0.005))


def test_units_stand_beside_the_rotated_bases(inputs, folders):
    table = rotated.rows(inputs.by("iou"))
    for name, folder in zip(("one", "two"), folders, strict=True):
        for layer in LAYERS:
            here = table[(table["network"] == name) & (table["layer"] == layer)]
            told = counts(folder, layer)
            own, *turned = here.itertuples()
            assert (own.basis, own.detectors) == ("units", told["detectors"])
            assert own.unique == told["unique_best"]
            assert own.by_chance == told["expected_by_chance"]["mean"]
            found = [(row.seed, row.detectors, row.unique) for row in turned]
            wanted = [(r["seed"], r["detectors"], r["unique_best"]) for r in told["rotated"]]
            assert found == wanted


def test_a_run_without_rotations_has_no_such_figure(tmp_path):
    folder = believed.run(tmp_path / "run", {"l": 9}, rotations=0)
    inputs = read([folder], lambda _: None)
    (said,) = catalogue.drawings(inputs, Options(), ["rotated"])
    assert said == f"rotated of net: {folder} tells of no rotated basis"


def test_the_share_by_chance_falls_with_the_threshold(inputs, folders):
    table = sensitivity.rows(inputs.by("iou"))
    null = array(folders[1], "l4", "validity/null")
    for row in table[(table["network"] == "two") & (table["layer"] == "l4")].itertuples():
        wanted = np.mean([sum(v > row.threshold for v in shift) / 60 for shift in null])
        assert row.by_chance == pytest.approx(wanted)


def test_the_rate_by_chance_is_of_all_units(inputs, folders):
    table = depth.rows(inputs.by("iou"))
    for row in table.itertuples():
        folder = folders[("one", "two").index(row.network)]
        mean = counts(folder, row.layer)["expected_by_chance"]["mean"]
        assert row.by_chance == pytest.approx(mean / LAYERS[row.layer])


def test_captions_say_what_is_expected_by_chance(inputs, folders):
    given = counts(folders[0], "l3")["expected_by_chance"]
    found = counts(folders[0], "l3")["detectors"]
    text = f"l3 {given['mean']:.1f} ± {given['sd']:.1f} of {found}"
    several = ("concepts", "distinct", "depth", "sensitivity", "rotated")
    said = {one.name: one.caption for one in drawings(inputs)}
    captions = {name: said[name] for name in said if name.split("-")[0] in several}
    assert len(captions) == len(several)
    assert all(f"shifts): one {text}" in caption for caption in captions.values())
    for name in ("bargraph-one-l3", "chance-one"):
        assert f"(mean ± sd of 20 shifts): {text}" in said[name]
    title = next(one.title for one in drawings(inputs) if one.name == "bargraph-one-l3")
    assert f"({given['mean']:.0f} by chance)" in title


def test_the_bar_graph_names_what_chance_gives_in_its_legend(inputs):
    drawing = next(bargraph.drawings(inputs, Options()))
    with styled():
        texts = [t.get_text() for t in render(drawing).findobj(Text)]
    assert sum(text.startswith("by chance: ") for text in texts) == 1


def test_earlier_runs_are_drawn_as_before(tmp_path):
    bare = believed.bare(believed.run(tmp_path / "run", LAYERS))
    drawn = drawings(read([bare], lambda _: None))
    assert {one.kind for one in drawn} == {
        "concepts", "distinct", "depth", "bargraph", "distribution", "sensitivity",
        "networks",
    }  # fmt: skip
    assert not any("chance" in one.caption + one.title for one in drawn)
    assert not any("by_chance" in one.table for one in drawn)
    said = [s for s in catalogue.drawings(read([bare], lambda _: None), Options(), NEW)]
    assert [re.match(r"\w+ of net: ", text)[0] for text in said] == [f"{n} of net: " for n in NEW]


def test_published_tables_are_drawn_as_before():
    found = list(catalogue.drawings(given(labelling("net", {"l": ["o car"]})), Options(), NEW))
    assert len(found) == len(NEW)
    assert all(isinstance(one, str) and "\n" not in one for one in found)
    by_clip = labelling("net", {"l": ["car"]}, method="clip")
    found = list(catalogue.drawings(given(by_clip), Options(), NEW))
    assert found == [f"{name}: needs labels by IoU" for name in NEW]


def test_what_one_of_two_networks_lacks_is_drawn_of_the_other(folders, tmp_path):
    bare = labelled.run(tmp_path / "bare")
    with h5py.File(bare / "scores.h5", "r+") as file:
        file["layers/fc/iou/category"] = file["layers/fc/iou/all"][()]
    inputs = read([folders[0], bare / "units.csv"], lambda _: None)
    found = list(catalogue.drawings(inputs, Options(), [*NEW, "depth", "sensitivity"]))
    drawn = {one.name for one in found if isinstance(one, Drawing)}
    assert drawn == {
        "depth", "sensitivity", "chance-one", "intervals-one", "thresholds-one", "rotated",
    }  # fmt: skip
    with styled():
        for one in found:
            if isinstance(one, Drawing):
                render(one)


CASES = {
    "one unit": ({"fc": 1}, 1),
    "two networks": ({"l3": 30, "l4": 60}, 2),
    "long names of layers": ({f"features.denseblock{i}.conv2": 20 for i in range(5)}, 1),
    "eight networks": ({f"blocks.{i}": 12 for i in range(6)}, 8),
    "many units": ({"fc": 2048}, 1),
}


@pytest.mark.parametrize(("layers", "networks"), CASES.values(), ids=CASES)
def test_every_word_is_on_the_page_and_none_on_another(layers, networks, tmp_path):
    folders = [
        believed.run(tmp_path / str(i), layers, f"network_with_a_long_name_{i}", i)
        for i in range(networks)
    ]
    kinds = [*NEW, "depth", "sensitivity", "distinct"]
    for drawing in drawings(read(folders, lambda _: None), kinds)[:12]:
        with styled(), warnings.catch_warnings():
            warnings.simplefilter("error")
            figure = render(drawing)
            page, shown = figure.bbox, list(_words(figure))
            for text, box in shown:
                off = max(page.x0 - box.x0, box.x1 - page.x1, page.y0 - box.y0, box.y1 - page.y1)
                assert off < 3, (drawing.name, text.get_text(), box, page)
            renderer = figure.canvas.get_renderer()
            for axis in (x for axes in figure.axes for x in (axes.xaxis, axes.yaxis)):
                boxes = [text.get_window_extent(renderer) for text in _seen(axis)]
                side = axis.axis_name
                ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
                gaps = [low - high for (_, high), (low, _) in zip(ends, ends[1:], strict=False)]
                assert drawing.kind not in NEW or min(gaps, default=0) > -2.5, drawing.name


def test_a_grid_of_many_cuts_has_no_numbers_that_would_overlap(tmp_path):
    folder = believed.run(tmp_path / "run", {"fc": 20})
    cuts = np.round(np.arange(1, 41) / 200, 4)
    with h5py.File(folder / "scores.h5", "r+") as file:
        here = file["layers/fc/sensitivity"]
        for name in ("detectors", "unique", "expected"):
            kind = here[name].dtype
            del here[name]
            here[name] = np.ones((len(believed.QUANTILES), len(cuts)), kind)
        del here["cut"]
        here["cut"] = cuts
    (drawing,) = drawings(read([folder], lambda _: None), ["thresholds"])
    assert drawing.size[0] < 12
    with styled():
        figure = render(drawing)
    assert not figure.axes[0].texts
    assert len(_seen(figure.axes[0].xaxis)) <= 20


def test_a_damaged_array_is_one_line(tmp_path):
    folder = believed.run(tmp_path / "run", {"fc": 9})
    with h5py.File(folder / "scores.h5", "r+") as file:
        file["layers/fc/validity/null"][0, 0] = -1
    inputs = read([folder], lambda _: None)
    with pytest.raises(ValueError, match=r"scores.h5: dataset 'layers/fc/validity/null' has -1.0"):
        list(catalogue.drawings(inputs, Options(), ["chance"]))
