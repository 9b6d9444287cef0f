"""The rows of runs as values, and whose they are.

A track is what one host backs up of one instance.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from math import isfinite

from b1000.logs import printable
from b1000.monitor.history import PastRun, Subject
from b1000.named import NamedTuple
from b1000.reports.source import SEPARATOR
from b1000.runs.states import Status, Step

Track = tuple[str, str, str]
"""Host, name and instance as the host calls them that does the backup."""

DONE, OK = Step.DONE.value, Status.OK.value  # looked up once, and not for each of many rows

_STEPS = frozenset(step.value for step in Step)
_QUARTER = 900.0  # seconds
_FARTHEST = 15 * 3600.0  # from UTC that a zone is


def names(texts: Iterable[str]) -> list[Track]:
    """Three names each; what has more separators names nothing that a B1000 wrote."""
    found = (text.split(SEPARATOR) for text in texts)
    return [(names[0], names[1], names[2]) for names in found if len(names) == 3]


class _Alike(NamedTuple):
    """What runs have in common of which only times and numbers differ.

    ``runs`` is where they go, ``ended`` the end of a PastRun. Copies of a run that is DONE and OK
    are DONE; those that matter are looked at.
    """

    runs: list[PastRun]
    ended: tuple[object, ...]


class Tracks:
    """Runs by track, made of texts; ``relayed`` is whether storages have told any of them.

    ``subjects`` are those whose they may be: all that their rows name. ``flawed`` are tracks of
    which not all runs are DONE and OK, ``pulled`` jobs of which a storage has pulled some.
    Nearly all runs of an instance differ in times and numbers alone: the rest is understood once.
    """

    def __init__(self) -> None:
        self.runs: defaultdict[Track, list[PastRun]] = defaultdict(list)
        self.subjects: defaultdict[Track, set[Subject]] = defaultdict(set)
        self.flawed: set[Track] = set()
        self.relayed = False
        self.pulled: set[str] = set()
        self._alike: dict[str, _Alike] = {}
        # Many are read: a name is kept only once.
        self._names: dict[str, str] = {}

    def read(self, texts: Iterable[str]) -> None:
        """Put each run to its track, by the names of the host that made it."""
        known = self._alike
        make = tuple.__new__  # as PastRun._make does it, without its question for their number
        for text in texts:
            try:
                number, began, local, data_age, size, duration, files, rest = text.split(
                    SEPARATOR, 7
                )
                alike = known.get(rest) or self._understood(rest)
                if began == local:
                    started, offset = float(began), 0.0
                else:
                    clock = float(local)
                    started = float(began) if began else _in_our_zone(clock)
                    offset = _offset(clock - started)
                differing = (
                    started,
                    0.0 if data_age == "0" else _age(data_age),
                    int(size) if size else None,
                    float(duration) if duration else None,
                    int(files) if files else None,
                    int(number),
                    offset,
                )
                run = make(PastRun, differing + alike.ended)
            except ValueError:
                continue  # a name or a time that no B1000 writes
            alike.runs.append(run)

    def _understood(self, rest: str) -> _Alike:
        """ValueError for a name that no B1000 writes."""
        (
            host, name, instance, step, status, ack, master_host, master_instance, direction,
            relayed_by, kind, attempts, error,
        ) = (self._names.setdefault(each, each) for each in rest.split(SEPARATOR, 12))  # fmt: skip
        if step not in _STEPS or (ack and not ack.isdigit()):
            raise ValueError("a name holds the separator, and all behind it is shifted")
        tried = int(attempts) if attempts else 0
        self.relayed |= bool(relayed_by)
        if direction == "passive":
            self.pulled.add(name)
        copies = int(step == DONE and status == OK)
        ended = (
            copies, 0, copies, None, (), (), (), step, status, ack not in ("", "0"), host, instance,
            master_host, master_instance, direction, short(error) if error else "", relayed_by, (),
            kind, tried,
        )  # fmt: skip
        track = (host, name, instance)
        self.subjects[track].add(Subject(master_host or host, name, master_instance or instance))
        if not copies:
            self.flawed.add(track)
        alike = _Alike(self.runs[track], ended)
        self._alike[rest] = alike
        return alike

    def add(self, others: "Tracks") -> None:
        """Others that were read, some of them here too."""
        self.relayed |= others.relayed
        self.pulled |= others.pulled
        self.flawed |= others.flawed
        for track, runs in others.runs.items():
            its = self.runs[track]
            whole = {run.job_id: run for run in (*its, *runs)}
            # In place: it is also where others of these runs go.
            its[:] = whole.values()
            self.subjects[track] |= others.subjects[track]

    def give(self, tracks: Iterable[Track]) -> "Tracks":
        """Some of them, which another adds to its own; they are here no more."""
        given = Tracks()
        given.relayed, given.pulled = self.relayed, self.pulled
        for track in tracks:
            given.runs[track] = self.runs.pop(track)
            given.subjects[track] = self.subjects.pop(track)
        given.flawed = self.flawed & given.runs.keys()
        self.flawed -= given.flawed
        return given


def of_all_writers(rows: list[PastRun]) -> list[PastRun]:
    """Each run of a track once, of which its host and several storages may have told."""
    if {row.relayed_by for row in rows} == {""}:
        return rows
    of_start: defaultdict[float, list[PastRun]] = defaultdict(list)
    for row in rows:
        of_start[row.started].append(row)
    return [_of_one_run(some) if len(some) > 1 else some[0] for some in of_start.values()]


def _of_one_run(rows: Sequence[PastRun]) -> PastRun:
    """The host's own word where there is one, else the last that storages have seen of it."""
    size = max((row.bytes for row in rows if row.bytes is not None), default=None)
    own = [row for row in rows if not row.relayed_by]
    if own:
        return own[-1]._replace(bytes=size if own[-1].bytes is None else own[-1].bytes)
    # One that ended well did so after all others have been told.
    best = max(rows, key=lambda row: (row.step == DONE, row.ended))
    return best._replace(
        bytes=size,
        relayed_by=", ".join(sorted({row.relayed_by for row in rows})),
        also=tuple(row.job_id for row in rows if row is not best),
    )


