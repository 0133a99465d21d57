"""Who may import whom: the order of the house, stated once."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("broden", "dissection", "figures")

#: Rooms from the ground up: what is in one may import what is in those before it, and no other. A
#: module is in the last room that its name begins with.
ORDER = (
    # the probe set
    "broden.system",
    "broden.defaults",
    "broden",
    "broden.inspection",
    "broden.sources",
    "broden.mini.vocabulary",
    "broden.mini.scenes",
    "broden.mini.drawing",
    "broden.mini.things",
    "broden.mini",
    "broden.command",
    "broden.__main__",
    # the engine, in the order of the flow
    "dissection.config",
    "dissection.statistics",
    "dissection.networks.weights",
    "dissection.networks",
    "dissection.networks.sources",
    "dissection.networks.loading",
    "dissection.activations",
    "dissection.execution",
    "dissection.results",
    "dissection.labeler",
    "dissection.overlap",
    "dissection.clip",
    "dissection.labelers",
    "dissection.comparison",
    "dissection.crosscheck",
    "dissection.comparing",
    "dissection.pipeline",
    "dissection.tables",
    "dissection.api",
    "dissection.summary",
    "dissection.commands",
    "dissection.__main__",
    "dissection",
    # the drawing
    "figures",
    "figures.kinds",
    "figures.catalogue",
    "figures.report",
    "figures.api",
    "figures.crew",
    "figures.command",
    "figures.__main__",
)
#: Rooms that know nothing of each other although one stands above the other.
APART = (
    ("dissection.overlap", "dissection.clip"),
    ("dissection.comparison", "dissection.crosscheck"),
    ("dissection.networks", "dissection.statistics"),
    ("broden.sources", "broden.inspection"),
)
#: What only some may import: the probe set's own packages need no torch, figures are drawn from
#: tables, and nothing that computes draws.
LIBRARIES = {
    "broden": {"torch", "dissection", "figures", "scripts"},
    "dissection": {"matplotlib", "figures", "scripts"},
    "figures": {"torch", "scripts"},
}
#: Pure numerics: they know each other, and of the rest only `dissection.config`.
NUMERICS = {
    "dissection.activations.cells",
    "dissection.activations.quantile",
    "dissection.activations.ranking",
    "dissection.activations.sampling",
    "dissection.activations.top",
    "dissection.overlap.stencils",
    "dissection.overlap.tally",
    "dissection.overlap.iou",
    "dissection.overlap.assign",
    "dissection.activations.rotation",
    "dissection.overlap.validity.levels",
    "dissection.overlap.validity.numbers",
    "dissection.statistics.bootstrap",
    "dissection.statistics.chance",
    "dissection.statistics.counted",
    "dissection.statistics.discoveries",
    "dissection.statistics.jackknife",
    "dissection.statistics.pairing",
    "dissection.statistics.retrieval",
}
MOST_MODULES = 14
#: One thing a module; there are as many as there are things.
FULL_ROOMS = {"broden.mini.things"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the modules a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys() or {node.module}
    return found


def room(name: str) -> str:
    """Return the room of a module."""
    return max((r for r in ORDER if f"{name}.".startswith(f"{r}.")), key=len)


ARROWS = sorted(
    (name, other) for name, path in MODULES.items() for other in imported(path) & MODULES.keys()
)


@pytest.mark.parametrize("name", sorted({room(name) for name in MODULES}))
def test_no_arrow_points_up(name):
    up = [
        f"{source} imports {target}"
        for source, target in ARROWS
        if room(source) == name and ORDER.index(room(target)) > ORDER.index(name)
    ]
    assert not up


@pytest.mark.parametrize(("one", "other"), APART)
def test_rooms_apart_know_nothing_of_each_other(one, other):
    met = [arrow for arrow in ARROWS if {room(part) for part in arrow} == {one, other}]
    assert not met


def test_there_is_no_circle():
    left = set(MODULES)
    below = {name: {target for source, target in ARROWS if source == name} for name in MODULES}
    while free := {name for name in left if not below[name] & left - {name}}:
        left -= free
    assert not left


def test_every_room_is_there():
    wanted = {name for name in ORDER if name not in PACKAGES}
    missing = [n for n in wanted if n not in MODULES and not any(m.startswith(n) for m in MODULES)]
    assert not missing


@pytest.mark.parametrize("name", sorted(MODULES))
def test_packages_keep_to_their_libraries(name):
    used = {other.split(".")[0] for other in imported(MODULES[name])}
    assert not used & LIBRARIES[name.split(".")[0]]


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("figures.kinds.")))
def test_a_figure_is_drawn_from_tables(name):
    assert "broden" not in {other.split(".")[0] for other in imported(MODULES[name])}


@pytest.mark.parametrize("name", sorted(NUMERICS))
def test_numerics_know_only_numerics(name):
    own = imported(MODULES[name]) & MODULES.keys()
    assert own <= NUMERICS | {"dissection.config"}


def test_the_engine_knows_no_labeler():
    engine = ("dissection.networks", "dissection.activations", "dissection.execution")
    used = {target for source, target in ARROWS if room(source) in engine}
    assert not {room(name) for name in used} & {"dissection.overlap", "dissection.clip"}


def test_folders_stay_small():
    folders = {path.parent for path in MODULES.values()}
    sizes = {name_of(f / "__init__.py"): len([*f.glob("[!_]*.py")]) for f in folders}
    full = {name: size for name, size in sizes.items() if size > MOST_MODULES}
    assert full.keys() <= FULL_ROOMS


@pytest.mark.parametrize("path", [*MODULES.values(), *SCRIPTS], ids=lambda path: path.stem)
def test_modules_stay_short(path):
    assert len(path.read_text().splitlines()) <= 300


def test_nothing_evaluates_strings_or_unpickles_freely():
    for path in [*MODULES.values(), *SCRIPTS]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path


def test_one_module_spells_the_files_of_a_run():
    names = ("units.csv", "scores.h5", "clip.h5", "descriptions.csv", "concepts.csv", "run.json")
    spelt = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names:
                spelt.append(module)
    assert set(spelt) == {"dissection.results.schema"}
