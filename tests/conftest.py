"""Import paths shared by all tests."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent

# The packages under test must win over the test folders of the same name; scripts are modules of
# their folder; tests/broden/layout.py writes small data sets for everyone.
for folder in (_TESTS / "broden", _TESTS / "dissection", _TESTS.parent / "scripts", _TESTS.parent):
    sys.path.insert(0, str(folder))
