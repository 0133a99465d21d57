"""Whether the trials of two starts are of one network, as far as rounding lets one tell."""

import math
from collections.abc import Mapping, Sequence

__all__ = ["adopted", "same"]

TOLERANCE = 1e-3
"""How far they may be apart, relatively: machines and devices round differently."""


def adopted(before: dict, settings: dict) -> dict:
    """Return the settings of a start, with the trial of an earlier one where it gave the same.

    Parameters
    ----------
    before : dict
        Of the run card that is there.
    settings : dict
        Of this start.
    """
    earlier = before.get("model", {}).get("outputs")
    if earlier is None or not same(earlier, settings["model"]["outputs"]):
        return settings
    return settings | {"model": settings["model"] | {"outputs": earlier}}


def same(before: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> bool:
    """Tell whether two trials are of one network, as far as rounding lets one tell.

    Examples
    --------
    >>> same({"a": [1.0, 0.0]}, {"a": [1.0001, 0.0]}), same({"a": [1.0]}, {"a": [1.1]})
    (True, False)
    """
    return before.keys() == now.keys() and all(
        len(before[name]) == len(now[name])
        and all(
            math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE * max(map(abs, before[name])))
            for a, b in zip(before[name], now[name], strict=True)
        )
        for name in before
    )
