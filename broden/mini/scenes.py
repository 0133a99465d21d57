"""The scenes: what each is made of and which things tell it."""

from __future__ import annotations

from typing import NamedTuple


class Scene(NamedTuple):
    """A kind of place.

    things : what tells it; ground, wall : materials (None: a plain surface) and colours to choose
    from, of the floor or ground, and of the wall, without which the scene is outdoors; far : what
    stands on the horizon, one of `backdrops.FAR`; stuff : object names of the ground and wall.
    """

    things: tuple[str, ...]
    ground: tuple[tuple[str | None, str], ...]
    wall: tuple[tuple[str | None, str], ...] = ()
    far: tuple[str, ...] = ("hills", "nothing")
    stuff: tuple[str, str] = ("ground", "sky")


_ROOM = ("floor", "wall")
_PALE = tuple((None, colour) for colour in ("white", "yellow", "pink", "green", "blue", "grey"))
_FLOORS = (("wood", "brown"), ("wood", "orange"), ("tile", "grey"), ("fabric", "red"))
_TILES = (("tile", "white"), ("tile", "blue"), ("tile", "green"), ("tile", "pink"))

SCENES: dict[str, Scene] = {
    "airfield": Scene(
        ("airplane", "control tower", "hangar", "windsock"),
        (("concrete", "grey"), ("grass", "green")),
    ),
    "bathroom": Scene(
        ("bathtub", "washbasin", "toilet", "mirror", "towel"), _TILES, _TILES, stuff=_ROOM
    ),
    "beach": Scene(
        ("umbrella", "palm", "ball", "deckchair", "crab"),
        (("sand", "yellow"), ("sand", "orange")),
        far=("sea",),
        stuff=("ground", "sky"),
    ),
    "bedroom": Scene(("bed", "lamp", "wardrobe"), _FLOORS, _PALE, stuff=_ROOM),
    "campsite": Scene(
        ("tent", "cabin", "campfire", "signpost"),
        (("grass", "green"), (None, "brown"), ("foliage", "brown")),
        far=("woods", "peaks"),
    ),
    "desert": Scene(
        ("cactus", "camel", "pyramid"),
        (("sand", "orange"), ("sand", "yellow"), ("sand", "brown")),
        far=("dunes", "nothing"),
        stuff=("ground", "sky"),
    ),
    "farm": Scene(
        ("horse", "barn", "tractor", "haystack", "sheep", "windmill"),
        (("grass", "green"), ("grass", "yellow"), (None, "brown")),
        stuff=("field", "sky"),
    ),
    "forest": Scene(
        ("tree", "fir", "mushroom", "bush"),
        (("grass", "green"), ("foliage", "brown"), ("foliage", "green")),
        far=("woods",),
        stuff=("ground", "sky"),
    ),
    "garden": Scene(
        ("flower", "fence", "bench", "tree"),
        (("grass", "green"),),
        far=("hedge", "nothing"),
        stuff=("lawn", "sky"),
    ),
    "harbour": Scene(
        ("boat", "lighthouse", "crane", "bird"),
        (("water", "blue"), ("water", "green"), ("water", "grey")),
        far=("hills", "nothing", "skyline"),
        stuff=("sea", "sky"),
    ),
    "kitchen": Scene(
        ("stove", "refrigerator", "cup", "kettle"),
        (*_FLOORS[:3], *_TILES),
        (*_TILES, *_PALE),
        stuff=_ROOM,
    ),
    "laundry": Scene(
        ("washing machine", "basket", "sweater", "ironing board"),
        (("tile", "grey"), ("concrete", "grey"), ("tile", "blue")),
        ((None, "white"), (None, "blue"), ("concrete", "white"), ("tile", "white")),
        stuff=_ROOM,
    ),
    "library": Scene(
        ("bookshelf", "globe", "ladder", "bust", "chessboard"),
        (("wood", "brown"), ("fabric", "red"), ("fabric", "green")),
        (("wood", "brown"), ("wood", "orange"), (None, "green"), (None, "brown")),
        stuff=_ROOM,
    ),
    "living room": Scene(
        ("sofa", "television", "painting", "potted plant"), _FLOORS, _PALE, stuff=_ROOM
    ),
    "market": Scene(
        ("stall", "watermelon", "pineapple", "basket"),
        (("stone", "grey"), ("stone", "brown"), ("brick", "grey")),
        far=("skyline", "nothing"),
    ),
    "mountain": Scene(
        ("signpost", "fir", "rock", "bird"),
        (("grass", "green"), ("stone", "grey")),
        far=("peaks",),
    ),
    "office": Scene(
        ("desk", "computer", "chair", "clock"),
        (("fabric", "grey"), ("fabric", "blue"), ("concrete", "grey")),
        ((None, "white"), (None, "grey"), ("concrete", "white")),
        stuff=_ROOM,
    ),
    "playground": Scene(
        ("slide", "swing", "seesaw", "ball"),
        (("sand", "yellow"), ("grass", "green"), ("sand", "brown")),
        far=("hedge", "skyline"),
    ),
    "pond": Scene(
        ("turtle", "reed", "water lily", "ladybird"),
        (("water", "green"), ("water", "blue")),
        far=("hedge", "woods", "hills"),
        stuff=("sea", "sky"),
    ),
    "savanna": Scene(
        ("zebra", "giraffe", "leopard", "acacia"),
        (("grass", "yellow"), ("grass", "orange"), (None, "yellow")),
        far=("hills", "nothing"),
        stuff=("field", "sky"),
    ),
    "snowfield": Scene(
        ("snowman", "fir", "house"),
        (("snow", "white"),),
        far=("peaks", "woods", "nothing"),
        stuff=("ground", "sky"),
    ),
    "street": Scene(
        ("car", "truck", "traffic light", "streetlight", "house", "bicycle"),
        (("concrete", "grey"), ("concrete", "black"), ("stone", "grey")),
        far=("skyline",),
        stuff=("road", "sky"),
    ),
    "underwater": Scene(
        ("fish", "coral", "seaweed"),
        (("sand", "yellow"), ("sand", "blue"), ("stone", "blue")),
        (("water", "blue"), ("water", "green"), ("water", "purple")),
        stuff=("seabed", "sea"),
    ),
    "village": Scene(
        ("church", "well", "house", "fence"),
        (("grass", "green"), ("stone", "grey"), (None, "brown")),
        far=("hills", "hedge"),
    ),
}
