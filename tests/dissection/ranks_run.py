"""The planted run as one rank of several, for a test that starts several.

The arguments are the probe file, the directory of the run, and the rank of the presumed bound.
"""

import sys

import dissection
from broden.reader import ProbeSet
from dissection import pipeline
from dissection.activations import forward
from tests.dissection import planted

if __name__ == "__main__":
    for module in (forward, pipeline.card):
        module.SHARD_IMAGES = 4
    if len(sys.argv) > 3:
        rank = int(sys.argv[3])
        forward.presumed_size = lambda *_args, **_more: rank
    with ProbeSet(sys.argv[1]) as probe:
        dissection.dissect(
            planted.network(),
            "maps",
            probe,
            out=sys.argv[2],
            config=dissection.IouConfig(quantile=0.2),
            execution=dissection.Execution(device="cpu", batch_size=2, workers=0),
        )
