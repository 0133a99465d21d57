"""How the small networks of the package are trained."""
