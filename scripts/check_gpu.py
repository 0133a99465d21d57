"""Check the engine on this machine's GPU, in some minutes, and print one JSON object.

It runs the tests for a GPU, compares the results of the small networks with those of the CPU,
times whole runs against the bare forward pass, counts the calls that wait for the GPU, and says how
much of its memory was used. It works in a checkout that is not installed. Without a GPU it says so.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _parser() -> argparse.ArgumentParser:
    from broden.system.terminal import Parser, add_debug, positive

    parser = Parser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="cpu tries this script (default: cuda)")
    parser.add_argument(
        "--images",
        type=positive,
        default=20_000,
        metavar="N",
        help="drawn in memory for the timings (default: %(default)s)",
    )
    parser.add_argument(
        "--parts",
        type=lambda text: text.split(","),
        metavar="A,B",
        help="do these parts only (default: all, see the output)",
    )
    add_debug(parser)
    return parser


def _check(args: argparse.Namespace) -> int:
    import torch
    from checking.parts import checked

    from dissection.execution.ranks import local_device

    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        print("no GPU that torch can use: nothing checked")
        return 0
    report = checked(ROOT, local_device(args.device), args.images, args.parts)
    print(json.dumps(report, indent=1))
    return 1 if report["failed"] else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    from broden.system.terminal import run

    return run(_check, _parser().parse_args(argv), expected=(RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
