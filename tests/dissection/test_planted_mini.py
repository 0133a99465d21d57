"""Mini-Broden as a phantom: units that detect its concepts as well as we say are found out."""

import numpy as np
import pytest
import torch
from torch import nn

from broden import mini
from broden.labels import LabelTable
from broden.mini.drawing.brush import Brush
from broden.mini.drawing.camera import jpeg
from broden.mini.drawing.canvas import Canvas, Look
from broden.reader import ProbeSet
from broden.records import labelled
from broden.writer import ProbeWriter
from dissection.api import dissect
from dissection.config import IouConfig
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing

IMAGES, SIDE, GRID = 150, 224, 112
QUANTILE = 0.005
ACTIVE = int(QUANTILE * IMAGES * GRID * GRID)
PER_CATEGORY = 9
PLAIN = Preprocessing(size=SIDE, mean=(0, 0, 0), std=(1, 1, 1), interpolation="nearest")


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "mini.h5"
    mini.build(path, IMAGES, seed=77)
    with ProbeSet(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def truth(probe):
    """Return the label maps as lists of planes by image, decoded without the engine's reader."""
    return [
        [
            np.broadcast_to(np.uint16(p), (GRID, GRID))
            for planes in probe.maps(i).values()
            for p in planes
        ]
        for i in range(IMAGES)
    ]


def where(truth, label):
    """Return the pixels of a label, bool (N, H, W)."""
    return np.stack([np.any([plane == label for plane in planes], 0) for planes in truth])


def pixels(probe):
    """Return the decoded images, float32 (N, 3, h, w) in 0..1, as the network sees them."""
    from broden.images import decode

    rgb = np.stack([decode(data) for data in probe.jpegs(range(len(probe)))])
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 255


def iou(active, concept, counted):
    """Return the overlap of two sets of pixels, (N, H, W) each; `counted` images hold a label."""
    both, area = (active & concept).sum(), active[counted].sum()
    return both / (area + concept.sum() - both)


class Recognised(nn.Module):
    """Recognises an image of the set and answers with the maps it was given for it."""

    def __init__(self, images, maps):
        super().__init__()
        self.register_buffer("known", self.signature(images))
        self.register_buffer("maps", torch.from_numpy(maps))
        self.out = nn.Identity()

    @staticmethod
    def signature(images):
        return nn.functional.adaptive_avg_pool2d(images, 8).flatten(1)

    def forward(self, images):
        which = torch.cdist(self.signature(images), self.known).argmin(1)
        return self.out(self.maps[which].float())


def plan(probe):
    """Return labels to plant, some of each category, with enough pixels to tell them."""
    table = probe.labels
    usable = [n for n in np.flatnonzero(table.known).tolist() if table.pixels[n] >= 600]
    rng = np.random.default_rng(0)
    chosen = []
    for category in range(len(table.categories)):
        own = [n for n in usable if table.primary[n] == category]
        chosen += sorted(rng.permutation(own)[:PER_CATEGORY].tolist())
    return chosen


def planted(probe, truth, labels):
    """Return activation maps bool (N, U, H, W) that hit a known share of each label's pixels."""
    rng = np.random.default_rng(1)
    maps = np.zeros((IMAGES, len(labels), GRID, GRID), bool)
    for unit, label in enumerate(labels):
        concept = where(truth, label)
        quality = rng.uniform(0.55, 1)
        inside = min(int(quality * concept.sum()), int(quality * ACTIVE))
        outside = min(int((1 - quality) * inside), ACTIVE - inside)
        flat = maps[:, unit].reshape(IMAGES, -1)
        for pool, count in ((concept, inside), (~concept, outside)):
            image, cell = np.nonzero(pool.reshape(IMAGES, -1))
            picked = rng.permutation(len(image))[:count]
            flat[image[picked], cell[picked]] = True
        maps[:, unit] = flat.reshape(IMAGES, GRID, GRID)
    return maps


def test_planted_units_are_named_and_measured(probe, truth, tmp_path):
    labels = plan(probe)
    assert len(labels) >= 50
    maps = planted(probe, truth, labels)
    network = Network("planted", Recognised(pixels(probe), maps).eval(), PLAIN, "planted")
    units = dissect(network, ["out"], probe, out=tmp_path / "run").units
    right = 0
    for unit, label in enumerate(labels):
        row = units.iloc[unit]
        category = probe.labels.category(label)
        counted = probe.presence[:, probe.labels.primary[label]]
        expected = iou(maps[:, unit], where(truth, label), counted)
        right += row["label"] == probe.labels.names[label]
        if row[f"{category}-label"] == probe.labels.names[label]:
            assert row[f"{category}-iou"] == pytest.approx(expected, abs=1e-6)
    assert right >= 0.95 * len(labels)


class Filters(nn.Module):
    """Three colour filters, and one that answers to fine stripes that run upright."""

    def __init__(self):
        super().__init__()
        colour = torch.tensor([[1.0, -0.7, -0.7], [-0.7, 1.0, -0.7], [-0.6, -0.4, 1.0]])
        self.register_buffer("colour", colour[:, :, None, None])
        self.out = nn.Identity()

    def forward(self, images):
        return self.out(nn.functional.conv2d(nn.functional.avg_pool2d(images, 2), self.colour))


def test_colour_filters_are_named_and_measured(probe, truth, tmp_path):
    module = Filters().eval()
    units = dissect(
        Network("filters", module, PLAIN, "by hand"), ["out"], probe, out=tmp_path
    ).units
    with torch.inference_mode():
        maps = module(pixels(probe)).numpy()
    every = np.ones(IMAGES, bool)
    for unit, name in enumerate(("red", "green", "blue")):
        values = maps[:, unit]
        threshold = np.sort(values.ravel())[-ACTIVE - 1]
        (label,) = probe.labels.numbers(f"{name}-c")
        row = units.iloc[unit]
        assert row["color-label"] == f"{name}-c"
        assert row["threshold"] == pytest.approx(threshold)
        expected = iou(values > threshold, where(truth, label), every)
        assert row["color-iou"] == pytest.approx(expected, abs=0.01)


TEXTURES = ("striped", "dotted", "cracked", "marbled", "spiralled", "bubbly")
PERIOD = 12


def patchwork(path):
    """Write a set of patches of textures, the stripes upright; return their maps (N, H, W)."""
    rng = np.random.default_rng(3)
    numbers = {name: number for number, name in enumerate(TEXTURES, 1)}
    ones = np.ones((len(TEXTURES), 1))
    table = LabelTable.from_rows(
        ("texture",), [*numbers.values()], TEXTURES, [()] * len(TEXTURES), ones, ones
    )
    planes = []
    with ProbeWriter(path, table, (GRID, GRID), name="patches", source="drawn") as writer:
        for i in range(24):
            canvas = Canvas(rng)
            for x, name in zip((40, 112, 184), rng.permutation(TEXTURES)[:3], strict=True):
                accent = Look((90, 90, 90), str(name), (200, 200, 200), PERIOD, contrast=1.0)
                Brush(canvas, None, x, 180, 60).box(-0.5, 0, 0.5, 2, accent, shade=0)
            planes.append(canvas.planes({}, {}, {}, numbers)[3])
            data = jpeg(canvas.picture().astype(np.uint8), "patches")
            size = (SIDE, SIDE)
            writer.add(labelled(f"{i}.jpg", "", data, size, planes[-1][None], (0,), ()))
        writer.finish()
    return np.stack(planes)


class Gabor(nn.Module):
    """Answers to upright stripes of one period: the energy of a pair of Gabor filters."""

    def __init__(self):
        super().__init__()
        y, x = torch.meshgrid(*[torch.arange(-15.0, 16.0)] * 2, indexing="ij")
        window = torch.exp(-(x * x + y * y) / (2 * 6.0**2))
        waves = [w(2 * np.pi * x / PERIOD) * window for w in (torch.cos, torch.sin)]
        filters = torch.stack([wave - window * wave.sum() / window.sum() for wave in waves])
        self.register_buffer("filters", filters[:, None])
        self.out = nn.Identity()

    def forward(self, images):
        pair = nn.functional.conv2d(images.mean(1, keepdim=True), self.filters, padding=15)
        return self.out(nn.functional.avg_pool2d(pair.square().sum(1, keepdim=True), 2))


def test_an_oriented_filter_is_named_and_measured(tmp_path):
    planes = patchwork(tmp_path / "patches.h5")
    module = Gabor().eval()
    with ProbeSet(tmp_path / "patches.h5") as probe:
        network = Network("gabor", module, PLAIN, "by hand")
        config = IouConfig(quantile=0.05)
        row = dissect(network, ["out"], probe, out=tmp_path / "run", config=config).units.iloc[0]
        with torch.inference_mode():
            values = module(pixels(probe))[:, 0].numpy()
    threshold = np.sort(values.ravel())[-int(0.05 * values.size) - 1]
    expected = iou(values > threshold, planes == 1, np.ones(len(planes), bool))
    assert row["label"] == "striped"
    assert expected > 0.3
    assert row["iou"] == pytest.approx(expected, abs=0.01)
