"""From the rows of a central database to the history of each subject.

Only what a verdict needs is read: the last runs of each instance, and the last
good ones where those are older. The rows of the last days come with one range
scan; instances of which that does not tell enough are asked for one by one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

from b1000.logs import printable
from b1000.reports.source import SEPARATOR, Source
from b1000.steps import CopyStatus, Status, Step
from b1000.views.drift import Note
from b1000.views.verdicts import (
    AGE_AFTER_ONE,
    LOOKED_AT,
    Judgement,
    Past,
    Plan,
    Subject,
    Verdict,
    span,
)

_RUNS_ONE_BY_ONE = 50  # instances in one statement
_RUNS_AT_ONCE = 1000  # runs in one statement
_VANISHED = 24  # rsync's exit code for files that vanished
_LONGEST_ERROR = 200  # characters of it that are told

# The values stand in the statements as they are: they are ours.
_GOOD_COPY = (
    f"(c.status = '{CopyStatus.DONE}' OR "
    f"c.status = '{CopyStatus.WARNING}' AND c.exit_code = {_VANISHED})"
)
_HAS_GOOD_COPY = f"EXISTS (SELECT 1 FROM copies c WHERE c.job_id = j.job_id AND {_GOOD_COPY})"

T = TypeVar("T")
Wanted = Callable[[Subject], bool]


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the database knows. ``notes``: failures that belong to no subject."""

    histories: Mapping[Subject, Sequence[Past]]
    plans: Mapping[Subject, Plan]
    notes: Sequence[Note] = ()


class Track(NamedTuple):
    """One instance of a job on the host that backs it up, whatever its master is."""

    host: str
    name: str
    instance: str


class _Row(NamedTuple):
    past: Past
    master_host: str
    master_instance: str


@dataclass(frozen=True, slots=True)
class Copies:
    """What the copies of one run came to."""

    done: int
    vanished: int
    total: int
    copying_since: float | None
    missing: tuple[str, ...]


def read(source: Source, now: float, wanted: Wanted = lambda _: True) -> Fleet:
    """The histories and plans of the subjects that are wanted and not ignored.

    Raises NotDelivered where the database does not answer.
    """
    plans = dict(_plans(source))

    def shown(subject: Subject) -> bool:
        return wanted(subject) and not (subject in plans and plans[subject].ignored)

    histories, notes = _Reading(source, now).all()
    for subject in plans:
        histories.setdefault(subject, [])
    return Fleet(
        {subject: runs for subject, runs in histories.items() if shown(subject)},
        plans,
        [note for subject, note in notes if shown(subject)],
    )


def _plans(source: Source) -> Iterator[tuple[Subject, Plan]]:
    for row in source.rows(
        "SELECT master_host, job_name, master_instance, "
        "max_backup_age, max_data_age, max_copy_time, ignored FROM plan"
    ):
        backup_age, data_age, copy_time = (float(limit) if limit else None for limit in row[3:6])
        yield Subject(row[0], row[1], row[2]), Plan(backup_age, data_age, copy_time, bool(row[6]))


def learn(source: Source, judgements: Iterable[Judgement], plans: Mapping[Subject, Plan]) -> int:
    """Write a row into ``plan`` for each subject that has none; gives their number.

    Subjects that were never backed up have taught nothing, and get none.
    """
    learned = [
        each for each in judgements if each.max_age is not None and each.subject not in plans
    ]
    for each in learned:
        source.do(
            f"{source.dialect.ignoring} INTO plan "
            "(master_host, job_name, master_instance, max_backup_age, note) VALUES (?, ?, ?, ?, ?)",
            (*each.subject, round(each.max_age or 0), "learned by b1000 monitor"),
        )
    source.commit()
    return len(learned)


# --- the last runs


