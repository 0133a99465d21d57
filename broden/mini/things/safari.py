"""Animals that are told by what they bear: stripes, patches, spots, plates."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import bare, eye, smooth, taper
from broden.mini.drawing.looks import darker, marked, plain, tint
from broden.mini.drawing.solids import arc
from broden.mini.things.animals import equine, legs
from broden.mini.things.thing import Thing


def _zebra(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a zebra: built like a horse, striped all over."""
    angle = float(rng.uniform(-0.25, 0.25))
    coat = marked(rng, body, "striped", tint(rng, "black"), 0.06 * b.size, angle)
    equine(b, rng, coat, plain(rng, "black"))


def _giraffe(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a giraffe with patches between pale lines."""
    b.shadow(0.6)
    coat = marked(rng, body, "cracked", (250, 226, 176), 0.06 * b.size)
    far, pale = darker(coat, 0.72), bare(body, 1.3)
    legs(b, rng, (-0.14, 0.1), 0.4, 0.042, bare(far, 1.1))
    b.polygon(taper([(-0.23, 0.48), (-0.28, 0.4), (-0.27, 0.24)], [0.03, 0.02, 0.04]), far, "tail")
    torso = [(-0.26, 0.47), (-0.16, 0.54), (0.06, 0.6), (0.16, 0.5), (0.1, 0.36), (-0.2, 0.36)]
    b.polygon(smooth(torso), coat, "torso")
    legs(b, rng, (-0.2, 0.05), 0.4, 0.045, pale)
    lean = float(rng.uniform(0.2, 0.26))
    b.polygon(taper([(0.05, 0.5), (0.14, 0.68), (lean, 0.88)], [0.22, 0.12, 0.09]), coat, "neck")
    for x in (-0.03, 0.02):
        b.line([(lean + x, 0.92), (lean + x - 0.01, 0.99)], 0.02, bare(body, 0.5), "head")
    b.polygon(smooth([(lean - 0.04, 0.93), (lean - 0.12, 0.92), (lean - 0.03, 0.89)]), pale, "ear")
    face = taper([(lean, 0.9), (lean + 0.08, 0.86), (lean + 0.13, 0.82)], [0.11, 0.09, 0.07])
    b.polygon(face, bare(body, 1.15), "head")
    eye(b, rng, lean + 0.02, 0.9, 0.012)


def _leopard(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a leopard that walks, its tail raised."""
    b.shadow(0.9)
    coat = marked(rng, body, "dotted", (40, 30, 24), 0.055 * b.size)
    far, plainer = darker(coat, 0.75), bare(body, 1.12)
    legs(b, rng, (-0.2, 0.2), 0.28, 0.065, far)
    sway = float(rng.uniform(-0.04, 0.06))
    tail = [(-0.32, 0.36), (-0.46, 0.42), (-0.44, 0.56), (-0.34 + sway, 0.6)]
    b.polygon(taper(tail, [0.08, 0.06, 0.055, 0.05]), coat, "tail")
    torso = [(-0.36, 0.36), (-0.24, 0.44), (0, 0.4), (0.22, 0.46), (0.3, 0.36), (0.2, 0.22)]
    b.polygon(smooth([*torso, (-0.08, 0.25), (-0.3, 0.22)]), coat, "torso")
    legs(b, rng, (-0.3, 0.12), 0.28, 0.07, coat)
    for x in (0.27, 0.42):
        b.disc(x, 0.56, 0.045, darker(plainer, 0.6), "ear")
    b.disc(0.35, 0.47, 0.125, coat, "head", 0.115)
    b.disc(0.41, 0.42, 0.07, bare(body, 1.3), "head", 0.05)
    b.disc(0.45, 0.45, 0.02, plain(rng, "black"), "head")
    eye(b, rng, 0.33, 0.5, 0.016)
    eye(b, rng, 0.42, 0.51, 0.014)


def _ladybird(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a ladybird from its side."""
    b.shadow(0.9)
    black = plain(rng, "black")
    wings = marked(rng, body, "polka-dotted", (28, 26, 28), 0.1 * b.size, rng.uniform(-0.3, 0.3))
    for x in (-0.25, -0.02, 0.2):
        b.line([(x, 0.2), (x - 0.04, 0.1), (x + 0.04, 0.02)], 0.035, black, "leg")
    for x in (0.36, 0.42):
        b.line([(x - 0.02, 0.34), (x + 0.04, 0.44), (x + 0.08, 0.43)], 0.02, black, "head")
    b.disc(0.36, 0.22, 0.13, black, "head", 0.15)
    eye(b, rng, 0.41, 0.27, 0.022)
    wide, high = 0.4, float(rng.uniform(0.46, 0.52))
    dome = arc(-0.08, 0.12, wide, high, 0, math.pi)
    b.polygon([*dome, (-0.4, 0.08), (0.28, 0.08)], wings, "wing")
    b.line([(-0.12, 0.12 + high), (0.02, 0.3), (0.1, 0.1)], 0.022, black)


def _turtle(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a turtle with a shell of six-sided plates."""
    b.shadow(0.95)
    skin = plain(rng, str(rng.choice(["green", "brown"])))
    plates = marked(
        rng, body, "honeycombed", (226, 206, 130), 0.065 * b.size, rng.uniform(-0.3, 0.3)
    )
    b.polygon([(-0.38, 0.16), (-0.5, 0.06), (-0.36, 0.08)], skin, "tail")
    for x in (-0.26, 0.16):
        foot = float(rng.uniform(-0.04, 0.06))
        b.line([(x, 0.16), (x + foot, 0.05)], 0.1, darker(skin, 0.85), "leg")
    lift = float(rng.uniform(-0.03, 0.06))
    b.polygon(
        taper([(0.22, 0.17), (0.34, 0.24), (0.4, 0.3 + lift)], [0.14, 0.1, 0.1]), skin, "neck"
    )
    b.disc(0.42, 0.31 + lift, 0.08, skin, "head", 0.065)
    eye(b, rng, 0.44, 0.335 + lift, 0.015)
    high = float(rng.uniform(0.36, 0.43))
    b.polygon(arc(-0.06, 0.14, 0.36, high, 0, math.pi), plates, "shell")
    b.line([(-0.4, 0.14), (0.28, 0.14)], 0.06, bare(body, 0.7), "shell")


SAFARI = {
    "zebra": Thing(_zebra, 1, 1, ("white",), ("striped",), 0.46),
    "giraffe": Thing(_giraffe, 0.66, 1, ("brown", "orange"), ("cracked",), 0.62),
    "leopard": Thing(_leopard, 1, 0.63, ("orange", "yellow"), ("dotted",), 0.44),
    "ladybird": Thing(
        _ladybird, 0.98, 0.62, ("red", "red", "orange", "yellow"), ("polka-dotted",), 0.2
    ),
    "turtle": Thing(_turtle, 1, 0.55, ("green", "brown", "green"), ("honeycombed",), 0.3),
}
