import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.top import TOP_IMAGES, Top, merge_top, no_images, with_block
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


@few
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_blocks_added_one_by_one_give_the_top_images_of_all(seed, width):
    rng = np.random.default_rng(seed)
    # many equal maxima, and images in any order
    maxima = rng.integers(-3, 4, (60, 4)).astype(np.float32)
    top = no_images(4)
    for block in np.array_split(rng.permutation(60), 60 // width):
        before = [part.copy() for part in top]
        added = with_block(top, np.sort(block), maxima[np.sort(block)])
        for part, kept in zip(top, before, strict=True):
            np.testing.assert_array_equal(part, kept)
        top = added
    for found, wanted in zip(top, references.top_images(maxima, TOP_IMAGES), strict=True):
        np.testing.assert_array_equal(found, wanted)
