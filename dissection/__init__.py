"""The engine: which unit of a network has learned which concept."""
