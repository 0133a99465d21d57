"""Results to draw: two real runs on a few pictures."""

import numpy as np
import pytest

import dissection
from broden import mini
from broden.reader import ProbeSet
from dissection.config import Execution
from figures.inputs import Inputs, read
from tests.dissection import believed

IMAGES = 48
LAYERS = ["layer3", "layer4"]
NETWORKS = ("mini_scenes", "mini_objects")


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, IMAGES, seed=9)
    return path


@pytest.fixture(scope="session")
def runs(probe, tmp_path_factory):
    """Return the directories of two networks labelled by both methods."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name in NETWORKS:
            dissection.dissect(
                *(name, LAYERS, probe), method="both", out=folder / name,
                execution=Execution(device="cpu", workers=0),
            )  # fmt: skip
    return [folder / name for name in NETWORKS]


@pytest.fixture(scope="session")
def inputs(runs) -> Inputs:
    from dissection.results.photographs import source

    return read(runs, lambda labelling: source(labelling, None))


@pytest.fixture(scope="session")
def sure(probe, tmp_path_factory) -> Inputs:
    """Return a run that says how far its labels can be believed, with photographs."""
    return _believed(probe, tmp_path_factory.mktemp("sure") / "run")


@pytest.fixture(scope="session")
def unsure(probe, tmp_path_factory) -> Inputs:
    """Return the same run without anything that says so."""
    return _believed(probe, tmp_path_factory.mktemp("unsure") / "run", believed.bare)


def _believed(probe, folder, change=lambda folder: folder) -> Inputs:
    from dissection.results.photographs import source

    with ProbeSet(probe) as found:
        known = {"name": "mini", "images": len(found), "digest": found.digest, "path": probe}
    run = change(believed.run(folder, {"l3": 12, "l4": 20}, "net", probe=known))
    return read([run], lambda labelling: source(labelling, None))


@pytest.fixture
def photograph():
    """Return a picture that is a ramp of grey."""
    ramp = np.linspace(60, 200, 64).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (48, 64, 3)).copy()
