"""Read tables of results, ours and published ones, as pandas data frames."""

from dissection.results.tables import read_table, read_tally, tally_categories

__all__ = ["read_table", "read_tally", "tally_categories"]
