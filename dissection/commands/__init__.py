"""The commands of this package: options in, one call, a summary out."""
