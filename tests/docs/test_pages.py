"""What README and docs name is there."""

import re
from importlib import import_module

import pytest

from figures.catalogue import FIGURES
from tests.docs.pages import README, ROOT, TEXTS, inline
from tests.test_structure import ORDER

each_page = pytest.mark.parametrize("name", TEXTS)


@each_page
def test_links_lead_somewhere(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", TEXTS[name]):
        if "://" not in target:
            path = page.parent / target
            assert path.exists() or path.with_suffix(".md").exists(), target


@each_page
def test_files_that_are_named_are_there(name):
    folders = "broden|dissection|docs|examples|figures|scripts|tests"
    for text in inline(TEXTS[name]):
        if re.fullmatch(rf"({folders})/[\w/.-]*\w", text):
            found = (ROOT / text).exists() or text.startswith(("docs/_build", "figures/"))
            assert found, text


@each_page
def test_names_of_python_are_there(name):
    for text in inline(TEXTS[name]):
        if re.fullmatch(r"(broden|dissection|figures)(\.\w+)+", text):
            assert there(text), text


def there(name):
    """Tell whether a dotted name is that of a module, or of something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_a_name_that_is_none_is_noticed():
    assert there("dissection.overlap.tally.Counts.intersection")
    assert not there("dissection.overlap.tally.Count")
    assert not there("dissection.tally.count")


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200


@each_page
def test_nothing_is_left_to_fill_in(name):
    assert not re.search(r"^[A-Z0-9]{4,}$|TODO|: [A-Z]+[0-9]*$", TEXTS[name], re.MULTILINE)


def test_every_room_is_in_the_picture_of_the_house():
    picture = TEXTS["CONTRIBUTING.md"].partition("## The house")[2].partition("An activation")[0]
    rooms = {name.split(".")[1] for name in ORDER if name.count(".")} - {"__main__"}
    missing = {room for room in rooms if not re.search(rf"\b{room}\b", picture)}
    assert not missing


def test_every_figure_is_described():
    text = TEXTS["docs/how-to/figures.md"]
    rows = "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == set(FIGURES)


def test_every_page_is_in_the_contents():
    contents = TEXTS["docs/index.md"]
    pages = {n.removeprefix("docs/").removesuffix(".md") for n in TEXTS if n.startswith("docs/")}
    pages |= {f"reference/{path.stem}" for path in (ROOT / "docs/reference").glob("*.rst")}
    listed = set(re.findall(r"^[\w/-]+$", contents, re.MULTILINE))
    assert pages - {"index"} == listed - {"reference/generated/commands"}
