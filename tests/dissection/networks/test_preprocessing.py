import json

import numpy as np
import pytest
import torch
from PIL import Image

from dissection.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

HALF = (0.5, 0.5, 0.5)


def pixels(n=2, h=5, w=7):
    return torch.randint(0, 256, (n, h, w, 3), generator=torch.Generator().manual_seed(3)).to(
        torch.uint8
    )


def reference(batch, mean, std):
    """One pixel at a time, in float32, in the published order."""
    n, h, w, _ = batch.shape
    out = np.empty((n, 3, h, w), np.float32)
    for i, y, x, c in np.ndindex(n, h, w, 3):
        value = np.float32(batch[i, y, x, c].item()) / np.float32(255)
        out[i, c, y, x] = (value - np.float32(mean[c])) / np.float32(std[c])
    return out


@pytest.mark.parametrize(("mean", "std"), [(IMAGENET_MEAN, IMAGENET_STD), (HALF, HALF)])
def test_normalise_equals_a_plain_loop_bit_for_bit(mean, std):
    batch = pixels()
    got = Preprocessing((5, 7), mean, std).normalise(batch)
    assert np.array_equal(got.numpy(), reference(batch, mean, std))


def test_normalise_equals_torchvision_bit_for_bit_for_every_value():
    from torchvision.transforms import functional

    batch = torch.arange(256, dtype=torch.uint8)[None, :, None, None].expand(1, 256, 2, 3)
    floats = functional.convert_image_dtype(batch.permute(0, 3, 1, 2), torch.float32)
    expected = functional.normalize(floats, IMAGENET_MEAN, IMAGENET_STD)
    assert torch.equal(Preprocessing().normalise(batch), expected)


def test_normalise_gives_channels_last_and_leaves_its_input_alone():
    batch = pixels()
    before = batch.clone()
    got = Preprocessing().normalise(batch)
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert got.shape == (2, 3, 5, 7)
    assert torch.equal(batch, before)


def test_normalise_takes_a_batch_that_is_not_contiguous_or_empty():
    batch = pixels().flip(2)[:, :, ::2]
    assert torch.equal(
        Preprocessing().normalise(batch), Preprocessing().normalise(batch.contiguous())
    )
    assert Preprocessing().normalise(batch[:0]).shape == (0, 3, 5, 4)


@pytest.mark.parametrize(
    ("batch", "error", "match"),
    [
        (torch.zeros(1, 2, 2, 3), TypeError, "must be uint8, got torch.float32"),
        (torch.zeros(2, 2, 3, dtype=torch.uint8), ValueError, r"\(N, h, w, 3\), got \(2, 2, 3\)"),
        (torch.zeros(1, 3, 2, 2, dtype=torch.uint8), ValueError, r"got \(1, 3, 2, 2\)"),
    ],
)
def test_normalise_refuses_other_batches(batch, error, match):
    with pytest.raises(error, match=match):
        Preprocessing().normalise(batch)


def test_fields_are_plain_and_survive_json():
    given = Preprocessing(96, [0.1, 0.2, 0.3], (1, 2, 3), "bicubic")
    assert given == Preprocessing((96, 96), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "bicubic")
    again = json.loads(json.dumps(given.as_dict()))
    assert Preprocessing(**again) == given
    assert hash(Preprocessing(**again)) == hash(given)


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_resample_is_the_pillow_filter_of_that_name(name):
    assert Preprocessing(interpolation=name).resample is Image.Resampling[name.upper()]


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"size": 0}, ValueError, "at least 1, got 0"),
        ({"size": (1, 2, 3)}, ValueError, "one or two pixel counts"),
        ({"size": (2.5, 2)}, ValueError, "one or two pixel counts"),
        ({"mean": 0.5}, TypeError, "mean must be three numbers, got 0.5"),
        ({"mean": (1, 2)}, ValueError, "mean must be three finite numbers"),
        ({"std": (1, float("nan"), 1)}, ValueError, "std must be three finite numbers"),
        ({"std": (1, 0, 1)}, ValueError, "std must be above 0"),
        ({"interpolation": "area"}, ValueError, "unknown interpolation 'area'; allowed: nearest"),
    ],
)
def test_bad_fields_are_named(fields, error, match):
    with pytest.raises(error, match=match):
        Preprocessing(**fields)
