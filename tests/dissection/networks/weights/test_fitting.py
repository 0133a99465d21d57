"""Prefixes that training scripts put before names, and heads that are others."""

import pytest
import torch
from torch import nn

from dissection.networks.weights.fitting import current_name, load_into, noting
from tests.dissection.small_networks import Residual, seeded


def fresh():
    torch.manual_seed(7)
    return Residual().eval()


def under(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def equal(module, state, but=()):
    return all(torch.equal(v, state[k]) for k, v in module.state_dict().items() if k not in but)


STATE = seeded(Residual).state_dict()
OTHER = {name: torch.full_like(tensor, 3) for name, tensor in STATE.items()}


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "module._orig_mod.", "model.", "net.", "encoder_q.", "module.encoder_q.",
     "backbone.", "student.backbone.", "model.model.", "anything.at.all."],
)  # fmt: skip
def test_one_prefix_before_all_names_is_stripped(prefix):
    module = fresh()
    assert load_into(module, under(prefix, STATE), "w.pth") == ((), ())
    assert equal(module, STATE)


@pytest.mark.parametrize(
    ("taken", "other"),
    [("encoder_q.", "encoder_k."), ("student.", "teacher."), ("model.", "model_ema."),
     ("online.", "target."), ("net.", "ema.net.")],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_of_two_copies_the_one_that_was_trained_is_taken(taken, other, first, caplog):
    parts = [under(taken, STATE), under(other, OTHER)]
    both = {**parts[0], **parts[1]} if first else {**parts[1], **parts[0]}
    module = fresh()
    with caplog.at_level("INFO"):
        load_into(module, both | {"queue": torch.zeros(3), "loss.weight": torch.zeros(1)}, "w.pth")
    assert equal(module, STATE)
    assert f"took what stands under {taken} (there are {other} too)" in caplog.text


def test_a_copy_that_follows_is_taken_where_there_is_no_other():
    module = fresh()
    load_into(module, under("teacher.", STATE), "w.pth")
    assert equal(module, STATE)


@pytest.mark.parametrize(
    "change",
    [
        {"fc.weight": torch.zeros(10, 4), "fc.bias": torch.zeros(10)},
        {"fc.weight": None, "fc.bias": None},
        {"fc.weight": None, "fc.bias": None, "projector.0.weight": torch.zeros(2)},
    ],
    ids=["other", "missing", "renamed"],
)
@pytest.mark.parametrize("prefix", ["", "encoder_q."])
def test_another_head_is_left_and_said(change, prefix, caplog):
    state = {k: v for k, v in {**STATE, **change}.items() if v is not None}
    module, before = fresh(), fresh().state_dict()
    with noting() as noted:
        fitted = load_into(module, under(prefix, state), "w.pth")
    assert fitted.left == ("fc",)
    assert noted == [fitted]
    assert "another head or none, so fc stays as initialised" in caplog.text
    assert equal(module, STATE, but=("fc.weight", "fc.bias"))
    assert torch.equal(module.fc.weight, before["fc.weight"])


def test_a_head_of_several_modules_is_left_as_a_whole():
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(6)))
    state = {k: v for k, v in module.state_dict().items() if k[0] < "4"}
    assert load_into(module, state, "w").left == ("4", "5")


@pytest.mark.parametrize("dropped", ["conv1.weight", "bn2.weight", "bn2.running_var", "fc.bias"])
def test_what_is_no_head_is_not_left(dropped):
    state = {k: v for k, v in STATE.items() if k != dropped}
    with pytest.raises(ValueError, match=f"lacks {dropped}"):
        load_into(fresh(), state, "w.pth")


def test_half_a_network_is_no_head():
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(9)))
    state = {k: v for k, v in module.state_dict().items() if k[0] < "4"}
    with pytest.raises(ValueError, match="lacks 4.weight"):
        load_into(module, state, "w")


def test_a_network_whose_answers_are_used_must_be_whole():
    state = {k: v for k, v in STATE.items() if not k.startswith("fc")}
    with pytest.raises(ValueError, match="lacks fc.weight"):
        load_into(fresh(), state, "w.pth", whole=True)


def test_what_compiling_leaves_inside_a_name_goes():
    assert current_name("layer4._orig_mod.0.conv1.weight") == "layer4.0.conv1.weight"
    assert current_name("module._orig_mod.features.module.0.bias") == "features.0.bias"
