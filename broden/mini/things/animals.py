"""Animals."""

from __future__ import annotations

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import RGB, Look
from broden.mini.drawing.curves import bare, eye, scallops, smooth, taper
from broden.mini.drawing.looks import darker, plain, tint
from broden.mini.things.people import PEOPLE
from broden.mini.things.sea import SEA
from broden.mini.things.thing import Thing

_COAT = ("brown", "grey", "white", "black", "orange")


def _coat(body: Look) -> Look:
    """Return a surface with its colours moved towards those that fur has."""
    tan = (150, 128, 104)

    def mixed(rgb: RGB) -> RGB:
        if max(rgb) - min(rgb) <= 60:
            return rgb
        r, g, b = (int(0.68 * c + 0.32 * t) for c, t in zip(rgb, tan, strict=True))
        return r, g, b

    return body._replace(colour=mixed(body.colour), accent=mixed(body.accent))


def legs(
    b: Brush, rng: np.random.Generator, xs: tuple[float, ...], top: float, width: float, look: Look
) -> None:
    """Draw a row of legs, each with a dark hoof, in a step of their own."""
    hoof = bare(look, 0.45)
    for x in xs:
        step = rng.uniform(-0.07, 0.07)
        knee, foot = (x + 0.3 * step, 0.5 * top), (x + step, 0.3 * width)
        b.polygon(taper([(x, top), knee, foot], [1.9 * width, width, 0.75 * width]), look, "leg")
        b.line([(foot[0], 0.02), (foot[0] + 0.25 * width, 0.02)], 0.04, hoof, "leg")


