"""Find out which unit of a network has learned which concept.

Results go to a directory: units.csv (the concept of every unit), concepts.csv, tally/, scores.h5
and run.json, the run card that says what the numbers mean. An interrupted run continues when it
is started again.
"""

import argparse
import logging
import sys
from pathlib import Path

from broden.system.terminal import Parser, above_zero, add_debug, natural, positive, run
from dissection.commands.definitions import add_definitions, add_validity, clip_shifts, iou_config
from dissection.commands.network import add_network, infos, network
from dissection.config import (
    METHODS,
    NETWORKS,
    POOLINGS,
    SIMILARITIES,
    ClipConfig,
    Execution,
)

COPIES = "spreadsheet"
INTERRUPTED = "interrupted; run the same command again to continue"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="iou: overlap with labelled pixels; clip: CLIP-Dissect, which needs no labels; "
        "both: each, from one forward pass (default: %(default)s)",
    )
    add_network(parser, NETWORKS[0])
    data = parser.add_argument_group("probe set and results")
    data.add_argument(
        "--probe",
        default="mini",
        metavar="FILE",
        help="a probe file made by dissect-probe, or `mini`, generated on first use, or for clip "
        "any folder of images (default: %(default)s)",
    )
    data.add_argument("--limit", type=positive, metavar="N", help="use the first N images only")
    data.add_argument(
        "--skip-bad", action="store_true", help="leave out the broken images of a folder"
    )
    data.add_argument(
        "--out", metavar="DIR", help="run directory (default: results/METHOD-MODEL-PROBE)"
    )
    data.add_argument(
        "--spreadsheet",
        action="store_true",
        help=f"add copies of the tables in {COPIES}/, in which no text opens as a formula",
    )
    add_definitions(parser.add_argument_group("definitions"))
    add_validity(parser.add_argument_group("what the labels by pixels are worth"))
    _add_clip(parser.add_argument_group("definitions of clip"))
    _add_execution(parser.add_argument_group("execution (not part of a run's settings)"))
    add_debug(parser)
    return parser


def _add_clip(group) -> None:
    default = ClipConfig()
    group.add_argument(
        "--encoder",
        default=default.encoder,
        metavar="E",
        help="CLIP encoder: mini, ARCHITECTURE:TAG of open_clip (published: ViT-B-16:openai), "
        "local-dir:PATH, or ARCHITECTURE with --encoder-weights (default: %(default)s)",
    )
    group.add_argument(
        "--encoder-weights", metavar="FILE", help="checkpoint to load into --encoder"
    )
    group.add_argument(
        "--concepts",
        default=default.concepts,
        metavar="C",
        help="list of concepts: a text file, one a line; broden: the probe's labels; common: "
        "20,000 English words "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--template",
        default=default.template,
        help="what the text encoder reads, {} standing for the concept (default: %(default)s)",
    )
    group.add_argument(
        "--similarity",
        choices=SIMILARITIES,
        default=default.similarity,
        help="how activations are compared with concept scores (default: %(default)s)",
    )
    group.add_argument(
        "--sharpness",
        type=above_zero,
        metavar="A",
        help="what soft_wpmi and wpmi multiply scores by before their softmax (default: the "
        "encoder's: 10 and 2 as published, less where its scores lie further apart)",
    )
    group.add_argument(
        "--pooling",
        choices=POOLINGS,
        default=default.pooling,
        help="how a unit's map becomes one activation an image (default: %(default)s)",
    )


def _add_execution(group) -> None:
    default = Execution()
    group.add_argument(
        "--device",
        default=default.device,
        help="where to compute: auto, cpu, cuda, cuda:1 (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=positive,
        help="images a forward pass, at most the 64 of a shard (default: 32 on the CPU, else 64)",
    )
    group.add_argument(
        "--workers",
        type=natural,
        help="threads that decode images (default: 0 on the CPU, else one a core)",
    )
    group.add_argument(
        "--keep-shards", action="store_true", help="keep the cells a complete run was counted from"
    )


def _clip(args: argparse.Namespace) -> ClipConfig:
    return ClipConfig(
        args.encoder,
        args.encoder_weights,
        args.concepts,
        args.template,
        args.similarity,
        args.pooling,
        args.precision,
        clip_shifts(args),
        args.sharpness,
    )


def _dissect(args: argparse.Namespace) -> None:
    config, clip = iou_config(args), _clip(args)
    execution = Execution(
        args.device, args.batch_size, args.workers, args.keep_shards, progress=True
    )
    logging.basicConfig(format="%(message)s")
    logging.getLogger("dissection").setLevel(logging.INFO)
    model = network(args)
    if args.layers == "help":
        from dissection.networks.listing import describe

        print(describe(infos(model)))
        return
    from broden.mini import located
    from broden.system.files import file_name
    from dissection.api import dissect
    from dissection.execution.ranks import Ranks
    from dissection.summary import summary

    probe = located(args.probe, progress=True)
    default = f"{args.method}-{args.model.replace(':', '-')}-{probe.stem}"
    result = dissect(
        model,
        args.layers,
        probe,
        method=args.method,
        out=args.out or Path("results") / file_name(default),
        limit=args.limit,
        skip_bad=args.skip_bad,
        config=config,
        clip=clip,
        execution=execution,
    )
    ranks = Ranks()
    if ranks.leads and args.spreadsheet:
        _copy(result.path)
    if ranks.leads:
        print(result.message, file=sys.stderr)
        print(summary(result))
    ranks.close()


def _copy(run: Path) -> None:
    """Write the tables of a run again for spreadsheets; the run's own are read back as they are."""
    from broden.system.files import inside
    from dissection.results.storage import write_table
    from dissection.results.tables import read_table

    folder = inside(run, COPIES)
    folder.mkdir(exist_ok=True)
    for table in sorted(run.glob("*.csv")):
        write_table(inside(folder, table.name), read_table(table), spreadsheet=True)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    # What the libraries below raise for reasons that users can mend
    return run(_dissect, args, expected=(RuntimeError, TypeError), interrupted=INTERRUPTED)
