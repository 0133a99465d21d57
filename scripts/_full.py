"""A dissection of Broden's size: run whole, and killed half way and continued."""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _full_probe import ensure
from _law import IMAGES
from _measuring import bare, decoded, disk, forget_peak, peak, planned, whole_run
from _parts import check, clocks, table
from _processes import finished, script, start
from _took import Took, ratios, timed, together

from broden.reader import ProbeSet
from dissection.activations.forward import SHARD_IMAGES, Plan
from dissection.activations.shards import ShardStore
from dissection.commands.definitions import validity_config
from dissection.commands.network import layers, network
from dissection.config import Execution
from dissection.results.folder import RunFolder
from dissection.results.schema import CARD

BARE_IMAGES = 2048
"""Images that the bare forward pass is measured on, evenly spread over the set."""
_BLOCK = 256
_POLL = 0.01


def measure(args: argparse.Namespace) -> dict:
    """Take the steps that were asked for and return the figures of each.

    Each step's figures are also written to STEP.json in the folder as soon as it is done.

    Parameters
    ----------
    args : argparse.Namespace
        The options of the benchmark.

    Raises
    ------
    ValueError
        If the probe path holds something else, or the folder the runs of an earlier start.
    RuntimeError
        If a process that was started fails.
    """
    check()
    folder = Path(args.folder or f"{args.probe}-runs")
    for step in args.full:
        if (folder / step).exists():
            raise ValueError(f"{folder / step} is there; remove it or give another --folder")
    if "whole" not in args.full and not (folder / "whole").exists():
        raise ValueError(f"{folder} has no whole run to compare with; use --full whole first")
    _say("probe set")
    _, made = timed(ensure, Path(args.probe), args.images or IMAGES)
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, dict] = {"probe": {"seconds": made.rounded()}}
    for step in args.full:
        report[step] = _STEPS[step](args, folder)
        (folder / f"{step}.json").write_text(json.dumps(report[step], indent=1) + "\n")
    return report


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _whole(args: argparse.Namespace, folder: Path) -> dict:
    """Dissect the set, draw the figures and write the report."""
    model = network(args)
    names = layers(args, model)
    execution = Execution(args.device, args.batch_size, args.workers, progress=True)
    with ProbeSet(args.probe) as probe:
        plan = planned(model, names, probe, args.precision, execution)
        sample = _sample(plan)
        _say(f"bare forward pass, {len(sample)} images")
        before = _bare(plan, sample)
        del sample
        forget_peak()
        _say(f"run, {len(probe)} images")
        with clocks() as found:
            result, run = timed(whole_run, plan, folder / "whole", execution, validity_config(args))
        most = peak()
        _say("bare forward pass again")
        after = _bare(plan, _sample(plan))
        images, device = len(probe), str(plan.device)
    bares = {name: together([before[name], after[name]]).times(0.5 * images) for name in before}
    return {
        "model": model.name,
        "layers": names,
        "precision": args.precision,
        "device": device,
        "threads": torch.get_num_threads(),
        "images": images,
        **ratios({**bares, "run": run}),
        "bare": _described(before, after, images, run),
        "seconds": {"run": run.rounded(), **{name: t.rounded() for name, t in bares.items()}},
        "stages": result.card["times"]["seconds"],
        "images_per_second": round(images / run.wall, 2),
        "peak_rss_bytes": most,
        **disk(result),
        "result_bytes": sum(p.stat().st_size for p in (folder / "whole").rglob("*") if p.is_file()),
        "probe_bytes": Path(args.probe).stat().st_size,
        "parts": table(found.parts(), run.cpu, bares["network"].cpu),
        "drawing": _drawing(args, folder),
    }


