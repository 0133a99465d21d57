"""A process that draws every n-th image of a set and writes them to its output, for `build`."""

from __future__ import annotations

import pickle
import sys

from broden.mini.probe import image


def main() -> None:
    """Draw the images SEED, FIRST, IMAGES and STEP name, and write each as a pickle."""
    seed, first, images, step = map(int, sys.argv[1:])
    for index in range(first, images, step):
        pickle.dump(image(seed, index), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        # whoever asked has gone
        sys.stderr.close()
