"""Small results that say how far each label can be believed, written as a run would write them."""

import json

import h5py
import numpy as np
import pandas as pd

LABELS = ["-", "fir", "shirt", "skirt", "bedroom-s", "red-c", "striped", "wheel"]
CATEGORIES = ["", "object", "object", "object", "scene", "color", "texture", "part"]
KINDS = ("object", "part", "scene", "texture", "color")
TEXT = h5py.string_dtype()
QUANTILES = [0.001, 0.002, 0.003, 0.004, 0.005]
CUTS = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1]
GROUPS, TOP, SHIFTS, LIMIT = 10, 10, 20, 0.04

PROBE = {"name": "set", "images": 600, "digest": "p", "path": "elsewhere"}


def run(folder, layers=None, name="net", seed=0, probe=PROBE, rotations=2):
    """A complete run by IoU with everything that `--validity full` adds.

    `layers` are names with how many units each has; `probe` name, images, digest and path.
    """
    layers = {"l3": 30, "l4": 60} if layers is None else layers
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    tables, counts = [], {}
    with h5py.File(folder / "scores.h5", "w") as file:
        file["labels/name"], file["labels/category"] = (
            np.array(column, TEXT) for column in (LABELS, CATEGORIES)
        )
        file["validity/label_pixels"] = random.integers(9, 99, (GROUPS, len(LABELS)))
        file["validity/group"] = np.arange(probe["images"]) % GROUPS
        for depth, (layer, units) in enumerate(layers.items(), 1):
            made = _layer(random, units, depth / len(layers), probe["images"], rotations)
            _write(file, layer, made)
            table = _units(layer, made)
            tables.append(table)
            counts[layer] = _counts(table, made)
    units = pd.concat(tables, ignore_index=True)
    units.to_csv(folder / "units.csv", index=False)
    carried = units.groupby(["layer", "label", "category"]).size().rename("units").reset_index()
    carried.to_csv(folder / "concepts.csv", index=False)
    card(folder, name, layers, probe, counts, rotations)
    return folder


def card(folder, name, layers, probe, counts, rotations):
    settings = {
        "method": "iou", "model": {"name": name, "weights": "w", "digest": name},
        "probe": {key: probe[key] for key in ("name", "images", "digest")},
        "layers": {layer: {"units": units} for layer, units in layers.items()},
        "quantile": 0.005, "union": "category", "min_iou": LIMIT, "precision": "fp32",
        "validity": "full", "shifts": SHIFTS, "rotations": rotations, "quantiles": QUANTILES,
    }  # fmt: skip
    whole = {"format": "dissection/1", "status": "complete", "settings": settings}
    whole |= {"counts": counts, "host": {"probe": str(probe["path"])}}
    (folder / "run.json").write_text(json.dumps(whole))


def _layer(random, units, depth, images, rotations):
    """Arrays by their names in a layer; units mean the more the deeper the layer is."""
    iou = random.gamma(1.5, 0.012, (units, len(LABELS)))
    iou[np.arange(units), random.integers(1, len(LABELS), units)] += depth * random.gamma(
        1.2, 0.09, units
    )
    iou = np.minimum(iou, 0.9)
    iou[:, 0] = 0
    null = np.exp(random.normal(np.log(0.022), 0.45, (SHIFTS, units)))
    top = np.argsort(random.random((units, images)))[:, : 2 * TOP]
    value = np.sort(random.random((units, 2 * TOP)).astype(np.float32) * 5)[:, ::-1]
    without = top[:, TOP:].copy()
    few = random.random(units) < 0.1
    without[few, 4:] = -1
    best = np.argsort(-iou, axis=1, kind="stable")
    made = {"iou/category": iou, "threshold": np.ones(units, np.float32)}
    made |= {"top/image": top[:, :TOP], "top/value": value[:, :TOP]}
    made |= {"validity/without_image": without, "validity/without_value": value[:, TOP:]}
    made |= {"validity/null": null, "validity/chance": iou * random.uniform(0.05, 0.9, iou.shape)}
    made |= {"validity/images": random.integers(1, 200, iou.shape).astype(np.int32)}
    made |= {"validity/candidate": best[:, :5]}
    return made | _of_best(random, iou.max(1), null) | _elsewhere(random, iou, null, rotations)


def _of_best(random, best, null):
    """How far the best label of each unit can be believed."""
    p = (1 + (null.ravel()[:, None] >= best).sum(0)) / (1 + null.size)
    wide = 0.01 + best * random.uniform(0.05, 0.4, len(best))
    order = np.argsort(p)
    q = np.empty(len(p))
    rising = p[order] * len(p) / np.arange(1, len(p) + 1)
    q[order] = np.minimum(1, np.minimum.accumulate(rising[::-1])[::-1])
    made = {"p": p, "q": q, "stability": random.choice([0.4, 0.75, 0.9, 0.99], len(best))}
    made |= {"low": np.maximum(0, best - wide), "high": np.minimum(1, best + wide)}
    made |= {"average_precision": random.random(len(best))}
    return {f"validity/{name}": values for name, values in made.items()}