def _sample(plan: Plan) -> torch.Tensor:
    """Return decoded images of shards that are evenly spread over the set, (M, h, w, 3)."""
    shards = plan.shards()
    places = np.linspace(0, len(shards) - 1, min(len(shards), BARE_IMAGES // SHARD_IMAGES))
    chosen = [batch for place in places.astype(int).tolist() for batch in plan.batches(place)]
    return torch.cat([*decoded(plan, chosen)])


def _bare(plan: Plan, sample: torch.Tensor) -> dict[str, Took]:
    """Return what an image of the sample takes, the two bare passes in turn on blocks of it."""
    took: dict[str, list[Took]] = {"network": [], "to_last_layer": []}
    bare(plan, sample[: plan.batch_size], plan.batch_size, True)
    for block in sample.split(_BLOCK):
        for name, whole in (("network", True), ("to_last_layer", False)):
            took[name].append(timed(bare, plan, block, len(block), whole)[1])
    return {name: together(parts).times(1 / len(sample)) for name, parts in took.items()}


def _described(before: dict, after: dict, images: int, run: Took) -> dict:
    """Return what the bare figures were before and after the run, and the ratios to each."""

    def one(bares: dict[str, Took]) -> dict:
        whole = {name: took.times(images) for name, took in bares.items()}
        an_image = {name: took.rounded(6) for name, took in bares.items()}
        return {"seconds_an_image": an_image, **ratios({**whole, "run": run})}

    return {
        "note": f"of up to {BARE_IMAGES} images evenly spread over the set, decoded in memory, "
        "before and after the run and not during it; their mean times the images of the set is "
        "what the run is compared with",
        "before": one(before),
        "after": one(after),
    }


def _drawing(args: argparse.Namespace, folder: Path) -> dict:
    """Draw the figures without and with the report and return what each took."""
    found = {}
    for name, options in (("figures", []), ("figures_and_report", ["--report"])):
        _say(name)
        asked = [folder / "whole", "--probe", args.probe, "--out", folder / name, *options]
        found[name] = finished(script("make_figures.py", *asked)).rounded()
    return found


def _killed(args: argparse.Namespace, folder: Path) -> dict:
    """Kill the same run half way, continue it, and compare its files with the whole run's."""
    out = folder / "killed"
    command = script("dissect.py", *_options(args), "--out", out)
    with ProbeSet(args.probe) as probe:
        shards = range(-(-len(probe) // SHARD_IMAGES))
    _say("run to be killed half way")
    done, killed = _kill_half_way(command, out, shards)
    _say("run continued")
    took = finished(command)
    different = compare(folder / "whole", out)
    resumed = RunFolder(out).completed()["times"]["images_resumed"]
    return {
        "shards": len(shards),
        "shards_at_the_kill": done,
        "seconds": {"until_killed": {"wall": round(killed, 3)}, "continued": took.rounded()},
        "images_resumed": resumed,
        "different": different,
    }


def _kill_half_way(command: list[str], out: Path, shards: range) -> tuple[int, float]:
    """Start a run, kill it when half of its shards are there; return how many, and seconds."""
    store = ShardStore(RunFolder(out).shards, "")
    began = time.perf_counter()
    process = start(command)
    try:
        while 2 * len(store.finished(shards)) < len(shards):
            if process.poll() is not None:
                raise RuntimeError(f"ended with status {process.returncode} before it was killed")
            time.sleep(_POLL)
    finally:
        process.kill()
        process.wait()
    return len(store.finished(shards)), time.perf_counter() - began


def compare(one: Path, other: Path) -> list[str]:
    """Return the files that are not the same bytes in two runs, but for their run cards."""
    names = {
        path.relative_to(folder)
        for folder in (one, other)
        for path in folder.rglob("*")
        if path.is_file() and path.name != CARD
    }
    return sorted(str(name) for name in names if not _same(one / name, other / name))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _options(args: argparse.Namespace) -> list[object]:
    """Return the options of `dissect` that make the run of these options."""
    wanted = ("model", "weights", "layers", "input_size", "probe", "precision", "device")
    found: list[object] = ["--random-weights"] if args.random_weights else []
    found += ["--quantiles", ",".join(map(str, args.quantiles))]
    for name in (*wanted, "batch_size", "workers", "validity", "shifts", "rotations"):
        if (value := getattr(args, name)) is not None:
            found += [f"--{name.replace('_', '-')}", value]
    for name in ("mean", "std"):
        if (values := getattr(args, name)) is not None:
            found += [f"--{name}", *values]
    return found


_STEPS = {"whole": _whole, "killed": _killed}
