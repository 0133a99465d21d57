"""The parts of the check, one after another, whichever of them fail."""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from broden.system.processes import processors
from checking.comparing import IMAGES, compared
from checking.timing import NETWORKS, against_bare, synchronisations

__all__ = ["checked"]

LIMIT = 200
"""Seconds after which no further part begins."""

_TESTS_LIMIT = 90
_PROFILED = 512


def checked(
    root: Path, device: torch.device, images: int, only: Sequence[str] | None = None
) -> dict:
    """Return what every part found; those that failed are named under ``failed``.

    Parameters
    ----------
    root : Path
        The checkout.
    device : torch.device
        Where to compute.
    images : int
        Of the timings.
    only : sequence of str, optional
        The parts to do.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    parts = _parts(root, device, images)
    for name in only or ():
        if name not in parts:
            raise ValueError(f"there is no part {name!r}; one of {', '.join(parts)}")
    report: dict = {
        "card": torch.cuda.get_device_name(device) if device.type == "cuda" else "none (cpu)",
        "torch": torch.__version__,
        "cores": processors(),
    }
    started, failed = time.monotonic(), []
    for name in only or parts:
        begun = time.monotonic()
        if begun - started > LIMIT:
            report[name] = {"left out": f"{LIMIT} s are over; ask for it with --parts {name}"}
            continue
        _say(f"{name} ...")
        report[name] = _guarded(parts[name])
        report[name]["part_seconds"] = round(time.monotonic() - begun, 1)
        if "error" in report[name]:
            failed.append(name)
        # whoever ends this early has what was found so far
        _say(f"{name}: {json.dumps(report[name])}")
    return report | {"seconds": round(time.monotonic() - started, 1), "failed": failed}


def _parts(root: Path, device: torch.device, images: int) -> dict[str, Callable[[], dict]]:
    benchmarks = {
        name: partial(against_bare, case, device, images) for name, case in NETWORKS.items()
    }
    resnet = NETWORKS["resnet18"]
    return {
        "tests": partial(_tests, root),
        "comparison": partial(compared, device, min(IMAGES, images)),
        "synchronisations": partial(synchronisations, root, device, min(_PROFILED, images)),
        **benchmarks,
        "resnet18_jpeg": partial(against_bare, resnet, device, images, jpeg=True),
    }


def _guarded(part: Callable[[], dict]) -> dict:
    """Return what a part found, or in one line why it failed and where."""
    try:
        return part()
    except Exception as error:
        calls = [
            f"{Path(frame.filename).name}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        text = " ".join(str(error).split())[:1000]
        return {"error": f"{type(error).__name__}: {text} ({calls[-1]})", "calls": calls[-8:]}


def _tests(root: Path) -> dict:
    """Run the tests that need a GPU, those files alone that have some."""
    marked = [
        str(path.relative_to(root))
        for path in sorted((root / "tests").rglob("test_*.py"))
        if "@pytest.mark.gpu" in path.read_text()
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *marked]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "scripts")])}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=_TESTS_LIMIT
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        raise RuntimeError(" | ".join([*lines[-12:], *done.stderr.strip().splitlines()[-3:]]))
    return {"files": marked, "outcome": lines[-1] if lines else ""}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
