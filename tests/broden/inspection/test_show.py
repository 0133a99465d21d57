import numpy as np
import pytest
from PIL import Image

from broden.inspection.show import panels, show
from broden.reader import ProbeSet
from tests.broden.layout import GRID, corner_photos


@pytest.fixture(scope="module")
def probe(probe_path):
    with ProbeSet(probe_path) as opened:
        yield opened


def test_one_panel_for_each_category_with_labels(probe):
    for i, photo in enumerate(corner_photos()):
        titles = [panel.title.split(" ")[0] for panel in panels(probe, i)]
        assert titles == [c for c in probe.categories if photo.labels.get(c)]


def test_legend_lists_labels_by_area_with_their_share(probe, corner_sets):
    (panel,) = panels(probe, 0)
    area = GRID[0] * GRID[1]
    pixels = {n: len(p) for n, p in corner_sets[0].items()}
    order = sorted(pixels, key=lambda n: -pixels[n])
    names = {1: "black-c", 2: "white-c"}
    expected = [f"{names[n]}  {100 * pixels[n] / area:.1f}%" for n in order]
    assert [text for _, text in panel.legend] == expected


def test_pixels_take_the_colour_of_the_first_plane_that_labels_them(probe):
    first, second = probe.maps(4)["part"]
    panel = panels(probe, 4)[-1]
    assert panel.title == "part (2 maps)"
    colours = {text.split(" ")[0]: colour for colour, text in panel.legend}
    merged = np.where(first > 0, first, second)
    for number, name in ((5, "wheel"), (6, "glass")):
        drawn = (panel.picture == colours[name]).all(-1)
        np.testing.assert_array_equal(drawn, merged == number)


def test_whole_image_labels_fill_the_panel(probe):
    panel = {p.title: p for p in panels(probe, 2)}["material"]
    assert [text for _, text in panel.legend] == ["glass  whole image", "wood  whole image"]
    assert len(np.unique(panel.picture.reshape(-1, 3), axis=0)) == 1


def test_empty_map_says_so(probe):
    panel = panels(probe, 5)[0]
    assert [text for _, text in panel.legend] == ["nothing labelled"]


@pytest.mark.parametrize("i", [1, 4])
def test_picture_is_written(i, probe, tmp_path):
    show(probe, i, tmp_path / "deep" / "a.png")
    with Image.open(tmp_path / "deep" / "a.png") as image:
        assert image.width > 300
        assert image.height > 300
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_unknown_format_leaves_nothing(probe, tmp_path):
    with pytest.raises(ValueError, match="Format 'foo' is not supported"):
        show(probe, 0, tmp_path / "a.foo")
    assert list(tmp_path.iterdir()) == []


def test_long_legend_is_cut(probe, monkeypatch):
    monkeypatch.setattr("broden.inspection.show._LEGEND", 1)
    texts = [text for _, text in panels(probe, 3)[0].legend]
    assert len(texts) == 2
    monkeypatch.setattr("broden.inspection.show._LEGEND", 0)
    texts = [text for _, text in panels(probe, 3)[0].legend]
    assert texts == ["and 2 more"]
