"""Networks: from a name to a module, its input, its layers and the digest of what it is."""
