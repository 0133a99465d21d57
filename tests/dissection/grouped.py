"""Counts by groups of images, put into the arrays of a run as a run writes them."""

import h5py
import numpy as np
import pandas as pd

from tests.dissection import labelled

LABELS = len(labelled.LABELS)


def drawn(seed, units, groups, best=3):
    """Return candidates (U, M), intersection and area (G, U, M), and pixels (G, L) of labels."""
    rng = np.random.default_rng(seed)
    label = np.array([rng.permutation(np.arange(1, LABELS))[:best] for _ in range(units)])
    pixels = rng.integers(40, 90, (groups, LABELS))
    area = np.repeat(rng.integers(20, 60, (groups, units, 1)), best, 2)
    share = rng.random((units, best)) ** 3
    both = (np.minimum(area, pixels[:, label]) * share * rng.random((groups, units, best))).astype(
        int
    )
    return label, both, area, pixels


def iou(label, both, area, pixels, weights=None):
    """Return the IoU of each label over groups by plain loops, in the order of the labels."""
    groups, units, best = both.shape
    weights = [1] * groups if weights is None else weights
    found = np.zeros((units, best))
    for unit in range(units):
        for place in range(best):
            i = a = t = 0
            for group in range(groups):
                i += int(weights[group]) * int(both[group, unit, place])
                a += int(weights[group]) * int(area[group, unit, place])
                t += int(weights[group]) * int(pixels[group, label[unit, place]])
            found[unit, place] = i / (a + t - i) if a + t - i else 0.0
    return found


def run(folder, counted, digest, name, layers=("fc",), probe="p", rotated=None, min_iou=0.04):
    """Write a complete run whose table says what the counts of its layers say.

    Parameters
    ----------
    counted : sequence of tuple
        From `drawn`, of each layer; all have the same pixels.
    rotated : dict, optional
        seed, iou and label of each layer.
    """
    labelled.card(
        folder,
        digest,
        "iou",
        name,
        min_iou=min_iou,
        union="category",
        layers={layer: {} for layer in layers},
        probe={"name": "drawn", "images": 500, "digest": probe},
    )
    tables = []
    with h5py.File(folder / "scores.h5", "w") as file:
        file["labels/name"] = np.array(labelled.LABELS, labelled.TEXT)
        file["labels/category"] = np.array(labelled.CATEGORIES, labelled.TEXT)
        file["validity/label_pixels"] = counted[0][3]
        for layer, (label, both, area, pixels) in zip(layers, counted, strict=True):
            scores = iou(label, both, area, pixels)
            tables.append(_table(layer, label, scores, min_iou))
            member = f"layers/{layer}/"
            file[f"{member}iou/category"] = np.zeros((len(label), LABELS))
            file[f"{member}validity/candidate"] = label
            file[f"{member}validity/candidate_intersection"] = both
            file[f"{member}validity/candidate_area"] = area
            for key, value in (rotated or {}).items():
                file[f"{member}rotated/{key}"] = value
    pd.concat(tables).to_csv(folder / "units.csv", index=False)
    tables[0][["layer", "label", "category"]].assign(units=1).to_csv(
        folder / "concepts.csv", index=False
    )
    return folder


def _table(layer, label, scores, min_iou):
    units = np.arange(len(label))
    place = scores.argmax(1)
    best, score = label[units, place], scores[units, place]
    columns = {"layer": layer, "unit": units, "label": np.array(labelled.LABELS)[best]}
    columns |= {"category": np.array(labelled.CATEGORIES)[best], "iou": score}
    columns |= {"detector": score > min_iou, "threshold": 1.0}
    columns |= {"object-label": "dog", "object-iou": 0.0}
    return pd.DataFrame(columns)
