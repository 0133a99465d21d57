"""Whether the two labelers agree, beside what shuffled units give."""