class _Reading:
    """Reads and puts together; ``_rows`` has what was read of each track, by job_id."""

    def __init__(self, source: Source, now: float) -> None:
        self._source = source
        self._now = now
        self._rows: dict[Track, dict[int, _Row]] = {}
        self._copies: dict[int, Copies] = {}
        seconds = source.dialect.seconds
        self._fields = source.dialect.joined(
            [
                "j.job_id",
                "j.host",
                "j.name",
                "j.instance",
                "j.master_host",
                "j.master_instance",
                # What older writers told is local time.
                f"COALESCE({seconds('j.started_utc')}, j.start_time)",
                "j.step",
                "j.status",
                "j.data_age",
                "j.bytes",
                "j.ack",
                "j.direction",
                f"CASE j.status WHEN '{Status.OK}' THEN '' "
                f"ELSE substr(j.error, 1, {_LONGEST_ERROR}) END",
            ]
        )

    def all(self) -> tuple[dict[Subject, list[Past]], list[tuple[Subject, Note]]]:
        """The histories, and failures that belong to none."""
        self._last_days()
        self._one_by_one()
        self._masters_of_the_past()
        self._look_at_copies()
        self._good_ones_of_the_past()
        self._look_at_copies()
        return self._put_together()

    def _last_days(self) -> None:
        """Runs of all tracks, over as many days as make some of each; the tracks without any."""
        ids = self._source.rows("SELECT DISTINCT host, name, instance FROM jobs")
        self._rows = {Track(*row): {} for row in ids}
        ((day,),) = self._source.rows(
            "SELECT COUNT(*) FROM jobs WHERE start_time >= ?", (self._ago(1),)
        )
        days = (LOOKED_AT + 1) * min(1.0, len(self._rows) * 1.5 / max(1, int(day)))
        self._take(f"SELECT {self._fields} FROM jobs j WHERE j.start_time >= ?", (self._ago(days),))

    def _ago(self, days: float) -> str:
        moment = datetime.fromtimestamp(self._now) - timedelta(days=days)
        return moment.isoformat(" ", "seconds")

    def _one_by_one(self) -> None:
        few = [track for track, rows in self._rows.items() if len(rows) < LOOKED_AT]
        self._last_of("j.host = ? AND j.name = ? AND j.instance = ?", few)

    def _masters_of_the_past(self) -> None:
        """Subjects that no track backs up lately: their instance has another master now."""
        known = {
            (row.master_host, track.name, row.master_instance)
            for track, rows in self._rows.items()
            for row in rows.values()
        }
        gone = [
            key
            for key in self._source.rows(
                "SELECT DISTINCT master_host, name, master_instance FROM jobs "
                "WHERE master_host > ''"
            )
            if key not in known
        ]
        self._last_of("j.master_host = ? AND j.name = ? AND j.master_instance = ?", gone)

    def _good_ones_of_the_past(self) -> None:
        """Where the last runs hold hardly a good one, and there are more."""
        lacking = [
            track
            for track, rows in self._rows.items()
            if len(rows) >= LOOKED_AT
            and sum(self._with_copies(row.past).good for row in rows.values()) * 2 < LOOKED_AT
        ]
        condition = f"j.host = ? AND j.name = ? AND j.instance = ? AND {_HAS_GOOD_COPY}"
        self._last_of(condition, lacking)

    def _last_of(self, condition: str, keys: Sequence[tuple[str, ...]]) -> None:
        """Take the last runs that meet the condition, for each key."""
        one = (
            f"SELECT * FROM (SELECT {self._fields} AS run FROM jobs j WHERE {condition} "
            f"ORDER BY j.start_time DESC LIMIT {LOOKED_AT}) t"
        )
        for some in _batches(keys, _RUNS_ONE_BY_ONE):
            statement = " UNION ALL ".join(f"{one}{number}" for number in range(len(some)))
            self._take(statement, [part for key in some for part in key])

    def _take(self, statement: str, parameters: Sequence[object]) -> None:
        for (text,) in self._source.rows(statement, parameters):
            fields = text.split(SEPARATOR, 13)
            try:
                row = _Row(_past(fields), fields[4], fields[5])
            except (ValueError, IndexError):
                continue  # a name or a time that no B1000 writes
            track = Track(fields[1], fields[2], fields[3])
            self._rows.setdefault(track, {})[row.past.job_id] = row

    # --- their copies

    def _look_at_copies(self) -> None:
        """Of each run that is not plainly good, and of the last good one of each subject."""
        sought: list[int] = []
        for rows in self._rows.values():
            latest: dict[tuple[str, str], Past] = {}
            for row in rows.values():
                if row.past.good:
                    master = (row.master_host, row.master_instance)
                    if master not in latest or row.past.started >= latest[master].started:
                        latest[master] = row.past
                elif row.past.job_id not in self._copies:
                    sought.append(row.past.job_id)
            for past in latest.values():
                if past.job_id not in self._copies:
                    sought.append(past.job_id)
        self._read_copies(sought)
        self._distrust()

    def _distrust(self) -> None:
        """Where a run that is DONE and OK has no good copy all the same, look at all others."""
        doubtful = [
            row.past.job_id
            for rows in self._rows.values()
            if any(row.past.good and not self._with_copies(row.past).good for row in rows.values())
            for row in rows.values()
            if row.past.job_id not in self._copies
        ]
        self._read_copies(doubtful)

    def _read_copies(self, job_ids: Sequence[int]) -> None:
        fields = self._source.dialect.joined(
            [
                "c.job_id",
                "c.destination",
                "c.status",
                "c.exit_code",
                self._source.dialect.seconds("c.started_utc"),
                f"CASE c.status WHEN '{CopyStatus.DONE}' THEN '' "
                f"ELSE substr(c.error, 1, {_LONGEST_ERROR}) END",
            ]
        )
        found: dict[int, list[list[str]]] = {job_id: [] for job_id in job_ids}
        for some in _batches(job_ids, _RUNS_AT_ONCE):
            numbers = ", ".join(map(str, some))
            for (text,) in self._source.rows(
                f"SELECT {fields} FROM copies c WHERE c.job_id IN ({numbers})"
            ):
                copy = text.split(SEPARATOR, 5)
                found[int(copy[0])].append(copy[1:])
        for job_id, copies in found.items():
            self._copies[job_id] = _summary(copies)

    def _with_copies(self, past: Past) -> Past:
        copies = self._copies.get(past.job_id)
        if copies is None:
            return past
        return past._replace(
            done=copies.done,
            vanished=copies.vanished,
            total=copies.total,
            copying_since=copies.copying_since,
            missing=copies.missing,
            error=past.error or "",
        )

    # --- whose they are

    def _put_together(self) -> tuple[dict[Subject, list[Past]], list[tuple[Subject, Note]]]:
        histories: dict[Subject, list[Past]] = {}
        of_jobs: list[tuple[Track, list[Past]]] = []
        places: dict[tuple[str, str], set[Subject]] = {}
        for track, rows in self._rows.items():
            ordered = sorted(rows.values(), key=lambda row: (row.past.started, row.past.job_id))
            if not any(map(_knows_its_subject, ordered)) and not track.instance:
                of_jobs.append((track, [self._with_copies(row.past) for row in ordered]))
                continue
            for subject, row in _subjects(track, ordered):
                histories.setdefault(subject, []).append(self._with_copies(row.past))
                places.setdefault((track.host, track.name), set()).add(subject)
        notes = []
        for track, failures in of_jobs:
            concerned = places.get((track.host, track.name), ())
            for subject in concerned:
                histories[subject] += failures
            if not concerned and (note := self._note(track, failures, histories)):
                notes.append((Subject(*track), note))
        return histories, notes

    def _note(
        self, track: Track, failures: Sequence[Past], histories: Mapping[Subject, Sequence[Past]]
    ) -> Note | None:
        """A failure of a job of which no backup is known; one that found no client to pull."""
        last = failures[-1]
        if last.acknowledged or last.status != Status.FAILED:
            return None
        age = self._now - last.started
        why = f": {last.error}" if last.error else ""
        if last.direction != "pull":
            text = f"{track.name} on {track.host} FAILED {span(age)} ago before it knew what to do"
            return Note(
                "job", f"{text}, and nothing of it was ever backed up{why}", Verdict.CRITICAL
            )
        relayed = (
            run.started
            for subject, runs in histories.items()
            if subject.job == track.name
            for run in runs
            if run.direction == "passive"
        )
        # A pull that succeeds leaves a row of its client, none of its own.
        if age > AGE_AFTER_ONE or any(started > last.started for started in relayed):
            return None
        text = f"{track.name} on {track.host} found nothing to pull {span(age)} ago{why}"
        return Note("pull", text, Verdict.WARNING)


