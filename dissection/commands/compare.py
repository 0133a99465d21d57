"""Compare results: the labels of two methods with each other, or networks with each other.

Give run directories, their tables, or published NetDissect and CLIP-Dissect files. Labels by IoU
and by CLIP of the same network and layers are cross-checked, each measure against shuffled units;
several networks labelled by one method are set side by side. Both are done where both can be, and
of a network alone its own concepts and detectors are counted.
"""

import argparse
import sys
from pathlib import Path

from broden.system.terminal import add_debug, natural, positive, run

DEFAULT_ENCODER = "mini"
NO_ENCODER = "none"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results",
        nargs="+",
        metavar="RUN_OR_CSV",
        help="a run directory, units.csv, descriptions.csv, netdissect-NETWORK-LAYER.csv or "
        "clip_dissect-NETWORK[-LAYER].csv",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="where the tables go")
    networks = parser.add_argument_group("comparison of networks")
    networks.add_argument(
        "--more-than",
        type=natural,
        default=3,
        metavar="N",
        help="table of the concepts that more units carry (default: %(default)s)",
    )
    check = parser.add_argument_group("cross-check of methods")
    check.add_argument(
        "--encoder",
        metavar="NAME",
        help="CLIP whose text space compares meanings: mini, ARCHITECTURE:TAG of open_clip, "
        "local-dir:PATH, or "
        f"{NO_ENCODER} (default: {DEFAULT_ENCODER})",
    )
    check.add_argument(
        "--probe",
        metavar="FILE",
        help="probe set whose synonyms count as the same name; `mini` for the embedded one",
    )
    check.add_argument(
        "--permutations",
        type=positive,
        default=1000,
        metavar="N",
        help="shuffles of the units that tell what chance gives (default: %(default)s)",
    )
    check.add_argument("--seed", type=natural, default=0, help="(default: %(default)s)")
    add_debug(parser)
    return parser


def _compare(args: argparse.Namespace) -> None:
    from dissection.results.reading import read_all

    labellings = read_all(args.results)
    by_method = {
        method: [part for part in labellings if part.method == method] for method in ("iou", "clip")
    }
    pairs = _pairs(by_method["iou"], by_method["clip"])
    several = [parts for parts in by_method.values() if len(parts) > 1]
    if pairs:
        _crosscheck(args, pairs)
    if several:
        _side_by_side(args, several)
    for parts in by_method.values():
        if len(parts) == 1:
            _alone(args, parts[0])
    print(f"\nresults: {args.out}")


def _pairs(ours: list, theirs: list) -> list[tuple]:
    """Return the labellings by IoU and by CLIP that belong together."""
    from dissection.crosscheck.check import matched, pairs

    found = pairs(ours, theirs)
    if not found and ours and theirs:
        # says why, unless the inputs are a comparison of networks all the same
        try:
            matched(ours[0], theirs[0])
        except ValueError as error:
            if max(len(ours), len(theirs)) == 1:
                raise
            print(f"no cross-check: {error}", file=sys.stderr)
    for pair in found:
        matched(*pair)
    return found


def _crosscheck(args: argparse.Namespace, pairs: list[tuple]) -> None:
    from broden.system.files import file_name
    from dissection.crosscheck.check import crosscheck
    from dissection.crosscheck.findings import write
    from dissection.crosscheck.summary import summary

    options = {
        "embedders": _embedders(args.encoder),
        "synonyms": _synonyms(args.probe),
        "permutations": args.permutations,
        "seed": args.seed,
    }
    for number, (iou, clip) in enumerate(pairs, 1):
        result = crosscheck(iou, clip, **options)
        folder = Path(args.out)
        if len(pairs) > 1:
            folder /= file_name(f"crosscheck-{number}-{iou.name}")
        for note in result.settings["notes"]:
            print(note, file=sys.stderr)
        write(result, folder)
        print(summary(result))


def _embedders(name: str | None) -> dict:
    """Return the spaces of meaning that are installed; say which are not."""
    from dissection.crosscheck.meaning import SENTENCES, clip_space, sentence_space

    if name == NO_ENCODER:
        return {}
    spaces = {}
    wanted = name or DEFAULT_ENCODER
    for space, make, needed in (
        (f"clip:{Path(wanted).name}", lambda: clip_space(wanted), name is not None),
        (SENTENCES, sentence_space, False),
    ):
        try:
            spaces[space] = make()
        except (ImportError, FileNotFoundError) as error:
            if needed:
                raise
            print(f"no cosines of {space}: {error}", file=sys.stderr)
    return spaces


def _synonyms(probe: str | None) -> dict[str, frozenset[str]]:
    if probe is None:
        return {}
    from broden.mini import default_probe
    from broden.reader import ProbeSet
    from dissection.crosscheck.naming import synonyms_of

    path = default_probe(progress=True) if probe == "mini" else Path(probe)
    with ProbeSet(path) as opened:
        return synonyms_of(opened.labels)


def _side_by_side(args: argparse.Namespace, several: list[list]) -> None:
    from dissection.comparison.findings import summary, write
    from dissection.comparison.side_by_side import compare

    for labellings in several:
        found = compare(labellings, args.more_than)
        write(found, args.out)
        print(summary(found))


def _alone(args: argparse.Namespace, labelling) -> None:
    from dissection.comparison.findings import counts, write_counts

    write_counts(labelling, args.out)
    print(f"\n{counts(labelling)}")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    # What torch and open_clip raise for reasons that users can mend
    return run(_compare, args, expected=(RuntimeError,), interrupted="interrupted")
