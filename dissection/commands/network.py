"""The options that name a network, shared by the commands that run one."""

import argparse

from broden.system.terminal import positive
from dissection.config import NETWORKS


def add_network(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options that `network` reads."""
    group = parser.add_argument_group("network")
    model = group.add_argument(
        "--model",
        default=default,
        metavar="M",
        help=f"{', '.join(NETWORKS)}, a torchvision name (of classification, segmentation or "
        "detection), timm:NAME, hf:NAME, open_clip:ARCHITECTURE:TAG, package.module:factory or "
        "file.py:factory (default: %(default)s)",
    )
    # argcomplete's way to say what a shell may offer
    setattr(model, "completer", _complete)  # noqa: B010
    group.add_argument(
        "--weights", metavar="FILE", help="load these weights instead of the published ones"
    )
    group.add_argument(
        "--random-weights", action="store_true", help="leave the weights as initialised (seed 0)"
    )
    group.add_argument(
        "--layers",
        type=_named,
        metavar="A,B,C",
        help="dotted names of layers, * and ? within a part; LAYER:OUTPUT where one has several "
        "outputs, ATTENTION:heads for the heads of one; `help` lists all of a network "
        "(default: a few that are worth a first look)",
    )
    group.add_argument(
        "--input-size",
        type=positive,
        metavar="PIXELS",
        help="side of the images the network is shown, instead of its own",
    )
    for name, text in (("mean", "mean"), ("std", "standard deviation")):
        group.add_argument(
            f"--{name}",
            type=float,
            nargs=3,
            metavar=("R", "G", "B"),
            help=f"{text} that images are normalised with, instead of the network's own; "
            "255 being 1",
        )


def _named(text: str) -> str:
    """Return the layers that an option names."""
    if not text.replace(",", "").strip():
        raise argparse.ArgumentTypeError(
            "no layer is named; give dotted names, as layer3,layer4, or help to list all"
        )
    return text


def _complete(prefix: str, **_: object) -> list[str]:
    """Return the networks whose names a shell may offer."""
    return [name for name in NETWORKS if name.startswith(prefix)]


def network(args: argparse.Namespace):
    """Load the network that the options name."""
    from dissection.networks.loading import load

    return load(
        args.model,
        weights=args.weights,
        random_weights=args.random_weights,
        input_size=args.input_size,
        mean=args.mean,
        std=args.std,
    )


def layers(args: argparse.Namespace, network) -> list[str]:
    """Return the layers that the options name, or those to begin with."""
    from dissection.networks.layers import resolve
    from dissection.networks.loading import default_layers

    return resolve(network.module, args.layers or default_layers(network))


def infos(network) -> list:
    """Return what every layer of a network gives."""
    from dissection.networks.loading import probed

    return probed(network)
