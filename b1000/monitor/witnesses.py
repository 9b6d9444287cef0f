"""What storages have proven of the backups of a subject, and what is wrong with that. Pure.

All times are seconds since the epoch. A rule tells of what is known at ``now``.
"""

from collections.abc import Iterable, Iterator

from b1000.monitor.finding import RuleResult
from b1000.monitor.history import PastRun, span
from b1000.monitor.severity import Verdict
from b1000.named import NamedTuple

_WARNING, _CRITICAL = Verdict.WARNING, Verdict.CRITICAL
_PATIENCE = 1.5  # of the time within which a backup is to be read, or drilled
SAME = 1.0
"""Seconds by which two starts of one run may differ."""

InRoot = tuple[str, str, str, str, str]
"""Storage, destination and root, and the host and instance that wrote there."""


class AtStorage(NamedTuple):
    """The backups of a subject at one destination or store of one storage, or in one root of it.

    ``kept`` are complete and not known to be bad, ``newest`` is the start of the newest complete
    one, bad or not. ``read`` is when one was last read, ``unread_since`` since when the one that
    waits longest was not; a sync tree waits since its last reading, though it was written since.
    ``drilled`` is when a drill last passed, which took ``recovery`` seconds; ``seen`` is when the
    first of them was. ``verify`` and ``drill`` are the seconds within which that is to be done
    again, None for never; ``held`` says why nothing of them is removed. ``lost`` is the start of
    the newest that is missing, and ``is_there`` whether any other one lies there. ``root`` is the
    directory of a client, ``host`` and ``instance`` say who wrote there by its word, and ``first``
    is when the first of all was seen, missing ones too.
    """

    storage: str
    destination: str
    kept: int = 0
    newest: float | None = None
    read: float | None = None
    unread_since: float | None = None
    drilled: float | None = None
    recovery: float | None = None
    seen: float | None = None
    verify: float | None = None
    drill: float | None = None
    held: str = ""
    lost: float | None = None
    is_there: bool = True
    root: str = ""
    host: str = ""
    instance: str = ""
    first: float | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.destination} of {self.storage}"

    @property
    def whose(self) -> tuple[str, str]:
        """Who wrote there."""
        return self.host, self.instance

    @property
    def client(self) -> tuple[str, str]:
        """The storage, and how the client's directory is called there."""
        return self.storage, self.root.rpartition("/")[2]

    @property
    def in_root(self) -> InRoot:
        """Where it is, and whose."""
        return self.storage, self.destination, self.root, self.host, self.instance


class SameRun(NamedTuple):
    """A backup of the same run as a bad one; ``run`` is the number of that, "" unknown."""

    in_root: InRoot
    bad: bool
    run: str = ""

    @property
    def at(self) -> tuple[str, str]:
        """The storage and the destination."""
        return self.in_root[:2]


class Flawed(NamedTuple):
    """A backup with which something is wrong: it is ``bad``, cannot be read, or failed in a drill.

    ``known`` is when that was told, ``tried`` when a drill was last, and ``drill`` why that failed,
    "" where it did not. ``good`` is how many others hold
    the same run and are not known to be bad, ``alike`` how many are bad too, with this one.
    ``same`` are all of these with this one, wherever they lie, until that is settled.
    """

    storage: str
    destination: str
    path: str
    bad: bool
    error: str
    known: float
    started: float | None = None
    tried: float | None = None
    drill: str = ""
    good: int = 0
    alike: int = 1
    run: str = ""
    root: str = ""
    host: str = ""
    instance: str = ""
    same: tuple[SameRun, ...] = ()

    @property
    def in_root(self) -> InRoot:
        """Where it is, and whose."""
        return self.storage, self.destination, self.root, self.host, self.instance


class Witnesses(NamedTuple):
    """All that storages tell of a subject: ``places`` hold some of its backups, at ``lost`` ones
    some are missing, and ``claimed`` ones are said to hold some that it has not made.
    """

    places: tuple[AtStorage, ...] = ()
    flawed: tuple[Flawed, ...] = ()
    lost: tuple[AtStorage, ...] = ()
    claimed: tuple[AtStorage, ...] = ()

    @property
    def kept(self) -> int:
        """How many good backups there are."""
        return sum(each.kept for each in self.places)

    @property
    def read(self) -> float | None:
        """When one of them was last read."""
        return _last(each.read for each in self.places)

    @property
    def restored(self) -> float | None:
        """When one was last restored by a drill."""
        return _last(each.drilled for each in self.places)

    @property
    def recovery(self) -> float | None:
        """How many seconds that took."""
        return next((each.recovery for each in self.places if each.drilled == self.restored), None)


NOTHING_TOLD = Witnesses()


def most(*values: float | None) -> float | None:
    """The largest that is known."""
    return max((each for each in values if each is not None), default=None)


def least(*values: float | None) -> float | None:
    """The smallest that is known."""
    return min((each for each in values if each is not None), default=None)


def _last(times: Iterable[float | None]) -> float | None:
    return most(*times)


