"""The reason to believe a label: what chance gives, and how sure the label is."""
