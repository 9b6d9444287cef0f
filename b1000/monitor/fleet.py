"""From the rows of a central database to the history of each subject.

Only what a verdict needs is read: the last runs of each instance, and the last
good ones where those are older. The rows of the last days come with one range
scan; instances of which that does not tell enough are asked for one by one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, pairwise
from math import isfinite
from operator import attrgetter
from typing import NamedTuple, TypeVar

from b1000.logs import printable
from b1000.monitor.drift import Note
from b1000.monitor.verdicts import (
    AGE_AFTER_ONE,
    LOOKED_AT,
    Judgement,
    Past,
    Plan,
    Subject,
    Verdict,
    span,
)
from b1000.reports.source import SEPARATOR, Query, Source
from b1000.reports.tables import TABLES
from b1000.runs.states import CopyStatus, Status, Step

_MOST_ROWS = 150_000  # of the last days
_KEYS_AT_ONCE = 50  # in one statement
# Of 1,000 and more MariaDB makes a table, sorts it, and takes twice as long.
_RUNS_AT_ONCE = 900
_DENSE = 2  # so many in a row are read for one that is looked for
_VANISHED = 24  # rsync's exit code for files that vanished
_LONGEST_ERROR = 200  # characters of it that are told
_NEVER = "9999-12-31 23:59:59"

_DONE, _OK = Step.DONE.value, Status.OK.value  # looked up once, and not for each of many rows

# The values stand in the statements as they are: they are ours.
_LETTERS = {"jobs": "j", "copies": "c"}  # by which statements call the tables
_PREFIXES = {"jobs": "", "copies": "copy_"}  # of columns that both have
_TABLES = {table.name: table for table in TABLES}

T = TypeVar("T")
Track = tuple[str, str, str]
"""Host, name and instance as the host calls them that does the backup."""


class Fleet(NamedTuple):
    """What the database knows of all subjects that are not ignored.

    ``notes``: failures that belong to no subject, each with what it would be of.
    ``owners``: whose the last run of each track is.
    """

    histories: Mapping[Subject, Sequence[Past]]
    plans: Mapping[Subject, Plan]
    notes: Sequence[tuple[Subject, Note]] = ()
    owners: Mapping[Track, Subject] = {}


class Copies(NamedTuple):
    """What the copies of one run came to."""

    done: int
    vanished: int
    total: int
    copying_since: float | None
    missing: tuple[str, ...]


_NO_COPIES = Copies(0, 0, 0, None, ())


def read(source: Source, now: float) -> Fleet:
    """The histories and plans of the subjects that are not ignored.

    Raises NotDelivered where the database does not answer.
    """
    plans = dict(_plans(source))

    def shown(subject: Subject) -> bool:
        return not (subject in plans and plans[subject].ignored)

    reading = _Reading(source, now, [each for each in plans if not plans[each].ignored])
    histories, notes = reading.all()
    for subject in plans:
        histories.setdefault(subject, [])
    return Fleet(
        {subject: runs for subject, runs in histories.items() if shown(subject)},
        plans,
        [(subject, note) for subject, note in notes if shown(subject)],
        reading.owners,
    )


def _plans(source: Source) -> Iterator[tuple[Subject, Plan]]:
    for row in source.rows(
        "SELECT COALESCE(master_host, ''), COALESCE(job_name, ''), COALESCE(master_instance, ''), "
        "max_backup_age, max_data_age, max_copy_time, ignored FROM plan"
    ):
        backup_age, data_age, copy_time = (float(limit) if limit else None for limit in row[3:6])
        yield Subject(row[0], row[1], row[2]), Plan(backup_age, data_age, copy_time, bool(row[6]))


def learn(source: Source, judgements: Iterable[Judgement], plans: Mapping[Subject, Plan]) -> int:
    """Write a row into ``plan`` for each subject that has none; gives their number.

    Subjects that were never backed up, or for too short a time, have taught nothing, and get none.
    """
    learned = [
        each
        for each in judgements
        if each.max_age is not None and not each.unlearned and each.subject not in plans
    ]
    for each in learned:
        source.do(
            f"{source.dialect.ignoring} INTO plan "
            "(master_host, job_name, master_instance, max_backup_age, note) VALUES (?, ?, ?, ?, ?)",
            (*each.subject, round(each.max_age or 0), "learned by b1000 monitor"),
        )
    source.commit()
    return len(learned)


class _Words:
    """Parts of statements, in the words of a database that may be an older installation's.

    A column that only newer ones have is NULL there.
    """

    def __init__(self, source: Source) -> None:
        self._there = {table: source.columns(table) for table in _LETTERS}
        self._seconds = source.dialect.seconds

    def column(self, table: str, name: str) -> str:
        """A column that was added since, under its name of today or of the first version."""
        former = _TABLES[table].column(name).former
        there = next((each for each in (name, former) if each in self._there[table]), None)
        return f"{_LETTERS[table]}.{there}" if there else "NULL"

    def started(self, table: str) -> str:
        """When it began, in seconds since the epoch."""
        return self._seconds(self.column(table, f"{_PREFIXES[table]}started_utc"))

    def error(self, table: str, fine: str) -> str:
        """Why it did not end with that status."""
        error = self.column(table, f"{_PREFIXES[table]}error")
        status = f"{_LETTERS[table]}.status"
        return f"CASE {status} WHEN '{fine}' THEN '' ELSE substr({error}, 1, {_LONGEST_ERROR}) END"

    @property
    def counts(self) -> str:
        """A condition for a row: its host tells it, or does not tell of that run."""
        relayed_by = self.column("jobs", "relayed_by")
        if relayed_by == "NULL":
            return "1 = 1"
        names = ("start_time", "host", "name", "instance")
        same = " AND ".join(f"o.{name} = j.{name}" for name in names)
        return (
            f"({relayed_by} = '' OR NOT EXISTS "
            f"(SELECT 1 FROM jobs o WHERE {same} AND o.relayed_by = ''))"
        )

    @property
    def has_good_copy(self) -> str:
        """A condition for a run."""
        exit_code = self.column("copies", "exit_code")
        return (
            "EXISTS (SELECT 1 FROM copies c WHERE c.job_id = j.job_id "
            f"AND (c.status = '{CopyStatus.DONE}' "
            f"OR c.status = '{CopyStatus.WARNING}' AND {exit_code} = {_VANISHED}))"
        )


# --- the last runs


class _Reading:
    """Reads what there is to know of all subjects; ``_tracks`` has the runs of each instance.

    ``expected`` are subjects of which there need not be a run.
    """

    def __init__(self, source: Source, now: float, expected: Iterable[Subject]) -> None:
        self._source = source
        self._now = now
        self._expected = expected
        self._tracks: defaultdict[Track, list[Past]] = defaultdict(list)
        self._histories: dict[Subject, list[Past]] = {}
        self._good_ones_read: set[Track] = set()
        self.owners: dict[Track, Subject] = {}
        self._words = words = _Words(source)
        self._fields = source.dialect.joined(
            [
                "j.host",
                "j.name",
                "j.instance",
                "j.job_id",
                # What older writers told is local time.
                f"COALESCE({words.started('jobs')}, j.start_time)",
                "j.step",
                "j.status",
                "j.data_age",
                words.column("jobs", "bytes"),
                "j.ack",
                "j.master_host",
                "j.master_instance",
                "j.direction",
                words.column("jobs", "relayed_by"),
                words.error("jobs", Status.OK),
            ]
        )

    def all(self) -> tuple[dict[Subject, list[Past]], list[tuple[Subject, Note]]]:
        """The histories in the order of time, and failures that belong to none."""
        self._last_runs()
        notes = self._put_together()
        self._look_at_copies()
        self._good_ones_of_the_past()
        return self._histories, notes

    def _last_runs(self) -> None:
        """Some runs of each track: those of the last days, and older ones where they are few."""
        ((daily,),) = self._source.rows(
            "SELECT COUNT(*) FROM jobs WHERE start_time >= ?", (self._ago(1),)
        )
        days = min(LOOKED_AT + 0.5, _MOST_ROWS / max(1, daily))
        since = self._ago(days)
        odd = "master_host = '' AND master_instance > ''"
        slices = self._slices(days)
        answers = self._source.texts_of_each(
            [
                *slices,
                self._silent_since(since, "host, name, instance"),
                self._silent_since(since, "master_host, name, master_instance", f"OR {odd}"),
            ]
        )
        tracks = self._tracks
        for texts in islice(answers, len(slices)):
            for track, run in _parsed(texts):
                tracks[track].append(run)
        few = [track for track, runs in tracks.items() if len(runs) < LOOKED_AT]
        silent, masters = map(_names, answers)
        self._last_of("j.host = ? AND j.name = ? AND j.instance = ?", few + silent)
        # Subjects that no track backs up lately: their instances have other masters now.
        gone = [key for key in masters if key[0]]
        self._last_of("j.master_host = ? AND j.name = ? AND j.master_instance = ?", gone)
        if len(gone) < len(masters):
            # So few name a master's instance on their own host that no index is made for them.
            asked = self._silent_since(since, "host, name, master_instance", where=f"WHERE {odd}")
            gone = _names(self._source.texts(*asked))
            self._last_of("j.host = ? AND j.name = ? AND j.master_instance = ?", gone)
        # What is usual is learned from good ones: failures must not hide them.
        self._last_good_ones_of(
            track
            for track, runs in tracks.items()
            if len(runs) >= LOOKED_AT
            and sum(run.done for run in runs) < min(len(runs), LOOKED_AT + 1)
        )

    def _slices(self, days: float) -> list[Query]:
        """The runs of so many days, in pieces of one."""
        moments = [self._ago(days), *(self._ago(each) for each in range(int(days), 0, -1)), _NEVER]
        origin = "jobs j WHERE j.start_time >= ? AND j.start_time < ?"
        return [Query(self._fields, origin, piece) for piece in pairwise(moments)]

    def _silent_since(self, since: str, names: str, more: str = "", where: str = "") -> Query:
        """The names that no later run bears, and more."""
        origin = (
            f"(SELECT {names} FROM jobs {where} GROUP BY {names} "
            f"HAVING MAX(start_time) < ? {more}) t"
        )
        return Query(self._source.dialect.joined(names.split(", ")), origin, (since,))

    def _ago(self, days: float) -> str:
        moment = datetime.fromtimestamp(self._now) - timedelta(days=days)
        return moment.isoformat(" ", "seconds")

    def _last_of(
        self, condition: str, keys: Sequence[tuple[str, ...]], count: int = LOOKED_AT
    ) -> None:
        """Take so many of the last runs that meet the condition, for each key."""
        one = (
            f"SELECT {self._fields} FROM jobs j WHERE {condition} "
            f"ORDER BY j.start_time DESC LIMIT {count}"
        )
        touched: set[Track] = set()
        for some in _batches(keys, _KEYS_AT_ONCE):
            statement = self._source.dialect.union([one] * len(some))
            rows = self._source.rows(statement, [part for key in some for part in key])
            for track, run in _parsed(text for (text,) in rows):
                self._tracks[track].append(run)
                touched.add(track)
        for track in touched:
            whole = {run.job_id: run for run in self._tracks[track]}
            self._tracks[track] = list(whole.values())

    def _last_good_ones_of(self, tracks: Iterable[Track]) -> None:
        asked = sorted(tracks)
        self._good_ones_read.update(asked)
        good = self._words.has_good_copy
        condition = f"j.host = ? AND j.name = ? AND j.instance = ? AND {good}"
        self._last_of(condition, asked, LOOKED_AT + 1)

    def _good_ones_of_the_past(self) -> None:
        """Where the last runs hold hardly a good one, whatever they said of themselves."""
        lacking = {
            (run.made_on, subject.job, run.listed_as)
            for subject, runs in self._histories.items()
            if len(runs) >= LOOKED_AT and sum(run.good for run in runs) * 2 < LOOKED_AT
            for run in runs
        } - self._good_ones_read
        if lacking:
            self._last_good_ones_of(lacking)
            self._put_together()
            self._look_at_copies()

    # --- whose they are

    def _put_together(self) -> list[tuple[Subject, Note]]:
        """Make the histories; gives what belongs to no subject."""
        self._histories = {}
        strays: list[tuple[Track, list[Past]]] = []
        places: dict[tuple[str, str], dict[Subject, None]] = {}
        for track, rows in self._tracks.items():
            rows.sort(key=_by_time)
            runs = _of_all_writers(rows)
            subjects = _subjects(track, runs)
            if subjects:
                self.owners[track] = max(subjects, key=lambda each: subjects[each][-1].started)
            else:
                strays.append((track, runs))
            for subject, its in subjects.items():
                if subject in self._histories:
                    self._histories[subject] = sorted(
                        [*self._histories[subject], *its], key=_by_time
                    )
                else:
                    self._histories[subject] = its
                places.setdefault(track[:2], {})[subject] = None
        for subject in self._expected:
            if subject not in self._histories:
                places.setdefault((subject.host, subject.job), {})[subject] = None
        notes = []
        for track, failures in strays:
            for subject in places.get(track[:2], ()):
                self._histories[subject] = sorted(
                    [*self._histories.get(subject, ()), *failures], key=_by_time
                )
            if track[:2] not in places and (note := self._note(track, failures)):
                notes.append((Subject(*track), note))
        return [*notes, *self._leave_claims_out()]

    def _leave_claims_out(self) -> list[tuple[Subject, Note]]:
        """A client's word is no backup of another host that is not known by such words alone."""
        notes = []
        for subject, runs in self._histories.items():
            claimed = [run for run in runs if run.relayed_by and run.made_on != subject.host]
            if claimed and any(not run.relayed_by for run in runs):
                self._histories[subject] = [run for run in runs if run not in claimed]
                last = claimed[-1]
                text = (
                    f"{subject.label} has backups that do not rest on a client's word; those that "
                    f"{last.made_on} claims, relayed by {last.relayed_by}, do not count"
                )
                notes.append((subject, Note("claim", text)))
        return notes

    def _note(self, track: Track, failures: Sequence[Past]) -> Note | None:
        """A failure of a job of which no backup is known; one that found no client to pull."""
        last = failures[-1]
        if last.acknowledged or last.status != Status.FAILED:
            return None
        host, job, _ = track
        age = self._now - last.started
        why = f": {last.error}" if last.error else ""
        if last.direction != "pull":
            text = f"{job} on {host} FAILED {span(age)} ago before it knew what to do"
            return Note(
                "job", f"{text}, and nothing of it was ever backed up{why}", Verdict.CRITICAL
            )
        relayed = (
            run.started
            for subject, runs in self._histories.items()
            if subject.job == job
            for run in runs
            if run.direction == "passive"
        )
        # A pull that succeeds leaves a row of its client, none of its own.
        if age > AGE_AFTER_ONE or any(started > last.started for started in relayed):
            return None
        text = f"{job} on {host} found nothing to pull {span(age)} ago{why}"
        return Note("pull", text, Verdict.WARNING)

    # --- their copies

    def _look_at_copies(self) -> None:
        """Of each run that is not plainly good, and of the last of the others."""
        sought: list[tuple[list[Past], int]] = []
        for runs in self._histories.values():
            seen = False
            for place in range(len(runs) - 1, -1, -1):
                if not runs[place].done or not seen:
                    sought.append((runs, place))
                    seen = seen or runs[place].done > 0
        deceptive = self._count_copies(sought)
        # A run that is DONE and OK without a copy: look at all others of its subject too.
        self._count_copies([(runs, place) for runs in deceptive for place in range(len(runs))])

    def _count_copies(self, sought: Sequence[tuple[list[Past], int]]) -> list[list[Past]]:
        """Put into runs what their copies came to; gives the histories that seemed better."""
        asked = {
            job_id: None
            for runs, place in sought
            for job_id in (runs[place].job_id, *runs[place].also)
        }
        copies = self._copies_of([*asked])
        deceptive = []
        for runs, place in sought:
            run = runs[place]
            known = _all_copies([copies[job_id] for job_id in (run.job_id, *run.also)])
            if run.good and not known.done + known.vanished:
                deceptive.append(runs)
            runs[place] = run._replace(
                done=known.done,
                vanished=known.vanished,
                total=known.total,
                copying_since=known.copying_since,
                missing=known.missing,
            )
        return deceptive

    def _copies_of(self, job_ids: Sequence[int]) -> dict[int, Copies]:
        """By job_id; those of which all are DONE, which most are, are only counted."""
        found = dict.fromkeys(job_ids, _NO_COPIES)
        different = []
        counted = f"c.job_id, COUNT(*) AS total, SUM(c.status = '{CopyStatus.DONE}') AS done"
        fields = self._source.dialect.joined(["t.job_id", "t.total", "t.done"])
        for some in _batches(sorted(job_ids), _RUNS_AT_ONCE):
            origin = f"(SELECT {counted} FROM copies c WHERE {_among(some)} GROUP BY c.job_id) t"
            for text in self._source.texts(fields, origin):
                job_id, total, done = map(int, text.split(SEPARATOR))
                if job_id in found:
                    found[job_id] = Copies(done, 0, total, None, ())
                    if done != total:
                        different.append(job_id)
        for some in _batches(different, _RUNS_AT_ONCE):
            found |= self._different_copies(some)
        return found

    def _different_copies(self, job_ids: Sequence[int]) -> dict[int, Copies]:
        fields = self._source.dialect.joined(
            [
                "c.job_id",
                "c.destination",
                "c.status",
                self._words.column("copies", "exit_code"),
                self._words.started("copies"),
                self._words.error("copies", CopyStatus.DONE),
            ]
        )
        found: dict[int, list[list[str]]] = {job_id: [] for job_id in job_ids}
        for (text,) in self._source.rows(f"SELECT {fields} FROM copies c WHERE {_among(job_ids)}"):
            job_id, *copy = text.split(SEPARATOR, 5)
            if int(job_id) in found:
                found[int(job_id)].append(copy)
        return {job_id: _summary(copies) for job_id, copies in found.items()}


