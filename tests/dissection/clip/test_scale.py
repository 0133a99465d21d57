"""Sharpness and top images of the similarities, against the published and plain formulas."""

import numpy as np
import pytest
import torch

from dissection.clip.scale import PUBLISHED, saturated, scale_of, spread
from dissection.clip.similarity import soft_wpmi


@pytest.mark.parametrize("similarity", ["soft_wpmi", "wpmi"])
@pytest.mark.parametrize("images", [2_000, 63_305])
def test_of_published_encoders_and_sizes_it_is_the_published(similarity, images):
    encoder = PUBLISHED["soft_wpmi"].sharpness
    assert tuple(scale_of(similarity, images, encoder)) == tuple(PUBLISHED[similarity])


@pytest.mark.parametrize(("images", "top"), [(1, 20), (400, 20), (600, 30), (1000, 50)])
def test_fewer_images_have_fewer_top_images(images, top):
    assert scale_of("soft_wpmi", images, 10.0).top_k == top


def test_the_encoder_scales_both_alike_and_the_user_decides():
    assert scale_of("soft_wpmi", 9, 2.5).sharpness == 2.5
    assert scale_of("wpmi", 9, 2.5).sharpness == 0.5
    assert scale_of("wpmi", 9, 2.5, 7.0).sharpness == 7.0
    assert scale_of("cosine_cubed", 9, 2.5) is None


def test_the_spread_is_the_deviation_of_each_row_of_scores():
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((9, 5)), rng.standard_normal((14, 5)) + 2
    wanted = (images @ texts.T).std(1).mean()
    assert spread(torch.from_numpy(images), torch.from_numpy(texts)) == pytest.approx(wanted)


def test_saturated_are_those_next_to_the_bound_of_a_softmax():
    rng = np.random.default_rng(1)
    scores, activations = (torch.from_numpy(rng.standard_normal((600, n))) for n in (40, 30))
    found = soft_wpmi(scores, activations, a=20, top_k=20).numpy()
    wanted = [max(row) > np.log(30) - 0.05 for row in found.tolist()]
    assert saturated(found, "soft_wpmi").tolist() == wanted
    assert any(wanted)
    assert not all(wanted)
    assert not saturated(found, "cosine").any()
    assert not saturated(found[:1], "soft_wpmi").any()
