"""The example runs, as a script and as a notebook, and the two are the same."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = ("mini_scenes", "mini_objects")


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_notebook_and_script_are_the_same():
    script = jupytext.read(EXAMPLES / "report.py")
    assert cells(script) == cells(nbformat.read(EXAMPLES / "report.ipynb", as_version=4))
    assert len(script.cells) > 12


def test_the_notebook_holds_what_it_printed():
    notebook = nbformat.read(EXAMPLES / "report.ipynb", as_version=4)
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", ()))
    assert "units are detectors, of" in text
    assert "only mini_objects detects" in text


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run the script in an empty directory and return it with what was printed."""
    folder = tmp_path_factory.mktemp("example")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "report.py")],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return folder, done.stdout


@pytest.mark.slow
def test_statements_of_the_script_are_those_of_the_tables(ran):
    folder, text = ran
    have = {}
    for name in NETWORKS:
        units = pd.read_csv(folder / "results/example" / name / "units.csv")
        found = units[units["detector"]]
        have[name] = set(found["label"])
        assert f"{name}: {len(found)} of {len(units)} units are detectors, of " in text
        assert f"of {found['label'].nunique()} concepts" in text
    both = set.intersection(*have.values())
    assert f"detected by both: {len(both)}: {', '.join(sorted(both))}" in text
    for name, other in (NETWORKS, NETWORKS[::-1]):
        assert f"only {name} detects {len(have[name] - have[other])}: " in text
    assert (folder / "results/example/figures/distinct-iou.png").is_file()


def test_units_of_a_concept_are_all_that_carry_it(ran):
    folder, text = ran
    counts = {}
    for name in NETWORKS:
        units = pd.read_csv(folder / "results/example" / name / "units.csv")
        counts[name] = units.groupby(["layer", "label"]).size()
    for place in set(counts["mini_scenes"].index) | set(counts["mini_objects"].index):
        row = [counts[name].get(place, 0) for name in NETWORKS]
        shown = re.search(rf"\b{re.escape(place[1])}  +{row[0]}  +{row[1]}\n", text)
        assert shown or max(row) <= 3, place


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.slow
def test_the_notebook_says_what_the_script_says(ran):
    folder, text = ran
    shutil.copy(EXAMPLES / "report.ipynb", folder)
    notebook = nbformat.read(folder / "report.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    said = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
    ]
    assert "".join(said) == text
