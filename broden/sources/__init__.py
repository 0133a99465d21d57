"""How labelled pictures come in: archives, published layouts, and their conversion to one file."""
