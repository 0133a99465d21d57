"""What there is to draw: a module a kind of things, and the catalogue of all."""
