"""Compare the whole IoU run with the bare forward pass over the same images.

Both run in this process, in turn: (a) the network over images already decoded in memory,
channels_last and in the same precision; (b) everything from the probe file to the result files,
JPEG decoding included. Prints one JSON object; `ratio` is the median of b/a over the rounds.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from broden.system.terminal import Parser, add_debug, natural, positive, run
from dissection.commands.network import add_network, layers, network
from dissection.config import PRECISIONS, Execution, IouConfig


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_network(parser, "resnet18")
    default = Execution()
    parser.add_argument("--probe", required=True, metavar="FILE", help="made by build_broden.py")
    parser.add_argument(
        "--images",
        type=positive,
        metavar="N",
        help="repeat or cut the set (default: as it is)",
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
    add_debug(parser)
    return parser


def _bare(model, decoded, images: int, args: argparse.Namespace) -> float:
    """Return the seconds of the forward pass alone over this many decoded images."""
    import torch

    from dissection.execution.ranks import local_device

    device = local_device(args.device)
    module = model.module.to(device, memory_format=torch.channels_last)
    reduced = torch.autocast(device.type, torch.bfloat16) if args.precision == "bf16" else None
    started = time.perf_counter()
    with torch.inference_mode(), reduced or nullcontext():
        for first in range(0, images, args.batch_size):
            place = torch.arange(first, min(first + args.batch_size, images)) % len(decoded)
            module(model.preprocessing.normalise(decoded[place].to(device)))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _whole(model, names: list[str], probe, images: int, args: argparse.Namespace) -> dict:
    """Run the whole dissection over this many images and return what it took."""
    from _repeated import Repeated

    from dissection.api import dissect

    execution = Execution(args.device, args.batch_size, args.workers)
    _forget_peak()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        started = time.perf_counter()
        result = dissect(
            model,
            names,
            Repeated(probe, images),
            out=Path(folder) / "run",
            config=IouConfig(precision=args.precision),
            execution=execution,
        )
        seconds = time.perf_counter() - started
    host = result.card["host"]["shards"]
    return {
        "seconds": seconds,
        "stages": result.card["times"]["seconds"],
        "shard_bytes": host["peak_bytes"],
        "dense_bytes": host["dense_bytes"],
        "peak_rss_bytes": _peak(),
    }


def _forget_peak() -> None:
    """Make the peak memory start anew, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return the peak resident memory in bytes, since `_forget_peak` where the system can."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _measure(model, names, probe, decoded, images: int, rounds: int, args) -> dict:
    """Return the figures for one number of images."""
    pairs = [
        (_bare(model, decoded, images, args), _whole(model, names, probe, images, args))
        for _ in range(rounds)
    ]
    bare = statistics.median(a for a, _ in pairs)
    whole = sorted((b for _, b in pairs), key=lambda b: b["seconds"])[len(pairs) // 2]
    return {
        "images": images,
        "ratio": round(statistics.median(b["seconds"] / a for a, b in pairs), 3),
        "ratios": [round(b["seconds"] / a, 3) for a, b in pairs],
        "images_per_second": round(images / whole["seconds"], 2),
        "bare_images_per_second": round(images / bare, 2),
        "peak_rss_bytes": max(b["peak_rss_bytes"] for _, b in pairs),
        "shard_bytes": whole["shard_bytes"],
        "dense_bytes": whole["dense_bytes"],
        "shard_share": round(whole["shard_bytes"] / whole["dense_bytes"], 4),
        "stages": whole["stages"],
    }


def _benchmark(args: argparse.Namespace) -> None:
    import torch

    from broden.reader import ProbeSet
    from dissection.activations.batches import batches

    model = network(args)
    names = layers(args, model)
    with ProbeSet(args.probe) as probe:
        images = args.images or len(probe)
        cut = range(min(images, len(probe)))
        (decoded,) = batches(probe, [cut], model.preprocessing)
        _bare(model, decoded, args.batch_size, args)
        figures = [
            _measure(
                model, names, probe, decoded, images * size, args.rounds if place == 0 else 1, args
            )
            for place, size in enumerate(args.sizes)
        ]
    report = {"model": model.name, "layers": names, "threads": torch.get_num_threads()}
    report |= figures[0]
    if len(figures) > 1:
        report["sizes"] = figures
    print(json.dumps(report, indent=1))


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(_benchmark, args, expected=(RuntimeError, TypeError))


if __name__ == "__main__":
    sys.exit(main())
