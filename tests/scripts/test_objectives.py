"""The auxiliary tasks of training: what is asked, compared with slow loops."""

import math

import numpy as np
import pytest
import torch
from training.drawn import CLASSES, KINDS, STANDING, SURFACES, TEXTURE, Order, draw
from training.objectives import SIDE, Training, named
from training.variations import moves, shifted

from broden.mini import numbering
from broden.mini.compose import compose
from dissection.networks.sources.mini import SmallResNet


def test_an_image_of_no_class_should_be_named_nothing():
    logits, labels = torch.randn(6, 4), torch.tensor([2, -1, 0, 3, -1, -2])
    total = 0.0
    for row, label in zip(logits[:5].tolist(), labels[:5].tolist(), strict=True):
        logs = [v - math.log(sum(math.exp(w) for w in row)) for v in row]
        targets = [0.25] * 4 if label < 0 else [0.07 / 4 + 0.93 * (k == label) for k in range(4)]
        total -= sum(t * v for t, v in zip(targets, logs, strict=True))
    assert named(logits, labels).item() == pytest.approx(total / 5, rel=1e-5)


def test_maps_move_with_their_images():
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.integers(0, 9, (6, 2, SIDE, SIDE)))
    pixels = maps.repeat_interleave(8, 2).repeat_interleave(8, 3)
    rows, columns = moves(6, 8 * SIDE, rng)
    moved = shifted(maps, rows, columns)
    for n in range(6):
        picture = pixels[n][:, rows[n]][:, :, columns[n]]
        assert torch.equal(moved[n], picture[:, 4::8, 4::8])


@pytest.mark.parametrize(("kind", "hard"), [("scene", True), ("texture", False)])
def test_surfaces_are_the_labels_at_the_middles(kind, hard):
    maps = draw(Order(9, 4, ((kind, hard),), {}, surfaces=SIDE), 1, "images").surfaces
    assert maps.shape == (4, len(SURFACES), SIDE, SIDE)
    assert (maps.max((0, 2, 3)) < KINDS).all()
    step = 112 // SIDE
    for index in range(4):
        made = compose(9, index, kind, hard)
        planes, held = numbering.planes(made, made.rgb)
        for channel, category in enumerate(SURFACES):
            names = numbering.NAMES[category]
            number = numbering.CATEGORIES.index(category)
            for y, x in np.ndindex(SIDE, SIDE):
                told = maps[index, channel, y, x]
                if made.texture is not None and category == "texture":
                    assert told == CLASSES[TEXTURE].index(made.texture) + 1
                elif number in held:
                    label = planes[held.index(number), step * y + step // 2, step * x + step // 2]
                    name = names[told - 1] if told else None
                    assert numbering.NUMBERS.get((category, name), 0) == label
                else:
                    assert told == 0


def test_things_that_stand_in_an_image_are_told():
    drawn = draw(Order(9, 6, (("scene", True), ("object", True)), {}, surfaces=SIDE), 1, "images")
    index = numbering.CATEGORIES.index("object")
    for number, told in enumerate(drawn.things):
        made = compose(9, number, ("scene", "object")[number % 2], True)
        planes, held = numbering.planes(made, made.rgb)
        plane = planes[held.index(index)]
        cells = {n: int((plane == numbering.NUMBERS["object", n]).sum()) for n in STANDING}
        assert told.tolist() == [cells[name] >= 25 for name in STANDING]
        assert told.any()


@pytest.mark.parametrize(("places", "things"), [(0.0, 1.0), (1.0, 0.0)])
def test_the_tasks_reach_what_they_are_for_and_leave_no_hook(places, things):
    network = SmallResNet(5)
    training = Training(network, 1.0, places, things)
    images, labels = torch.randn(3, 3, 64, 64), torch.tensor([-1, 2, 4])
    maps = torch.randint(0, 3, (3, len(SURFACES), SIDE, SIDE))
    training.loss(images, labels, maps, torch.rand(3, len(STANDING)) < 0.1).backward()
    assert training.head.weight.grad.abs().sum() > 0
    assert network.layer1[0].conv1.weight.grad.abs().sum() > 0
    training.close()
    assert not network.layer2._forward_hooks
    assert not network.layer4._forward_hooks
    assert {*network.state_dict()} == {*SmallResNet(5).state_dict()}
