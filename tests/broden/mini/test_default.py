"""The default set: what it holds, and that its concepts can be detected at all."""

import numpy as np
import pytest

from broden import mini
from broden.inspection.audit import audit
from broden.reader import ProbeSet


@pytest.fixture(scope="module")
def probe():
    with ProbeSet(mini.default_probe(progress=False)) as opened:
        yield opened


def test_nearly_every_concept_can_pass_the_threshold(probe):
    entries = audit(probe)
    assert len(entries) > 200
    assert np.mean([entry.reachable for entry in entries]) >= 0.9


def test_scenes_are_told_in_about_half_of_the_images(probe):
    scenes = probe.presence[:, probe.categories.index("scene")]
    assert 0.45 < scenes.mean() < 0.55
    assert (len(probe), probe.image_size, probe.grid) == (1000, (224, 224), (112, 112))


def test_every_concept_occurs_in_several_images(probe):
    images = {entry.name: entry.images for entry in audit(probe)}
    assert min(images.values()) >= 5
