"""Numbers that are defaults everywhere: those of the published method, and of the generated set."""

QUANTILE = 0.005
"""Share of a unit's activations above its threshold (Bau et al., CVPR 2017, section 3.1)."""

MIN_IOU = 0.04
"""A unit is a detector above this IoU (Bau et al., CVPR 2017, section 3.2)."""

MINI_IMAGES = 1000
"""Images of the generated probe set."""
