"""What a comparison of a restore with its backup has found."""

from b1000.named import NamedTuple

MOST_NAMES = 1000  # of differing files that are remembered
DIFFERS = "from the backup"
"""Ends the error of a restore of which something differs: the next looks at content, too."""


class Verified(NamedTuple):
    """What a comparison found: names that differ, and how many have other attributes.

    ``set_aside`` are names that verify has set aside as wrong, where the whole was compared.
    ``against`` says with what it was made, ``note`` why not with a list that is there.
    """

    differing: tuple[str, ...] = ()
    attributes: int = 0
    set_aside: tuple[str, ...] = ()
    against: str = ""
    note: str = ""
