"""Make, inspect and check probe sets: the command `dissect-probe`."""

import sys

from broden.command import main

if __name__ == "__main__":
    sys.exit(main())
