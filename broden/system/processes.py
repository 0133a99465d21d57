"""Processes of our own that share work.

They are started afresh, not forked or spawned: whoever asks for work may have threads, and a
program without a main guard.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["processors", "started"]

_PATIENCE = 10.0
"""Seconds a process has for cleaning up before it is killed."""


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def started(module: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours with pipes to and from it; however the block ends, it ends too.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                # of what it did not read
                pass
