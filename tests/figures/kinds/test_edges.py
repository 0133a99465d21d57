"""Whatever is given, every word of a figure lies on its page, and none on another of its axis."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from dissection.crosscheck.check import crosscheck
from dissection.crosscheck.findings import findings
from figures import catalogue
from figures.drawing import Drawing, render
from figures.kinds import concepts
from figures.options import Options
from figures.style import styled
from tests.figures.drawable import given, labelling

LONG = "o capuchin, ringtail, Cebus capucinus, a monkey with $_a very long name_$ <script>"


def _many(number, each=4):
    names = [f"{'opsmtc'[i % 6]} concept {i:04d}" for i in range(number)]
    return {"layer4": [name for name in names for _ in range(each)]}


def _three(i):
    return {f"layer{k}": [f"o {(i + j) % 7}" for j in range(40)] for k in (1, 2, 3)}


CASES = {
    "long labels": [labelling("net", {"l": [LONG + str(i // 5) for i in range(20)]})],
    "long names": [
        labelling(f"a_network_with_a_rather_long_name_{i}", {"block.0.conv.one": [f"o {i}"] * 5})
        for i in range(3)
    ],
    "long names of layers": [labelling("net", {f"block.{i}.conv.one": ["o a"] for i in range(5)})],
    "1200 concepts": [labelling("net", _many(1200))],
    "1200 concepts by clip": [labelling("net", _many(1200), method="clip")],
    "one unit": [labelling("net", {"fc": ["o car"]})],
    "no detectors": [labelling("net", {"fc": ["o car"] * 5}, {"fc": [0.01] * 5})],
    "one layer": [labelling(name, {"fc": ["o car"] * 5 + ["s sea"] * 4}) for name in "ab"],
    "ten networks": [labelling(f"network_{i}", _three(i)) for i in range(10)],
    "twelve layers": [labelling("net", {f"features.{i}": ["o car"] * 5 for i in range(12)})],
}


def drawings(labellings):
    found = list(catalogue.drawings(given(*labellings), Options()))
    return [one for one in found if isinstance(one, Drawing)]


def _words(figure):
    """Yield what is written where; an axis also has ticks outside of what it shows."""
    renderer = figure.canvas.get_renderer()
    ticks = {t for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for t in _all(axis)}
    kept = {t for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for t in _seen(axis)}
    for text in figure.findobj(Text):
        axes = text.axes
        hidden = axes is not None and not axes.get_visible()
        if text.get_visible() and text.get_text().strip() and not hidden:
            if text not in ticks or text in kept:
                yield text, text.get_window_extent(renderer)


def _all(axis):
    return [label for tick in axis.get_major_ticks() for label in (tick.label1, tick.label2)]


def _seen(axis):
    """Return the labels of an axis that are drawn."""
    low, high = sorted(axis.get_view_interval())
    if not (axis.get_visible() and axis.axes.axison and axis.axes.get_visible()):
        return []
    places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [t for at, t in places if low - 1e-9 <= at <= high + 1e-9 and t.get_text().strip()]


@pytest.mark.parametrize("case", CASES)
def test_every_word_is_on_the_page(case):
    for drawing in drawings(CASES[case]):
        with styled(), warnings.catch_warnings():
            warnings.simplefilter("error")
            figure = render(drawing)
            page, shown = figure.bbox, list(_words(figure))
            assert shown
            for text, box in shown:
                off = max(page.x0 - box.x0, box.x1 - page.x1, page.y0 - box.y0, box.y1 - page.y1)
                assert off < 3, (drawing.name, text.get_text(), box, page)


@pytest.mark.parametrize("case", CASES)
def test_words_of_an_axis_do_not_overlap(case):
    for drawing in drawings(CASES[case]):
        with styled():
            figure = render(drawing)
            renderer = figure.canvas.get_renderer()
            for axis in (x for axes in figure.axes for x in (axes.xaxis, axes.yaxis)):
                side = axis.axis_name
                boxes = [text.get_window_extent(renderer) for text in _seen(axis)]
                ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
                gaps = [low - high for (_, high), (low, _) in pairwise(ends)]
                assert min(gaps, default=0) > -2.5, (drawing.name, side)


def test_a_sentence_stands_where_no_concept_is_frequent():
    drawing = next(concepts.drawings(given(labelling("net", {"fc": ["o car"]})), Options()))
    with styled():
        texts = [t.get_text() for t in render(drawing).findobj(Text)]
    assert "No concept is carried by more than 3 units." in texts


def test_no_detectors_are_said_in_a_sentence():
    found = {one.kind: one for one in drawings(CASES["no detectors"])}
    with styled():
        texts = [t.get_text() for t in render(found["bargraph"]).findobj(Text)]
    assert "None of the 5 units is a detector." in texts


def test_what_cannot_be_drawn_is_said_in_a_line_each():
    clip = labelling("net", {"fc": ["car", "sea"]}, method="clip")
    found = list(catalogue.drawings(given(clip), Options()))
    said = [one for one in found if isinstance(one, str)]
    assert {text.split(":")[0] for text in said} >= {
        "depth", "bargraph", "only", "sheet", "distribution", "sensitivity", "agreement",
    }  # fmt: skip
    assert all("\n" not in text for text in said)


def test_agreement_is_drawn_from_tables_alone():
    iou = labelling("net", {"fc": ["o car", "o dog", "s sea"] * 4})
    clip = labelling("net", {"fc": ["o car", "cat", "sky"] * 4}, method="clip")
    check = findings(crosscheck(iou, clip, permutations=20))
    inputs = given(iou, clip)._replace(checks=(check,))
    found = [d for d in catalogue.drawings(inputs, Options()) if isinstance(d, Drawing)]
    table = next(d for d in found if d.name == "agreement-net").table.set_index("measure")
    assert table.loc["exact", "value"] == pytest.approx(1 / 3)
    scatter = next(d for d in found if d.name == "scatter-net").table
    assert scatter["exact"].sum() == 4
    assert np.isfinite(scatter["iou"]).all()


def test_unknown_kinds_and_options_are_refused():
    with pytest.raises(ValueError, match="no figure is called 'pie'; there are concepts, distinct"):
        list(catalogue.drawings(given(), Options(), ["pie"]))
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        Options(most=0)
