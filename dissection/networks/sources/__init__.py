"""Where networks come from: by a name to a module, its input, and a description of its weights."""
