"""What a reader of results must know before the numbers, a sentence each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dissection.results.labelling import NO_LAYER

if TYPE_CHECKING:
    from dissection.results.labelling import Labelling

__all__ = [
    "FEW",
    "chance_alone",
    "differing",
    "digest",
    "few_images",
    "of_all",
    "of_card",
    "of_names",
    "probe",
    "probe_of",
]

FEW = 100
"""Images below which numbers say little; a threshold is one activation of many images."""

_NAMED = {
    "quantile": "quantiles",
    "union": "union rules",
    "min_iou": "minimal IoU of a detector",
    "precision": "precisions",
}
"""Settings that change numbers, and what several of them are called."""


def few_images(images: int) -> list[str]:
    """Return a warning where so few images were shown that the numbers mean little, else nothing.

    Examples
    --------
    >>> few_images(2)
    ['only 2 images were shown: labels and numbers of fewer than 100 images are mostly chance']
    >>> few_images(100)
    []
    """
    if images >= FEW:
        return []
    shown = "1 image was" if images == 1 else f"{images} images were"
    return [f"only {shown} shown: labels and numbers of fewer than {FEW} images are mostly chance"]


def chance_alone(card: dict) -> list[str]:
    """Return the layers most of whose detectors chance explains, a sentence each.

    Parameters
    ----------
    card : dict
        Of a complete run with validity.

    Examples
    --------
    >>> counts = {"a": {"detectors": 9, "expected_by_chance": {"mean": 5.0}}}
    >>> chance_alone({"counts": counts, "settings": {"probe": {"images": 600}}})
    ['a: most of these detectors are what chance gives on 600 images (5 of 9); use more images']
    """
    images, found = card["settings"]["probe"]["images"], []
    for layer, counts in card["counts"].items():
        mean = counts["expected_by_chance"]["mean"]
        if mean is not None and mean > counts["detectors"] / 2:
            found.append(
                f"{layer}: most of these detectors are what chance gives on {images} images "
                f"({mean:.0f} of {counts['detectors']}); use more images"
            )
    return found


def of_card(card: dict) -> tuple[str, ...]:
    """Return what a run card warns of, of any version.

    Parameters
    ----------
    card : dict
        Of a run; its ``caveats`` are sentences, missing where there are none.
    """
    said = card.get("caveats", [])
    said = [text for text in said if isinstance(text, str)] if isinstance(said, list) else []
    images = _value(card, "settings", "probe", "images")
    # cards of earlier versions say nothing
    few = few_images(images) if isinstance(images, int) else []
    return tuple(dict.fromkeys([*said, *few]))


def of_all(labellings: Sequence["Labelling"]) -> list[str]:
    """Return what several labellings warn of, and in what those by one method differ.

    Parameters
    ----------
    labellings : sequence of Labelling
        From `dissection.results.reading.read_all`.
    """
    several = len({part.name for part in labellings}) > 1
    own = [f"{p.name}: {text}" if several else text for p in labellings for text in p.caveats]
    methods = dict.fromkeys(part.method for part in labellings)
    groups = [[part for part in labellings if part.method == method] for method in methods]
    return list(dict.fromkeys([*(x for group in groups for x in differing(group)), *own]))


def differing(labellings: Sequence["Labelling"]) -> list[str]:
    """Return in what the runs of labellings by one method differ, where their cards tell.

    Parameters
    ----------
    labellings : sequence of Labelling
        With different names. Published tables do not tell what they were made from.
    """
    return [*_probes(labellings), *_settings(labellings)]


def _probes(labellings: Sequence["Labelling"]) -> Iterator[str]:
    known = {part.name: probe_of(part) for part in labellings}
    named = {name: probe(one) for name, one in known.items() if digest(one)}
    if len({digest(known[name]) for name in named}) > 1:
        yield f"different probe sets: {_by_value(named)}; some differences may be due to that"
    counts = {name: one["images"] for name, one in known.items() if "images" in one}
    if len(set(map(str, counts.values()))) > 1:
        yield f"different numbers of images: {_by_value(counts)}; numbers of few vary more"


def probe_of(labelling: "Labelling") -> dict[str, Any]:
    """Return what a run card says of the probe set, empty where there is none."""
    found = labelling.settings.get("probe")
    return found if isinstance(found, dict) else {}


def digest(settings: dict[str, Any]) -> str:
    """Return the digest of a probe set, from `probe_of`; empty where it is not told."""
    return str(settings.get("digest") or "")


def probe(settings: dict[str, Any]) -> str:
    """Return a probe set in words, from `probe_of`."""
    images = settings.get("images")
    shown = "" if images is None else f"{_text(images)} image{'s' * (images != 1)}, "
    return f"{settings.get('name', 'a probe set')} ({shown}digest {digest(settings)[:12]})"


def _settings(labellings: Sequence["Labelling"]) -> Iterator[str]:
    if not labellings:
        return
    flat = {part.name: _own(part) for part in labellings if part.settings}
    for key in dict.fromkeys(key for one in flat.values() for key in one):
        values = {name: one[key] for name, one in flat.items() if key in one}
        if len({str(value) for value in values.values()}) > 1:
            what = _NAMED.get(key, f"settings of CLIP, {key}")
            yield f"different {what}: {_by_value(values)}; the numbers do not compare directly"


def _own(labelling: "Labelling") -> dict[str, Any]:
    """Return the settings that change what the method of a labelling says."""
    settings = labelling.settings
    if labelling.method != "clip":
        return {key: settings[key] for key in _NAMED if key in settings}
    clip = dict(_flat(settings.get("clip", {})))
    return {key: settings[key] for key in ("precision",) if key in settings} | clip


def _flat(settings: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key} ")
        else:
            yield f"{above}{key}", value


def _by_value(values: dict[str, Any]) -> str:
    """Return who has which value, in words."""
    names: dict[str, list[str]] = {}
    for name, value in values.items():
        names.setdefault(_text(value), []).append(name)
    return "; ".join(f"{value} of {' and '.join(who)}" for value, who in names.items())


def _text(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)[:100]


def _value(content: Any, *keys: str) -> Any:
    """Return what is under keys within keys; None where something else is on the way."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def of_names(labellings: Sequence["Labelling"]) -> list[str]:
    """Return what may be wrong with the names of networks and layers, and which have no scores.

    Parameters
    ----------
    labellings : sequence of Labelling
        From `dissection.results.reading.read_all`.
    """
    found = []
    for method in dict.fromkeys(part.method for part in labellings):
        loose = [p for p in labellings if p.method == method and p.layers == [NO_LAYER]]
        if len(loose) > 1:
            files = ", ".join(str(part.source) for part in loose)
            found.append(
                f"warning: {files} are taken for {len(loose)} networks in one layer without a "
                "name; if they are layers of a network, give NAME:LAYER=FILE"
            )
    for part in labellings:
        if part.guessed:
            found.append(
                f"warning: {', '.join(part.guessed)} are taken for layers of one network, "
                f"{part.name}, as their names begin alike; if they are not, give NAME:LAYER=FILE"
            )
    for part in labellings:
        if part.units["score"].isna().all():
            found.append(f"{part.source} has no scores; what needs them is left out")
    return found