def wrong(found: Witnesses, last: PastRun | None, now: float) -> list[RuleResult]:
    """What is wrong; ``last`` is the last good run, as its host tells."""
    return [
        *_bad(found, last, now),
        *_gone(found, last, now),
        *_unreadable(found, now),
        *_drill_failed(found, now),
        *_overdue(found, now),
        *_held(found),
        *_alone(found),
        *_claimed(found, now),
    ]


def _bad(found: Witnesses, last: PastRun | None, now: float) -> Iterator[RuleResult]:
    newest = _newest(found, now)
    for each in found.flawed:
        if not each.bad or each.known > now:
            continue
        started = each.started or 0.0
        is_newest = started > max(newest or 0.0, last.started if last else 0.0) - SAME
        # A copy of which no storage tells is not known to be bad either.
        copies = last.done if last and abs(last.started - started) < SAME else 0
        elsewhere = each.good > 0 or copies > each.alike
        where = f"{each.path} at {each.storage} is bad: {each.error}"
        if is_newest and not elsewhere:
            yield RuleResult(_CRITICAL, f"the newest backup {where}; there is no other copy", "bad")
        elif is_newest:
            yield RuleResult(_WARNING, f"a copy of the newest backup {where}", "bad_copy")
        else:
            yield RuleResult(_WARNING, where, "bad_copy")


def _newest(found: Witnesses, now: float) -> float | None:
    """What was made later was not known then."""
    return _last(each.newest for each in found.places if (each.newest or 0.0) <= now)


def _gone(found: Witnesses, last: PastRun | None, now: float) -> Iterator[RuleResult]:
    """The newest backup is missing at a storage that had it."""
    newest = max(_newest(found, now) or 0.0, last.started if last else 0.0)
    lost = [each for each in found.lost if newest - SAME < (each.lost or 0.0) <= now]
    bad = [each for each in found.flawed if each.bad and (each.started or 0.0) > newest - SAME]
    of_bad = {(each.storage, each.destination) for each in bad}
    good = [
        each
        for each in found.places
        if (each.newest or 0.0) > newest - SAME and (each.storage, each.destination) not in of_bad
    ]
    # A copy of which no storage tells is not known to be gone either.
    copies = last.done if last and last.started > newest - SAME else 0
    elsewhere = good or copies > len(lost) + len(bad)
    for each in lost:
        where = f"the newest backup is not at {each.name} any more"
        if elsewhere:
            yield RuleResult(_WARNING, where, "bad_copy")
        else:
            yield RuleResult(_CRITICAL, f"{where}; there is no other copy", "bad")


def _unreadable(found: Witnesses, now: float) -> Iterator[RuleResult]:
    for each in found.flawed:
        if not each.bad and each.known <= now and each.error != each.drill:
            text = f"{each.path} at {each.storage} could not be read: {each.error}"
            yield RuleResult(_WARNING, text, "unreadable")


def _drill_failed(found: Witnesses, now: float) -> Iterator[RuleResult]:
    passed = {(each.storage, each.destination): each.drilled for each in found.places}
    failed: dict[tuple[str, str], Flawed] = {}
    for each in found.flawed:
        key = (each.storage, each.destination)
        since = each.tried or 0.0
        if not each.drill or each.known > now or since <= (passed.get(key) or -1.0):
            continue
        if key not in failed or since > (failed[key].tried or 0.0):
            failed[key] = each
    for each in failed.values():
        yield RuleResult(_WARNING, f"the drill of {each.path} failed: {each.drill}", "drill_failed")


def _overdue(found: Witnesses, now: float) -> Iterator[RuleResult]:
    for each in found.places:
        if not each.kept:
            continue
        unread = now - each.unread_since if each.unread_since is not None else 0.0
        if each.verify and unread > _PATIENCE * each.verify:
            text = f"a backup at {each.name} was not read for {span(unread)}"
            yield RuleResult(_WARNING, f"{text}, verify says {span(each.verify)}", "unread")
        since = each.seen if each.drilled is None else each.drilled
        if each.drill and since is not None and now - since > _PATIENCE * each.drill:
            ago = (
                "there was none" if each.drilled is None else f"the last is {span(now - since)} old"
            )
            text = f"a drill at {each.name} is overdue: {ago}, drill_every says {span(each.drill)}"
            yield RuleResult(_WARNING, text, "drill_overdue")


def _held(found: Witnesses) -> Iterator[RuleResult]:
    for each in found.places:
        if each.held:
            text = f"nothing of it is removed at {each.name}: {each.held}"
            yield RuleResult(_WARNING, text, "held_back")


def _alone(found: Witnesses) -> Iterator[RuleResult]:
    holding = [each for each in found.places if each.kept]
    if len(found.places) > 1 and len(holding) == 1:
        empty = ", ".join(sorted(each.name for each in found.places if not each.kept))
        text = f"only {holding[0].name} holds good backups of it; none: {empty}"
        yield RuleResult(_WARNING, text, "one_storage")


def _claimed(found: Witnesses, now: float) -> Iterator[RuleResult]:
    for each in found.claimed:
        if (each.first or 0.0) <= now:
            text = (
                f"{each.root} at {each.storage} claims to hold a backup of it that it did not make"
            )
            yield RuleResult(_WARNING, text, "claimed")
