"""What a camera does to a picture: light, blur, noise, and the JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

_DARKEST, _BRIGHTEST = 75.0, 195.0


def shoot(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a photograph of a picture: uneven light, exposure, blur and noise.

    Parameters
    ----------
    picture : ndarray
        float32 (h, w, 3) in 0..255.

    Returns
    -------
    ndarray
        uint8 (h, w, 3).
    """
    h, w = picture.shape[:2]
    across, down = rng.uniform(-0.18, 0.18, 2)
    ramp = np.linspace(-1, 1, w, dtype=np.float32) * np.float32(across)
    ramp = 1 + ramp + np.linspace(-1, 1, h, dtype=np.float32)[:, None] * np.float32(down)
    cast = rng.uniform(0.94, 1.06, 3).astype(np.float32)
    lit = np.rint(np.clip(picture * ramp[..., None] * cast, 0, 255)).astype(np.uint8)
    blurred = Image.fromarray(lit).filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.9))))
    taken = np.asarray(blurred).astype(np.int16)
    grain = int(rng.integers(1, 9))
    taken += rng.integers(-grain, grain + 1, (h, w, 1), np.int16)
    mean = int(taken.sum(dtype=np.int64)) / taken.size
    gain = rng.uniform(0.88, 1.12) * min(max(1.0, _DARKEST / mean), _BRIGHTEST / mean)
    return np.clip(taken * np.float32(gain), 0, 255).astype(np.uint8)


def jpeg(rgb: np.ndarray, caption: str) -> bytes:
    """Encode a picture; the caption becomes the file's comment."""
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=90, comment=caption)
    return stream.getvalue()
