import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.top import Top, merge_top, no_images
from tests.dissection import references

few = settings(max_examples=40, deadline=None, derandomize=True)


@few
@given(st.data())
def test_top_images_of_any_partition_are_the_same(data):
    images, units = data.draw(st.integers(1, 25)), 3
    maxima = data.draw(
        st.lists(
            st.lists(st.integers(-3, 3), min_size=units, max_size=units),
            min_size=images,
            max_size=images,
        )
    )
    maxima = np.array(maxima, np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, images), max_size=3)))
    parts = [
        Top(np.broadcast_to(i, (units, len(i))), maxima[i].T)
        for i in np.split(np.arange(images), cuts)
    ]
    found = merge_top(data.draw(st.permutations(parts)), 4)
    nested = merge_top([merge_top(parts[:1], 4), no_images(units), *parts[1:]], 4)
    image, value = references.top_images(maxima, 4)
    for top in (found, nested):
        np.testing.assert_array_equal(top.image, image)
        np.testing.assert_array_equal(top.value, value)
