"""What many subjects have in common that are bad: a storage, a host, a job. Pure."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from b1000.errors import counted
from b1000.monitor.history import DAY, Subject
from b1000.monitor.holidays import DayOff
from b1000.monitor.severity import Verdict, worst
from b1000.monitor.verdicts import Judgement
from b1000.named import NamedTuple

_LEAST = {"storage": 3, "host": 2, "job": 3}  # subjects that it has to explain
_SHARE = 0.8  # of all that could be, before it is the whole that fails
_OF_ALL = 0.1  # of all subjects of a storage that newly fail there, others fail or not
_FAILING_FOR_ONE = 4  # subjects that fail at a storage for each that it still takes
_NO_BACKUP = frozenset({"never", "missed", "too_old", "failed"})
_NO_COPY = _NO_BACKUP | {"incomplete"}
_FOLLOWS = (
    _NO_COPY
    | {"run_failed", "flapping", "attempts", "hangs", "vanished"}
    | {"unread", "drill_overdue", "held_back", "one_storage"}
)
"""What is wrong with whom a storage takes no copies of, or whose host or job fails."""


class Cause(NamedTuple):
    """One line above many. ``kind``: storage, host, job or day; ``since``: when it was well."""

    kind: str
    name: str
    verdict: Verdict
    since: float | None
    subjects: tuple[Subject, ...]
    text: str


class Destination(NamedTuple):
    """What one destination came to lately, by the rows of copies.

    ``success`` is a share of the copies that ended; ``alone``: subjects of which no copy of
    the last good backup is anywhere else.
    """

    name: str
    verdict: Verdict = Verdict.OK
    last_good: float | None = None
    success: float | None = None
    bytes_per_day: float = 0.0
    subjects: int = 0
    alone: int = 0


class _Candidate(NamedTuple):
    """What may explain these. ``hardly``: a few that it might are well."""

    kind: str
    name: str
    since: float | None
    subjects: list[Judgement]
    hardly: bool = False


def causes(
    judgements: Sequence[Judgement],
    now: float,
    destinations: Iterable[Destination] = (),
    off: Iterable[DayOff] = (),
) -> list[Cause]:
    """What explains the most comes first; each subject is explained once."""
    lately = {each.name: each.last_good for each in destinations if each.last_good}
    left = [each for each in judgements if each.verdict not in (Verdict.OK, Verdict.UNKNOWN)]
    bad = {each.subject for each in left}
    found = [_day(each.day, [one for one in each.subjects if one in bad]) for each in off]
    found = [each for each in found if each.subjects]
    rested = {subject for day in found for subject in day.subjects}
    left = [each for each in left if each.subject not in rested]
    candidates = [*_storages(judgements, lately), *_relays(judgements)]
    candidates += [*_hosts(judgements), *_jobs(judgements)]
    while True:
        names = {each.subject for each in left}
        of_each = [
            one._replace(subjects=[each for each in one.subjects if each.subject in names])
            for one in candidates
        ]
        large = [each for each in of_each if len(each.subjects) >= _LEAST[each.kind]]
        if not large:
            return found
        largest = max(large, key=_weight)
        found.append(_cause(largest, now))
        gone = {each.subject for each in largest.subjects}
        left = [each for each in left if each.subject not in gone]


def explained(judgements: Iterable[Judgement], known: Iterable[Cause]) -> dict[Subject, Cause]:
    """Of what a cause tells all: nothing is wrong with it that does not follow from that."""
    whose = {subject: cause for cause in known for subject in cause.subjects}
    return {
        each.subject: whose[each.subject]
        for each in judgements
        if each.subject in whose and each.codes <= _FOLLOWS
    }


def _weight(found: _Candidate) -> tuple[int, bool]:
    """What fails at all of several storages has more likely that in common which it is."""
    everywhere = all(len(each.failing) > 1 for each in found.subjects)
    return len(found.subjects), found.kind != "storage" and everywhere


def _cause(found: _Candidate, now: float) -> Cause:
    what = "no good backup"
    if found.kind == "storage":
        what = "hardly a copy" if found.hardly else "no copy"
    when = f" since {moment(found.since, now)}" if found.since else ""
    some = found.subjects
    return Cause(
        found.kind,
        found.name,
        worst(each.verdict for each in some),
        found.since,
        tuple(each.subject for each in some),
        f"{found.kind} {found.name}: {what}{when}, {counted(len(some), 'subject')}",
    )


def _day(day: date, some: Sequence[Subject]) -> Cause:
    """At which none has failed, and which all have in common."""
    text = f"{counted(len(some), 'subject')} of weekdays did not run: a public holiday?"
    name = day.isoformat()
    return Cause("day", name, Verdict.WARNING, None, tuple(some), f"day {day:%a} {name}: {text}")


def moment(when: float, now: float) -> str:
    """A moment of the past on our own clock."""
    local = datetime.fromtimestamp(when)
    return f"{local:%a %H:%M}" if now - when < 6 * DAY else f"{local:%Y-%m-%d %H:%M}"


def _storages(judgements: Sequence[Judgement], lately: Mapping[str, float]) -> list[_Candidate]:
    """Where nearly no run since some moment has a copy; ``lately``: of the last copies there.

    What fails at others too, which take copies as ever, fails for a reason of its own.
    """
    copies: defaultdict[str, list[float]] = defaultdict(list)
    used: Counter[str] = Counter()
    failing: list[Judgement] = []
    for each in judgements:
        used.update({*each.places, *each.failing})
        for place in each.places:
            copies[place].append(each.last_good or 0.0)
        if each.failing and each.codes & _NO_COPY:
            failing.append(each)
    for place, moment in lately.items():
        if moment > max(copies[place], default=0.0):
            copies[place].append(moment)
    # Who fails everywhere says nothing of one of several storages, unless nearly all do.
    some = [each for each in failing if len(each.failing) == 1 or {*each.places} - {*each.failing}]
    down = {found.name for found in _down(some, copies, used)}
    for found in _down(failing, copies, used):
        if len(found.subjects) >= _SHARE * used[found.name]:
            down.add(found.name)
    return _down([each for each in failing if down.issuperset(each.failing)], copies, used)


def _down(
    failing: Iterable[Judgement], copies: Mapping[str, list[float]], used: Mapping[str, int]
) -> list[_Candidate]:
    """``copies``: when the last ones were made at each storage, ``used``: by how many it is."""
    of_place: defaultdict[str, list[Judgement]] = defaultdict(list)
    for each in failing:
        for place in dict.fromkeys(each.failing):
            of_place[place].append(each)
    found: list[_Candidate] = []
    for place, some in of_place.items():
        well = sorted(copies.get(place, ()), reverse=True)
        since, working = _down_since(well, sorted(each.last_run or 0.0 for each in some))
        after = [each for each in some if since is None or (each.last_run or 0.0) > since]
        if len(after) >= _SHARE * len(some):
            found.append(_Candidate("storage", place, since, some, working > 0))
        elif len(after) >= _OF_ALL * used[place]:
            # Those that have failed before it fail for reasons of their own.
            found.append(_Candidate("storage", place, since, after, working > 0))
    return found


def _down_since(well: Sequence[float], failed: Sequence[float]) -> tuple[float | None, int]:
    """When the copies at a storage ended, and how many it has taken since; None: it took no other.

    ``well`` are its copies, the last first, ``failed`` runs without one, the last last. One that
    it still takes, such as its own, does not make it well where more fail for it.
    """
    best, since, working = -1, None, 0
    for taken, moment in enumerate([*well[: len(failed) // _FAILING_FOR_ONE + 1], None]):
        after = len(failed) - (0 if moment is None else bisect_right(failed, moment))
        if after - taken * _FAILING_FOR_ONE > best:
            best, since, working = after - taken * _FAILING_FOR_ONE, moment, taken
    return since, working


def _hosts(judgements: Iterable[Judgement]) -> list[_Candidate]:
    of_host: defaultdict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        of_host[each.made_on or each.subject.host].append(each)
    return [found for name, some in of_host.items() for found in _whole("host", name, some)]


def _jobs(judgements: Iterable[Judgement]) -> list[_Candidate]:
    """Everywhere, or with all its instances on one of several hosts."""
    of_job: defaultdict[str, defaultdict[str, list[Judgement]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for each in judgements:
        of_job[each.subject.job][each.made_on or each.subject.host].append(each)
    found: list[_Candidate] = []
    for name, of_host in of_job.items():
        found += _whole("job", name, [each for some in of_host.values() for each in some])
        if len(of_host) > 1:
            for host, some in of_host.items():
                found += _whole("job", f"{name} on {host}", some)
    return found


def _relays(judgements: Iterable[Judgement]) -> list[_Candidate]:
    """What a storage pulls has no run at all while it is down."""
    of_relay: defaultdict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        if each.relayed_by:
            of_relay[each.relayed_by].append(each)
    return [found for name, some in of_relay.items() for found in _whole("storage", name, some)]


def _whole(kind: str, name: str, some: Sequence[Judgement]) -> list[_Candidate]:
    """Whether nearly all of them have no backup that they should have."""
    bad = [each for each in some if each.codes & _NO_BACKUP]
    if len(bad) < max(2, _SHARE * len(some)):
        return []
    since = max((each.last_good for each in bad if each.last_good), default=None)
    return [_Candidate(kind, name, since, bad)]


def with_subjects(
    destinations: Iterable[Destination],
    judgements: Iterable[Judgement],
    known: Sequence[Cause],
) -> list[Destination]:
    """The same with what the verdicts on subjects say of them; the worst first."""
    subjects: dict[str, int] = {}
    alone: dict[str, int] = {}
    good: dict[str, float] = {}
    for each in judgements:
        for place in {*each.places, *each.failing}:
            subjects[place] = subjects.get(place, 0) + 1
        for place in each.places:
            good[place] = max(good.get(place, 0.0), each.last_good or 0.0)
        if len(set(each.places)) == 1:
            alone[each.places[0]] = alone.get(each.places[0], 0) + 1
    down = {cause.name: cause.verdict for cause in known if cause.kind == "storage"}
    rows: Mapping[str, Destination] = {each.name: each for each in destinations}
    found = []
    for name in sorted(rows.keys() | subjects.keys()):
        row = rows.get(name, Destination(name))
        last = max(row.last_good or 0.0, good.get(name, 0.0)) or None
        verdict = down.get(name) or _verdict(row)
        found.append(
            row._replace(
                verdict=verdict,
                last_good=last,
                subjects=subjects.get(name, 0),
                alone=alone.get(name, 0),
            )
        )
    return sorted(found, key=lambda each: (each.verdict is Verdict.OK, each.name))


def _verdict(row: Destination) -> Verdict:
    return Verdict.WARNING if row.success is not None and row.success < _SHARE else Verdict.OK
