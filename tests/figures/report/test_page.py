"""The page holds all it needs, escapes what it is given, and is the same each time."""

import re
import shutil

import pandas as pd
import pytest

from figures import catalogue
from figures.drawing import Drawing
from figures.inputs import read
from figures.options import Options
from figures.report.page import write

EVIL = "<script>document.title='taken'</script>"


def drawn(inputs, kinds=("distinct", "agreement")):
    found = catalogue.drawings(inputs, Options(sheets=2), kinds)
    return [one for one in found if isinstance(one, Drawing)]


@pytest.fixture(scope="module")
def text(inputs, tmp_path_factory):
    path = write(inputs, drawn(inputs), tmp_path_factory.mktemp("report"))
    return path.read_text(encoding="utf-8")


def test_nothing_is_fetched_from_anywhere(text):
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert not re.search(r"url\(|@import|<link|<iframe", text)
    assert "default-src 'none'" in text


def test_the_card_and_the_definitions_are_there(text):
    assert "the (k+1)-th largest of a unit" in text
    assert "mini_objects: settings" in text
    assert "union" in text


def test_a_figure_is_an_image_with_its_title_and_caption(text, inputs):
    for drawing in drawn(inputs):
        assert drawing.title in text
        assert f'alt="{drawing.title}"' in text
        assert drawing.caption.split(".")[0] in text
    assert text.count("data:image/svg+xml;base64,") == len(drawn(inputs))


def test_the_same_input_gives_the_same_page(inputs, tmp_path):
    kinds = ("distinct", "sheet")
    pages = [write(inputs, drawn(inputs, kinds), tmp_path / name) for name in "ab"]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_labels_are_text_whatever_they_say(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs[0], folder)
    for name, column in (("units.csv", "label"), ("descriptions.csv", "description")):
        table = pd.read_csv(folder / name, keep_default_na=False)
        table.loc[3, column] = EVIL
        table.to_csv(folder / name, index=False)
    inputs = read([folder], lambda _: None)
    text = write(inputs, drawn(inputs), tmp_path / "out").read_text(encoding="utf-8")
    assert EVIL not in text
    assert text.count("<script") == 2
