"""Draw the figures of a report: the command `dissect-figures`."""

import sys

from figures.command import main

if __name__ == "__main__":
    sys.exit(main())
