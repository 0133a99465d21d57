"""Several processes draw what one does, and what one of them fails at is drawn all the same."""

import pytest

from broden.system.files import file_digest
from figures import crew
from figures.api import drawable
from figures.crew import Task, save_all
from figures.options import Options
from figures.report.page import shown
from tests.dissection import labelled


@pytest.fixture
def task(tmp_path):
    results = [str(path) for path in labelled.published(tmp_path)]
    return Task(results, None, Options(), None, tmp_path / "out", ("svg",), 100, False, True)


def made(task, folder, helpers):
    task = task._replace(folder=folder)
    drawings = drawable(task.results, task.kinds, task.options, task.probe).drawings
    found = save_all(drawings, task, helpers)
    return found, {path.name: file_digest(path) for path in folder.iterdir()}


def test_processes_draw_what_one_does(task, tmp_path):
    alone, together = (made(task, tmp_path / str(n), n) for n in (0, 2))
    assert together == alone
    drawings = drawable(task.results, task.kinds, task.options, task.probe).drawings
    assert [one.title for one in together[0]] == [drawing.title for drawing in drawings]
    assert together[0][0] == shown(drawings[0])


def test_without_a_page_nothing_is_shown(task, tmp_path):
    assert made(task._replace(report=False), tmp_path / "out", 1)[0] == []


@pytest.mark.parametrize("what", ["ends", "sees other results", "cannot start"])
def test_what_a_process_leaves_is_drawn_here(what, task, tmp_path, monkeypatch):
    task = task._replace(kinds=("depth", "distinct"))
    alone = made(task, tmp_path / "alone", 0)
    if what == "ends":
        monkeypatch.setattr("figures.crew._send", lambda _, pipe: pipe.close())
    elif what == "cannot start":
        monkeypatch.setattr("broden.system.processes.sys.executable", "/nowhere/python")
    else:
        send = crew._send
        monkeypatch.setattr("figures.crew._send", lambda one, pipe: send(other(one), pipe))
    assert made(task, tmp_path / "together", 1) == alone


def other(sent):
    return sent._replace(kinds=("distinct",)) if isinstance(sent, Task) else sent


def test_a_failure_is_raised_whoever_draws(task):
    task.folder.mkdir()
    (task.folder / "depth.svg").mkdir()
    with pytest.raises(OSError, match=r"depth\.svg"):
        made(task, task.folder, 1)
