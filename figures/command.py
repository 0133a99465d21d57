"""Draw the figures of a report from results: PNG, SVG and PDF, each with the CSV of what it shows.

Give run directories, their tables, or published NetDissect and CLIP-Dissect files, in any mixture.
Networks labelled by one method are set side by side. Figures that need what a file lacks are left
out with a line that says so. With --report also report/index.html, a page of everything with a
browser of all units, which opens without a network.
"""

import argparse
import sys
from pathlib import Path

from broden.system.terminal import Parser, add_debug, natural, positive, run
from dissection.commands.results import add_results, add_spreadsheet

FORMATS = ("png", "svg", "pdf")
_REPORT = "report"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_results(parser, "*")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="where the figures go (default: figures/ in the first run directory, or beside the "
        "first table)",
    )
    parser.add_argument(
        "--report", action="store_true", help="write report/index.html in that directory too"
    )
    parser.add_argument(
        "--only", metavar="KIND,...", help="draw these kinds of figures (`help` lists them)"
    )
    parser.add_argument(
        "--formats",
        default=",".join(FORMATS),
        metavar="F,...",
        help="forms in which each figure is saved, some of png, svg, pdf (default: all)",
    )
    parser.add_argument(
        "--dpi",
        type=positive,
        default=300,
        metavar="N",
        help="dots an inch of the PNG files (default: %(default)s)",
    )
    parser.add_argument(
        "--probe",
        metavar="FILE",
        help="the probe set with the photographs, or `mini` (default: where each run found it)",
    )
    add_spreadsheet(parser)
    _add_shown(parser.add_argument_group("what is shown"))
    add_debug(parser)
    return parser


def _add_shown(group) -> None:
    group.add_argument(
        "--more-than",
        type=natural,
        default=3,
        metavar="N",
        help="units per concept: show concepts that more than N units carry (default: %(default)s)",
    )
    group.add_argument(
        "--published",
        metavar="TABLE",
        help="networks: published counts that come too: cvpr2017, the 27 networks of the paper's "
        "release",
    )
    group.add_argument(
        "--most",
        type=positive,
        default=40,
        metavar="N",
        help="units per concept: show at most N concepts of each layer (default: %(default)s)",
    )
    group.add_argument(
        "--sheets",
        type=natural,
        default=8,
        metavar="N",
        help="sheets: show the N best units of each layer; 0 for no sheets (default: %(default)s)",
    )
    group.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="NETWORK:LAYER:UNIT",
        help="draw a sheet of this unit alone; NETWORK: may be left out where there is one; may be "
        "repeated",
    )


def _make(args: argparse.Namespace) -> None:
    from figures.catalogue import FIGURES

    if args.only == "help":
        for name, module in FIGURES.items():
            said = module.__doc__ or ""
            print(f"{name:15}{said.splitlines()[0]}")
        return
    if not args.results:
        _parser().error("no results are named; give at least one run directory or table")
    out = Path(args.out or _beside(args.results[0]))
    formats = _formats(args.formats)
    found = _drawable(args)
    for text in found.inputs.caveats:
        print(f"warning: {text}", file=sys.stderr)
    for note in found.inputs.notes:
        print(note, file=sys.stderr)
    for reason in found.left_out:
        print(f"left out {reason}", file=sys.stderr)
    if not found.drawings:
        raise ValueError("nothing can be drawn from these results; see what was left out above")
    _check(found.drawings, out, formats, args.report)
    shown = _save(found.drawings, out, formats, args)
    print(f"{len(found.drawings)} figures: {out}")
    if args.report:
        from figures.report.page import write

        page = write(found.inputs, shown, out / _REPORT)
        print(f"report: {page}")


def _check(drawn: list, folder: Path, formats: list[str], report: bool) -> None:
    """Refuse links where something is to be written, before anything is."""
    from broden.system.files import inside
    from figures.drawing import files

    for drawing in drawn:
        files(drawing, folder, formats)
    if report:
        from figures.report import page, thumbnails

        for name in (page.PAGE, thumbnails.BESIDE):
            inside(folder, f"{_REPORT}/{name}")


def _beside(result: str) -> Path:
    """Return where figures go if nothing else is said."""
    from broden.system.files import inside
    from dissection.results.names import given

    first = given(result).path
    return inside(first if first.is_dir() else first.parent, "figures")


def _drawable(args: argparse.Namespace):
    """Return what can be drawn of what the options name."""
    from figures.api import drawable
    from figures.catalogue import FIGURES

    kinds = _kinds(args)
    if args.unit and "sheet" not in (kinds or FIGURES):
        raise ValueError("--unit asks for a sheet, which --only leaves out; add sheet to it")
    return drawable(args.results, kinds, _options(args), args.probe)


def _kinds(args: argparse.Namespace) -> list[str] | None:
    return None if args.only is None else [k.strip() for k in args.only.split(",") if k.strip()]


def _options(args: argparse.Namespace):
    """Return what is shown of more than fits."""
    from figures.options import Options

    networks = _networks(args.results) if args.unit else []
    units = tuple(_unit(text, networks) for text in args.unit)
    return Options(args.more_than, args.most, args.sheets, units, args.published)


def _networks(results: list[str]) -> list[str]:
    """Return what the networks of some results are called."""
    from dissection.results.reading import read_all

    return list(dict.fromkeys(part.name for part in read_all(results)))


def _formats(text: str) -> list[str]:
    formats = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ValueError(f"--formats has {text!r}; choose from {', '.join(FORMATS)}")
    return formats


def _unit(text: str, networks: list[str]):
    """Return the unit that an option names."""
    from figures.inputs import Unit

    rest, _, number = text.rpartition(":")
    # the name of a network may have a colon itself
    network, _, layer = rest.rpartition(":")
    if not network and len(networks) == 1:
        network = networks[0]
    if network not in networks or not layer or not number.isdecimal():
        if not network and len(networks) > 1 and layer and number.isdecimal():
            of = " or ".join(f"{name}:{text}" for name in networks)
            raise ValueError(f"--unit {text!r} may be of several networks; say {of}")
        raise ValueError(
            f"--unit {text!r} names no unit; give NETWORK:LAYER:UNIT, such as "
            f"{networks[0]}:layer4:17, of {', '.join(networks)}"
        )
    return Unit(network, layer, int(number))


def _save(drawn: list, folder: Path, formats: list[str], args: argparse.Namespace) -> list:
    """Write the figures, and return them as the page shows them."""
    from figures.crew import Task, save_all

    given = (args.results, _kinds(args), _options(args), args.probe)
    return save_all(drawn, Task(*given, folder, formats, args.dpi, args.spreadsheet, args.report))


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(_make, args)
