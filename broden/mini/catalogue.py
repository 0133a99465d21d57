"""Every thing that can be drawn, by name."""

from __future__ import annotations

from broden.mini.animals import ANIMALS
from broden.mini.buildings import BUILDINGS
from broden.mini.furniture import FURNITURE
from broden.mini.household import HOUSEHOLD
from broden.mini.plants import PLANTS
from broden.mini.street import STREET
from broden.mini.things import Thing
from broden.mini.vehicles import VEHICLES

THINGS: dict[str, Thing] = VEHICLES | BUILDINGS | STREET | PLANTS | ANIMALS | FURNITURE | HOUSEHOLD
