"""Compare the whole IoU run with the bare forward pass over the same images.

In this process, in turn, a round each: (a) the network over images already decoded in memory, with
the memory format, precision and TF32 setting of the run; (b) the same, stopped behind the last
layer that is asked for, as a run stops it; (c) decoding alone; (d) everything from the probe file
to the result files, decoding included. Prints one JSON object: `ratio` is the median of d/a over
the rounds in seconds of the clock, `ratio_to_last_layer` that of d/b, and those with `cpu_` before
them the same in seconds of all processors, which other programs disturb less. `parts` says where
the seconds of one more run went, with one thread of torch's and functions of ours under a clock
(scripts/_parts.py). On a machine that others use too, OMP_NUM_THREADS=1 gives steadier ratios.

`--full` instead dissects a probe set of Broden's size, 63,305 images and 1,197 labels, made at
--probe the first time (scripts/_full_probe.py), whole with figures and report, and then again
killed half way and continued, whose files must be the same bytes. `--start` instead measures the
first use of the command without options.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from _took import Took, ratios, timed

from broden.system.terminal import Parser, add_debug, natural, positive, run
from dissection.commands.definitions import add_validity, validity_config
from dissection.commands.network import add_network, layers, network
from dissection.config import PRECISIONS, Execution, IouConfig

_STEPS = ("whole", "killed")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_network(parser, "resnet18")
    default = Execution()
    parser.add_argument("--probe", metavar="FILE", help="made by build_broden.py, or by --full")
    parser.add_argument(
        "--images",
        type=positive,
        metavar="N",
        help="repeat or cut the set (default: as it is); with --full, make a smaller one",
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [positive(part) for part in text.split(",")],
        default=[1],
        metavar="1,4,16",
        help="multiples of the images to measure (default: 1)",
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, help="pairs of the first size (default: %(default)s)"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--device", default=default.device)
    parser.add_argument("--batch-size", type=positive, default=default.images_at_once("cpu"))
    parser.add_argument("--workers", type=natural)
    add_validity(parser)
    _add_kinds(parser)
    add_debug(parser)
    return parser


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    """Add the options that measure something else."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--full",
        type=_steps,
        nargs="?",
        const=_STEPS,
        metavar="STEP,...",
        help=f"the run of full size, in steps of which `killed` needs `whole`: {', '.join(_STEPS)} "
        "(default: both)",
    )
    kind.add_argument("--start", action="store_true", help="the first use of the command")
    parser.add_argument(
        "--folder", metavar="DIR", help="where --full keeps its runs (default: PROBE-runs)"
    )


def _steps(text: str) -> tuple[str, ...]:
    """Return the steps that --full names, in their order."""
    named = text.split(",")
    if not set(named) <= set(_STEPS):
        raise argparse.ArgumentTypeError(f"{text!r} names other steps than {', '.join(_STEPS)}")
    return tuple(step for step in _STEPS if step in named)


def _execution(args: argparse.Namespace) -> Execution:
    return Execution(args.device, args.batch_size, args.workers)


def _round(plan, pixels, images: int, execution: Execution, config: IouConfig) -> dict:
    """Return what everything took once, one after the other."""
    import _measuring as m

    _, network = timed(m.bare, plan, pixels, images, True)
    _, to_last = timed(m.bare, plan, pixels, images, False)
    _, decoding = timed(m.decode_all, plan, images)
    m.forget_peak()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        result, took = timed(m.whole_run, plan, Path(folder) / "run", execution, config)
    return {
        "took": {"network": network, "to_last_layer": to_last, "decoding": decoding, "run": took},
        "stages": result.card["times"]["seconds"],
        "disk": m.disk(result),
        "peak": m.peak(),
    }


def _measure(plan, pixels, rounds: int, execution: Execution, config: IouConfig) -> dict:
    """Return the figures for one number of images."""
    images = len(plan.probe)
    found = [_round(plan, pixels, images, execution, config) for _ in range(rounds)]
    by_round = [ratios(one["took"]) for one in found]
    seconds = {
        name: Took(*(statistics.median(one["took"][name][n] for one in found) for n in (0, 1)))
        for name in found[0]["took"]
    }
    middle = sorted(found, key=lambda one: one["took"]["run"].wall)[len(found) // 2]
    return {
        "images": images,
        **{name: round(statistics.median(r[name] for r in by_round), 3) for name in by_round[0]},
        "ratios": by_round,
        "seconds": {name: took.rounded() for name, took in seconds.items()},
        "images_per_second": round(images / seconds["run"].wall, 2),
        "bare_images_per_second": round(images / seconds["network"].wall, 2),
        "peak_rss_bytes": max(one["peak"] for one in found),
        **middle["disk"],
        "stages": middle["stages"],
    }


def _parts(plan, execution: Execution, config: IouConfig) -> dict:
    """Return where the seconds of a run go."""
    import torch
    from _measuring import whole_run
    from _parts import NETWORK, clocks, table

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with clocks() as found, tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            _, took = timed(whole_run, plan, Path(folder) / "run", execution, config)
    finally:
        torch.set_num_threads(threads)
    parts = found.parts()
    return table(parts, took.cpu, parts[NETWORK].cpu)


def _benchmark(args: argparse.Namespace) -> None:
    """Print what was asked for."""
    if args.start:
        from _start import measure as first_use

        report = first_use(args)
    elif args.full:
        from _full import measure as full_size

        report = full_size(args)
    else:
        report = _compared(args)
    print(json.dumps(report, indent=1))
    if different := report.get("killed", {}).get("different"):
        raise RuntimeError(f"continued after a kill, files differ: {', '.join(different)}")


def _compared(args: argparse.Namespace) -> dict:
    """Return the figures of a probe set."""
    import torch
    from _arranged import Repeated
    from _measuring import bare, decoded, planned
    from _parts import check

    from broden.reader import ProbeSet

    check()
    model = network(args)
    names, execution, config = layers(args, model), _execution(args), validity_config(args)
    with ProbeSet(args.probe) as probe:
        images = args.images or len(probe)
        plans = [
            planned(model, names, Repeated(probe, images * size), args.precision, execution)
            for size in args.sizes
        ]
        (pixels,) = decoded(plans[0], [range(min(images, len(probe)))])
        bare(plans[0], pixels, min(images, args.batch_size), True)
        figures = [
            _measure(plan, pixels, args.rounds if place == 0 else 1, execution, config)
            for place, plan in enumerate(plans)
        ]
        parts = _parts(plans[0], execution, config)
    report = {"model": model.name, "layers": names, "precision": args.precision}
    report |= {"validity": config.as_dict()}
    report |= {"device": str(plans[0].device), "threads": torch.get_num_threads()}
    report |= {**figures[0], "parts": parts}
    if len(figures) > 1:
        report["sizes"] = figures
    return report


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    if args.probe is None and not args.start:
        _parser().error("no probe set is named; give one with --probe")
    return run(_benchmark, args, expected=(RuntimeError, TypeError))


if __name__ == "__main__":
    sys.exit(main())
