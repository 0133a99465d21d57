"""The results of the small networks on a device against those on the CPU."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from broden import mini
from dissection.api import dissect
from dissection.config import UNIONS, Execution
from dissection.results.dissection import Dissection

__all__ = ["compared"]

IMAGES = 96
"""Of the mini probe set."""

ROUNDING = 1e-4
"""Of a layer's largest threshold: what float32 sums of another order may move a threshold by."""

MOVED = 2e-3
"""Share of a unit's active pixels that may move because they lie on its threshold."""

CLEAR = 0.002
"""Labels are equal where the IoU of the two best differ by more."""


def compared(device: torch.device, images: int = IMAGES) -> dict:
    """Return how far the small networks' results on a device are from those on the CPU.

    Raises
    ------
    ValueError
        If they are further than rounding explains.
    """
    with tempfile.TemporaryDirectory(prefix="check-gpu-") as folder:
        path = Path(folder) / "mini.h5"
        mini.build(path, images)
        found = {
            name: _apart(*(_run(name, path, Path(folder), one) for one in (device, "cpu")))
            for name in ("mini_scenes", "mini_objects", "mini_random")
        }
    wrong = [
        f"{name} {layer}: {what} {facts[what]} (at most {most})"
        for name, layers in found.items()
        for layer, facts in layers.items()
        for what, most in (("threshold", ROUNDING), ("moved", MOVED), ("labels", 0))
        if not facts[what] <= most
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return {"images": images, "apart": found}


def _run(name: str, probe: Path, folder: Path, device: torch.device | str) -> Dissection:
    out = folder / f"{name}-{str(device).replace(':', '')}-{device == 'cpu'}"
    return dissect(name, None, probe, out=out, execution=Execution(str(device)))


def _apart(one: Dissection, other: Dissection) -> dict[str, dict]:
    """Return for each layer how far two runs are apart."""
    return {layer: _layer(one, other, layer) for layer in other.layers}


def _layer(one: Dissection, other: Dissection, layer: str) -> dict[str, float]:
    def both(name: str) -> tuple[np.ndarray, np.ndarray]:
        return one.scores(layer, name), other.scores(layer, name)

    threshold, wanted = both("threshold")
    scale = max(float(np.abs(wanted).max()), np.finfo(np.float32).tiny)
    pixels = {name: _furthest(*both(name)) for name in _COUNTS}
    # of a unit with few active pixels some may move
    area = other.scores(layer, "area/all") + _FEW / MOVED
    return {
        "threshold": float(np.abs(threshold - wanted).max() / scale),
        "moved": max(float((pixels[name] / area).max()) for name in _COUNTS if name != _WHOLE),
        "pixels": max(int(pixels[name].max()) for name in _COUNTS),
        "labels": _different(*both("iou/category")),
    }


_WHOLE = "area/mask"
"""One pixel moves all active pixels of an image here, if no other lies on a label of a category."""

_COUNTS = ("intersection", *(f"area/{rule}" for rule in UNIONS))
_FEW = 16


def _furthest(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each unit by how many pixels its counts are apart at most, (U,)."""
    return np.abs(found - wanted).reshape(len(found), -1).max(1)


def _different(found: np.ndarray, wanted: np.ndarray) -> int:
    """Return how many units have another best label although the two best differ clearly."""
    order = np.argsort(wanted, axis=1)
    rows = np.arange(len(wanted))
    clear = wanted[rows, order[:, -1]] - wanted[rows, order[:, -2]] > CLEAR
    return int((clear & (found.argmax(1) != order[:, -1])).sum())
