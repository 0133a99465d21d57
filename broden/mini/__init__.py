"""A generated probe set: small photographs whose every pixel's concepts are known."""

from broden.mini.probe import IMAGES, MINI, SEED, VERSION, build, default_probe, located

__all__ = ["IMAGES", "MINI", "SEED", "VERSION", "build", "default_probe", "located"]
