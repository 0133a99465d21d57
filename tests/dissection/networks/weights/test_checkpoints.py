import io
import tarfile
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dissection.networks.weights.checkpoints import current_name, load_into, read
from dissection.networks.weights.torchscript import is_torchscript
from tests.dissection.small_networks import Residual, images, seeded
from tests.dissection.weightfiles import (
    Global,
    Reference,
    harmful,
    pickled,
    stored,
    tensor_members,
    write_legacy,
    write_members,
    write_tar,
)

STATE = {
    "conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "bn.num_batches_tracked": torch.tensor([7]),
    "fc.bias": torch.tensor([0.5, -1.5], dtype=torch.float64),
}
BESIDE = {"epoch": 90, "arch": "resnet18", "best_prec1": 54.5}


def write_zip(path, state, **beside):
    torch.save({**beside, "state_dict": state} if beside else state, path)
    return path


def write_old(path, state, **beside):
    content = {**beside, "state_dict": state} if beside else state
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def write_safetensors(path, state, **beside):
    save_file(state, path)
    return path


FORMS = {
    "zip": write_zip,
    "legacy": write_old,
    "legacy of Python 2": write_legacy,
    "tar": write_tar,
    "safetensors": write_safetensors,
}
forms = pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)


def refused(path):
    """Return the one line with which a file is refused."""
    with pytest.raises(ValueError, match=path.name) as raised:
        read(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def same(got, expected):
    assert set(got) == set(expected)
    for name, tensor in expected.items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor), name


# Forms and places


@forms
@pytest.mark.parametrize("beside", [{}, BESIDE], ids=["alone", "beside others"])
def test_every_form_gives_the_same_state_dict(tmp_path, write, beside):
    same(read(write(tmp_path / "weights.pth.tar", STATE, **beside)), STATE)


@forms
def test_names_are_brought_to_their_present_form(tmp_path, write):
    wrapped = {f"module.{name}": tensor for name, tensor in STATE.items()}
    same(read(write(tmp_path / "w", wrapped)), STATE)


@pytest.mark.parametrize(
    "content",
    [
        {"model": STATE, "optimizer": {"state": {}}},
        {"model_state_dict": STATE},
        {"ema": {"state_dict": STATE}, "epoch": 1},
        {"anything": STATE, "epoch": 1},
        {"state_dict": STATE, "ema": {"other": torch.zeros(1)}},
        {"weights": {k: nn.Parameter(v, requires_grad=False) for k, v in STATE.items()}},
    ],
)
def test_the_state_dict_is_found_where_scripts_put_it(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    assert set(read(tmp_path / "w.pt")) == set(STATE)


@pytest.mark.parametrize(
    ("published", "today"),
    [
        ("module.conv1.weight", "conv1.weight"),
        ("module.layer4.1.bn2.running_var", "layer4.1.bn2.running_var"),
        ("features.module.0.weight", "features.0.weight"),
        ("classifier.1.weight", "classifier.1.weight"),
        (
            "module.features.denseblock1.denselayer1.norm.1.weight",
            "features.denseblock1.denselayer1.norm1.weight",
        ),
        (
            "features.denseblock4.denselayer24.conv.2.weight",
            "features.denseblock4.denselayer24.conv2.weight",
        ),
        ("features.transition1.norm.weight", "features.transition1.norm.weight"),
        ("layer1.0.conv.1.weight", "layer1.0.conv.1.weight"),
        ("submodule.0.weight", "submodule.0.weight"),
        ("module.module.a", "a"),
    ],
)
def test_published_names_and_what_they_are_today(published, today):
    assert current_name(published) == today


def test_names_that_would_become_one_are_left(tmp_path):
    state = {"module.a": torch.zeros(1), "a": torch.ones(1)}
    same(read(write_zip(tmp_path / "w", state)), state)


def test_tensors_of_a_tar_may_be_transposed_empty_or_share_a_storage(tmp_path):
    matrix = torch.arange(6.0).reshape(2, 3)
    storages, tensors = tensor_members([matrix, torch.zeros(0)])
    # Swap the strides of the first: shape (2, 3), strides (3, 1) -> (1, 2).
    tensors = tensors.replace(
        b"\x03" + b"\0" * 7 + b"\x01" + b"\0" * 7, b"\x01" + b"\0" * 7 + b"\x02" + b"\0" * 7, 1
    )
    content = pickled({"a": stored(0), "b": stored(0), "c": stored(1)})
    got = read(write_members(tmp_path / "w", storages, tensors, content))
    assert torch.equal(got["a"], torch.tensor([[0.0, 2, 4], [1, 3, 5]]))
    assert got["a"] is got["b"]
    assert got["c"].numel() == 0


# Files that are refused


@pytest.mark.parametrize("form", ["tar", "tar storages", "tar tensors"])
def test_a_tar_that_would_execute_code_is_refused(tmp_path, form):
    made, path = tmp_path / "made", tmp_path / "evil.pth"
    storages, tensors = tensor_members(list(STATE.values()))
    members = {"tar storages": storages, "tar tensors": tensors, "tar": pickled({})}
    members[form] = pickled(harmful(made))
    write_members(path, *members.values())
    message = refused(path)
    assert "could execute code" in message
    assert "mkdir" in message
    assert "torch.save(network.state_dict(), FILE)" in message
    assert not made.exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "torch.load", "torch.serialization.load", "torch.hub.load"]
)
def test_a_tar_may_name_tensor_types_only(tmp_path, name):
    storages, tensors = tensor_members([])
    content = pickled(Global(*name.rsplit(".", 1)))
    assert name in refused(write_members(tmp_path / "w", storages, tensors, content))


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_a_pickled_network_is_refused(tmp_path, new):
    path = tmp_path / "whole_resnet.pth.tar"
    torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=new)
    assert "torch.nn.modules.linear.Linear" in refused(path)


