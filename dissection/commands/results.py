"""Arguments of the commands that read results."""

import argparse


def add_results(parser: argparse.ArgumentParser, nargs: str) -> None:
    """Add what `dissection.results.reading.read_all` takes."""
    parser.add_argument(
        "results",
        nargs=nargs,
        metavar="RUN_OR_CSV",
        help="a run directory, units.csv, descriptions.csv, or a published table: its name tells "
        "network and layer (NETWORK-LAYER.csv, NETWORK/tally.csv ...), or you do: NAME=FILE, "
        "NAME:LAYER=FILE",
    )


def add_spreadsheet(parser: argparse.ArgumentParser) -> None:
    """Add the option that `dissection.results.storage.write_table` takes."""
    parser.add_argument(
        "--spreadsheet",
        action="store_true",
        help="put an apostrophe before texts of the CSV files that begin with =, +, - or @, which "
        "a spreadsheet would open as formulas",
    )
