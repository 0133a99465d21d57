"""Labellings made by hand, to be drawn."""

from pathlib import Path

import pandas as pd

from dissection.results.labelling import Labelling
from figures.inputs import Inputs


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
