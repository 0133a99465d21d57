"""Compare a run of several ranks with a run of one, each rank of one thread, in turn.

Every round starts both as a user would, from the start of the program to its last file, and
compares the files. Prints one JSON object: `faster` is the median over the rounds of the wall time
of one rank divided by that of all, `images_faster` the same for the pass through the network
alone. What follows `--` are options of dissect.py.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from _full import compare
from _processes import finished, script

from broden.system.terminal import Parser, add_debug, positive, run
from dissection.results.folder import RunFolder

_ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--ranks", type=positive, default=2, metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, help="pairs of runs (default: %(default)s)"
    )
    parser.add_argument("options", nargs="*", help="of dissect.py, after --")
    add_debug(parser)
    return parser


def _commands(ranks: int, options: list[str], folder: Path) -> dict[str, list[str]]:
    """Return the command line of one rank and of several."""
    alone = script("dissect.py", *options, "--out", folder / "one")
    together = script("dissect.py", *options, "--out", folder / "several")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    return {"one": alone, "several": [together[0], *launch, *together[1:]]}


def _round(ranks: int, options: list[str]) -> dict:
    """Return what both took once."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        commands = _commands(ranks, options, folder)
        took = {which: finished(command, **_ONE_THREAD) for which, command in commands.items()}
        stages = {
            which: RunFolder(folder / which).completed()["times"]["seconds"] for which in commands
        }
        different = compare(folder / "one", folder / "several")
    return {
        "faster": round(took["one"].wall / took["several"].wall, 3),
        "images_faster": round(stages["one"]["images"] / stages["several"]["images"], 3),
        "seconds": {which: one.rounded() for which, one in took.items()},
        "stages": stages,
        "different": different,
    }


def _benchmark(args: argparse.Namespace) -> None:
    rounds = [_round(args.ranks, args.options) for _ in range(args.rounds)]
    report = {"ranks": args.ranks, "options": args.options}
    for name in ("faster", "images_faster"):
        report[name] = statistics.median(one[name] for one in rounds)
    print(json.dumps({**report, "rounds": rounds}, indent=1))
    if different := sorted({name for one in rounds for name in one["different"]}):
        raise RuntimeError(f"files of several ranks differ: {', '.join(different)}")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(_benchmark, _parser().parse_args(argv), expected=(RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
