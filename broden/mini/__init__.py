"""A generated probe set: small photographs whose every pixel's concepts are known."""

from broden.mini.probe import IMAGES, SEED, VERSION, build, default_probe

__all__ = ["IMAGES", "SEED", "VERSION", "build", "default_probe"]
