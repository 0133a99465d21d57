"""Every thing that can be drawn, by name."""

from __future__ import annotations

from broden.mini.things.animals import ANIMALS
from broden.mini.things.buildings import BUILDINGS
from broden.mini.things.furniture import FURNITURE
from broden.mini.things.household import HOUSEHOLD
from broden.mini.things.market import MARKET
from broden.mini.things.places import PLACES
from broden.mini.things.plants import PLANTS
from broden.mini.things.play import PLAY
from broden.mini.things.safari import SAFARI
from broden.mini.things.street import STREET
from broden.mini.things.thing import Thing
from broden.mini.things.vehicles import VEHICLES

THINGS: dict[str, Thing] = (
    VEHICLES | BUILDINGS | STREET | PLANTS | ANIMALS | FURNITURE | HOUSEHOLD
) | (SAFARI | MARKET | PLACES | PLAY)