def _among(job_ids: Sequence[int]) -> str:
    """A condition that holds for these, ascending, and perhaps for a few in between."""
    if job_ids[-1] - job_ids[0] < _DENSE * len(job_ids):
        return f"c.job_id BETWEEN {job_ids[0]} AND {job_ids[-1]}"
    return f"c.job_id IN ({', '.join(map(str, job_ids))})"


def _names(texts: Iterable[str]) -> list[Track]:
    """Three names each; what has more separators names nothing that a B1000 wrote."""
    found = (text.split(SEPARATOR) for text in texts)
    return [(names[0], names[1], names[2]) for names in found if len(names) == 3]


def _parsed(texts: Iterable[str]) -> Iterator[tuple[Track, Past]]:
    """Each run, and whose it is by the names of the host that made it.

    Many are read, so that a call less for each can be noticed, and so can names that
    are kept only once.
    """
    names: dict[str, str] = {}
    kept = names.setdefault
    for text in texts:
        try:
            (
                host, name, instance, job_id, started, step, status, data_age, size, ack,
                master_host, master_instance, direction, relayed_by, error,
            ) = text.split(SEPARATOR, 14)  # fmt: skip
            # Copies of a run that is DONE and OK are DONE; those that matter are looked at.
            if step == _DONE and status == _OK:
                step, status, copies = _DONE, _OK, 1
            else:
                copies = 0
            run = Past(
                float(started) if "-" not in started else _local(started),
                step,
                status,
                copies,
                copies,
                0,
                _age(data_age),
                int(size) if size else None,
                ack != "0" and ack != "",
                kept(host, host),
                kept(instance, instance),
                kept(master_host, master_host),
                kept(master_instance, master_instance),
                kept(direction, direction),
                None,
                _short(error) if error else "",
                (),
                int(job_id),
                kept(relayed_by, relayed_by),
            )
        except ValueError:
            continue  # a name or a time that no B1000 writes
        yield (host, name, instance), run


