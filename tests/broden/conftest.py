import pytest

from broden.sources.convert import convert
from tests.broden.layout import corner_photos, pixel_sets, write_layout


@pytest.fixture(scope="session")
def corners(tmp_path_factory):
    """A layout with every corner of the format."""
    return write_layout(tmp_path_factory.mktemp("corners") / "tiny", corner_photos())


@pytest.fixture(scope="session")
def corner_sets(corners):
    """The pixels of each label in each image of `corners`, read slowly."""
    return pixel_sets(corners)


@pytest.fixture(scope="session")
def probe_path(corners, tmp_path_factory):
    """`corners` as a probe file; not to be changed."""
    path = tmp_path_factory.mktemp("probe") / "tiny.h5"
    convert(corners, path)
    return path
