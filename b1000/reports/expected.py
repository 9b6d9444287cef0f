"""What has to lie at the storages by what databases know. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from b1000.marks.adopting import Told
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.states import COMPLETE
from b1000.runs.stored import KnownCopy
from b1000.storage import layout, stored_facts
from b1000.storage.layout import Place

_SAME_TIME = 1.0  # second


class Terms(NamedTuple):
    """Which backups are meant: those that ``host``, which is this one, has brought below ``tops``.

    What others have brought to the same address may lie elsewhere: each client of a daemon may have
    a tree of its own under one name, and each host a disk. ``tops`` are paths of destinations,
    ``jobs`` () for all; ``since`` is the earliest start. ``pulls``: it may have pulled some.
    """

    host: str
    tops: tuple[str, ...]
    jobs: tuple[str, ...]
    since: float
    pulls: bool = False

    @property
    def below(self) -> list[str]:
        """What the paths of their directories begin with."""
        tops = [f"{top.rstrip('/')}/" for top in self.tops]
        return [f"{top}{job}/" for top in tops for job in self.jobs] if self.jobs else tops


class Stored(NamedTuple):
    """A backup as its storage told it; ``removed``: that it was removed there."""

    storage: str
    path: str
    started: float | None
    removed: bool


def expected(copies: Iterable[Told], stored: Iterable[Stored], terms: Terms) -> list[KnownCopy]:
    """The copies that were complete and that no storage has removed, in the order of their runs."""
    known: dict[str, list[Stored]] = defaultdict(list)
    for each in stored:
        known[_end(each.path)].append(each)
    found: list[KnownCopy] = []
    for copy in copies:
        place = _place_below(terms.tops, copy.path)
        if not place or copy.status not in COMPLETE or copy.started < terms.since:
            continue
        if not _is_removed(copy, known.get(place.path, ()), terms):
            found.append(_known_copy(copy, place))
    return sorted(found, key=lambda copy: copy.started)


def _place_below(tops: Iterable[str], path: str) -> Place | None:
    below = (path[len(top) :] for each in tops if path.startswith(top := f"{each.rstrip('/')}/"))
    return next((place for each in below if (place := layout.place(each))), None)


def _known_copy(copy: Told, place: Place) -> KnownCopy:
    """As the journal would have it."""
    return KnownCopy(
        copy.path,
        copy.destination,
        place.type,
        place.job,
        copy.host,
        copy.instance,
        copy.master_host,
        copy.master_instance,
        "",
        copy.started,
        copy.ended,
        True,
        copy.bytes,
        copy.files,
    )


def _is_removed(copy: Told, known: Sequence[Stored], terms: Terms) -> bool:
    same = [
        each
        for each in known
        if each.started is None or abs(each.started - copy.started) <= _SAME_TIME
    ]
    storage = _storage(copy.path, terms.host)
    others = {_storage(top, terms.host) for top in terms.tops} - {storage}
    return stored_facts.meant(same, storage, others).that(lambda each: each.removed) is not None


def _storage(path: str, own: str) -> str:
    """The host at which a path is."""
    address = paths.host_or_path(path)
    return own if address == path else address


def _end(path: str) -> str:
    """Where it lies below a root, whichever."""
    parts = path.split("/")
    return "/".join(parts[-3:] if layout.is_day("".join(parts[-2:-1])) else parts[-2:])
