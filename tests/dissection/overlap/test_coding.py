import numpy as np
import pytest
import torch

from broden.labels import LabelTable
from broden.reader import ProbeSet
from dissection.overlap.coding import Contents, labels_of
from tests.dissection import references
from tests.dissection.probes import CATEGORIES, GRID, PRIMARY, corner_images, write_probe
from tests.dissection.references import Shown

IMAGES = corner_images()
MANY = 420


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with write_probe(tmp_path_factory.mktemp("codes") / "tiny.h5", IMAGES) as opened:
        yield opened


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A probe set whose images show about as many labels as a byte can number, and more."""
    ones = np.ones((MANY, 1), np.int64)
    numbers = np.arange(1, MANY + 1)
    names = [f"label {number}" for number in numbers]
    table = LabelTable.from_rows(("object",), numbers, names, [()] * MANY, ones, ones)
    grid = (20, 24)
    plane = (np.arange(480) % MANY + 1).astype(np.uint16).reshape(grid)
    images = [Shown([(0, np.where(plane <= most, plane, 0))]) for most in (254, 255, 256)]
    images.append(Shown([(0, plane), (0, plane[::-1])]))
    path = tmp_path_factory.mktemp("codes") / "crowded.h5"
    with write_probe(path, images, table, grid) as opened:
        yield opened, images


def decoded(labels, image, grid):
    """Return the pixels of each label of an image of a block, none of them given twice."""
    found = {}
    first, number = int(labels.first[image]), int(labels.number[image])
    for plane in labels.planes[first : first + number].numpy().reshape(number, *grid):
        for code in np.unique(plane[plane > 0]):
            pixels = found.setdefault(int(labels.label[image, code]), np.zeros(grid, bool))
            assert not (pixels & (plane == code)).any()
            pixels |= plane == code
    for code in labels.whole[image].nonzero()[:, 0].tolist():
        label = int(labels.label[image, code])
        assert label not in found
        found[label] = np.ones(grid, bool)
    return found


def assert_labels(labels, images, grid):
    assert len(labels.number) == len(images)
    assert int(labels.number.sum()) == len(labels.planes) - 1
    assert not labels.planes[-1].any()
    for image, shown in enumerate(images):
        found, wanted = decoded(labels, image, grid), references.label_masks(shown, grid)
        assert found.keys() == wanted.keys()
        for label, mask in wanted.items():
            np.testing.assert_array_equal(found[label], mask, f"image {image}, label {label}")
        used = sorted(label for label in labels.label[image].tolist() if label)
        assert used == sorted(wanted)


def coded(probe, images):
    """Return the labels of some images."""
    return labels_of(probe, Contents(probe), np.array(images), "cpu")


@pytest.mark.parametrize("images", [[0, 2, 5], [6, 1], [4], [7, 3, 0, 2]])
def test_images_may_lie_anywhere_in_the_set(images, probe):
    assert_labels(coded(probe, images), [IMAGES[image] for image in images], GRID)


@pytest.mark.parametrize(
    ("first", "last"), [(0, len(IMAGES)), (0, 1), (1, 2), (2, 5), (4, 7), (5, len(IMAGES))]
)
def test_codes_say_which_pixels_carry_a_label(first, last, probe):
    labels = coded(probe, range(first, last))
    assert_labels(labels, IMAGES[first:last], GRID)
    assert labels.planes.dtype == torch.uint8
    for part in labels[1:]:
        assert part.dtype == torch.int64


def test_presence_is_of_primary_categories(probe):
    labels = coded(probe, range(len(IMAGES)))
    assert labels.primary.tolist() == PRIMARY
    for image, shown in enumerate(IMAGES):
        held = {PRIMARY[label] for label in references.label_masks(shown, GRID)}
        present = labels.presence[image].nonzero()[:, 0].tolist()
        assert present == sorted(held)
    assert labels.presence.shape == (len(IMAGES), len(CATEGORIES))


def test_unlabelled_has_code_zero(probe):
    labels = coded(probe, range(len(IMAGES)))
    assert not labels.label[:, 0].any()
    assert not labels.whole[:, 0].any()


@pytest.mark.parametrize(
    ("first", "last", "dtype"),
    [(0, 1, "uint8"), (0, 2, "uint8"), (2, 3, "int16"), (3, 4, "int16"), (0, 4, "int16")],
)
def test_codes_are_bytes_as_long_as_bytes_are_enough(first, last, dtype, crowded):
    probe, images = crowded
    labels = coded(probe, range(first, last))
    assert labels.planes.dtype == getattr(torch, dtype)
    assert_labels(labels, images[first:last], (20, 24))


def test_limit_leaves_the_other_images_as_they_are(probe):
    with ProbeSet(probe.path, limit=4) as limited:
        for a, b in zip(coded(limited, range(1, 4)), coded(probe, range(1, 4)), strict=True):
            assert torch.equal(a, b)