@forms
@pytest.mark.parametrize("share", [0.999, 0.5, 0.02])
def test_a_truncated_file_is_refused(tmp_path, write, share):
    path = write(tmp_path / "w.pth", {"a": torch.randn(64, 64)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    # Tar archives end with 10 KB of nothing, which may be missing.
    if write is write_tar and share == 0.999:
        assert set(read(path)) == {"a"}
    else:
        assert "damaged or cut off" in refused(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (torch.zeros(2), "no state dict but a Tensor"),
        ([torch.zeros(2)], "no state dict but a list"),
        ({}, "no state dict but nothing"),
        ({"epoch": 3, "lr": 0.1}, "no state dict but entries epoch, lr;"),
        (dict.fromkeys("abcdefgh", 1), "entries a, b, c, d, e, f, ...;"),
        ({"one": STATE, "two": STATE}, "entries one, two;"),
        ({"state_dict": {"a": 1}}, "entries state_dict;"),
    ],
)
def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path, content, match):
    torch.save(content, tmp_path / "w.pt")
    assert match in refused(tmp_path / "w.pt")


def test_a_dict_that_holds_itself_is_refused(tmp_path):
    content = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "w.pt")
    assert "no state dict but entries state_dict" in refused(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "the file is empty"),
        (b"<html>404 not found</html>", "an HTML or XML page; the download went wrong"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(600),
            "Keras or other HDF5 file; give the PyTorch",
        ),
        (b'\x08\0\0\0\0\0\0\0{"a":1} ', "damaged or cut off"),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x01a\x94.", "damaged or cut off"),
    ],
    ids=["empty", "html", "hdf5", "safetensors header", "pickle"],
)
def test_files_of_other_kinds_are_refused(tmp_path, data, match):
    (tmp_path / "w.pth").write_bytes(data)
    assert match in refused(tmp_path / "w.pth")


def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "scripted.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version"):
            archive.writestr(f"scripted/{name}", b"3\n")
    assert "TorchScript" in refused(path)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
def test_a_scripted_network_gives_its_weights(tmp_path):
    saved, fresh = seeded(Residual), Residual().eval()
    torch.jit.save(torch.jit.script(saved), str(tmp_path / "scripted.pt"))
    load_into(fresh, read(tmp_path / "scripted.pt"), "w")
    same(fresh.state_dict(), saved.state_dict())


def test_an_archive_of_many_disks_is_refused(tmp_path):
    path = tmp_path / "w.pt"
    torch.save(STATE, path)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x06\x07")
    # the number of disks in the locator of the large directory
    data[end + 16] = 7
    path.write_bytes(data)
    assert not is_torchscript(path)
    assert "not a weight file" in refused(path)


def test_other_tar_archives_are_refused(tmp_path):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("readme.txt"))
    assert "storages" in refused(path)
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("storages")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "no plain file" in refused(path)


