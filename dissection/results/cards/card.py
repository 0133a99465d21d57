"""The run card: everything that determined a result, what its numbers mean, and how it was made."""

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import torch

from broden.probe import Probe
from dissection.activations.forward import SHARD_IMAGES, Plan
from dissection.activations.shards import FORMAT
from dissection.config import Execution
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network
from dissection.results import schema

PACKAGES = ("network-dissection", "torch", "torchvision", "numpy", "pillow", "h5py", "pandas")


class Measured(NamedTuple):
    """What a run took."""

    seconds: dict[str, float]
    shard_bytes: int
    restored: int
    ranks: int


def settings(
    network: Network,
    layers: Sequence[LayerInfo],
    probe: Probe,
    method: str,
    labelling: dict[str, object],
    outputs: Mapping[str, Sequence[float]],
) -> dict:
    """Return all that determines a result, as JSON knows it.

    Parameters
    ----------
    network, layers, probe
        What is dissected, and what it is shown.
    method : str
        One of `config.METHODS`.
    labelling : dict
        What determines the labels besides, of all labelers of the method.
    outputs : mapping
        What the layers gave in a trial, see `activations.trial`.
    """
    return {
        "method": method,
        **labelling,
        "model": {
            "name": network.name,
            "weights": network.weights,
            "digest": network.digest(),
            "preprocessing": network.preprocessing.as_dict(),
            "outputs": dict(outputs),
        },
        "probe": {"name": probe.name, "images": len(probe), "digest": probe.digest},
        "layers": {
            info.name: {"units": info.units, "grid": list(info.grid or ()), "layout": info.layout}
            for info in layers
        },
    }


def content_key(settings: dict) -> str:
    """Return the digest of what determines the shards: not what is only counted from them."""
    model = settings["model"]
    content = {
        "model": [model["digest"], model["preprocessing"], model["outputs"]],
        "probe": settings["probe"]["digest"],
        "layers": settings["layers"],
        "quantile": max(settings.get("quantiles", [settings.get("quantile")])),
        "rotations": settings.get("rotations", 0),
        "means": "clip" in settings,
        "precision": settings["precision"],
        "shards": [FORMAT, SHARD_IMAGES, settings["probe"]["images"]],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def complete(
    settings: dict,
    plan: Plan,
    execution: Execution,
    counts: dict[str, dict],
    definitions: dict[str, str],
    run: Measured,
    caveats: Sequence[str] = (),
) -> dict:
    """Return the card of a complete run; a second one differs in ``host`` and ``times`` alone.

    Its ``caveats`` are sentences that warn of its numbers; there is no such key without any.
    """
    images = len(plan.probe)
    dense = sum(4 * images * info.units * math.prod(info.grid or ()) for info in plan.layers)
    return {
        "status": schema.COMPLETE,
        "settings": settings,
        "definitions": definitions,
        **({"caveats": list(caveats)} if caveats else {}),
        "probe": plan.probe.facts(),
        "counts": counts,
        "host": {
            "probe": str(Path(plan.probe.path).resolve()),
            "device": _device_name(plan.device),
            "ranks": run.ranks,
            "threads": torch.get_num_threads(),
            "batch_size": plan.batch_size,
            "workers": plan.workers,
            "platform": platform.platform(),
            "python": platform.python_version(),
            "versions": {name: _version(name) for name in PACKAGES},
            "shards": {
                "images_each": SHARD_IMAGES,
                "bytes": run.shard_bytes,
                "dense_bytes": dense,
                "kept": execution.keep_shards,
            },
        },
        "times": {
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
            "images_resumed": run.restored,
        },
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.processor() or platform.machine()})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"
