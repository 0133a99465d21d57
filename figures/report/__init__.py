"""The report: one page of everything, that opens from disk without a network."""