def _dog_head(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a dog's head with a hanging ear."""
    head = [
        (0.17, 0.74),
        (0.24, 0.85),
        (0.36, 0.83),
        (0.42, 0.75),
        (0.53, 0.71),
        (0.52, 0.62),
        (0.36, 0.6),
        (0.22, 0.63),
    ]
    b.polygon(smooth(head), body, "head")
    b.disc(0.52, 0.7, 0.033, plain(rng, "black"), "head")
    b.line([(0.5, 0.635), (0.43, 0.635), (0.4, 0.655)], 0.012, bare(body, 0.4), "head")
    eye(b, rng, 0.37, 0.755, 0.018)
    drop = rng.uniform(0.56, 0.6)
    b.polygon(
        smooth([(0.22, 0.83), (0.27, 0.8), (0.26, 0.66), (0.2, drop), (0.13, 0.63), (0.15, 0.75)]),
        darker(body, 0.6),
        "ear",
    )


def _dog(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a dog with a hanging ear and a raised tail."""
    b.shadow(0.85)
    body = _coat(body)
    far, near = darker(body, 0.72), darker(body, 0.92)
    legs(b, rng, (-0.14, 0.24), 0.36, 0.075, far)
    wag = rng.uniform(-0.05, 0.08)
    tail = [(-0.29, 0.48), (-0.4, 0.58), (-0.42 + wag, 0.76)]
    b.polygon(taper(tail, [0.1, 0.08, 0.04]), near, "tail")
    torso = [
        (-0.33, 0.46),
        (-0.24, 0.57),
        (0, 0.54),
        (0.2, 0.62),
        (0.28, 0.48),
        (0.2, 0.33),
        (0, 0.36),
        (-0.27, 0.33),
    ]
    b.polygon(smooth(torso), body, "torso")
    legs(b, rng, (-0.26, 0.14), 0.38, 0.08, near)
    b.polygon(taper([(0.18, 0.54), (0.28, 0.68)], [0.24, 0.19]), body, "torso")
    b.line(
        [(0.15, 0.61), (0.33, 0.55)], 0.035, plain(rng, str(rng.choice(["red", "blue", "yellow"])))
    )
    _dog_head(b, rng, body)


def _horse_head(b: Brush, rng: np.random.Generator, body: Look, hair: Look) -> None:
    """Draw a horse's head, and the mane behind it."""
    b.polygon([(0.27, 0.9), (0.27, 1.0), (0.34, 0.93)], darker(body, 0.92), "head")
    b.polygon(taper([(0.33, 0.88), (0.41, 0.8), (0.5, 0.7)], [0.16, 0.14, 0.1]), body, "head")
    b.polygon(taper([(0.49, 0.72), (0.51, 0.69)], [0.09, 0.09]), darker(body, 0.6), "head")
    eye(b, rng, 0.38, 0.86, 0.015)
    mane = [
        (0.36, 0.97),
        (0.27, 0.94),
        (0.16, 0.84),
        (0.05, 0.68),
        (0.13, 0.66),
        (0.18, 0.73),
        (0.19, 0.68),
        (0.24, 0.8),
        (0.29, 0.82),
    ]
    b.polygon(mane, hair, "mane")


def _horse(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a horse with its mane and a long tail."""
    body = _coat(body)
    equine(b, rng, body, bare(body, 0.4) if sum(body.colour) > 200 else plain(rng, "grey"))


def equine(b: Brush, rng: np.random.Generator, body: Look, hair: Look) -> None:
    """Draw a horse, or what is built like one."""
    b.shadow(0.85)
    far, near = darker(body, 0.7), darker(body, 0.92)
    legs(b, rng, (-0.17, 0.24), 0.5, 0.062, far)
    sway = rng.uniform(-0.05, 0.05)
    b.polygon(
        taper([(-0.31, 0.62), (-0.41, 0.55), (-0.41 + sway, 0.25)], [0.08, 0.13, 0.03]),
        hair,
        "tail",
    )
    torso = [
        (-0.35, 0.58),
        (-0.25, 0.68),
        (0, 0.63),
        (0.18, 0.67),
        (0.29, 0.55),
        (0.2, 0.42),
        (0, 0.41),
        (-0.25, 0.43),
    ]
    b.polygon(smooth(torso), body, "torso")
    legs(b, rng, (-0.28, 0.15), 0.5, 0.066, near)
    b.polygon(taper([(0.16, 0.55), (0.26, 0.72), (0.33, 0.88)], [0.27, 0.2, 0.14]), body, "neck")
    _horse_head(b, rng, body, hair)


def _humps(b: Brush, rng: np.random.Generator, look: Look) -> None:
    """Draw one hump or two."""
    for x, tall in ((-0.08, 0.95),) if rng.random() < 0.5 else ((-0.22, 0.86), (0.06, 0.86)):
        wide = 0.2 if tall > 0.9 else 0.14
        hump = [
            (x - wide, 0.55),
            (x - 0.5 * wide, tall - 0.08),
            (x, tall),
            (x + 0.5 * wide, tall - 0.08),
            (x + wide, 0.55),
        ]
        b.polygon(smooth(hump), look, "hump")


def _camel(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a camel with one hump or two."""
    b.shadow(0.85)
    body = _coat(body)
    far, near = darker(body, 0.72), darker(body, 0.92)
    legs(b, rng, (-0.18, 0.17), 0.48, 0.055, far)
    b.polygon(
        taper([(-0.34, 0.58), (-0.42, 0.46), (-0.41, 0.32)], [0.05, 0.035, 0.05]), far, "tail"
    )
    _humps(b, rng, darker(body, 0.82))
    torso = [
        (-0.38, 0.56),
        (-0.28, 0.66),
        (-0.05, 0.68),
        (0.15, 0.65),
        (0.24, 0.54),
        (0.16, 0.42),
        (-0.08, 0.4),
        (-0.3, 0.45),
    ]
    b.polygon(smooth(torso), body, "torso")
    legs(b, rng, (-0.3, 0.09), 0.48, 0.06, near)
    b.polygon(
        taper([(0.14, 0.54), (0.29, 0.5), (0.35, 0.66), (0.35, 0.86)], [0.2, 0.14, 0.11, 0.1]),
        body,
        "neck",
    )
    b.polygon(smooth([(0.3, 0.92), (0.29, 0.98), (0.34, 0.95)]), near, "head")
    b.polygon(taper([(0.35, 0.9), (0.43, 0.88), (0.51, 0.84)], [0.13, 0.11, 0.1]), body, "head")
    b.line([(0.54, 0.82), (0.47, 0.82)], 0.012, bare(body, 0.4), "head")
    eye(b, rng, 0.39, 0.905, 0.015)


def _sheep(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a sheep with a woolly torso and a bare face."""
    b.shadow(0.9)
    skin = plain(rng, str(rng.choice(["black", "black", "brown"])))
    if sum(body.colour) < 250:
        skin = Look(tint(rng, "white"))
    legs(b, rng, (-0.16, 0.16), 0.3, 0.075, darker(skin, 0.8))
    b.polygon(scallops(rng, -0.42, 0.48, 0.09, 0.08, 6), darker(body, 0.85), "tail")
    b.polygon(scallops(rng, -0.05, 0.46, 0.4, 0.27, 13), body, "torso")
    legs(b, rng, (-0.26, 0.1), 0.22, 0.08, skin)
    b.polygon(scallops(rng, -0.06, 0.5, 0.27, 0.15, 9), darker(body, 1.05), "torso", 0.5)
    nod = b.at(0.33, 0.58, 1, rng.uniform(-0.15, 0.15))
    nod.polygon(
        smooth(
            [(-0.1, 0.1), (0.03, 0.14), (0.12, 0.04), (0.17, -0.1), (0.09, -0.17), (-0.04, -0.1)]
        ),
        skin,
        "head",
    )
    eye(nod, rng, 0.05, 0.03, 0.02)
    nod.polygon(
        smooth([(-0.06, 0.08), (-0.18, 0.07), (-0.24, -0.06), (-0.1, -0.03)]),
        darker(skin, 0.75),
        "ear",
    )
    nod.polygon(scallops(rng, -0.03, 0.13, 0.1, 0.065, 6), body, "torso")


def _wing(b: Brush, look: Look, raised: bool) -> None:
    """Draw a bird's wing with three feathers, folded or raised."""
    w = b.at(0.05, 0.42, 1, -0.85) if raised else b.at(0.05, 0.45)
    w.polygon(
        smooth(
            [(0.08, 0.02), (0, 0.1), (-0.2, 0.05), (-0.42, -0.08), (-0.2, -0.14), (0.02, -0.12)]
        ),
        look,
        "wing",
    )
    for y, x in ((-0.02, -0.33), (-0.06, -0.25)):
        w.line([(0.0, y), (x, y - 0.05)], 0.016, darker(look, 0.7), "wing")


def _bird(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bird that stands, sometimes with its wings raised."""
    b.shadow(0.5)
    shank, raised = plain(rng, "orange"), bool(rng.random() < 0.3)
    for x in (-0.06, 0.04):
        b.line([(x, 0.25), (x + 0.01, 0.02), (x + 0.07, 0.02)], 0.026, shank, "leg")
    if raised:
        _wing(b.at(0.08, -0.02, 1, -0.3), darker(body, 0.55), raised)
    b.polygon(
        [(-0.22, 0.42), (-0.5, 0.4), (-0.47, 0.33), (-0.5, 0.27), (-0.18, 0.27)],
        darker(body, 0.65),
        "tail",
    )
    torso = [(-0.32, 0.36), (-0.1, 0.52), (0.15, 0.6), (0.27, 0.45), (0.16, 0.25), (-0.06, 0.19)]
    b.polygon(smooth(torso), body, "torso")
    belly = [(0.25, 0.46), (0.22, 0.3), (0.04, 0.19), (-0.02, 0.24), (0.12, 0.36)]
    b.polygon(smooth(belly), plain(rng, str(rng.choice(["white", "yellow", "orange"]))), "torso")
    b.polygon([(0.3, 0.73), (0.51, 0.62), (0.3, 0.54)], plain(rng, "orange"), "beak")
    b.disc(0.22, 0.63, 0.155, body, "head")
    eye(b, rng, 0.28, 0.66, 0.025)
    _wing(b, darker(body, 0.75), raised)


ANIMALS = (
    {
        "dog": Thing(_dog, 1, 0.87, _COAT, ("fur",), 0.34),
        "horse": Thing(_horse, 1, 1, _COAT, ("fur",), 0.5),
        "camel": Thing(_camel, 1, 1, ("brown", "orange", "orange"), ("fur",), 0.52),
        "sheep": Thing(
            _sheep, 1, 0.76, ("white", "white", "grey", "brown", "black"), ("fur",), 0.36
        ),
        "bird": Thing(
            _bird, 1, 0.82, ("blue", "red", "yellow", "green", "brown", "grey"), (None, "fur"), 0.22
        ),
    }
    | PEOPLE
    | SEA
)