def subjects_of(
    track: Track, runs: list[PastRun], named: Collection[Subject]
) -> dict[Subject, list[PastRun]]:
    """Whose the runs of a track are; nobody's where none came so far as to know its master.

    One that FAILED before is that of its neighbours. ``named`` are all subjects that runs of it
    name, most often one.
    """
    if len(named) == 1 and _knows_its_master(runs[0]):
        return dict.fromkeys(named, runs)
    known = [run for run in runs if _knows_its_master(run)]
    if not known:
        return {Subject(*track): runs} if track[2] else {}
    neighbour = _subject(track, known[0])
    found: dict[Subject, list[PastRun]] = {}
    for run in runs:
        if _knows_its_master(run):
            neighbour = _subject(track, run)
        found.setdefault(neighbour, []).append(run)
    return found


def _knows_its_master(run: PastRun) -> bool:
    """Whether INIT is over, or as good as."""
    return run.step != Step.INIT or bool(run.master_host or run.master_instance)


def _subject(track: Track, run: PastRun) -> Subject:
    return Subject(run.master_host or track[0], track[1], run.master_instance or track[2])


def _age(text: str) -> float | None:
    """An age in seconds; what is none is not known."""
    try:
        age = float(text)
    except ValueError:
        return None
    return age if isfinite(age) else None


def _in_our_zone(clock: float) -> float:
    """Seconds since the epoch of a local time, which is taken for one of this machine's zone."""
    return datetime.fromtimestamp(clock, UTC).replace(tzinfo=None).timestamp()


def _offset(difference: float) -> float:
    """How far local time is ahead of UTC: no zone is off by part of a quarter of an hour."""
    offset = round(difference / _QUARTER) * _QUARTER
    return offset if abs(offset) <= _FARTHEST else 0.0


def short(error: str) -> str:
    """One line of an error."""
    return printable(" ".join(error.split()))
