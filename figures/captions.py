"""What stands below a figure: how many units, of what, and by which definitions."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.validity import Expected, expected

__all__ = [
    "RULES",
    "VERDICT",
    "VERDICT_BY_CLIP",
    "by_chance",
    "detector_rule",
    "mean_and_sd",
    "networks",
    "probe",
    "units",
    "why",
]

VERDICT = (
    "IoU with its 95% interval; chance: the same label's IoU when the map lies over other images "
    "with labels of the same categories; q: the share of false discoveries among the units of "
    "the layer that are as far above chance; two names: other samples of images often make the "
    "second the best."
)
"""What the sentence of `verdict.verdict` says."""

VERDICT_BY_CLIP = (
    "q: the share of false discoveries among the units of the layer whose description stands as "
    "far above those for other images; halves: whether either half of the images gives the same."
)
"""What that of `verdict.verdict_by_clip` says."""

_MOST_NAMED = 6
"""Names or layers that a caption lists; of more it says how many there are."""

RULES = {
    "best": "counting rule best: a unit counts for its best label",
    "paper": "counting rule paper: a unit counts for each category that is above",
}


def units(labellings: Sequence[Labelling], layers: Iterable[str] | None = None) -> str:
    """Return how many units figures show, and of which layers."""
    layers = list(layers or dict.fromkeys(name for part in labellings for name in part.layers))
    counts = {sum(len(part.layer(name)) for name in layers) for part in labellings}
    shown = f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    of = "" if layers == [NO_LAYER] else f" of {_listed(layers)}"
    each = " in each network" if len(labellings) > 1 else ""
    return f"n = {shown} units{of}{each}."


def detector_rule(labellings: Sequence[Labelling], counting: str | None = None) -> str:
    """Return what a detector is, by the settings of labellings by IoU.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU.
    counting : str, optional
        One of `RULES`, where different concepts are counted.
    """
    parts = [
        f"Detector: IoU > {_one(f'{p.min_iou:g}' for p in labellings)}",
        f"union rule {_one(p.settings.get('union', 'not stated') for p in labellings)}",
        f"threshold of activation {_one(_quantile(p) for p in labellings)}",
    ]
    if counting:
        parts.append(RULES[counting])
    return f"{'; '.join(parts)}. {probe(labellings)}"


def by_chance(labellings: Sequence[Labelling], layers: Iterable[str] | None = None) -> str:
    """Return how many detectors chance gives, with a space before; nothing where no run tells.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU.
    layers : iterable of str, optional
        Those that are shown; all if not given.
    """
    layers, said, given = None if layers is None else set(layers), [], []
    for part in labellings:
        for layer in part.layers:
            found = expected(part, layer)
            if found is None or (layers is not None and layer not in layers):
                continue
            names = [part.name] * (len(labellings) > 1) + [layer] * (layer != NO_LAYER)
            count = int(part.layer(layer)["detector"].sum())
            said.append(" ".join([*names, f"{mean_and_sd(found)} of {count:,}"]))
            given.append(found)
    if not said:
        return ""
    shifts = " or ".join(f"{number:,}" for number in sorted({one.shifts for one in given}))
    if len(said) > _MOST_NAMED:
        means = [one.mean for one in given]
        said = [f"{min(means):,.1f} to {max(means):,.1f} in each of {len(said)} layers"]
    return (
        f" Detectors expected by chance, the maps laid over other images with labels of the same "
        f"categories (mean ± sd of {shifts} shifts): {_listed(said)}."
    )


def mean_and_sd(found: Expected) -> str:
    """Return how many detectors chance gives.

    Examples
    --------
    >>> mean_and_sd(Expected(25.04, 4.51, 20)), mean_and_sd(Expected(3.0, None, 1))
    ('25.0 ± 4.5', '3.0')
    """
    return f"{found.mean:,.1f}" + ("" if found.sd is None else f" ± {found.sd:,.1f}")


def why(labellings: Sequence[Labelling]) -> str:
    """Return how labellings by CLIP came about."""
    settings = [part.settings.get("clip") for part in labellings]
    known = [one for one in settings if one is not None]
    if not known:
        return "CLIP-Dissect's labels; the file does not state encoder, concepts and similarity."
    encoder = _one(one["encoder"]["name"] for one in known)
    concepts = _one(
        f"{one['concepts']['count']:,} concepts of {Path(one['concepts']['source']).name}"
        for one in known
    )
    similarity = _one(one["similarity"] for one in known)
    rest = " (of other files not stated)" if len(known) < len(settings) else ""
    return f"CLIP-Dissect: encoder {encoder}, {concepts}, {similarity}{rest}. {probe(labellings)}"


def networks(labellings: Sequence[Labelling]) -> str:
    """Return the names of networks in words; of more than three only how many they are."""
    names = [part.name for part in labellings]
    return _listed(names) if len(names) < 4 else f"{len(names)} networks"


def _quantile(labelling: Labelling) -> str:
    given = labelling.settings.get("quantile")
    return "not stated" if given is None else f"at the top {100 * given:g}%"


def probe(labellings: Sequence[Labelling]) -> str:
    """Return which images were shown, or nothing where no file tells."""
    probes = [part.settings.get("probe") for part in labellings]
    if not any(probes):
        return ""
    shown = (f"{one['name']}, {one['images']:,} images" if one else "not stated" for one in probes)
    return f"Probe set: {_one(shown)}."


def _one(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))


def _listed(names: Sequence[str]) -> str:
    """Return names joined by commas and a last "and"; of many the first ones.

    Examples
    --------
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    names = list(names)
    if len(names) > _MOST_NAMED:
        names = [*names[:5], f"{len(names) - 5} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