def _elsewhere(random, iou, null, rotations):
    """What other thresholds and other bases give."""
    best, label = iou.max(1), iou.argmax(1)
    shrink = np.linspace(0.6, 1, len(QUANTILES))[:, None]
    cut = np.array(CUTS)
    above = shrink[:, :, None] * best > cut[:, None]
    unique = [[len(set(label[row])) for row in rows] for rows in above]
    by_chance = (shrink[:, :, None, None] * null > cut[:, None, None]).sum(3).mean(2)
    turned = best[None] * random.uniform(0.8, 1.1, (rotations, len(best)))
    return {
        "sensitivity/quantile": np.array(QUANTILES), "sensitivity/cut": cut,
        "sensitivity/detectors": above.sum(2), "sensitivity/unique": np.array(unique),
        "sensitivity/expected": by_chance, "sensitivity/shifts": np.full(len(QUANTILES), SHIFTS),
        "rotated/seed": np.arange(rotations), "rotated/iou": np.minimum(turned, 1),
        "rotated/label": np.broadcast_to(label, turned.shape),
    }  # fmt: skip


def _write(file, layer, made):
    for name, values in made.items():
        file[f"layers/{layer}/{name}"] = values
    units, n = made["top/image"].shape
    mask = np.zeros((units, n, 112, 112), bool)
    for unit in range(units):
        y, x = 10 + 7 * unit % 60, 10 + 13 * unit % 60
        mask[unit, :, y : y + 30, x : x + 30] = True
    packed = np.packbits(mask.reshape(units, n, -1), axis=2)
    file.create_dataset(f"layers/{layer}/top/mask", data=packed, compression="gzip")
    file[f"layers/{layer}/top/mask"].attrs["grid"] = np.array([112, 112])


def _units(layer, made):
    iou, names = made["iou/category"], np.array(LABELS, object)
    unit, label = np.arange(len(iou)), iou.argmax(1)
    second = np.argsort(-iou, axis=1, kind="stable")[:, 1]
    table = {"layer": layer, "unit": unit, "label": names[label]}
    table |= {"category": np.array(CATEGORIES, object)[label], "iou": iou.max(1)}
    table |= {"detector": iou.max(1) > LIMIT, "threshold": made["threshold"].astype(float)}
    for kind in KINDS:
        own = [i for i, category in enumerate(CATEGORIES) if category == kind]
        table[f"{kind}-label"] = names[own][iou[:, own].argmax(1)]
        table[f"{kind}-iou"] = iou[:, own].max(1)
    table |= {"iou_low": made["validity/low"], "iou_high": made["validity/high"]}
    table |= {"chance_iou": made["validity/chance"][unit, label]}
    table |= {name: made[f"validity/{name}"] for name in ("p", "q", "stability")}
    table |= {"runner_up": names[second], "runner_up_iou": iou[unit, second]}
    table |= {"images": made["validity/images"][unit, label], "precision": 0.5, "recall": 0.25}
    table |= {"relative_iou": iou.max(1), "second_label": "", "second_iou": 0.0}
    return pd.DataFrame(table | {"average_precision": made["validity/average_precision"]})


def _counts(table, made):
    found, passing = table["detector"], table["q"] <= 0.05
    above = (made["validity/null"] > LIMIT).sum(1)
    unique = int(table[found]["label"].nunique())
    turned = [
        {
            "seed": int(seed), "detectors": int((iou > LIMIT).sum()),
            "unique_best": len(set(label[iou > LIMIT])), "unique_paper": unique,
        }
        for seed, iou, label in zip(
            made["rotated/seed"], made["rotated/iou"], made["rotated/label"], strict=True
        )
    ]  # fmt: skip
    return {
        "units": len(table), "detectors": int(found.sum()), "unique_best": unique,
        "unique_paper": unique, "significant": int(passing.sum()),
        "significant_detectors": int((found & passing).sum()),
        "expected_by_chance": {
            "mean": float(above.mean()), "sd": float(above.std(ddof=1)), "shifts": SHIFTS
        },
        "detectors_sd": 3.1, "unique_sd": 1.2, "rotated": turned, "alone": 2,
    }  # fmt: skip


def bare(folder):
    """Take from a run of ours all that an earlier one, or `--validity none`, does not write."""
    units = pd.read_csv(folder / "units.csv", keep_default_na=False)
    last = [name for name in units if name.endswith("-iou")][-1]
    units.loc[:, :last].to_csv(folder / "units.csv", index=False)
    card = json.loads((folder / "run.json").read_text())
    kept = ("units", "detectors", "unique_best", "unique_paper")
    card["counts"] = {n: {k: c[k] for k in kept} for n, c in card["counts"].items()}
    for name in ("shifts", "rotations", "quantiles"):
        del card["settings"][name]
    card["settings"]["validity"] = "none"
    (folder / "run.json").write_text(json.dumps(card))
    with h5py.File(folder / "scores.h5", "r+") as file:
        del file["validity"]
        for layer in card["settings"]["layers"]:
            for name in ("validity", "sensitivity", "rotated"):
                del file[f"layers/{layer}/{name}"]
    return folder
