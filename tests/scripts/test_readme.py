"""What README and docs show is what the project has: commands, links, Python, make targets."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from broden import mini

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "how-to").glob("*.md"))
TEXTS = [page.read_text() for page in PAGES]
COMMANDS = {
    "dissect": "dissection.commands.dissect",
    "dissect-probe": "broden.command",
    "dissect-compare": "dissection.commands.compare",
    "dissect-figures": "figures.command",
}


def shown():
    """Return every line of a page that calls a command of ours."""
    calls = r"(?:python scripts/\w+\.py|dissect(?:-probe|-compare|-figures)?(?= |$)).*"
    return sorted(
        {line for p in PAGES for line in re.findall(rf"^ {{4}}({calls})$", p.read_text(), re.M)}
    )


def parser(call):
    """Return the parser of a command, and what it is given."""
    words = shlex.split(call, comments=True)
    if words[0] != "python":
        return import_module(COMMANDS[words[0]])._parser(), words[1:]
    main = import_module(Path(words[1]).stem).main
    return sys.modules[main.__module__]._parser(), words[2:]


@pytest.mark.parametrize("call", shown())
def test_commands_parse(call):
    made, options = parser(call)
    made.parse_args(options)


def test_there_are_commands():
    assert len(shown()) > 25
    assert {call.split()[0] for call in shown()} >= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in re.findall(
        r"`((?:broden|dissection|figures|scripts|tests)/[\w/]+\.py)`", page.read_text()
    ):
        assert (ROOT / name).is_file(), name


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = {
        target for page in PAGES for target in re.findall(r"`?make ([\w-]+)", page.read_text())
    }
    wanted = named & {"demo", "test", "lint", "docs", "dist", "test-floors", "gallery"}
    assert {"demo", "test", "docs"} <= wanted
    for target in wanted:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_readme_is_short():
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_fill_in(page):
    assert not re.search(r"^[A-Z0-9]{4,}$|TODO|: [A-Z]+[0-9]*$", page.read_text(), re.MULTILINE)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """On fewer images than it shows."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    probe = tmp_path / "small.h5"
    mini.build(probe, 48, seed=9)
    small = (
        "import broden.mini.probe as made\n"
        f"made.default_probe = lambda progress=True: {str(probe)!r}\n"
    )
    check = "\nassert set(drawn) == {'distinct-iou'}, set(drawn)"
    done = subprocess.run(
        [sys.executable, "-c", small + code + check],
        cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
