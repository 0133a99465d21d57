"""The labeler by pixels: Network Dissection, from candidate cells to the concept of a unit."""
