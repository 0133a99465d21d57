"""`figures.draw` gives what the command saves."""

import pytest
from matplotlib.figure import Figure

import dissection
import figures


def test_figures_come_by_name(runs):
    drawn = figures.draw(runs, ["distinct", "depth"])
    assert set(drawn) == {"distinct-iou", "distinct-clip", "depth"}
    assert all(isinstance(figure, Figure) for figure in drawn.values())


def test_they_are_saved_where_wanted(runs, tmp_path):
    figures.draw([dissection.read(runs[0])], ["distinct"], out=tmp_path, formats=["png"], dpi=50)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"distinct-{method}.{end}" for method in ("iou", "clip") for end in ("png", "csv")
    }


def test_unknown_kinds_are_refused(runs):
    with pytest.raises(ValueError, match="no figure is called 'pie'"):
        figures.draw(runs, ["pie"])


def test_the_package_is_light_until_it_draws():
    assert set(figures.__all__) == {"Options", "draw"}
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = figures.paint
