"""Results to draw: two real runs on a few pictures, and labellings made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dissection
from broden import mini
from dissection.config import Execution
from dissection.results import Labelling
from figures.inputs import Inputs, read

IMAGES = 48
LAYERS = ["layer3", "layer4"]
NETWORKS = ("mini_scenes", "mini_objects")


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, IMAGES, seed=9)
    return path


@pytest.fixture(scope="session")
def runs(probe, tmp_path_factory):
    """Return the directories of two networks labelled by both methods."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name in NETWORKS:
            dissection.dissect(
                *(name, LAYERS, probe), method="both", out=folder / name,
                execution=Execution(device="cpu", workers=0),
            )  # fmt: skip
    return [folder / name for name in NETWORKS]


@pytest.fixture(scope="session")
def inputs(runs) -> Inputs:
    from _photographs import source

    return read(runs, lambda labelling: source(labelling, None))


def labelling(
    name: str, labels: dict[str, list[str]], scores=None, method: str = "iou", **more
) -> Labelling:
    """Return a labelling of layers with these labels; the category is told by the first letter."""
    kinds = {"o": "object", "p": "part", "s": "scene", "m": "material", "t": "texture"}
    rows = []
    for layer, names in labels.items():
        for unit, label in enumerate(names):
            category = kinds.get(label[:1], "color") if method == "iou" else None
            score = 0.1 + 0.001 * unit if scores is None else scores[layer][unit]
            row = {"layer": layer, "unit": unit, "label": label, "category": category}
            row |= {"score": score, "detector": method == "iou" and score > 0.04}
            if method == "iou":
                for kind in (*kinds.values(), "color"):
                    own = kind == category
                    row |= {f"{kind}-label": label if own else f"{kind[0]} other"}
                    row |= {f"{kind}-score": score if own else score / 3}
            rows.append(row)
    source = Path(f"netdissect-{name}.csv")
    return Labelling(name, method, name, None, pd.DataFrame(rows), source, **more)


def given(*labellings: Labelling) -> Inputs:
    return Inputs(labellings, (), {}, ())


@pytest.fixture
def photograph():
    """Return a picture that is a ramp of grey."""
    ramp = np.linspace(60, 200, 64).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (48, 64, 3)).copy()
