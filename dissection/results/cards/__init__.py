"""The run card: how it is made, what its fields are, and when two are of one run."""
