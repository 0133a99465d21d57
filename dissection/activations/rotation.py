"""The rotated twin of a layer: its activations in a random basis, in which no unit is special.

The control of the paper (Bau et al., CVPR 2017, section 3.2): if the units of a layer detect more
concepts than the directions of a random orthogonal basis of the same space do, its axes mean
something.
"""

import numpy as np
import torch
from torch import Tensor

__all__ = ["orthogonal", "rotated"]


def orthogonal(units: int, seed: int) -> np.ndarray:
    """Return a random orthogonal matrix of the Haar distribution, (U, U) float32.

    It is Q of the QR decomposition of Gaussian numbers, each column with the sign of the diagonal
    of R (Mezzadri, Notices of the AMS 54, 2007).

    Parameters
    ----------
    units, seed : int
        U, and what the generator starts from.

    Examples
    --------
    >>> turn = orthogonal(5, 1)
    >>> bool(np.allclose(turn @ turn.T, np.eye(5), atol=1e-6))
    True
    """
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.standard_normal((units, units)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def rotated(maps: Tensor, turn: Tensor) -> Tensor:
    """Return maps (N, U, h, w) in another basis, whose directions are the rows of (U, U).

    One product an image: how many come together must not change how one is rounded.
    """
    images, units, height, width = maps.shape
    cells = maps.permute(0, 2, 3, 1).reshape(images, height * width, units)
    found = torch.bmm(cells, turn.t().expand(images, units, units))
    return found.view(images, height, width, units).permute(0, 3, 1, 2)
