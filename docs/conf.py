"""How the documentation is built: Sphinx, with pages in Markdown and docstrings in numpydoc."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

project = "Network Dissection"
author = "the authors of network-dissection"
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Which unit has learned which concept?", "page_width": "70em"}
html_static_path: list[str] = []
default_role = "code"
myst_heading_anchors = 3
add_module_names = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
# members are listed where they are worth it; each has its docstring
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

#: The commands, each with the module that holds its parser.
COMMANDS = {
    "dissect": "dissection.commands.dissect",
    "dissect-probe": "broden.command",
    "dissect-compare": "dissection.commands.compare",
    "dissect-figures": "figures.command",
}


def _write_commands(_app: object) -> None:
    """Write the help of every command into the page that shows them."""
    parts = ["# Commands\n\nWhat each says with `--help`.\n"]
    for name, module in COMMANDS.items():
        parser = import_module(module)._parser()
        parser.prog = name
        parts.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    page = Path(__file__).parent / "reference" / "generated" / "commands.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts), encoding="utf-8")


def setup(app) -> None:
    """Generate what is generated before pages are read."""
    app.connect("builder-inited", _write_commands)
