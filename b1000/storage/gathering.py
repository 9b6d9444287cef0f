"""Names in the directory of a job or of a day, to the backups and marks among them."""

from collections.abc import Callable, Collection, Iterator

from b1000.b1k import mark
from b1000.b1k.claim import Claim
from b1000.errors import BadValue
from b1000.storage import layout
from b1000.storage.backup import Entry
from b1000.storage.layout import Place

Read = Callable[[Place], Claim]
"""Reads the mark beside a backup; raises OSError and BadValue."""


def entries(
    job: str, day: str, trees: Collection[str], beside: Collection[str], read: Read
) -> Iterator[Entry]:
    """What lies in one directory: ``trees`` are the directories in it, ``beside`` all else.

    ``day`` is "" for the directory of the job itself.
    """

    def place(name: str) -> Place | None:
        return layout.full(job, day, name) if day else layout.sync(job, name)

    for name in trees:
        if found := place(name):
            protected = any(name + layout.KEEP in each for each in (beside, trees))
            yield _entry(found, beside, protected, read)
    for name in beside:
        stem = name.removesuffix(mark.SUFFIX)
        if stem != name and stem not in trees and (found := place(stem)):
            yield Entry(found, is_there=False)


def _entry(place: Place, beside: Collection[str], protected: bool, read: Read) -> Entry:
    listed = place.name + layout.SUMS in beside
    if place.name + mark.SUFFIX not in beside:
        return Entry(place, None, "", protected, True, listed)
    try:
        return Entry(place, read(place), "", protected, True, listed)
    except FileNotFoundError:
        return Entry(place, None, "", protected, True, listed)
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
        return Entry(place, None, why, protected, True, listed)
    except BadValue as error:
        return Entry(place, None, str(error), protected, True, listed)
