"""Dissect a network: the command `dissect`."""

import sys

from dissection.commands.dissect import main

if __name__ == "__main__":
    sys.exit(main())
