"""Figures of several networks show what loops over their units count."""

from collections import Counter

import pytest
from matplotlib.patches import Rectangle

from dissection.comparison.published_counts import published
from figures.drawing import Drawing, render
from figures.kinds.networks import networks, shared
from figures.options import Options
from figures.style import styled
from tests.figures.drawable import given, labelling

LABELS = {
    "one": ["o car", "o car", "s sea", "t dots"],
    "two": ["o car", "s sea", "s sea", "o cat"],
}


@pytest.fixture
def pair():
    return [labelling(name, {"fc": labels}) for name, labels in LABELS.items()]


def _widths(drawing):
    with styled():
        return sorted(
            round(bar.get_width())
            for axes in render(drawing).axes
            for bar in axes.patches
            if isinstance(bar, Rectangle) and bar.get_width() > 0
        )


def test_shared_bars_are_the_detectors_of_each_network(pair):
    (drawing,) = [
        one for one in shared.drawings(given(*pair), Options()) if not isinstance(one, str)
    ]
    counts = {name: Counter(labels) for name, labels in LABELS.items()}
    both = [label for label in counts["one"] if label in counts["two"]]
    assert dict(drawing.table.set_index("concept")["one"]) == {x: counts["one"][x] for x in both}
    assert _widths(drawing) == sorted(counts[name][x] for name in counts for x in both)
    assert drawing.title == "Shared: 2 concepts that one and two both have (IoU)"


def test_stacks_add_up_to_unique_detectors_by_the_papers_rule(pair):
    (drawing,) = networks.drawings(given(*pair), Options())
    for part in pair:
        unique = sum(
            len({label for label, score in zip(part.units[f"{kind}-label"],
                                               part.units[f"{kind}-score"], strict=True)
                 if score > part.min_iou})
            for kind in part.categories
        )  # fmt: skip
        rows = drawing.table[drawing.table["network"] == part.name]
        assert rows["unique"].sum() == unique == rows["total"].iloc[0]
    shown = [number for number in drawing.table["unique"] if number]
    assert _widths(drawing) == sorted(shown)


def test_published_networks_come_on_the_same_axis(pair):
    (drawing,) = networks.drawings(given(*pair), Options(published="cvpr2017"))
    theirs = drawing.table[drawing.table["source"] == "cvpr2017"]
    whole = published().query("category == 'all'").set_index("network")["unique"]
    assert theirs.groupby("network")["unique"].sum().to_dict() == whole.to_dict()
    with styled():
        labels = [text.get_text() for text in render(drawing).axes[0].get_yticklabels()]
    assert len(labels) == 29
    assert labels[0].startswith("resnet-152-torch-places365")


@pytest.mark.parametrize("number", [2, 5])
@pytest.mark.parametrize("dpi", [72, 300])
def test_every_word_of_long_names_lies_on_the_page(number, dpi):
    many = [
        labelling(f"{'n' * 300}{i}", {"layer" * 60: [f"o {'c' * 300}{k}" for k in range(60)]})
        for i in range(number)
    ]
    found = [*shared.drawings(given(*many), Options()), *networks.drawings(given(*many), Options())]
    for drawing in (one for one in found if isinstance(one, Drawing)):
        with styled():
            figure = render(drawing)
            figure.set_dpi(dpi)
            figure.draw_without_rendering()
            page = figure.bbox
            axes = figure.axes[0]
            boxes = [text.get_window_extent() for text in axes.get_yticklabels()]
        assert min(box.x0 for box in boxes) >= page.x0 - 1
        assert max(box.y1 for box in boxes) <= page.y1 + 1


def test_what_one_network_lacks_is_said(pair):
    assert list(shared.drawings(given(pair[0]), Options())) == [
        "shared: one network by IoU has nothing to be compared with"
    ]
    clip = labelling("net", {"fc": ["car"]}, method="clip")
    assert list(networks.drawings(given(clip), Options())) == ["networks: needs labels by IoU"]
