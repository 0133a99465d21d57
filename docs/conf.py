"""How the documentation is built: Sphinx, with pages in Markdown and docstrings in numpydoc."""

import argparse
import configparser
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from docutils.nodes import Element
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

project = "Network Dissection"
author = "the authors of network-dissection"
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Which unit has learned which concept?",
    "page_width": "78rem",
    "body_max_width": "none",
    "code_font_size": "0.82em",
    "fixed_sidebar": True,
    "show_powered_by": False,
}
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["style.css"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
# members are listed where they are worth it; each has its docstring
numpydoc_show_class_members = False
# a name in single backticks leads to its entry where it has one
default_role = "py:obj"
# what a docstring calls by its full name is there; parameters and the like are just words
nitpicky = True
OURS = ("broden", "dissection", "figures")
nitpick_ignore_regex = [("py:obj", rf"(?!({'|'.join(OURS)})\.).*")]

#: Columns of a help text, whatever the terminal of the build.
WIDTH = 100


def _commands() -> Iterator[tuple[str, str]]:
    """Yield the commands that are installed, each with the module that holds its parser."""
    config = configparser.ConfigParser()
    config.read(HERE.parent / "setup.cfg", encoding="utf-8")
    for line in config["options.entry_points"]["console_scripts"].strip().splitlines():
        name, _, target = line.partition("=")
        yield name.strip(), target.partition(":")[0].strip()


def _helps(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a command and its subcommands, each with what --help prints."""
    parser.prog = name
    yield name, parser.format_help().rstrip()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, sub in action.choices.items():
                yield from _helps(sub, f"{name} {word}")


def _write_commands(_app: Sphinx) -> None:
    """Write the help of every command into the page that shows them."""
    os.environ["COLUMNS"] = str(WIDTH)
    parts = ["# Commands\n\nWhat each says with `--help`.\n"]
    for command, module in _commands():
        for name, text in _helps(import_module(module)._parser(), command):
            level = "##" if name == command else "###"
            parts.append(f"{level} {name}\n\n```text\n{text}\n```\n")
    page = HERE / "reference" / "generated" / "commands.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts), encoding="utf-8")


def _without_entry(_app: Sphinx, _env: object, node: Element, text: Element) -> Element | None:
    """Leave a name of ours that has no entry as it is written, if there is such a thing."""
    name = node.get("reftarget", "")
    return text if name.startswith(OURS) and _is_there(name) else None


def _is_there(name: str) -> bool:
    """Tell whether a dotted name is that of a module or of something in one."""
    module, _, inside = name.rpartition(".")
    try:
        return hasattr(import_module(module), inside) or bool(import_module(name))
    except ImportError:
        return False


def setup(app: Sphinx) -> None:
    """Generate what is generated before pages are read."""
    app.connect("builder-inited", _write_commands)
    app.connect("missing-reference", _without_entry)
