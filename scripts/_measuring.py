"""The forward pass alone, decoding alone and whole runs, to be timed; and their peak memory."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from broden.probe import Probe
from dissection.activations.batches import Images, batches
from dissection.activations.capture import capture, run_through
from dissection.activations.device.exactness import exact_convolutions
from dissection.activations.forward import Plan
from dissection.api import dissect
from dissection.config import Execution, IouConfig
from dissection.execution.ranks import local_device
from dissection.networks.loading import Network, probed
from dissection.results.dissection import Dissection


def planned(
    network: Network, names: list[str], probe: Probe, precision: str, execution: Execution
) -> Plan:
    """Return what a run does, with the network moved as a run moves it."""
    device = local_device(execution.device)
    # torch's stubs lack the form with both
    network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    infos = probed(network, names)
    workers = execution.decoders(device.type)
    size = execution.images_at_once(device.type)
    return Plan(network, probe, infos, None, False, precision, device, size, workers)


def decoded(plan: Plan, cuts: Sequence[Images]) -> Iterator[Tensor]:
    """Yield the images of each batch, decoded by the calling thread alone."""
    return batches(plan.probe, cuts, plan.network.preprocessing)


def cuts(plan: Plan, images: int) -> list[np.ndarray]:
    """Return the first batches of a run, of this many images together."""
    found: list[np.ndarray] = []
    for shard in plan.shards():
        for batch in plan.batches(shard):
            found.append(batch[:images])
            images -= len(found[-1])
            if not images:
                return found
    return found


def bare(plan: Plan, pixels: Tensor, images: int, whole: bool) -> None:
    """Run the network over images decoded in memory, with a run's settings and nothing else.

    Parameters
    ----------
    plan : Plan
        What a run does.
    pixels : Tensor
        (M, h, w, 3) uint8; image i is i mod M of them.
    images : int
        How many.
    whole : bool
        To the end of the network, else only as far as the last layer that is asked for, where
        a run stops it.
    """
    module, normalise = plan.network.module, plan.network.preprocessing.normalise
    places = [torch.from_numpy(cut) % len(pixels) for cut in cuts(plan, images)]
    with (
        exact_convolutions(plan.device),
        capture(module, plan.layers, _look_away, plan.precision) as forward,
    ):
        for place in [] if whole else places:
            forward(normalise(pixels[place].to(plan.device)))
    with exact_convolutions(plan.device):
        for place in places if whole else []:
            run_through(module, normalise(pixels[place].to(plan.device)), plan.precision)
    if plan.device.type == "cuda":
        torch.cuda.synchronize(plan.device)


def _look_away(_name: str, _maps: Tensor) -> None:
    """Take nothing of a layer."""


def decode_all(plan: Plan, images: int) -> None:
    """Decode this many images and forget them."""
    for _ in decoded(plan, cuts(plan, images)):
        pass


def whole_run(plan: Plan, out: Path, execution: Execution, config: IouConfig) -> Dissection:
    """Dissect from the probe file to the result files."""
    names = [info.name for info in plan.layers]
    return dissect(plan.network, names, plan.probe, out=out, config=config, execution=execution)


def disk(result: Dissection) -> dict[str, float]:
    """Return the most bytes that the shards of a run took, and what dense maps would take."""
    shards = result.card["host"]["shards"]
    return {
        "shard_bytes": shards["bytes"],
        "dense_bytes": shards["dense_bytes"],
        "shard_share": round(shards["bytes"] / shards["dense_bytes"], 4),
    }


def forget_peak() -> None:
    """Make the peak memory start anew, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the peak resident memory in bytes, since `forget_peak` where the system can."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
