"""Compare soft_wpmi with a loop over the units, as the published code does it.

On the same random features, of which each unit follows one concept: the loop and the similarity,
both from the same matrix of scores; and `score`, which starts from the features, for which the
loop's time is that of the loop and of the product that makes its matrix. After a warm-up of each
they take turns for several rounds. Prints one JSON object: `ratio` and `streamed_ratio` are medians
of how many times as long the loop takes. `score` runs once more in a process of its own, whose
peak memory holds the interpreter and the inputs; with --memory only that, for sizes whose matrix
does not fit.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from broden.system.terminal import Parser, add_debug, positive, run

_SIZES = {"images": 10_000, "concepts": 20_000, "units": 512, "features": 512}

#: The published values: images a unit, softmax scale, weights of the ranks, added to probabilities
TOP_K, SCALE, P_START, P_END, MIN_PROB = 100, 10, 0.998, 0.97, 1e-7


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    for name, default in _SIZES.items():
        parser.add_argument(
            f"--{name}", type=positive, default=default, metavar="N", help="default: %(default)s"
        )
    parser.add_argument(
        "--memory", action="store_true", help="measure only the streaming version, here"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, metavar="N", help="default: %(default)s"
    )
    add_debug(parser)
    return parser


def _inputs(args: argparse.Namespace) -> tuple:
    """Return image features, text features and activations; the same for the same sizes."""
    import torch
    from torch.nn.functional import normalize

    draw = torch.Generator().manual_seed(0)
    texts = normalize(torch.randn(args.concepts, args.features, generator=draw), dim=1)
    images = torch.randn(args.images, args.features, generator=draw)
    followed = torch.randperm(args.concepts, generator=draw)[: args.units]
    followed = followed.repeat(-(-args.units // len(followed)))[: args.units]
    # every image shows a followed concept, weakly, as cosines of CLIP are: were the best concept
    # left to chance, rounding would decide between nearly equal ones
    shown = followed[torch.randint(args.units, (args.images,), generator=draw)]
    images = normalize(normalize(images, dim=1) + 0.5 * texts[shown], dim=1)
    noise = torch.randn(args.images, args.units, generator=draw)
    return images, texts, images @ texts[followed].t() + 0.02 * noise


def _loop(scores, activations):
    """Return soft_wpmi by a loop over the units, step by step as its formula is written."""
    import torch

    prob = (SCALE * scores).softmax(1)
    count = min(TOP_K, len(scores))
    top = activations.topk(count, dim=0).indices
    weight = P_START - torch.arange(count) / TOP_K * (P_START - P_END)
    evidence = []
    for unit in range(activations.shape[1]):
        rows = prob.gather(0, top[:, unit, None].expand(-1, scores.shape[1]))
        factor = 1 + weight[:, None] * (rows - 1)
        evidence.append((factor + MIN_PROB).log().sum(0))
    joined = torch.stack(evidence)
    return joined - (joined.logsumexp(0) - math.log(len(joined)))


def _product(images, texts):
    return images @ texts.t()


def _peak() -> int:
    """Return the peak resident memory of this process in bytes."""
    # unlike getrusage, this does not count what the parent held when it started us
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _streamed(args: argparse.Namespace) -> dict:
    """Run the streaming version and return its seconds and the peak memory of this process."""
    from dissection.clip.scoring import BUDGET, KEEP, score

    given = _inputs(args)
    # drawing the inputs took more than they are; Linux can count anew
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    started = time.perf_counter()
    score(*given)
    return {
        "seconds_alone": round(time.perf_counter() - started, 6),
        "budget_bytes": BUDGET,
        "kept_bytes": KEEP,
        "matrix_bytes": 4 * args.images * args.concepts,
        "peak_rss_bytes": _peak(),
        "inputs_rss_bytes": before,
    }


def _elsewhere(args: argparse.Namespace) -> dict:
    """Return what `_streamed` does, measured in a process of its own."""
    sizes = [f"--{name}={getattr(args, name)}" for name in _SIZES]
    command = [sys.executable, __file__, "--memory", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the streaming version failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def _timed(function: Callable, *given) -> tuple:
    """Return the result and the seconds it took."""
    started = time.perf_counter()
    result = function(*given)
    return result, time.perf_counter() - started


def _compared(args: argparse.Namespace) -> dict:
    """Return times and agreement of loop, similarity and streaming version."""
    from dissection.clip.scoring import score
    from dissection.clip.similarity import soft_wpmi

    images, texts, activations = _inputs(args)
    # a warm-up: the loop does the same for each unit, so a few of them will do
    scores = _product(images, texts)
    _loop(scores, activations[:, :8])
    soft_wpmi(scores, activations)
    del scores
    score(images, texts, activations)
    rounds: list[tuple[float, ...]] = []
    for _ in range(args.rounds):
        scores, product = _timed(_product, images, texts)
        want, loop = _timed(_loop, scores, activations)
        have, ours = _timed(soft_wpmi, scores, activations)
        del scores
        streamed, seconds = _timed(score, images, texts, activations)
        rounds.append((product, loop, ours, seconds))
    return _times(rounds) | _agreement(have, streamed, want)


def _times(rounds: list[tuple[float, ...]]) -> dict:
    """Return medians and, of each round, how many times as long the loop takes."""
    product, loop, ours, streamed = map(statistics.median, zip(*rounds, strict=True))
    ratios = [loop / ours for _, loop, ours, _ in rounds]
    from_features = [(product + loop) / streamed for product, loop, _, streamed in rounds]
    return {
        "rounds": len(rounds),
        "product_seconds": round(product, 6),
        "loop_seconds": round(loop, 6),
        "seconds": round(ours, 6),
        "streamed_seconds": round(streamed, 6),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 2),
        "streamed_ratios": [round(ratio, 2) for ratio in from_features],
        "streamed_ratio": round(statistics.median(from_features), 2),
    }


def _agreement(have, streamed, want) -> dict:
    """Return how similarity and streaming version agree with the loop."""
    best = want.topk(min(2, want.shape[1])).values
    equal, also = ((found.argmax(1) == want.argmax(1)).sum().item() for found in (have, streamed))
    return {
        "labels_equal": equal == also == len(want),
        "units_with_equal_label": equal,
        "units_with_equal_label_streamed": also,
        "largest_difference": (have - want).abs().max().item(),
        "smallest_lead_of_a_label": (best[:, 0] - best[:, -1]).min().item(),
    }


def _benchmark(args: argparse.Namespace) -> None:
    import torch

    report = {name: getattr(args, name) for name in _SIZES}
    report["threads"] = torch.get_num_threads()
    if args.memory:
        report |= _streamed(args)
    else:
        # the loop's matrix is gone before the other process needs memory
        report |= _compared(args)
        report |= _elsewhere(args)
    print(json.dumps(report, indent=1))


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(_benchmark, args, expected=(RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