_by_time = attrgetter("started", "job_id")


def _of_all_writers(rows: list[Past]) -> list[Past]:
    """Each run of a track once, of which its host and several storages may have told."""
    if not any(row.relayed_by for row in rows):
        return rows
    of_start: defaultdict[float, list[Past]] = defaultdict(list)
    for row in rows:
        of_start[row.started].append(row)
    return [_of_one_run(some) if len(some) > 1 else some[0] for some in of_start.values()]


def _of_one_run(rows: Sequence[Past]) -> Past:
    """The host's own word where there is one, else the last that storages have seen of it."""
    size = max((row.bytes for row in rows if row.bytes is not None), default=None)
    own = [row for row in rows if not row.relayed_by]
    if own:
        return own[-1]._replace(bytes=size if own[-1].bytes is None else own[-1].bytes)
    # One that ended well did so after all others have been told.
    best = max(rows, key=lambda row: (row.step == _DONE, row.ended))
    return best._replace(
        bytes=size,
        relayed_by=", ".join(sorted({row.relayed_by for row in rows})),
        also=tuple(row.job_id for row in rows if row is not best),
    )


def _all_copies(some: Sequence[Copies]) -> Copies:
    """The copies of the rows of one run together."""
    if len(some) == 1:
        return some[0]
    since = [each.copying_since for each in some if each.copying_since is not None]
    return Copies(
        sum(each.done for each in some),
        sum(each.vanished for each in some),
        sum(each.total for each in some),
        min(since, default=None),
        tuple(text for each in some for text in each.missing),
    )


