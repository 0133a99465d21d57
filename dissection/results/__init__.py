"""The files of a run: the only place that spells their names, members and columns."""
