"""What a user chooses about figures."""

from dataclasses import dataclass

from figures.inputs import Unit

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What figures show of more than fits.

    Attributes
    ----------
    more_than : int
        Concepts carried by more units are shown where units per concept are counted.
    most : int
        Concepts of a layer in one panel.
    sheets : int
        Best units of each layer on a sheet; 0 for no such sheets.
    units : tuple of Unit
        Units with a sheet of their own.
    published : str, optional
        Published counts that stand beside those of the networks, one of
        `dissection.comparison.published_counts.PUBLISHED`.

    Raises
    ------
    ValueError
        If a number is below what makes sense.
    """

    more_than: int = 3
    most: int = 40
    sheets: int = 8
    units: tuple[Unit, ...] = ()
    published: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("more_than", 0), ("most", 1), ("sheets", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
