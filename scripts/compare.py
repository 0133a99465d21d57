"""Compare results: the command `dissect-compare`."""

import sys

from dissection.commands.compare import main

if __name__ == "__main__":
    sys.exit(main())
