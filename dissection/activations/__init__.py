"""The one pass of the images through a network, and what of it goes to disk."""
