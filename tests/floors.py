"""Print the lowest versions that setup.cfg admits, a requirement a line, for `make test-floors`."""

import configparser
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "setup.cfg"


def floors(extra: str = "test") -> list[str]:
    """Return what is required, with an extra, each pinned to its floor."""
    config = configparser.ConfigParser()
    config.read(CONFIG, encoding="utf-8")
    needed = config["options"]["install_requires"] + "\n" + config["options.extras_require"][extra]
    lines = [line.strip() for line in needed.splitlines() if line.strip()]
    return [line.replace(">=", "==") for line in dict.fromkeys(lines)]


if __name__ == "__main__":
    print(*floors(), sep="\n")
