"""Decoding of photographs: whole image, plain RGB, exact pixels."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG")
#: Photographs above this are refused; below it Pillow raises no warning of a decompression bomb.
MAX_PIXELS = 64_000_000

#: What Pillow raises on damaged or hostile files.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    AttributeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def decode(
    data: bytes,
    size: tuple[int, int] | None = None,
    resample: int = Image.Resampling.BILINEAR,
    name: str = "image",
) -> np.ndarray:
    """Decode a photograph to RGB, resizing the whole image where its size differs.

    Greyscale, palette, CMYK and 16-bit files become plain RGB; alpha is dropped; an EXIF
    orientation is ignored, because label maps follow the stored pixels.

    Parameters
    ----------
    data : bytes
        A JPEG or PNG file.
    size : tuple of int, optional
        (h, w) in pixels; None keeps the size of the file.
    resample : int
        A ``PIL.Image.Resampling`` filter, used only where the size differs.
    name : str
        Named in the error.

    Returns
    -------
    ndarray
        uint8 (h, w, 3), read-only, RGB.

    Raises
    ------
    ValueError
        When the data cannot be decoded completely.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width * image.height} pixels, at most {MAX_PIXELS} allowed")
        if image.mode != "RGB":
            image = _rgb(image)
        if size is not None and image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), resample)
        return np.asarray(image)
    except DECODE_ERRORS as error:
        raise ValueError(f"{name}: cannot be decoded ({explain(error)})") from error


def explain(error: Exception) -> str:
    """Return why Pillow could not decode; the same text for the same data."""
    if isinstance(error, UnidentifiedImageError):
        # Its own text names a buffer by address.
        return "no image of the expected format"
    return str(error) or type(error).__name__


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit greys to 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")
