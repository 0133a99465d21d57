import numpy as np
import pytest
import torch

from broden.labels import LabelTable
from broden.reader import ProbeSet
from dissection.overlap import coding
from dissection.overlap.coding import SetReader, label_sets, labels_of
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


def decoded(labels, image, place, grid):
    """Return the pixels of each label of an image of a block, or of one of its partners."""
    at = int(labels.partner[image, place])
    code = labels.code[image, :, place].long() - place * labels.member.shape[1]
    inside = labels.member[at][code].bool().numpy()
    names = labels.label[at].tolist()
    assert not inside[:, [n for n, name in enumerate(names) if not name]].any()
    return {name: inside[:, n].reshape(grid) for n, name in enumerate(names) if name}


def assert_labels(labels, image, place, shown, grid):
    found, wanted = decoded(labels, image, place, grid), references.label_masks(shown, grid)
    assert found.keys() == wanted.keys()
    for label, mask in wanted.items():
        np.testing.assert_array_equal(found[label], mask, f"image {image}, label {label}")


def coded(probe, images, over=None):
    """Return the labels of some images, laid over those of others."""
    images = np.array(images)
    over = np.zeros((len(images), 0), np.int64) if over is None else np.array(over)
    sets = SetReader(probe).of(np.column_stack([images, over]))
    return labels_of(probe, images, over, sets, "cpu")


@pytest.mark.parametrize(
    "images", [[0, 2, 5], [1, 6], [4], [0, 2, 3, 7], range(len(IMAGES)), range(2, 5)], ids=str
)
def test_sets_say_which_pixels_carry_a_label(images, probe):
    labels = coded(probe, images)
    assert labels.code.dtype == torch.uint8
    for place, image in enumerate(images):
        assert_labels(labels, place, 0, IMAGES[image], GRID)


def test_partners_are_read_beside_the_images(probe):
    over = [[5, 0], [0, 0], [2, 7]]
    labels = coded(probe, [0, 2, 5], over)
    for place, (image, partners) in enumerate(zip([0, 2, 5], over, strict=True)):
        for shift, other in enumerate([image, *partners]):
            assert_labels(labels, place, shift, IMAGES[other], GRID)


def test_every_set_of_an_image_is_used(probe):
    for found in SetReader(probe).of(np.arange(len(IMAGES))).values():
        assert sorted(set(found.code.tolist())) == list(range(len(found.member)))


def test_presence_is_of_primary_categories(probe):
    labels = coded(probe, range(len(IMAGES)))
    assert labels.primary.tolist() == PRIMARY
    for image, shown in enumerate(IMAGES):
        held = {PRIMARY[label] for label in references.label_masks(shown, GRID)}
        present = labels.presence[image].nonzero()[:, 0].tolist()
        assert present == sorted(held)
    assert labels.presence.shape == (len(IMAGES), len(CATEGORIES))


def test_labels_that_cover_the_whole_image_are_in_every_set():
    found = label_sets(np.zeros((0, 6), np.int64), np.array([3, 1]), 4)
    assert found.code.tolist() == [0] * 6
    assert found.label.tolist() == [3, 1]
    assert found.member.tolist() == [[True, True]]


@pytest.mark.parametrize(
    ("images", "dtype"),
    [([0], "uint8"), ([0, 1], "uint8"), ([2], "int16"), ([3], "int16"), (range(4), "int16")],
    ids=str,
)
def test_numbers_of_sets_are_bytes_as_long_as_bytes_are_enough(images, dtype, crowded):
    probe, shown = crowded
    labels = coded(probe, images)
    assert labels.code.dtype == getattr(torch, dtype)
    for place, image in enumerate(images):
        assert_labels(labels, place, 0, shown[image], (20, 24))


def test_images_read_last_are_kept_and_others_read_again(probe, monkeypatch):
    monkeypatch.setattr(coding, "KEPT_BYTES", 3 * GRID[0] * GRID[1])
    reader, read = SetReader(probe), []
    block = type(probe).label_block
    monkeypatch.setattr(
        type(probe), "label_block", lambda self, n: (read.append(n.tolist()), block(self, n))[1]
    )
    first = reader.of(np.array([0, 1, 2]))
    assert reader.of(np.array([2, 1]))[2] is first[2]
    reader.of(np.array([3]))
    reader.of(np.array([0, 3]))
    assert read == [[0, 1, 2], [3], [0]]


def test_limit_leaves_the_other_images_as_they_are(probe):
    with ProbeSet(probe.path, limit=4) as limited:
        for a, b in zip(coded(limited, range(1, 4)), coded(probe, range(1, 4)), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("sets", [256, 257, 2**15, 2**15 + 1, 2**16 + 1])
def test_every_number_of_sets_has_a_type_that_holds_it(sets):
    pixels = np.arange(sets)
    planes = np.stack([(pixels >> bit & 1) * (bit + 1) for bit in range(17)])
    found = label_sets(planes, np.zeros(0, np.int64), 18)
    assert sorted(found.code.tolist()) == pixels.tolist()
    label = np.where(found.member[found.code], found.label, 0)
    assert (np.where(label > 0, 1 << (label - 1).clip(0), 0).sum(1) == pixels).all()
