"""Draw the figures of a command in several processes, each of which reads the results itself.

Drawings cannot be sent, being functions over what was read. What a process does not do, for
whatever reason, is drawn here: so a failure is the same with one process and with many.
"""

import pickle
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Queue
from subprocess import Popen
from threading import Thread
from typing import IO, NamedTuple, cast

from broden.system.processes import processors, started
from broden.system.progress import advancing
from figures.api import drawable
from figures.drawing import Drawing, save
from figures.options import Options
from figures.report.page import Shown, shown

__all__ = ["Task", "save_all"]

_WORTHWHILE = 8
"""Below this many figures a process, reading the results again takes longer than it saves."""

_MOST = 3
"""Processes beside this one; each holds the photographs of the sheets."""


class Task(NamedTuple):
    """What is read, and how figures are saved."""

    results: Sequence[str]
    kinds: Sequence[str] | None
    options: Options
    probe: str | None
    folder: Path
    formats: Sequence[str]
    dpi: int
    spreadsheet: bool
    report: bool
    """Whether the page shows the figures too."""


def save_all(drawings: Sequence[Drawing], task: Task, helpers: int | None = None) -> list[Shown]:
    """Save figures, with a bar of how far it is.

    Parameters
    ----------
    drawings : sequence of Drawing
        All that can be drawn of the task.
    task : Task
        What and how.
    helpers : int, optional
        Processes beside this one; by default one less than there are processors, if that is
        worthwhile.

    Returns
    -------
    list of Shown
        The figures as the page shows them, in order; empty if there is none.

    Raises
    ------
    OSError, ValueError
        As `figures.drawing.save`.
    """
    if helpers is None:
        helpers = min(_MOST, processors() - 1, len(drawings) // _WORTHWHILE)
    made: dict[int, Shown | None] = {}
    todo, done = deque(range(len(drawings))), Queue[int]()
    with ExitStack() as stack:
        for _ in range(helpers):
            with suppress(OSError):
                process = stack.enter_context(started("figures.crew"))
                names = [drawing.name for drawing in drawings]
                Thread(target=_lead, args=(process, task, names, todo, made, done)).start()
        with advancing("figures", len(drawings), 0, True, unit="figure") as advance:
            while len(made) < len(drawings):
                before = len(made)
                try:
                    index = todo.popleft()
                except IndexError:
                    # all are under way elsewhere
                    done.get()
                else:
                    made[index] = _save(drawings[index], task)
                advance(len(made) - before)
    return [one for _, one in sorted(made.items()) if one is not None]


def _lead(
    process: Popen,
    task: Task,
    names: list[str],
    todo: deque[int],
    made: dict[int, Shown | None],
    done: Queue[int],
) -> None:
    """Have a process draw figures until none is left or it ends."""
    index, said = None, cast(IO[bytes], process.stdout)
    try:
        _send(task, process.stdin)
        # what lies in a folder may have changed since it was read here
        if pickle.load(said) != names:
            return
        while True:
            index = todo.popleft()
            _send(index, process.stdin)
            made[index] = pickle.load(said)
            done.put(index)
            index = None
    except Exception:
        # none is left, or it ended; whatever else it was, the figure is not drawn yet
        if index is not None:
            todo.append(index)
            done.put(index)


def _send(something: object, pipe) -> None:
    pickle.dump(something, pipe)
    pipe.flush()


def _save(drawing: Drawing, task: Task) -> Shown | None:
    save(drawing, task.folder, task.formats, task.dpi, task.spreadsheet)
    return shown(drawing) if task.report else None


def _help() -> None:
    """Be a process beside another: save the figures whose numbers come in."""
    # what is half written is deleted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pipe, sys.stdout = sys.stdout.buffer, sys.stderr
    with suppress(Exception, KeyboardInterrupt):
        task = pickle.load(sys.stdin.buffer)
        drawings = drawable(task.results, task.kinds, task.options, task.probe).drawings
        _send([drawing.name for drawing in drawings], pipe)
        while True:
            _send(_save(drawings[pickle.load(sys.stdin.buffer)], task), pipe)


if __name__ == "__main__":
    _help()
