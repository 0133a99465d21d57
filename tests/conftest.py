"""Import paths shared by all tests."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent

# The packages under test must win over the test folders of the same name; scripts are modules of
# their folder; the helpers of one folder of tests serve the others too.
for folder in ("tests/broden", "tests/dissection", "tests/figures", "scripts", "."):
    sys.path.insert(0, str((_TESTS.parent / folder).resolve()))
