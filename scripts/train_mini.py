"""Train the small networks of this package on mini-Broden.

Draws its own images with seeds that the probe set never uses, and writes the weights (float16)
with a card beside them: classes, seeds, recipe, held-out accuracy, digest.

  objects  mini_objects.safetensors, names the main object of an image
  scenes   mini_scenes.safetensors, names the scene
  clip     clip/, a small CLIP in the form open_clip loads with local-dir:DIR
"""

import argparse
import os
import sys
from pathlib import Path

from broden.system.terminal import Parser, add_debug, natural, positive, run

_CLIP_EXTRA = "install it with: pip install 'network-dissection[clip]'"
# What only one kind of network has, and the default of what both have.
_NETWORK = {
    "images": 12_000,
    "epochs": 10,
    "batch_size": 128,
    "size": 112,
    "finish_images": 6_000,
    "finish_epochs": 1,
    "finish_size": 224,
}
_CLIP = {
    "images": 18_000,
    "supervised_epochs": 7,
    "epochs": 12,
    "supervised_batch_size": 128,
    "batch_size": 256,
}
_HELP = {
    "images": "training images",
    "epochs": "passes over them",
    "batch_size": "images a step",
    "size": "pixels of the training images",
    "finish_images": "how many of them are seen again at the final size",
    "finish_epochs": "passes over those",
    "finish_size": "pixels of the images for finishing and for evaluation",
    "supervised_epochs": "passes in which the image tower learns the labels, before captions",
    "supervised_batch_size": "images a step of those",
}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(dest="task", required=True, metavar="objects|scenes|clip")
    for task, options in (("objects", _NETWORK), ("scenes", _NETWORK), ("clip", _CLIP)):
        command = commands.add_parser(task, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        command.add_argument(
            "--out", default="results/mini", metavar="DIR", help="where the files go"
        )
        for name, default in options.items():
            _add(command, name, default, _HELP[name], natural if "epochs" in name else positive)
        _add(command, "held_out", 1_000, "images of each kind to evaluate on", positive)
        _add(command, "data_seed", 1001, "of the training images", natural)
        _add(command, "held_out_seed", 2001, "of the held-out images", natural)
        _add(command, "seed", 0, "of the first weights, the order and the variations", natural)
        _add(command, "cores", _cores(), "processes that draw, threads that train", positive)
        add_debug(command)
    return parser


def _add(parser: argparse.ArgumentParser, name: str, default: int, text: str, kind) -> None:
    option = f"--{name.replace('_', '-')}"
    parser.add_argument(option, type=kind, default=default, metavar="N", help=text)


def _cores() -> int:
    """Return the number of cores this process may use, where the system says."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _train(args: argparse.Namespace) -> None:
    from broden.mini.probe import SEED

    seeds = {"probe": SEED, "training": args.data_seed, "held-out": args.held_out_seed}
    if len(set(seeds.values())) < len(seeds):
        shown = ", ".join(f"{name} {seed}" for name, seed in seeds.items())
        raise ValueError(f"the images would repeat, seeds are: {shown}; choose three seeds")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    given = {k: v for k, v in vars(args).items() if k not in ("task", "out", "debug")}
    if args.task == "clip":
        card = _train_clip(given, out)
        accuracies = {text: score["top1"] for text, score in card["held_out_zero_shot"].items()}
        shown = ", ".join(f"{text} {top1:.1%}" for text, top1 in accuracies.items())
        print(f"{out / 'clip'}: held-out zero-shot {shown}")
        return
    from training.classifiers import Recipe, train

    card = train(args.task, Recipe(**given), out)
    print(f"{out / card['name']}.safetensors: held-out top-1 {card['held_out_top1']:.1%}")


def _train_clip(given: dict, out: Path) -> dict:
    try:
        import open_clip  # noqa: F401
    except ImportError as error:
        raise RuntimeError(f"clip needs the package open_clip_torch; {_CLIP_EXTRA}") from error
    from training.clip import ClipRecipe, train_clip

    return train_clip(ClipRecipe(**given), out)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(_train, args, expected=(RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
