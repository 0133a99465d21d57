"""Choose the sharpness of an encoder's scores, on generated pictures that no probe set uses.

CLIP-Dissect multiplies scores by 10 before its softmax. That fits encoders whose scores lie as
close together as those it was published with. For another, the small networks are dissected by both
methods with each of several values, and the one is kept with which most units are called what their
pixels say; of equal ones the largest, nearest to the published. It is written on the card beside
the encoder's weights, where a run reads it.
"""

import argparse
import json
import sys
from pathlib import Path

from broden.system.files import atomic
from broden.system.terminal import Parser, add_debug, natural, positive, run

GRID = (10.0, 5.0, 2.0, 1.0, 0.5, 0.25, 0.1)
NETWORKS = ("mini_objects", "mini_scenes")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("encoder", metavar="DIR", help="in the form open_clip calls local-dir")
    parser.add_argument(
        "--images", type=positive, default=1000, metavar="N", help="drawn (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=natural,
        default=3001,
        help="of the images, none that a probe set or training uses (default: %(default)s)",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="where runs are kept")
    add_debug(parser)
    return parser


def _choose(args: argparse.Namespace) -> None:
    from broden import mini
    from broden.mini.probe import SEED
    from broden.reader import ProbeSet

    encoder, out = Path(args.encoder), Path(args.out)
    card = json.loads((encoder / "card.json").read_text())
    recipe = card.get("recipe", {})
    for what, seed in (
        ("the probe set", SEED),
        ("the encoder's training", recipe.get("data_seed")),
        ("its held-out images", recipe.get("held_out_seed")),
    ):
        if args.seed == seed:
            raise ValueError(f"seed {seed} is that of {what}; give another")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"mini-{args.images}-seed{args.seed}.h5"
    if not path.exists():
        mini.build(path, args.images, args.seed, progress=True)
    with ProbeSet(path) as probe:
        found = {value: _agreement(encoder, probe, value, out) for value in GRID}
        for value, (shares, _) in found.items():
            print(f"sharpness {value:<5g} " + "  ".join(f"{share:6.1%}" for share in shares))
    best = max(GRID, key=lambda value: (sum(found[value][0]), value))
    card |= {
        "sharpness": best,
        "score_spread": round(found[best][1], 4),
        "sharpness_chosen": {
            "images": args.images,
            "seed": args.seed,
            "networks": NETWORKS,
            "same_name": {f"{value:g}": shares for value, (shares, _) in found.items()},
        },
    }
    with atomic(encoder / "card.json") as file:
        file.write((json.dumps(card, indent=2) + "\n").encode())
    print(f"{encoder / 'card.json'}: sharpness {best:g}")


def _agreement(encoder: Path, probe, sharpness: float, out: Path) -> tuple[list[float], float]:
    """Return the share of units of each network that both call the same, and the spread."""
    import h5py

    from dissection.api import dissect
    from dissection.config import ClipConfig, IouConfig
    from dissection.crosscheck.findings import read
    from dissection.networks.loading import load
    from dissection.results import schema

    clip = ClipConfig(f"local-dir:{encoder}", sharpness=sharpness, shifts=0)
    shares, spread = [], 0.0
    for name in NETWORKS:
        folder = out / f"{name}-{sharpness:g}"
        bare = IouConfig(validity="none")
        dissect(load(name), probe=probe, method="both", out=folder, config=bare, clip=clip)
        found = read(folder, name)
        if found is None:
            raise RuntimeError(f"{folder} has no cross-check; delete it and start again")
        table = found.agreement
        of_all = (table["measure"] == "exact") & (table["group"] == "all")
        shares.append(float(table[of_all & (table["layer"] == "all layers")]["value"].iloc[0]))
        with h5py.File(folder / schema.CLIP) as file:
            spread = float(file[schema.CLIP_SPREAD][()])
    return shares, spread


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(_choose, _parser().parse_args(argv), expected=(RuntimeError,))


if __name__ == "__main__":
    sys.exit(main())
