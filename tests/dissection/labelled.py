"""Small results of both labelers, written as a run or a published tool would write them."""

import json

import h5py
import numpy as np
import pandas as pd

LABELS = ["-", "bed", "bedroom-s", "red-c", "car", "dog"]
CATEGORIES = ["", "object", "scene", "color", "object", "object"]
CONCEPTS = ["bed", "bedroom", "car", "dog", "red"]
TEXT = h5py.string_dtype()


def tally(path, labels, scores, categories=None, first=1):
    """A NetDissect tally of units with one label each, best first."""
    rows = []
    for place, (label, score) in enumerate(zip(labels, scores, strict=True)):
        row = {"unit": place + first, "category": (categories or ["object"] * len(labels))[place]}
        row |= {"label": label, "score": score}
        for category in ("object", "scene"):
            own = category == row["category"]
            row |= {f"{category}-label": label if own else "", f"{category}-truth": 9}
            row |= {f"{category}-activation": 9.0, f"{category}-intersect": 9}
            row[f"{category}-iou"] = score if own else 0.01
        rows.append(row)
    pd.DataFrame(rows).sort_values("score", ascending=False).to_csv(path, index=False)
    return path


def descriptions(path, layers):
    """CLIP-Dissect's table of {layer: labels}."""
    rows = [
        (layer, unit, label, 0.1 * unit)
        for layer, labels in layers.items()
        for unit, label in enumerate(labels)
    ]
    columns = ["layer", "unit", "description", "similarity"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def published(folder):
    """A NetDissect and a CLIP-Dissect file of one network, and one of another; their paths."""
    labels, scores = ["car", "sea-s", "dog"], [0.5, 0.3, 0.02]
    iou = tally(folder / "netdissect-net-layer4.csv", labels, scores)
    layers = {"layer3": ["a", "b"], "layer4": ["cars", "Sea", "cat"]}
    clip = descriptions(folder / "clip_dissect-net.csv", layers)
    other = descriptions(folder / "clip_dissect-other-layer4.csv", {"layer4": ["sea"]})
    return str(iou), str(clip), str(other)


def card(folder, digest="d1", method="both", name="net", **settings):
    folder.mkdir(parents=True, exist_ok=True)
    model = {"name": name, "digest": digest}
    settings = {"method": method, "model": model, "layers": {"fc": {}}, **settings}
    text = {"format": "dissection/1", "status": "complete", "settings": settings}
    (folder / "run.json").write_text(json.dumps(text))
    return folder


def scores(units, names, seed):
    return np.random.default_rng(seed).random((units, len(names)))


def run(folder, units=8, digest="d1", name="net", iou=None, clip=None, concepts=CONCEPTS):
    """A complete run of both methods on one layer; its labels are the best of the scores."""
    card(folder, digest, name=name, min_iou=0.1, union="all")
    iou = scores(units, LABELS, 1) if iou is None else iou
    iou[:, 0] = 9
    clip = scores(units, concepts, 2) if clip is None else clip
    best = iou[:, 1:].argmax(1) + 1
    table = {"layer": "fc", "unit": range(units), "label": np.array(LABELS)[best]}
    table |= {"category": np.array(CATEGORIES)[best], "iou": iou[np.arange(units), best]}
    table |= {"detector": table["iou"] > 0.1, "threshold": 1.0}
    for category in ("object", "scene"):
        table |= {f"{category}-label": "dog", f"{category}-iou": iou[:, 5]}
    units_table = pd.DataFrame(table)
    units_table.to_csv(folder / "units.csv", index=False)
    carried = units_table.groupby(["layer", "label", "category"]).size().rename("units")
    carried.reset_index().to_csv(folder / "concepts.csv", index=False)
    with h5py.File(folder / "scores.h5", "w") as file:
        file["labels/name"] = np.array(LABELS, TEXT)
        file["labels/category"] = np.array(CATEGORIES, TEXT)
        file["layers/fc/iou/all"] = iou
    with h5py.File(folder / "clip.h5", "w") as file:
        file["concepts"] = np.array(concepts, TEXT)
        file["layers/fc/similarity"] = clip
    named = np.array(concepts, object)[clip.argmax(1)]
    table = {"layer": "fc", "unit": range(units), "description": named}
    pd.DataFrame(table | {"similarity": clip.max(1)}).to_csv(
        folder / "descriptions.csv", index=False
    )
    return folder
