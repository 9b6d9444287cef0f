"""In which directories of storages the backups of a subject lie, and which only claim to. Pure.

Each client has a directory of its own at a storage, its root, and says itself there of which host
its backups are. What another's directory holds vouches for nothing: it is no copy of a run, and is
never newer than one. Which is the subject's own, its runs say: databases have them from its host.
"""

from collections.abc import Iterable, Sequence

from b1000.monitor.history import DAY, PastRun, in_order
from b1000.monitor.witnesses import SAME, AtStorage, Flawed, SameRun, Witnesses, least, most

_PUSH, _PASSIVE, _ADOPTED = "push", "passive", "adopted-"


def settled(found: Witnesses, history: Sequence[PastRun]) -> Witnesses:
    """The same without what only claims to be of it, each destination of a storage once.

    ``found`` has an entry for each root and for each host that wrote there, ``history`` the runs.
    """
    places = [*found.places, *(each for each in found.lost if not each.is_there)]
    if len(places) < 2 and not found.flawed and not found.lost:
        return found
    history = in_order(history)
    runs = _Pulled(history)
    places = [
        each._replace(newest=runs.began(each.newest), lost=runs.began(each.lost)) for each in places
    ]
    doubtful = _doubtful(places, history)
    strange = {each.in_root for each in doubtful}
    own = _merged(_moved([each for each in places if each.in_root not in strange]))
    flawed = [
        each._replace(started=runs.began(each.started))
        for each in found.flawed
        if each.in_root not in strange
    ]
    return Witnesses(
        tuple(each for each in own if each.is_there),
        tuple(_with_copies(each, strange, history) for each in flawed),
        tuple(each for each in own if each.lost is not None),
        tuple(each for each in doubtful if _is_rival(each, places, doubtful)),
    )


class _Pulled:
    """When the client's runs began whose data was pulled: a storage tells when it began to wait."""

    def __init__(self, history: Sequence[PastRun]) -> None:
        self._runs = [run for run in history if run.direction == _PASSIVE and run.good]

    def began(self, pulling: float | None) -> float | None:
        """The start of the first that was not over by then, within a day; the same without one."""
        if pulling is None:
            return None
        over = pulling - SAME
        found = (run for run in self._runs if run.started + (run.duration or 0.0) > over)
        began = next((run.started for run in found), pulling)
        return began if began - pulling < DAY else pulling


def _doubtful(places: Sequence[AtStorage], history: Sequence[PastRun]) -> list[AtStorage]:
    """Those whose newest backup no run of the subject made, beside others of which one did.

    Where none is of a run that is known, as where runs are told late, the root that held backups
    of a host first at a storage is its own.
    """
    if not history:
        return []
    strange = [each for each in places if _is_strange(each, history)]
    own = {each.client for each in places if _is_told(each, history)}
    if own:
        # By one name one client has a directory at each destination of a storage.
        return [each for each in strange if each.client not in own]
    return [each for each in strange if _earlier(each, places)]


def _is_rival(place: AtStorage, places: Sequence[AtStorage], doubtful: Sequence[AtStorage]) -> bool:
    """Whether the subject has a root of its own there."""
    others = [each for each in places if each.storage == place.storage]
    return any(each not in doubtful for each in others) or bool(_earlier(place, others))


def _earlier(place: AtStorage, places: Iterable[AtStorage]) -> list[AtStorage]:
    """Those of the same host in other roots of the destination that were there before it."""
    return [
        each
        for each in places
        if each.whose == place.whose
        and each.name == place.name
        and each.root != place.root
        and _order(each) < _order(place)
    ]


def _order(place: AtStorage) -> tuple[float, str]:
    return (place.first or 0.0, place.root)


def _newest(place: AtStorage) -> float | None:
    return most(place.newest, place.lost)


def _is_told(place: AtStorage, history: Sequence[PastRun]) -> bool:
    newest = _newest(place)
    return newest is not None and _run_at(newest, history) is not None


def _is_strange(place: AtStorage, history: Sequence[PastRun]) -> bool:
    """Whether it has a backup of a time of which the runs are known, and there was none."""
    newest = _newest(place)
    if newest is None or _run_at(newest, history):
        return False
    of_host = [run.started for run in history if run.made_on == place.host]
    last = max(run.started for run in history)
    return newest > min(of_host, default=last) + SAME


def _run_at(started: float, history: Sequence[PastRun]) -> PastRun | None:
    return next((run for run in reversed(history) if abs(run.started - started) < SAME), None)


def _moved(places: Sequence[AtStorage]) -> list[AtStorage]:
    """What is missing in a root where nothing is left, and lies in another, has moved there."""
    return [
        each._replace(lost=None)
        if not each.is_there and any(_has_taken_over(other, each) for other in places)
        else each
        for each in places
    ]


def _has_taken_over(place: AtStorage, former: AtStorage) -> bool:
    return (
        (place.name, place.whose) == (former.name, former.whose)
        and place.root != former.root
        and (place.newest or 0.0) > (former.lost or 0.0) - SAME
    )


def _merged(places: Iterable[AtStorage]) -> list[AtStorage]:
    """A replica and its master, a former root and the one of today are one subject's."""
    found: dict[str, AtStorage] = {}
    for each in places:
        found[each.name] = together(found[each.name], each) if each.name in found else each
    return [*found.values()]


def together(one: AtStorage, other: AtStorage) -> AtStorage:
    """Both as one."""
    last = max(one, other, key=lambda each: each.drilled or 0.0)
    return one._replace(
        kept=one.kept + other.kept,
        newest=most(one.newest, other.newest),
        read=most(one.read, other.read),
        unread_since=least(one.unread_since, other.unread_since),
        drilled=last.drilled,
        recovery=last.recovery,
        seen=least(one.seen, other.seen),
        verify=one.verify or other.verify,
        drill=one.drill or other.drill,
        held=one.held or other.held,
        lost=most(one.lost, other.lost),
        is_there=one.is_there or other.is_there,
    )


def _with_copies(
    flawed: Flawed, strange: set[tuple[str, str, str, str, str]], history: Sequence[PastRun]
) -> Flawed:
    """With the number of good ones at other destinations, and of those that are as bad."""
    run = None if flawed.started is None else _run_at(flawed.started, history)
    pushed = bool(run and run.direction == _PUSH)
    same = [
        each
        for each in flawed.same
        if each.in_root not in strange and _is_same_run(flawed, each, pushed)
    ]
    good = {each.at for each in same if not each.bad} - {(flawed.storage, flawed.destination)}
    alike = sum(each.bad for each in same)
    return flawed._replace(good=len(good), alike=max(1, alike)) if flawed.same else flawed


def _is_same_run(flawed: Flawed, other: SameRun, pushed: bool) -> bool:
    """A run that was pushed has one number everywhere, and each storage that pulls another."""
    numbers = {flawed.run, other.run}
    if not pushed or "" in numbers or any(each.startswith(_ADOPTED) for each in numbers):
        return True
    return len(numbers) == 1
