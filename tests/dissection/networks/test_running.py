"""Networks that take no float RGB, and what is said of those that cannot be shown images."""

import pytest
import torch
from torch import nn

import dissection
from dissection.networks.layers import probe_layers
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.running import ready, show
from tests.dissection.small_networks import SIZE, Residual, images, seeded

PLAIN = Preprocessing(SIZE)


class Grey(nn.Module):
    def __init__(self, channels=1):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(channels, 4, 5, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


class Flat(nn.Module):
    """A perceptron on the pixels of grey images."""

    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(32 * 32, 64), nn.BatchNorm2d(1)

    def forward(self, x):
        return self.norm(self.fc(x.flatten(1)).view(-1, 1, 8, 8))


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.LazyConv2d(8, 4, 4), nn.LazyLinear(3)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


@pytest.mark.parametrize("kind", [Grey, Flat])
def test_a_network_of_one_channel_is_shown_grey_images(kind):
    _, preprocessing = ready("net", seeded(kind), PLAIN)
    assert preprocessing.channels == 1
    assert preprocessing.as_dict()["channels"] == 1
    pixels = torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8)
    grey = preprocessing.normalise(pixels)
    assert grey.shape == (2, 1, *SIZE)
    luma = (pixels.double() * torch.tensor([0.299, 0.587, 0.114])).sum(3)
    mean = 0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406
    std = 0.299 * 0.229 + 0.587 * 0.224 + 0.114 * 0.225
    assert torch.allclose(grey[:, 0].double(), (luma / 255 - mean) / std, atol=1e-5)


def test_three_channels_go_without_saying():
    _, preprocessing = ready("net", seeded(Residual), PLAIN)
    assert preprocessing == PLAIN
    assert "channels" not in preprocessing.as_dict()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_are_cast_to_the_dtype_of_the_network(dtype):
    module = seeded(Residual).to(dtype)
    infos = {info.name: info for info in probe_layers(module, None, SIZE)}
    assert infos["bn2"].grid == (8, 8)
    found = dissection.activations.capture.collect(module, "bn2", images())["bn2"]
    assert found.dtype == torch.float32
    expected = dissection.activations.capture.collect(seeded(Residual), "bn2", images())["bn2"]
    assert torch.allclose(found, expected, atol=0.1)


def test_lazy_modules_are_made_by_a_first_pass_and_can_be_trained_later():
    module, _ = ready("net", Lazy(), PLAIN)
    assert module.conv.weight.shape == (8, 3, 4, 4)
    module(images()).sum().backward()
    assert module.conv.weight.grad is not None


def test_lazy_networks_of_a_factory_have_the_same_digest_in_each_start(tmp_path):
    (tmp_path / "lazy.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.LazyConv2d(4, 3))\n"
    )
    digests = {dissection.load(f"{tmp_path}/lazy.py:make", seed=3).digest() for _ in range(2)}
    assert len(digests) == 1
    assert digests != {dissection.load(f"{tmp_path}/lazy.py:make", seed=4).digest()}


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, image, mask):
        return self.conv(image) * mask


class Keyed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, batch):
        return self.conv(batch["image"])


class Video(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 2, 1)

    def forward(self, x):
        return self.conv(x.permute(1, 0, 2, 3, 4))


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (Two, r"^the network takes 2 inputs \(image, mask\); wrap it"),
        (Keyed, "^the network fails on 32x32 images, .*; .* or wrap it"),
        (Video, "^the network takes video, .*; wrap it"),
        (lambda: Grey(6), r"expected input.* to have 6 channels.* or wrap it"),
    ],
)
def test_networks_that_take_no_batch_of_images_are_to_be_wrapped(kind, match):
    with pytest.raises(RuntimeError, match=match) as raised:
        probe_layers(ready("net", seeded(kind), PLAIN)[0], None, SIZE)
    assert "in a module that takes one batch of images" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_showing_leaves_the_batch_as_it_is():
    batch = images()
    before = batch.clone()
    show(seeded(Residual), batch)
    assert torch.equal(batch, before)
