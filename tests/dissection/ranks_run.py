"""The planted run as one rank of several, for a test that starts several.

The arguments are the probe file and the directory of the run; the environment may hold PRESUMED,
the rank of the presumed bound, SHARD_IMAGES, METHOD, and KILLED, the shards after which the process
ends.
"""

import os
import sys

import dissection
from broden.reader import ProbeSet
from dissection import pipeline
from dissection.activations import forward
from dissection.activations.shards import ShardStore
from tests.dissection import planted


def prepare() -> None:
    """Do what the environment says."""
    for module in (forward, pipeline.card):
        module.SHARD_IMAGES = int(os.environ.get("SHARD_IMAGES", "4"))
    if presumed := os.environ.get("PRESUMED"):
        forward.presumed_size = lambda *_args, **_more: int(presumed)
    if killed := os.environ.get("KILLED"):
        write, left = ShardStore.write, [int(killed)]

        def counted(store, number, shard):
            write(store, number, shard)
            left[0] -= 1
            if not left[0]:
                os._exit(9)

        ShardStore.write = counted


if __name__ == "__main__":
    prepare()
    with ProbeSet(sys.argv[1]) as probe:
        dissection.dissect(
            planted.network(),
            "maps",
            probe,
            method=os.environ.get("METHOD", "iou"),
            out=sys.argv[2],
            config=dissection.IouConfig(quantile=0.2),
            execution=dissection.Execution(device="cpu", batch_size=2, workers=0),
        )
