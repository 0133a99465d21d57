"""Whole runs against the bare forward pass, and the calls in them that wait for the GPU."""

import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch

from checking.memory import InMemory, decoding_nothing
from dissection.activations.device.exactness import exact_convolutions
from dissection.api import dissect
from dissection.config import Execution
from dissection.networks.loading import Network, load

__all__ = ["NETWORKS", "against_bare", "synchronisations"]


class Case(NamedTuple):
    """A network and its layers."""

    name: str
    layers: Sequence[str]


NETWORKS = {
    "resnet18": Case("resnet18", ("layer2", "layer3", "layer4")),
    "vit_base_patch16_224": Case(
        "timm:vit_base_patch16_224", ("blocks.2", "blocks.5", "blocks.8", "blocks.11")
    ),
}

_WARM = 64
_SYNCHRONISING = "called a synchronizing"


def against_bare(case: Case, device: torch.device, images: int, jpeg: bool = False) -> dict:
    """Return what a whole run took, and its ratio to the bare forward pass of the same settings.

    Parameters
    ----------
    case : Case
        The network, with random weights.
    device : torch.device
        Where it runs.
    images : int
        How many.
    jpeg : bool
        Decode JPEG files; else the images lie decoded in memory.
    """
    network = load(case.name, random_weights=True)
    execution = Execution(str(device))
    for some in dict.fromkeys((min(_WARM, images), images)):
        with _shown(network, some, jpeg) as probe:
            bare = _bare(network, probe, device, execution.images_at_once(device.type))
            whole = _whole(case, network, probe, execution)
    seconds = whole["seconds"]
    return {
        "images": images,
        "layers": list(case.layers),
        "ratio": round(seconds / bare, 3),
        "ratio_without_start": round(sum(whole["stages"].values()) / bare, 3),
        "ratio_of_forward_stage": round(whole["stages"]["images"] / bare, 3),
        "images_per_second": round(images / seconds, 1),
        "bare_images_per_second": round(images / bare, 1),
        "seconds": round(seconds, 2),
        "bare_seconds": round(bare, 2),
        **{key: whole[key] for key in ("stages", "host", "device_peak_bytes")},
    }


def _shown(network: Network, images: int, jpeg: bool) -> AbstractContextManager[InMemory]:
    size = network.preprocessing.size
    return nullcontext(InMemory(images, size)) if jpeg else decoding_nothing(images, size)


def _bare(network: Network, probe: InMemory, device: torch.device, batch_size: int) -> float:
    """Return the seconds of the network alone over decoded images on its device."""
    pixels = torch.from_numpy(probe.decoded).to(device)
    # torch's stubs lack the form with both
    module = network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _wait(device)
    started = time.perf_counter()
    with torch.inference_mode(), exact_convolutions(device):
        for first in range(0, len(probe), batch_size):
            start = first % max(1, len(pixels) - batch_size + 1)
            cut = pixels[start : start + min(batch_size, len(probe) - first)]
            module(network.preprocessing.normalise(cut))
    _wait(device)
    return time.perf_counter() - started


def _whole(case: Case, network: Network, probe: InMemory, execution: Execution) -> dict:
    """Run the whole dissection and return what it took."""
    device = torch.device(execution.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory(prefix="check-gpu-") as folder:
        started = time.perf_counter()
        found = dissect(network, case.layers, probe, out=Path(folder) / "run", execution=execution)
        seconds = time.perf_counter() - started
    host = {key: found.card["host"][key] for key in ("batch_size", "workers", "threads", "shards")}
    return {
        "seconds": seconds,
        "stages": found.card["times"]["seconds"],
        "host": host,
        "device_peak_bytes": _peak(device),
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def synchronisations(root: Path, device: torch.device, images: int) -> dict:
    """Return how often a run called what waits for the GPU, by place.

    What waits on purpose, for the event behind a batch's copy, is no such call.
    """
    if device.type != "cuda":
        return {"left out": "only CUDA tells which calls wait"}
    case = NETWORKS["resnet18"]
    network = load(case.name, random_weights=True)
    with decoding_nothing(images, network.preprocessing.size) as probe:
        _whole(case, network, probe, Execution(str(device)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                _whole(case, network, probe, Execution(str(device)))
            finally:
                torch.cuda.set_sync_debug_mode("default")
    places = Counter(
        f"{_relative(one.filename, root)}:{one.lineno}"
        for one in caught
        if _SYNCHRONISING in str(one.message)
    )
    batches = -(-images // Execution().images_at_once(device.type))
    return {
        "images": images,
        "batches": batches,
        "calls": sum(places.values()),
        "calls_by_place": dict(places.most_common()),
    }


def _relative(filename: str, root: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name
