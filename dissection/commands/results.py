"""The argument that names results, shared by the commands that read them."""

import argparse


def add_results(parser: argparse.ArgumentParser, nargs: str) -> None:
    """Add what `dissection.results.reading.read_all` takes."""
    parser.add_argument(
        "results",
        nargs=nargs,
        metavar="RUN_OR_CSV",
        help="a run directory, units.csv, descriptions.csv, netdissect-NETWORK-LAYER.csv or "
        "clip_dissect-NETWORK[-LAYER].csv",
    )
