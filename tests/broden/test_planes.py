import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from broden.planes import contents, decode_plane, is_palette, repeated
from tests.broden.layout import label_png, plane

PLANES = arrays(
    np.uint16, st.tuples(st.integers(0, 4), st.just(2), st.just(3)), elements=st.integers(0, 4)
)
WHOLE = st.sets(st.integers(1, 5), max_size=2)


def slow_sets(planes, whole):
    """Return the pixels of each label, and which planes repeat a label at a pixel."""
    held, repeats = {}, []
    for layer in planes:
        again = False
        for y in range(layer.shape[0]):
            for x in range(layer.shape[1]):
                label = int(layer[y, x])
                if label:
                    pixels = held.setdefault(label, set())
                    again |= (y, x) in pixels or label in whole
                    pixels.add((y, x))
        repeats.append(again)
    for label in whole:
        held[label] = {(y, x) for y in range(planes.shape[1]) for x in range(planes.shape[2])}
    return held, repeats


@given(PLANES, WHOLE)
def test_contents_equal_the_pixel_sets(planes, whole):
    before = planes.copy()
    held, repeats = slow_sets(planes, whole)
    label, pixels, found = contents(planes, whole)
    assert label.tolist() == sorted(held)
    assert pixels.tolist() == [len(held[n]) for n in sorted(held)]
    assert found.tolist() == repeats
    assert (label.dtype, pixels.dtype, found.dtype) == (np.int64, np.int64, bool)
    np.testing.assert_array_equal(planes, before)


@given(PLANES.filter(len), WHOLE)
def test_clearing_repeats_leaves_each_pixel_once_a_label(planes, whole):
    held, _ = slow_sets(planes, whole)
    kept = planes.copy()
    for index in range(len(planes)):
        kept[index][repeated(planes, index, whole)] = 0
    counts = np.bincount(kept.ravel(), minlength=6)
    counts[list(whole)] += 6
    assert {n: c for n, c in enumerate(counts.tolist()) if c and n} == {
        n: len(p) for n, p in held.items()
    }


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_label_is_red_plus_256_green(mode):
    labels = plane(1, 0, 1, 255, 256, 300, 65535)
    np.testing.assert_array_equal(decode_plane(label_png(labels, mode), (6, 8)), labels)
    assert not is_palette(label_png(labels, mode))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [None, 1, b"\0\x80"], ids=["opaque", "one", "some"])
@pytest.mark.parametrize("colours", ["unlucky", "grey"])
def test_label_of_a_palette_image_is_the_index(colours, transparent, bits):
    labels = plane(1, *range(min(2**bits, 40)))
    palettes = {
        # red + 256 * green of each is a number that may well be in label.csv
        "unlucky": [part for n in range(2**bits) for part in (2 * n % 256, 0, 9)],
        "grey": [n for n in range(2**bits) for _ in range(3)],
    }
    image = Image.fromarray(labels.astype(np.uint8)).convert("P")
    image.putpalette(palettes[colours])
    stream = io.BytesIO()
    more = {} if transparent is None else {"transparency": transparent}
    image.save(stream, "PNG", bits=bits, **more)
    data = stream.getvalue()
    assert (data[24], data[25]) == (bits, 3)
    np.testing.assert_array_equal(decode_plane(data, (6, 8)), labels)
    assert is_palette(data)


def _png(depth, colour, rows):
    """Return a PNG of 6x8 pixels by its own parts, for what Pillow does not write."""
    head = struct.pack(">IIBBBBB", 8, 6, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_holds_the_stored_number(bits):
    labels = plane(1, *range(2**bits))
    places = np.arange(8 // bits)[::-1] * bits
    rows = (labels.reshape(6, -1, 8 // bits) << places).sum(-1).astype(np.uint8)
    data = _png(bits, 0, [row.tobytes() for row in rows])
    np.testing.assert_array_equal(decode_plane(data, (6, 8)), labels)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_in_several_channels_are_refused(colour, channels):
    with pytest.raises(ValueError, match="is a PNG with 16 bits a colour, expected 8"):
        decode_plane(_png(16, colour, [bytes(16 * channels)] * 6), (6, 8))


def test_a_map_whose_header_is_not_first_is_refused():
    data = label_png(plane(1, 0, 1))
    moved = data[:8] + _chunk(b"tEXt", b"a\0" + bytes(30)) + data[8:]
    with pytest.raises(ValueError, match="cannot be decoded as PNG"):
        decode_plane(moved, (6, 8))


def _deep_png():
    """A PNG of 16 bits a colour, which Pillow reads as 8."""
    data = bytearray(label_png(plane(1, 0, 1)))
    data[24] = 16
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be decoded as PNG .no image of the expected format"),
        (b"\x89PNG\r\n\x1a\n", "cannot be decoded as PNG"),
        (label_png(plane(1, 0, 1))[:70], "cannot be decoded as PNG"),
        (label_png(plane(1, 0, 1, grid=(8, 6))), "PNG of 8x6, expected the label grid 6x8"),
        (_deep_png(), "16 bits a colour|cannot be decoded"),
    ],
    ids=["empty", "head", "cut", "size", "deep"],
)
def test_unusable_map_says_why(data, reason):
    with pytest.raises(ValueError, match=reason):
        decode_plane(data, (6, 8))


def test_damaged_pixels_are_noticed():
    data = bytearray(label_png(plane(1, 0, 1, 2, 3, 5, 6)))
    at = data.index(b"IDAT") + 10
    data[at : at + 8] = bytes(8)
    with pytest.raises(ValueError, match="cannot be decoded as PNG"):
        decode_plane(bytes(data), (6, 8))


def test_grey_with_alpha_holds_the_label_in_grey():
    labels = plane(1, 0, 1, 9)
    stream = io.BytesIO()
    pixels = np.stack([labels, np.full_like(labels, 255)], -1).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    np.testing.assert_array_equal(decode_plane(stream.getvalue(), (6, 8)), labels)
