"""`python -m broden` is the command `dissect-probe`."""

import sys

from broden.command import main

if __name__ == "__main__":
    sys.exit(main())
