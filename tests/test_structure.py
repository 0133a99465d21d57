"""Who may import whom: scripts -> pipeline -> numerics; the probe set knows nobody."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMERICS = {"quantile", "stencils", "tally", "iou", "assign"}
MODULES = [
    p for folder in ("broden", "dissection", "figures") for p in (ROOT / folder).rglob("*.py")
]


def imported(path: Path) -> set[str]:
    """Return the modules a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    forbidden = {
        "broden": {"dissection", "figures", "torch"},
        "dissection": {"figures", "matplotlib"},
        "figures": {"torch", "broden"},
    }
    assert not packages(path) & (forbidden[path.relative_to(ROOT).parts[0]] | {"scripts"})


@pytest.mark.parametrize("name", sorted(NUMERICS))
def test_numerics_know_only_numerics(name):
    own = {m for m in imported(ROOT / "dissection" / f"{name}.py") if m.startswith("dissection.")}
    assert {m.split(".")[1] for m in own} <= NUMERICS | {"config"}


def test_nothing_evaluates_strings_or_unpickles_freely():
    for path in [*MODULES, *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
