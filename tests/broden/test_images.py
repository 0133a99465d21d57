import io

import numpy as np
import pytest
from PIL import Image

from broden.images import decode
from broden.reader import decode as decode_of_reader
from tests.broden.layout import jpeg


def saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def test_reader_offers_the_same_function():
    assert decode_of_reader is decode


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_modes_equal_pillow(mode):
    data = jpeg(3, mode=mode)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    found = decode(data)
    assert (found.shape, found.dtype) == ((12, 16, 3), np.uint8)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "LA"])
def test_png_modes_equal_pillow(mode):
    image = Image.fromarray(RGB).convert(mode)
    np.testing.assert_array_equal(decode(saved(image, "PNG")), np.asarray(image.convert("RGB")))


def test_sixteen_bit_grey_is_scaled_not_clipped():
    grey = (np.arange(192, dtype=np.uint16) * 341).reshape(12, 16)
    found = decode(saved(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(found, np.repeat((grey >> 8)[..., None], 3, -1))


@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_other_size_is_resized_whole_like_pillow(resample):
    data = jpeg(1, (30, 20))
    expected = Image.open(io.BytesIO(data)).resize((16, 12), resample)
    np.testing.assert_array_equal(decode(data, (12, 16), resample), np.asarray(expected))


def test_same_size_is_not_resampled():
    np.testing.assert_array_equal(decode(jpeg(1), (12, 16)), decode(jpeg(1)))


def test_exif_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(RGB), "JPEG", exif=exif)
    assert decode(data).shape == (12, 16, 3)


@pytest.mark.parametrize(
    "data",
    [b"", b"text", jpeg(1)[:300], saved(Image.fromarray(RGB), "GIF")],
    ids=["empty", "text", "cut", "gif"],
)
def test_broken_image_is_named(data):
    with pytest.raises(ValueError, match=r"a/b.jpg: cannot be decoded \(.+\)"):
        decode(data, name="a/b.jpg")


def test_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("broden.images.MAX_PIXELS", 100)
    with pytest.raises(ValueError, match="192 pixels, at most 100 allowed"):
        decode(jpeg(1))
