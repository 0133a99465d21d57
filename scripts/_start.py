"""What the first use of the command takes, step by step, each in a process of its own."""

import argparse
import sys
import tempfile
from pathlib import Path

from _processes import finished, script

_RENDER = "from broden.mini import default_probe; default_probe(progress=False)"


def measure(args: argparse.Namespace) -> dict:
    """Return the seconds of every step.

    The user's cache is an empty folder, so that the generated probe set is drawn and the fonts of
    the figures are listed anew. `--images` shortens the run; the set that is drawn is always whole.

    Parameters
    ----------
    args : argparse.Namespace
        ``images`` or None for all.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        cache = {"XDG_CACHE_HOME": str(folder / "cache")}
        run = str(folder / "run")
        limit = [] if args.images is None else ["--limit", args.images]
        steps = {
            "help": script("dissect.py", "--help"),
            "rendering": [sys.executable, "-c", _RENDER],
            "run": script("dissect.py", *limit, "--out", run),
            "figures": script("make_figures.py", run, "--out", folder / "figures"),
            "figures_and_report": script(
                "make_figures.py", run, "--out", folder / "report", "--report"
            ),
        }
        took = {step: finished(command, **cache).rounded() for step, command in steps.items()}
    return {"images": args.images, "seconds": took}
