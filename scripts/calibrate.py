"""Measure whether the validity figures of a run say what is so.

A population of images is dissected whole; then the dissection is repeated on random subsets of it,
and what each says is compared with the population: how often the interval of the named label's IoU
holds the population's IoU (wanted 93 to 97%), how often held-out shifts have p <= 0.05 and
p <= 0.01 (at most 6.5% and 1.5%), the share of false discoveries at q <= 0.05 (at most 6%) where
half of the units are held-out shifts, and how often the named label is the population's, by class
of stability.

`--model planted` makes units of which it is known whether they see their concept: half are fed from
the label maps of the images that are shown, half from those of other images, with noise.

A small table is printed; OUT/calibration.json has all figures, by layer and of all layers together,
with what is not as wanted; OUT/calibration.png shows name and interval by class of stability. Runs
are kept in OUT/runs; those that are complete are not made again.
"""

import argparse
import sys
from pathlib import Path

from broden.system.terminal import Parser, add_debug, natural, positive, run
from dissection.commands.network import add_network, layers, network
from dissection.config import Execution

PLANTED = "planted"
ALL = "all layers"
COLUMNS = {
    "coverage": "coverage",
    "coverage_as_printed": "as printed",
    "p_05": "p <= 0.05",
    "p_01": "p <= 0.01",
    "false_discoveries": "false",
    "false_discoveries_planted": "false, planted",
    "found_planted": "planted found",
}
"""Of the table, and what they are called there."""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_network(parser, "mini_scenes")
    default = Execution()
    parser.add_argument(
        "--probe",
        default="mini",
        metavar="FILE",
        help="the population: a probe file, or mini for images that are drawn (default: mini)",
    )
    parser.add_argument(
        "--images",
        type=positive,
        default=4000,
        metavar="N",
        help="how many images of mini are drawn (default: %(default)s)",
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [positive(part) for part in text.split(",")],
        default=[300, 600, 1000],
        metavar="A,B,C",
        help="images of a draw (default: 300,600,1000)",
    )
    parser.add_argument(
        "--draws", type=positive, default=4, help="of each size (default: %(default)s)"
    )
    parser.add_argument("--shifts", type=positive, metavar="R", help="of a run (default: its own)")
    parser.add_argument(
        "--units", type=positive, default=128, help="of --model planted (default: %(default)s)"
    )
    parser.add_argument("--seed", type=natural, default=0, help="of all that is drawn (default: 0)")
    parser.add_argument("--out", required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--device", default=default.device)
    parser.add_argument("--batch-size", type=positive)
    parser.add_argument("--workers", type=natural)
    add_debug(parser)
    return parser


def _calibrate(args: argparse.Namespace) -> None:
    from _calibration import failures, figures
    from _calibration_figure import draw
    from _populations import draws

    from broden.reader import ProbeSet
    from dissection.results.storage import write_json

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with ProbeSet(_population(args, out)) as probe:
        study = _study(args, probe, out)
        found: dict[int, dict[str, list]] = {}
        for size, by_layer in draws(study, args.sizes, args.draws, args.seed):
            for layer, drawn in by_layer.items():
                found.setdefault(size, {}).setdefault(layer, []).append(drawn)
        report = {"model": study.network.name, "population": len(probe), "probe": probe.digest}
    sizes = {
        str(size): {name: figures(drawn, args.seed) for name, drawn in _with_all(by_layer)}
        for size, by_layer in found.items()
    }
    failed = [
        f"{size} images, {layer}: {line}"
        for size, by_layer in sizes.items()
        for layer, one in by_layer.items()
        for line in failures(one)
    ]
    report |= {"seed": args.seed, "sizes": sizes, "not_as_wanted": failed}
    write_json(out / "calibration.json", report)
    last = [*next(iter(sizes.values()))][-1]
    draw(sizes, last, out / "calibration.png")
    print("\n".join([*_table(sizes), "", *(failed or ["all as wanted"])]))
    print(f"\nresults: {out / 'calibration.json'}")


def _with_all(by_layer: dict[str, list]) -> list[tuple[str, list]]:
    """Return the draws of each layer and, of several, those of all."""
    together = [drawn for several in by_layer.values() for drawn in several]
    return [*by_layer.items(), *([(ALL, together)] if len(by_layer) > 1 else [])]


def _population(args: argparse.Namespace, out: Path) -> Path:
    """Return the probe file of the population, drawn if need be."""
    if args.probe != "mini":
        return Path(args.probe)
    from broden.mini import build

    path = out / f"mini-{args.images}-seed{args.seed}.h5"
    if not path.exists():
        build(path, args.images, args.seed, progress=True)
    return path


def _study(args: argparse.Namespace, probe, out: Path):
    """Return what is dissected."""
    from _arranged import Arranged
    from _planted import LAYER, Numbered, planted
    from _populations import Study

    execution = Execution(args.device, args.batch_size, args.workers, progress=True)
    runs = out / "runs"
    if args.model == PLANTED:
        made = planted(probe, args.units, args.seed)
        shifts, sees = args.shifts, made.sees
        return Study(made.network, [LAYER], probe, Numbered, runs, execution, shifts, sees)
    model = network(args)
    return Study(model, layers(args, model), probe, Arranged, runs, execution, args.shifts)


def _table(sizes: dict[str, dict[str, dict]]) -> list[str]:
    """Return the figures as lines of text."""
    from _calibration import CLASSES

    from broden.system.text import aligned

    classes = [
        f"right, {low:g} to {high:g}" for low, high in zip(CLASSES, CLASSES[1:], strict=False)
    ]
    rows = [["images", "layer", "draws", "units", *COLUMNS.values(), *classes]]
    for size, by_layer in sizes.items():
        for layer, one in by_layer.items():
            cells = [_share(one[name]) for name in COLUMNS]
            cells += [f"{_share(row['right'])} of {row['units']}" for row in one["named"]]
            rows.append([size, layer, str(one["draws"]), str(one["units"]), *cells])
    return aligned(rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(_calibrate, _parser().parse_args(argv), expected=(RuntimeError, TypeError))


if __name__ == "__main__":
    sys.exit(main())