def _past(fields: Sequence[str]) -> Past:
    """One run, from the fields in the order in which they are asked for."""
    step, status = fields[7], fields[8]
    # Copies of a run that is DONE and OK are DONE; those that matter are looked at.
    copies = int(step == Step.DONE and status == Status.OK)
    return Past(
        _seconds(fields[6]),
        step,
        status,
        copies,
        copies,
        data_age=float(fields[9]) if fields[9] else None,
        bytes=int(fields[10]) if fields[10] else None,
        acknowledged=fields[11] not in ("", "0"),
        made_on=fields[1],
        listed_as=fields[3],
        direction=fields[12],
        error=_short(fields[13]),
        job_id=int(fields[0]),
    )


def _knows_its_subject(row: _Row) -> bool:
    """Masters are known once INIT is over."""
    return row.past.step != Step.INIT or bool(row.master_host or row.master_instance)


def _subjects(track: Track, rows: Sequence[_Row]) -> Iterator[tuple[Subject, _Row]]:
    """Whose each run is; one that FAILED before its master was known: that of its neighbour."""
    known = [row for row in rows if _knows_its_subject(row)]
    neighbour = _subject(track, known[0]) if known else Subject(*track)
    for row in rows:
        if _knows_its_subject(row):
            neighbour = _subject(track, row)
        yield neighbour, row


