"""What whoever reads results must know beside the numbers, a sentence each."""

from collections.abc import Callable, Sequence

from dissection.results.folder import RunFolder
from dissection.results.labelling import Labelling

__all__ = ["FEW_IMAGES", "few_images", "of_results"]

FEW_IMAGES = 100
"""Below it a threshold stands on few activations, and a concept on a handful of images."""


def few_images(images: int) -> list[str]:
    """Return what a small number of images means for the numbers; nothing where it is not small.

    Examples
    --------
    >>> few_images(1)
    ['1 image only: numbers from so few mean little; use 1,000 or more']
    """
    if images >= FEW_IMAGES:
        return []
    what = "1 image" if images == 1 else f"{images} images"
    return [f"{what} only: numbers from so few mean little; use 1,000 or more"]


def of_results(labellings: Sequence[Labelling]) -> list[str]:
    """Return the caveats of results that are laid side by side: each run's, and their differences.

    Parameters
    ----------
    labellings : sequence of Labelling
        All that were read.
    """
    found = [
        f"{part.name}: {caveat}"
        for part in {one.source: one for one in labellings}.values()
        for caveat in _of_run(part)
    ]
    for method in dict.fromkeys(one.method for one in labellings):
        found += _differences([one for one in labellings if one.method == method])
    return found


def _of_run(labelling: Labelling) -> list[str]:
    images = labelling.settings.get("probe", {}).get("images")
    found = [] if images is None else few_images(images)
    card = RunFolder(labelling.source).card() if labelling.source.is_dir() else None
    return list(dict.fromkeys([*found, *(card or {}).get("caveats", [])]))


def _differences(labellings: Sequence[Labelling]) -> list[str]:
    """Return in which settings runs by one method differ, so that their numbers do too."""
    runs = [one for one in labellings if one.settings]
    found = []
    for what, told in _COMPARED.items():
        values = {one.name: told(one.settings) for one in runs}
        known = {name: value for name, value in values.items() if value is not None}
        if len(set(known.values())) > 1:
            each = ", ".join(f"{name} {value}" for name, value in known.items())
            found.append(f"different {what}: {each}; numbers are not comparable as they stand")
    return found


def _setting(*path: str) -> Callable[[dict], str | None]:
    """Return what reads a field of a run card's settings as text; None where there is none."""

    def told(settings: dict) -> str | None:
        value = settings
        for name in path:
            value = value.get(name, {}) if isinstance(value, dict) else {}
        if value is None or value == {}:
            return None
        return f"{value:g}" if isinstance(value, float) else str(value)

    return told


def _probe(settings: dict) -> str | None:
    probe = settings.get("probe", {})
    if "digest" not in probe:
        return None
    return f"{probe.get('name', 'unnamed')} (digest {probe['digest'][:12]})"


_COMPARED: dict[str, Callable[[dict], str | None]] = {
    "probe sets": _probe,
    "numbers of images": _setting("probe", "images"),
    "quantiles": _setting("quantile"),
    "union rules": _setting("union"),
    "thresholds of a detector": _setting("min_iou"),
    "precisions": _setting("precision"),
    "encoders": _setting("clip", "encoder", "name"),
    "concept lists": _setting("clip", "concepts", "digest"),
    "similarities": _setting("clip", "similarity"),
    "poolings": _setting("clip", "pooling"),
}
"""What the numbers of two runs depend on beside the networks, in the order in which it is said."""