@pytest.mark.parametrize("field", ["count", "axes", "size", "offset", "reference"])
def test_a_tar_with_wild_numbers_is_refused(tmp_path, field):
    storages, tensors = tensor_members([torch.arange(4.0)])
    content, huge = pickled({"a": stored(0)}), (2**40).to_bytes(8, "little")
    if field == "count":
        storages = storages.replace((6).to_bytes(8, "little"), huge)
    elif field == "axes":
        tensors = tensors.replace(b"\x01\0\0\0\0\0\0\0", b"\xff\xff\xff\x7f\0\0\0\0", 1)
    elif field == "size":
        tensors = tensors.replace((4).to_bytes(8, "little"), huge)
    elif field == "offset":
        tensors = tensors[:-8] + huge
    else:
        content = pickled({"a": Reference("77")})
    assert "damaged" in refused(write_members(tmp_path / "w", storages, tensors, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weight file .*nothing.pth"):
        read(tmp_path / "nothing.pth")
    with pytest.raises(FileNotFoundError, match="no weight file"):
        read(tmp_path)


# Loading


@forms
def test_a_loaded_network_answers_like_the_saved_one(tmp_path, write):
    saved, fresh = seeded(Residual), Residual().eval()
    state = {
        "module." + name: tensor
        for name, tensor in saved.state_dict().items()
        # torch before 0.4.1 had no such entries.
        if "num_batches" not in name
    }
    load_into(fresh, read(write(tmp_path / "w", state)), "w")
    assert torch.equal(fresh(images()), saved(images()))


class Wrapped(nn.Module):
    """A network with a child that is really called module."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(2, 2)
        self.norm = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_child_called_module_keeps_its_weights(tmp_path, prefix):
    saved, fresh = Wrapped(), Wrapped()
    state = {prefix + name: tensor for name, tensor in saved.state_dict().items()}
    load_into(fresh, read(write_zip(tmp_path / "w", state)), "w")
    same(fresh.state_dict(), saved.state_dict())


def test_a_child_and_its_parent_of_one_name_load_exactly():
    saved = nn.ModuleDict({"a": nn.Linear(1, 1)})
    saved.add_module("module", nn.ModuleDict({"a": nn.Linear(1, 1)}))
    fresh = nn.ModuleDict({"a": nn.Linear(1, 1)})
    fresh.add_module("module", nn.ModuleDict({"a": nn.Linear(1, 1)}))
    load_into(fresh, saved.state_dict(), "w")
    same(fresh.state_dict(), saved.state_dict())


def test_a_network_that_insists_on_a_version_loads_from_a_file_without(tmp_path):
    from torchvision.models import mnasnet0_5

    module = mnasnet0_5(num_classes=2)
    path = write_safetensors(tmp_path / "w", module.state_dict())
    load_into(module, read(path), path)


def test_versions_in_a_file_let_a_network_upgrade_its_entries(tmp_path):
    from torchvision.models.vision_transformer import MLPBlock

    module = nn.Sequential(MLPBlock(4, 8, 0.0))
    state = module.state_dict()
    for new, old in (("0.0.", "0.linear_1."), ("0.3.", "0.linear_2.")):
        for kind in ("weight", "bias"):
            state[f"module.{old}{kind}"] = state.pop(f"{new}{kind}")
    state._metadata = {"": {"version": 1}, "module": {"version": 1}, "module.0": {"version": 1}}
    torch.save(state, tmp_path / "w")
    fresh = nn.Sequential(MLPBlock(4, 8, 0.0))
    load_into(fresh, read(tmp_path / "w"), "w")
    same(fresh.state_dict(), module.state_dict())


def drop(state, *names):
    return {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda s: {**s, "bn1.weight": torch.zeros(9), "bn1.bias": torch.zeros(9)},
            r"^w.pth: bn1.weight has shape \(9,\), the network wants \(4,\) \(and 1 more\); "
            "pass weights of the same architecture$",
        ),
        (lambda s: drop(s, "fc.bias"), "^w.pth lacks fc.bias; pass weights"),
        (lambda s: drop(s, "fc.bias", "conv1.bias"), r"lacks conv1.bias \(and 1 more\); pass"),
        (lambda s: drop(s, "bn2.running_mean"), "^w.pth lacks bn2.running_mean; pass"),
        (lambda s: {**s, "head.bias": torch.zeros(1)}, "^w.pth has unexpected head.bias; pass"),
        (
            lambda s: {"a." + k: v for k, v in s.items() if "bn" not in k},
            r"lacks conv1.weight .*; its names begin with a.; pass",
        ),
        (lambda s: {"x": torch.zeros(1)}, r"lacks .* and has unexpected x; pass weights"),
        (lambda s: {}, "lacks conv1.weight"),
    ],
)
def test_weights_that_do_not_fit_are_told_in_one_line(change, match):
    module = seeded(Residual)
    with pytest.raises(ValueError, match=match) as raised:
        load_into(module, change(module.state_dict()), "w.pth")
    assert "\n" not in str(raised.value)


def test_other_shapes_leave_the_network_as_it_was():
    module = seeded(Residual)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    with pytest.raises(ValueError, match="conv1.bias has shape"):
        load_into(module, {**state, "conv1.bias": torch.zeros(9)}, "w.pth")
    same(module.state_dict(), before)


def test_what_a_layer_refuses_by_itself_is_told_in_one_line():
    class Choosy(nn.Linear):
        def _load_from_state_dict(self, *args):
            raise ValueError("version should be\n 1 or 2")

    with pytest.raises(ValueError, match="^w.pth does not load: version should be 1 or 2$"):
        load_into(Choosy(1, 1), {"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}, "w.pth")


def test_reading_from_a_stream_of_bytes_is_not_offered():
    with pytest.raises(TypeError):
        read(io.BytesIO())