def _subject(track: Track, row: _Row) -> Subject:
    return Subject(row.master_host or track.host, track.name, row.master_instance or track.instance)


def _summary(copies: Sequence[Sequence[str]]) -> Copies:
    """Fields of copies: destination, status, exit_code, start, error."""
    done = vanished = 0
    since: list[float] = []
    missing = []
    for destination, status, exit_code, started, error in copies:
        if status == CopyStatus.DONE:
            done += 1
        elif status == CopyStatus.WARNING and exit_code == str(_VANISHED):
            vanished += 1
        else:
            missing.append(f"{destination} ({_short(error) or status})")
            if status == CopyStatus.COPYING and started:
                since.append(float(started))
    return Copies(done, vanished, len(copies), min(since, default=None), tuple(missing))


def _seconds(text: str) -> float:
    """Seconds since the epoch; a local time is one of this machine's zone."""
    if "-" in text[1:]:
        return datetime.fromisoformat(text).timestamp()
    return float(text)


def _short(error: str) -> str:
    """One line of an error."""
    return printable(" ".join(error.split())) if error else ""


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


# --- the days of the page


@dataclass(slots=True)
class Days:
    """What each of the last days held of one subject, the oldest first.

    ``runs``: None for no run, 0 for runs without a copy, 1 for a good one, 2 for
    a complete one. ``bytes``: the largest backup.
    """

    runs: list[int | None]
    bytes: list[int | None] = field(default_factory=list)


def read_days(source: Source, now: float, count: int) -> dict[Subject, Days]:
    """The last days of each subject, today included; the days are those of the hosts."""
    dialect = source.dialect
    names = ["j.host", "j.name", "j.instance", "j.master_host", "j.master_instance"]
    level = (
        f"CASE WHEN j.step = '{Step.DONE}' AND j.status = '{Status.OK}' THEN 2 "
        f"WHEN {_HAS_GOOD_COPY} THEN 1 ELSE 0 END"
    )
    fields = dialect.joined([*names, f"MAX({level})", "MAX(j.bytes)"])
    today = datetime.fromtimestamp(now).date()
    found: dict[Subject, Days] = {}
    for number in range(count):
        day = today - timedelta(days=count - 1 - number)
        for (text,) in source.rows(
            f"SELECT {fields} FROM jobs j WHERE j.start_time >= ? AND j.start_time < ? "
            f"AND (j.step <> '{Step.INIT}' OR j.instance <> '' OR j.master_host <> '') "
            f"GROUP BY {', '.join(names)}",
            (f"{day} 00:00:00", f"{day + timedelta(days=1)} 00:00:00"),
        ):
            parts = text.split(SEPARATOR)
            if len(parts) != 7:
                continue
            subject = Subject(parts[3] or parts[0], parts[1], parts[4] or parts[2])
            days = found.setdefault(subject, Days([None] * count, [None] * count))
            days.runs[number] = max(days.runs[number] or 0, int(parts[5]))
            if parts[6]:
                days.bytes[number] = max(days.bytes[number] or 0, int(parts[6]))
    return found
