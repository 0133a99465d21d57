"""The argument that names results, shared by the commands that read them."""

import argparse


def add_results(parser: argparse.ArgumentParser, nargs: str) -> None:
    """Add what `dissection.results.reading.read_all` takes."""
    parser.add_argument(
        "results",
        nargs=nargs,
        metavar="RUN_OR_CSV",
        help="a run directory or a table of one, or a published CSV file, such as "
        "NETWORK-LAYER.csv or NETWORK/tally.csv; NAME:LAYER=FILE says what a file's name does not",
    )


def add_spreadsheet(group: argparse._ActionsContainer, what: str) -> None:
    """Add the option that keeps a spreadsheet from computing names."""
    group.add_argument(
        "--spreadsheet",
        action="store_true",
        help=f"{what} an apostrophe before text that begins with =, +, - or @, which spreadsheets "
        "take for formulas",
    )