def _subjects(track: Track, runs: list[Past]) -> dict[Subject, list[Past]]:
    """Whose the runs of a track are; nobody's where none came so far as to know its master.

    One that FAILED before is that of its neighbours.
    """
    masters = {(run.master_host, run.master_instance) for run in runs}
    if len(masters) == 1 and _knows_its_master(runs[0]):
        return {_subject(track, runs[0]): runs}
    known = [run for run in runs if _knows_its_master(run)]
    if not known:
        return {Subject(*track): runs} if track[2] else {}
    neighbour = _subject(track, known[0])
    found: dict[Subject, list[Past]] = {}
    for run in runs:
        if _knows_its_master(run):
            neighbour = _subject(track, run)
        found.setdefault(neighbour, []).append(run)
    return found


def _knows_its_master(run: Past) -> bool:
    """Whether INIT is over, or as good as."""
    return run.step != Step.INIT or bool(run.master_host or run.master_instance)


def _subject(track: Track, run: Past) -> Subject:
    return Subject(run.master_host or track[0], track[1], run.master_instance or track[2])


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


def _age(text: str) -> float | None:
    """An age in seconds; what is none is not known."""
    try:
        age = float(text)
    except ValueError:
        return None
    return age if isfinite(age) else None


def _local(text: str) -> float:
    """Seconds since the epoch of a local time, which is one of this machine's zone."""
    return datetime.fromisoformat(text).timestamp()


