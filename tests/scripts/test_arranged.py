"""A set of other images shows what its images hold, counted image by image."""

import numpy as np
import pytest
from _arranged import Arranged, Repeated

from broden import mini
from broden.reader import ProbeSet


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, 12, seed=9)
    with ProbeSet(path) as opened:
        yield opened


@pytest.mark.parametrize(
    "order", [[3], [0, 1, 2], [5, 4, 4, 9, 10, 11, 0], [*range(12), *range(12)]], ids=str
)
def test_every_image_is_that_of_the_other_set(probe, order):
    found = Arranged(probe, np.array(order), "digest")
    assert (len(found), found.digest, found.facts()["images"]) == (len(order), "digest", len(order))
    assert found.names == [probe.names[i] for i in order]
    assert found.jpegs(range(len(order))) == probe.jpegs(order)
    assert (found.presence == probe.presence[order]).all()
    assert found.grid == probe.grid
    mass = np.zeros(len(probe.labels), int)
    contents = []
    for place, image in enumerate(order):
        _, label, pixels = probe.contents(image, image + 1)
        mass[label] += pixels
        contents += [(place, *pair) for pair in zip(label.tolist(), pixels.tolist(), strict=True)]
        mine, its = found.label_block([place]), probe.label_block([image])
        assert all(np.array_equal(a, b) for a, b in zip(mine, its, strict=True))
    assert (found.labels.pixels == mass).all()
    assert [*zip(*map(np.ndarray.tolist, found.contents(0, len(order))), strict=True)] == contents
    middle = [one for one in contents if 1 <= one[0] < len(order) - 1]
    part = found.contents(1, max(1, len(order) - 1))
    assert [*zip(*map(np.ndarray.tolist, part), strict=True)] == middle


def test_a_repeated_set_begins_again(probe):
    found = Repeated(probe, 30)
    assert found.jpegs([0, 12, 25]) == probe.jpegs([0, 0, 1])
    whole, part = (probe.contents(0, end)[2].sum() for end in (12, 6))
    assert found.labels.pixels.sum() == 2 * whole + part
    assert found.digest != probe.digest
