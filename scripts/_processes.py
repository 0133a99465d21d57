"""Commands of this repository in processes of their own, and what they took."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from _took import Took

ROOT = Path(__file__).parents[1]


def script(name: str, *options: object) -> list[str]:
    """Return the command line of a script beside this one."""
    return [sys.executable, str(ROOT / "scripts" / name), *map(str, options)]


def start(command: Sequence[str], **added: str) -> subprocess.Popen:
    """Start a command with variables added to its environment; its messages are shown.

    Results are printed as one JSON object, so what the command prints itself is not.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment: Mapping[str, str] = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | added
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)


def finished(command: Sequence[str], **added: str) -> Took:
    """Run a command to its end and return what it and the processes it waited for took.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    began = time.perf_counter()
    process = start(command, **added)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    # it has been waited for, which the object cannot know
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"ended with status {process.returncode}: {' '.join(command)}")
    return Took(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)
