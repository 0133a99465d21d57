"""Compare results: the labels of two methods with each other, or networks with each other.

Give run directories, their tables, or published NetDissect and CLIP-Dissect files. Labels by IoU
and by CLIP of the same network and layers are cross-checked, each measure against shuffled units;
several networks labelled by one method are set side by side. Both are done where both can be, and
of a network alone its own concepts and detectors are counted. By how many detectors networks and
layers differ is said beside what resampled images and rotated bases give, where runs stored that.
Where runs differ in probe set or settings, that is said first.
"""

import argparse
import sys

from broden.system.terminal import Parser, add_debug, natural, positive, run
from dissection.commands.results import add_results, add_spreadsheet


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_results(parser, "+")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the tables go")
    add_spreadsheet(parser)
    parser.add_argument(
        "--tables",
        type=lambda text: text.split(","),
        default=[],
        metavar="FORMATS",
        help="write the tables of networks as latex, markdown or parquet too, several joined by "
        "commas; parquet needs the extra of that name",
    )
    networks = parser.add_argument_group("comparison of networks")
    networks.add_argument(
        "--more-than",
        type=natural,
        default=3,
        metavar="N",
        help="list concepts that more than N units carry in a table of their own "
        "(default: %(default)s)",
    )
    networks.add_argument(
        "--published",
        metavar="TABLE",
        help="set the counts of each network beside published ones of the same name: cvpr2017, the "
        "27 networks of the paper's release; NAME=RUN says which network a run is",
    )
    check = parser.add_argument_group("cross-check of methods")
    check.add_argument(
        "--encoder",
        metavar="NAME",
        help="CLIP whose text space compares meanings: mini, ARCHITECTURE:TAG of open_clip, "
        "local-dir:PATH, or none (default: mini)",
    )
    check.add_argument(
        "--probe",
        metavar="FILE",
        help="probe set whose synonyms count as the same name: a probe file, or `mini`",
    )
    check.add_argument(
        "--permutations",
        type=positive,
        default=1000,
        metavar="N",
        help="shuffles of the units that tell what chance gives (default: %(default)s)",
    )
    check.add_argument(
        "--seed", type=natural, default=0, help="of these shuffles (default: %(default)s)"
    )
    add_debug(parser)
    return parser


def _compare(args: argparse.Namespace) -> None:
    from dissection.comparing import compare
    from dissection.results.formats import check

    check(args.tables)

    found = compare(
        args.results,
        more_than=args.more_than,
        encoder=args.encoder,
        probe=args.probe,
        permutations=args.permutations,
        seed=args.seed,
        published=args.published,
    )
    for note in found.notes:
        print(note, file=sys.stderr)
    found.write(args.out, spreadsheet=args.spreadsheet, formats=args.tables)
    print(found.summary())
    print(f"\nresults: {args.out}")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    # What torch and open_clip raise for reasons that users can mend
    return run(_compare, args, expected=(RuntimeError,), interrupted="interrupted")
