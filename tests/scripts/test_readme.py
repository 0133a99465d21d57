"""Every command that the README shows is one the project has."""

import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
SCRIPTS = re.findall(r"python (scripts/\w+\.py[^\n`]*)", TEXT)
TARGETS = re.findall(r"make (\w+)", TEXT)


@pytest.mark.parametrize("line", sorted(set(SCRIPTS)))
def test_commands_parse(line):
    script, *options = shlex.split(line)
    main = import_module(Path(script).stem).main
    sys.modules[main.__module__]._parser().parse_args(options)


def test_there_are_commands():
    assert len(SCRIPTS) > 8


@pytest.mark.parametrize("target", sorted(set(TARGETS) & {"demo", "test", "lint"}))
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"^[A-Z0-9]{4,}$|TODO|: [A-Z]+[0-9]*$", TEXT, re.MULTILINE)
