"""How far the label of a unit can be believed, in a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["FEW_IMAGES", "SIGNIFICANT", "STABLE", "SURE", "name_of", "verdict", "verdict_by_clip"]

SIGNIFICANT = 0.05
"""Highest q of a unit that is more than chance."""

STABLE = 0.8
"""Stability below which two names are said: of such labels a third to two thirds were right."""

SURE = 0.95
"""Stability from which a name is called sure: of such labels nine in ten and more were right."""

FEW_IMAGES = 10
"""Images in which unit and label overlap, below which a label rests on few."""


def name_of(unit: Mapping[str, Any]) -> str:
    """Return what a unit is called: its label, or two where resampling the images tells no one.

    Parameters
    ----------
    unit : mapping
        A row of a labelling by IoU.

    Examples
    --------
    >>> name_of({"label": "shirt", "runner_up": "skirt", "stability": 0.62})
    'shirt or skirt'
    >>> name_of({"label": "shirt"})
    'shirt'
    """
    other = unit.get("runner_up")
    if _number(unit, "stability") < STABLE and isinstance(other, str) and other:
        return f"{unit['label']} or {other}"
    return str(unit["label"])


def verdict(unit: Mapping[str, Any]) -> str:
    """Return in a sentence how far the label of a unit can be believed.

    Parameters
    ----------
    unit : mapping
        A row of a labelling by IoU: label, score, and of `schema.VALIDITY_COLUMNS` iou_low,
        iou_high, chance_iou, q, stability, runner_up and images. What is missing or NaN is not
        said.

    Returns
    -------
    str
        Empty where the run tells nothing of it.

    Examples
    --------
    >>> fir = {"label": "fir", "score": 0.31, "iou_low": 0.26, "iou_high": 0.35}
    >>> fir |= {"chance_iou": 0.02, "q": 0.0004, "stability": 0.99, "images": 57}
    >>> verdict(fir)
    'fir 0.31 (0.26 to 0.35), chance 0.02, q < 0.001, sure name'
    >>> verdict(fir | {"q": 0.4})
    'fir 0.31 (0.26 to 0.35), chance 0.02, q 0.40: no better than chance'
    """
    chance, q = _number(unit, "chance_iou"), _number(unit, "q")
    if np.isnan(chance) and np.isnan(q):
        return ""
    low, high = _number(unit, "iou_low"), _number(unit, "iou_high")
    said = f"{name_of(unit)} {_number(unit, 'score'):.2f}"
    parts = [said if np.isnan(low + high) else f"{said} ({low:.2f} to {high:.2f})"]
    if not np.isnan(chance):
        parts.append(f"chance {chance:.2f}" if chance >= 0.005 else "chance < 0.01")
    if not np.isnan(q):
        parts.append(_significance(q))
    return ", ".join([*parts, *_trust(unit, q)])


def verdict_by_clip(unit: Mapping[str, Any]) -> str:
    """Return in words how far the description of a unit can be believed.

    Parameters
    ----------
    unit : mapping
        A row of a labelling by CLIP with q and stability; what is missing or NaN is not said.

    Returns
    -------
    str
        Empty where the run tells nothing of it.

    Examples
    --------
    >>> verdict_by_clip({"q": 0.012, "stability": 0.5})
    'q 0.012, one half of the images agrees'
    """
    q, stability = _number(unit, "q"), _number(unit, "stability")
    parts = [] if np.isnan(q) else [_significance(q)]
    return ", ".join([*parts, *(text for value, text in _HALVES.items() if value == stability)])


_HALVES = {
    0.0: "neither half of the images agrees",
    0.5: "one half of the images agrees",
    1.0: "both halves of the images agree",
}
"""By the stability of a description."""


def _significance(q: float) -> str:
    if q > SIGNIFICANT:
        # to two digits 0.051 would be what is significant
        return f"q {q:.{2 if q >= 0.055 else 4}f}: no better than chance"
    return "q < 0.001" if q < 0.001 else f"q {q:.3f}"


def _trust(unit: Mapping[str, Any], q: float) -> list[str]:
    """Return what is to be said of the name: of one that chance gives, only on how few it rests."""
    images, stability = _number(unit, "images"), _number(unit, "stability")
    if images < FEW_IMAGES:
        return [f"few images ({images:.0f})"]
    if q > SIGNIFICANT or not stability >= STABLE:
        return []
    return ["sure name" if stability >= SURE else "likely name"]


def _number(unit: Mapping[str, Any], name: str) -> float:
    """Return a number of a unit, NaN where it has none."""
    value = unit.get(name)
    return float("nan") if value is None else float(value)
