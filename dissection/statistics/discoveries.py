"""Which of many units are more than chance: p against a pooled null, and q of all of them."""

import numpy as np

__all__ = ["FDR", "p_values", "q_values", "standardised"]

FDR = 0.05
"""False discovery rate at most, of what counts as significant."""


def standardised(
    null: np.ndarray, observed: np.ndarray, *, logarithm: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the null and what was observed on a scale that all units share.

    x_ur = (log m_ur - mean_r log m_ur) · sqrt(R / (R - 1)) of the null, and
    x_u = (log m_u - mean_r log m_ur) / sqrt(1 + 1 / R) of what was observed. A value of 0 takes the
    smallest positive one of the layer.

    Parameters
    ----------
    null : ndarray
        (R, U), R at least 2.
    observed : ndarray
        (U,).
    logarithm : bool
        Of values that are not negative; else m itself stands for log m, as of a similarity, which
        may be negative or a logarithm already.

    Returns
    -------
    null, observed : ndarray
        (R, U) and (U,) float64.

    Examples
    --------
    >>> null, observed = standardised(np.array([[0.1], [0.1], [0.4]]), np.array([1.6]))
    >>> (null / np.log(2)).round(3).tolist(), (observed / np.log(2)).round(3).tolist()
    ([[-0.816], [-0.816], [1.633]], [2.887])
    """
    shifts = len(null)
    null, observed = null.astype(float), observed.astype(float)
    if logarithm:
        everything = np.concatenate([null.ravel(), observed])
        positive = everything[everything > 0]
        least = positive.min() if len(positive) else 1.0
        null, observed = np.log(np.maximum(null, least)), np.log(np.maximum(observed, least))
    # equal values have that value as their mean, which a rounded sum would miss
    mean = null.mean(0).clip(null.min(0), null.max(0))
    return (
        (null - mean) * np.sqrt(shifts / (shifts - 1)),
        (observed - mean) / np.sqrt(1 + 1 / shifts),
    )


def p_values(null: np.ndarray, observed: np.ndarray, *, logarithm: bool = True) -> np.ndarray:
    """Return p = (1 + #{x_ur >= x_u}) / (1 + R·U) of each unit, (U,) float64.

    The null of a layer's units is pooled, see `standardised`: a unit's own few shifts could not
    make it rare.

    Parameters
    ----------
    null : ndarray
        (R, U) what chance gave on each of R shifts.
    observed : ndarray
        (U,).
    logarithm : bool
        See `standardised`.

    Returns
    -------
    ndarray
        NaN where R is less than 2, of which nothing can be learnt about spread.

    Examples
    --------
    >>> null = np.array([[0.1, 0.2], [0.2, 0.1]])
    >>> p_values(null, np.array([0.8, 0.01])).tolist()
    [0.2, 1.0]
    """
    if len(null) < 2:
        return np.full(len(observed), np.nan)
    chance, found = standardised(null, observed, logarithm=logarithm)
    pooled = np.sort(chance, axis=None)
    reaching = len(pooled) - np.searchsorted(pooled, found, side="left")
    return (1 + reaching) / (1 + len(pooled))


def q_values(p: np.ndarray) -> np.ndarray:
    """Return the false discovery rate at which each unit is found (Benjamini and Hochberg, 1995).

    q of the i-th smallest p is the least p_j · n / j of all j from i on, at most 1.

    Parameters
    ----------
    p : ndarray
        (n,); all of them numbers, or all NaN, of which q is NaN too.

    Examples
    --------
    >>> q_values(np.array([0.01, 0.04, 0.02, 0.8])).round(3).tolist()
    [0.04, 0.053, 0.04, 0.8]
    """
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    return found
