"""Files of a figure: the same bytes for the same input, and the table of what is shown."""

import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from figures import drawing
from figures.api import drawable
from figures.drawing import FORMATS, encoded, render, save
from figures.kinds import concepts, depth
from figures.options import Options
from figures.style import styled
from tests.dissection import labelled
from tests.figures.drawable import given, labelling

ROOT = Path(__file__).parents[2]
LABELS = {"l1": ["o car"] * 5 + ["t dots"] * 4, "l2": ["s sea"] * 6}

AGAIN = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from pathlib import Path
from test_drawing import drawn
from figures.drawing import save
save(drawn(), Path({out!r}))
"""


def drawn():
    one, other = labelling("one", LABELS), labelling("other", {"l1": ["o $cat_$"] * 4})
    return next(concepts.drawings(given(one, other), Options()))


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_the_same_input_gives_the_same_bytes_in_every_process(tmp_path):
    save(drawn(), tmp_path / "here")
    for seed in ("1", "2"):
        text = AGAIN.format(
            root=str(ROOT), here=str(ROOT / "tests/figures"), out=str(tmp_path / seed)
        )
        subprocess.run(
            [sys.executable, "-c", text], check=True, cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert digests(tmp_path / seed) == digests(tmp_path / "here")
    assert len(digests(tmp_path / "here")) == len(FORMATS) + 1


def test_the_csv_is_what_the_figure_shows(tmp_path):
    drawing = drawn()
    paths = save(drawing, tmp_path, ["svg"])
    assert [p.name for p in paths] == ["concepts-iou.csv", "concepts-iou.svg"]
    read_back = pd.read_csv(tmp_path / "concepts-iou.csv")
    pd.testing.assert_frame_equal(read_back, drawing.table, check_dtype=False)


def test_files_hold_no_time_and_no_version(tmp_path):
    save(drawn(), tmp_path)
    for form in FORMATS:
        data = (tmp_path / f"concepts-iou.{form}").read_bytes()
        assert b"CreationDate" not in data
        assert mpl.__version__.encode() not in data
        assert b"<dc:date>" not in data


def test_drawing_leaves_matplotlib_as_it_was(tmp_path):
    before = dict(mpl.rcParams)
    save(next(depth.drawings(given(labelling("one", LABELS)), Options())), tmp_path, ["png"])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["../../up", "a/b", "c d:e"])
def test_names_of_networks_cannot_lead_out_of_the_folder(tmp_path, name):
    drawing = drawn()._replace(name=name)
    for path in save(drawing, tmp_path / "in", ["svg"]):
        assert path.parent == tmp_path / "in"
        assert path.is_file()


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_a_figure_is_the_same_bytes_whatever_was_drawn_before(form, tmp_path):
    results = labelled.published(tmp_path)

    def drawn():
        with styled():
            return {one.name: encoded(render(one), form, 60) for one in drawable(results).drawings}

    first, again = drawn(), drawn()
    assert len(first) > 8
    assert [name for name in first if again[name] != first[name]] == []


def test_a_caption_of_wide_letters_stays_on_the_page():
    width, wide = 5.0, "network_WM " * 40
    with styled():
        lines = drawing._wrapped(wide, width)
        plain = "the units of a layer, in order. " * 10
        assert drawing._wrapped(plain, width) == textwrap.wrap(plain, int(width / 0.05))
        assert max(map(drawing._inches, lines)) <= width * 0.988
    assert " ".join(lines) == wide.strip()
    assert len(lines) > len(textwrap.wrap(wide, int(width / 0.05)))
