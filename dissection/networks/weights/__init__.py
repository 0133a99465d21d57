"""Weight files of every published form, read as data, and how they fit a network."""
