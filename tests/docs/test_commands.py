"""The commands that README and docs show are those the project has."""

import configparser
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, TEXTS, inline, shown

CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg", encoding="utf-8")
POINTS = CONFIG["options.entry_points"]["console_scripts"].split("\n")
INSTALLED = {
    name.strip(): target.strip().removesuffix(":main")
    for name, _, target in (point.partition("=") for point in POINTS if point)
}
CALL = re.compile(r"(python scripts/\w+\.py|python -m \w+|torchrun|dissect(-\w+)?)( |$)")
TARGETS = "demo test lint docs dist test-floors gallery".split()

CALLS = sorted(
    {line for text in TEXTS.values() for line in shown(text) if CALL.match(line)}
    | {code for text in TEXTS.values() for code in inline(text) if CALL.match(code)}
)


def parser(call):
    """Return the parser of a command, and what it is given."""
    words = shlex.split(call, comments=True)
    if words[0] == "torchrun":
        words = ["python", *words[words.index("-m") :]]
    if words[0] != "python":
        return import_module(INSTALLED[words[0]])._parser(), words[1:]
    if words[1] == "-m":
        main = import_module(f"{words[2]}.__main__").main
        return sys.modules[main.__module__]._parser(), words[3:]
    main = import_module(Path(words[1]).stem).main
    return sys.modules[main.__module__]._parser(), words[2:]


@pytest.mark.parametrize("call", CALLS)
def test_commands_parse(call):
    made, options = parser(call)
    if options[1:] or call.startswith("torchrun"):
        made.parse_args(options)
        return
    # named without what it needs
    with pytest.raises(SystemExit) as ended:
        made.parse_args([*options, "--help"])
    assert ended.value.code == 0


def test_a_command_that_is_none_does_not_parse():
    made, options = parser("dissect --methods iou")
    with pytest.raises(SystemExit):
        made.parse_args(options)


def test_there_are_commands():
    assert len(CALLS) > 35
    assert {call.split()[0] for call in CALLS} >= {*INSTALLED, "torchrun", "python"}


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    lines = {line for text in TEXTS.values() for line in (*shown(text), *inline(text))}
    named = {found[1] for line in lines if (found := re.match(r"make ([\w-]+)", line))}
    assert set(TARGETS) <= named
    assert named <= made


def test_extras_exist():
    have = CONFIG["options.extras_require"].keys()
    lines = {line for text in TEXTS.values() for line in (*shown(text), *inline(text))}
    named = {found[1] for line in lines if (found := re.match(r"pip install '\.\[(\w+)\]'", line))}
    assert {"clip", "completion"} <= named <= have
    table = re.findall(r"^\| `(\w+)` \|", TEXTS["docs/getting-started.md"], re.MULTILINE)
    assert set(table) & have == set(have) - {"test", "lint", "docs"}
