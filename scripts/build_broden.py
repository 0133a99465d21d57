"""Make, inspect and check probe sets (probe.h5) from the original Broden layout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _cli import add_debug, run


def _convert(args: argparse.Namespace) -> None:
    from broden.convert import convert

    done = convert(args.source, args.target, skip_bad=args.skip_bad, progress=True)
    for name in done.ignored:
        print(f"note: column {name!r} of index.csv is no category; ignored", file=sys.stderr)
    for skipped in done.skipped:
        print(f"left out: line {skipped.row}: {skipped.image}: {skipped.reason}", file=sys.stderr)
    print(f"{args.target}: {done.images} images, digest {done.digest[:16]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, body, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(body=body)
        add_debug(sub)
        return sub

    sub = command("convert", _convert, "turn a folder or zip in the original layout into a file")
    sub.add_argument("source", type=Path, help="the unpacked folder, or the zip as published")
    sub.add_argument("target", type=Path, help="the probe file to write")
    sub.add_argument("--skip-bad", action="store_true", help="leave bad rows out and record them")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(args.body, args)


if __name__ == "__main__":
    sys.exit(main())
