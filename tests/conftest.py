"""What all tests may use."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest


def _heeds_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen]]:
    """Return what starts a process that the test need not end: it is killed if it still runs.

    It takes what `subprocess.Popen` takes. A test waits for what the process does or for its end,
    without a limit of its own: how fast a machine is, no test knows.
    """
    running: list[subprocess.Popen] = []

    def start(*args, **options) -> subprocess.Popen:
        if os.name == "posix":
            # a shell that starts the tests in the background has Ctrl-C ignored by all of them
            options.setdefault("preexec_fn", _heeds_ctrl_c)
        running.append(subprocess.Popen(*args, **options))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
