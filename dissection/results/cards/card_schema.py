"""What the fields of a run card are: whoever reads a card relies on these types.

A card need not have all of them. One of a run that is under way has settings only, and an earlier
version of the program wrote fewer; who cannot do without a field asks for it with `fields.need`.
"""

from typing import Any

from dissection.config import UNIONS
from dissection.results import schema
from dissection.results.cards.fields import BOOL, MAPPING, TEXT, Kind, check, need, number, whole

__all__ = ["SUMMARISED", "check_card", "need_drawn"]


def _one_of(*names: str) -> Kind:
    return Kind(f"one of {', '.join(names)}", lambda value: value in names)


def _is_grid(value: object) -> bool:
    size = whole(1, 1 << 20)
    return isinstance(value, list) and len(value) in (0, 2) and all(map(size.holds, value))


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(number().holds, value))


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_sentences(value: object) -> bool:
    return isinstance(value, list) and all(map(TEXT.holds, value))


_NAMED = TEXT.or_nothing()
_LIST = Kind("a list", _is_list)

_FIELDS: dict[str, Kind] = {
    "status": _one_of(schema.RUNNING, schema.COMPLETE),
    "settings": MAPPING,
    "settings.method": TEXT,
    "settings.quantile": number(0, 1).or_nothing(),
    "settings.union": _one_of(*UNIONS),
    "settings.min_iou": number(0, 1),
    "settings.precision": TEXT,
    "settings.validity": _one_of("full", "none"),
    "settings.shifts": whole(0).or_nothing(),
    "settings.rotations": whole(0),
    "settings.quantiles": _LIST,
    "settings.quantiles.*": number(0, 1),
    "settings.clip": MAPPING,
    "settings.clip.encoder": MAPPING,
    "settings.clip.encoder.name": TEXT,
    "settings.clip.encoder.weights": _NAMED,
    "settings.clip.encoder.digest": _NAMED,
    "settings.clip.encoder.preprocessing": MAPPING,
    "settings.clip.concepts": MAPPING,
    "settings.clip.concepts.source": TEXT,
    "settings.clip.concepts.count": whole(1),
    "settings.clip.concepts.digest": _NAMED,
    "settings.clip.concepts.template": TEXT,
    "settings.clip.similarity": TEXT,
    "settings.clip.pooling": TEXT,
    "settings.clip.shifts": whole(1),
    "settings.clip.sharpness": number(0),
    "settings.clip.top_k": whole(1),
    "settings.model": MAPPING,
    "settings.model.name": TEXT,
    "settings.model.weights": _NAMED,
    "settings.model.digest": _NAMED,
    "settings.model.preprocessing": MAPPING,
    "settings.model.outputs": MAPPING,
    "settings.model.outputs.*": Kind("a list of numbers", _is_numbers),
    "settings.probe": MAPPING,
    "settings.probe.name": TEXT,
    "settings.probe.images": whole(1),
    "settings.probe.digest": TEXT,
    "settings.layers": MAPPING,
    "settings.layers.*": MAPPING,
    "settings.layers.*.units": whole(1, 1 << 31),
    "settings.layers.*.grid": Kind("two sizes, or none", _is_grid),
    "settings.layers.*.layout": _NAMED,
    "caveats": Kind("a list of sentences", _is_sentences),
    "definitions": MAPPING,
    "definitions.*": TEXT,
    "probe": MAPPING,
    "counts": MAPPING,
    "counts.*": MAPPING,
    "counts.*.units": whole(1, 1 << 31),
    "counts.*.detectors": whole(0),
    "counts.*.unique_best": whole(0),
    "counts.*.unique_paper": whole(0),
    "counts.*.unique_paper_by_category": MAPPING,
    "counts.*.unique_paper_by_category.*": whole(0),
    "counts.*.descriptions": whole(0),
    "counts.*.descriptions_significant": whole(0),
    "counts.*.saturated": whole(0),
    "counts.*.expected_by_chance": MAPPING,
    "counts.*.expected_by_chance.mean": number(0).or_nothing(),
    "counts.*.expected_by_chance.sd": number(0).or_nothing(),
    "counts.*.expected_by_chance.shifts": whole(0),
    "counts.*.significant": whole(0),
    "counts.*.significant_detectors": whole(0),
    "counts.*.detectors_sd": number(0).or_nothing(),
    "counts.*.unique_sd": number(0).or_nothing(),
    "counts.*.alone": whole(0),
    "counts.*.rotated": _LIST,
    "counts.*.rotated.*": MAPPING,
    "counts.*.rotated.*.seed": whole(0),
    "counts.*.rotated.*.detectors": whole(0),
    "counts.*.rotated.*.unique_best": whole(0),
    "counts.*.rotated.*.unique_paper": whole(0),
    "host": MAPPING,
    "host.probe": TEXT,
    "host.versions": MAPPING,
    "host.shards": MAPPING,
    "host.shards.kept": BOOL,
    "times": MAPPING,
    "times.seconds": MAPPING,
}
"""By name, what holds others before these."""

_COUNTED = ("counts", "settings.probe.name", "settings.probe.images", "counts.*.units")
_CLIP = ("encoder.name", "concepts.source", "concepts.count", "similarity", "pooling")

SUMMARISED = {
    "iou": (
        *_COUNTED,
        *("settings.model.name", "settings.model.weights"),
        *("settings.min_iou", "settings.union", "settings.quantile"),
        *(f"counts.*.{name}" for name in ("detectors", "unique_best", "unique_paper")),
    ),
    "clip": (
        *_COUNTED,
        *("settings.model.name", "settings.model.weights"),
        *(f"settings.clip.{name}" for name in _CLIP),
        "counts.*.descriptions",
    ),
}
"""What the summary of a run cannot do without, by labeler."""

_DRAWN = ("probe.name", "probe.images", "probe.digest", *(f"clip.{name}" for name in _CLIP))


def need_drawn(settings: dict[str, Any], where: str) -> None:
    """Refuse settings that tell of a probe set or of CLIP less than captions say.

    Parameters
    ----------
    settings : dict
        Of a checked card; those of a table without a card tell of neither.
    where : str
        What they are of, for messages.

    Raises
    ------
    ValueError
        If they do.
    """
    need(settings, [name for name in _DRAWN if name.partition(".")[0] in settings], where)


def check_card(card: dict[str, Any], where: str) -> None:
    """Refuse a card with a field that is not what it should be.

    Parameters
    ----------
    card : dict
        From `fields.read_json`.
    where : str
        Its file, for messages.

    Raises
    ------
    ValueError
        If one is another.
    """
    check(card, _FIELDS, where)
    if any(not name.strip() for name in card.get("settings", {}).get("layers", {})):
        raise ValueError(f"{where}: settings.layers has a layer without a name")
