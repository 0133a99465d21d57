"""The options that name a network, shared by the commands that run one."""

import argparse


def add_network(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options that `network` reads."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--model",
        default=default,
        metavar="M",
        help="mini_scenes, mini_objects, mini_random, a torchvision name, resnet18_places365 "
        "(alexnet, resnet50, densenet161), efficientnet_lite0, timm:NAME, package.module:factory "
        "or file.py:factory (default: %(default)s)",
    )
    group.add_argument("--weights", metavar="FILE", help="load these instead of the published ones")
    group.add_argument(
        "--random-weights", action="store_true", help="leave the weights as initialised (seed 0)"
    )
    group.add_argument(
        "--layers",
        metavar="A,B,C",
        help="dotted names, * and ? within a part; `help` lists them (default: a few good ones)",
    )
    group.add_argument(
        "--input-size", type=int, metavar="PIXELS", help="instead of the network's own"
    )
    for name in ("mean", "std"):
        group.add_argument(
            f"--{name}", type=float, nargs=3, metavar=("R", "G", "B"), help="as above, 255 being 1"
        )


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
    """Return the layers that the options name, or a few good ones."""
    from dissection.networks.layers import resolve
    from dissection.networks.listing import suggest

    return resolve(network.module, args.layers) if args.layers else suggest(infos(network))


def infos(network) -> list:
    """Return what every layer of a network gives."""
    from dissection.networks.layers import probe_layers

    return probe_layers(network.module, size=network.preprocessing.size)
