"""The pages that a reader sees, and what they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}


def shown(text: str) -> list[str]:
    """Return the lines of a page that stand alone as code, without a language."""
    return re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)


def inline(text: str) -> list[str]:
    """Return what stands in single backticks, but for names that a changed one had before."""
    text = re.sub(r"^  \|[^|]*\|(?=.*\|$)", "", text, flags=re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]


def python(text: str) -> list[str]:
    """Return the blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