def _short(error: str) -> str:
    """One line of an error."""
    return printable(" ".join(error.split()))


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


def read_days(
    source: Source, now: float, count: int, owners: Mapping[Track, Subject]
) -> dict[Subject, Days]:
    """The last days of each subject, today included; the days are those of the hosts."""
    words = _Words(source)
    names = ["j.host", "j.name", "j.instance", "j.master_host", "j.master_instance"]
    level = (
        f"CASE WHEN j.step = '{Step.DONE}' AND j.status = '{Status.OK}' THEN 2 "
        f"WHEN {words.has_good_copy} THEN 1 ELSE 0 END"
    )
    fields = source.dialect.joined([*names, level, words.column("jobs", "bytes")])
    today = datetime.fromtimestamp(now).date()
    days = [today - timedelta(days=count - 1 - number) for number in range(count)]
    origin = f"jobs j WHERE j.start_time >= ? AND j.start_time < ? AND {words.counts}"
    asked = [
        Query(fields, origin, (f"{day} 00:00:00", f"{day + timedelta(days=1)} 00:00:00"))
        for day in days
    ]
    found: dict[Subject, Days] = {}
    for number, texts in enumerate(source.texts_of_each(asked)):
        for text in texts:
            parts = text.split(SEPARATOR)
            if len(parts) != 7:
                continue
            host, name, instance, master_host, master_instance, reached, size = parts
            subject = Subject(master_host or host, name, master_instance or instance)
            if not master_host and not master_instance:
                # Perhaps it FAILED before its master was known.
                subject = owners.get((host, name, instance), subject)
            if (its := found.get(subject)) is None:
                its = found[subject] = Days([None] * count, [None] * count)
            its.runs[number] = max(its.runs[number] or 0, int(reached))
            if size:
                its.bytes[number] = max(its.bytes[number] or 0, int(size))
    return found
