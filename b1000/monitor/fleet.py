"""What the central database knows of all subjects, and what it learns of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from b1000.monitor.drift import DriftNote
from b1000.monitor.histories import Histories
from b1000.monitor.history import PastRun, PlanRow, Subject
from b1000.monitor.replies import Replies, Reply, ack_of, is_ignored
from b1000.monitor.stored import read_stored
from b1000.monitor.tracks import Track
from b1000.monitor.verdicts import Judgement
from b1000.monitor.witnesses import Witnesses
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource


class Fleet(NamedTuple):
    """What the database knows of all subjects that are not ignored.

    ``notes``: failures that belong to no subject, each with what it would be of.
    ``owners``: whose the last run of each track is. ``since``: what is older may be unknown.
    """

    histories: Mapping[Subject, Sequence[PastRun]]
    plans: Mapping[Subject, PlanRow]
    notes: Sequence[tuple[Subject, DriftNote]] = ()
    owners: Mapping[Track, Subject] = {}
    since: float = 0.0
    ignored: Mapping[Subject, Sequence[PastRun]] = {}
    """The histories of those that nobody wants to know of."""
    replies: Mapping[Subject, Replies] = {}
    stored: Mapping[Subject, Witnesses] = {}
    """What storages tell."""

    def ack(self, subject: Subject) -> Reply | None:
        """By which what is wrong with it was acknowledged."""
        return ack_of(self.replies[subject]) if subject in self.replies else None


def read(
    source: DatabaseSource,
    now: float,
    host: str = "",
    job: str = "",
    meanwhile: Callable[[], object] = lambda: None,
) -> Fleet:
    """The histories and plans of the subjects that are not ignored, of a host or job perhaps.

    ``meanwhile`` is called once the runs are read and whose they are is to be found out: a server
    has nothing to do then. Raises NotDelivered where the database does not answer.
    """
    plans = {
        subject: plan
        for subject, plan in _plans(source)
        if host in ("", subject.host) and job in ("", subject.job)
    }

    replies = _replies(source)

    def shown(subject: Subject) -> bool:
        return not is_ignored(plans.get(subject), replies.get(subject, {}), now)

    reading = Histories(source, now, filter(shown, plans), host, job)
    histories, notes = reading.all(meanwhile)
    for subject in plans:
        histories.setdefault(subject, [])
    return Fleet(
        {subject: runs for subject, runs in histories.items() if shown(subject)},
        plans,
        [(subject, note) for subject, note in notes if shown(subject)],
        reading.owners,
        reading.since,
        {subject: runs for subject, runs in histories.items() if not shown(subject)},
        replies,
        read_stored(source, host, job),
    )


def _replies(source: DatabaseSource) -> dict[Subject, dict[str, Reply]]:
    """What was said of each subject; nothing where the database has no place for it."""
    found: dict[Subject, dict[str, Reply]] = {}
    if not source.has("replies"):
        return found
    seconds = source.dialect.seconds
    for host, job, instance, kind, by, when, until, codes, note in source.rows(
        "SELECT master_host, job_name, master_instance, reply, replied_by, "
        f"{seconds('replied_utc')}, {seconds('until_utc')}, codes, note FROM replies"
    ):
        end = None if until is None else float(until)
        given = Reply(kind, by, float(when or 0), end, note, frozenset(codes.split()))
        found.setdefault(Subject(host, job, instance), {})[kind] = given
    return found


def _plans(source: DatabaseSource) -> Iterator[tuple[Subject, PlanRow]]:
    for row in source.rows(
        "SELECT COALESCE(master_host, ''), COALESCE(job_name, ''), COALESCE(master_instance, ''), "
        "max_backup_age, max_data_age, max_copy_time, ignored FROM plan"
    ):
        backup_age, data_age, copy_time = (float(limit) if limit else None for limit in row[3:6])
        yield (
            Subject(row[0], row[1], row[2]),
            PlanRow(backup_age, data_age, copy_time, bool(row[6])),
        )


def learn(
    source: DatabaseSource, judgements: Iterable[Judgement], plans: Mapping[Subject, PlanRow]
) -> int:
    """Write a row into ``plan`` for each subject that has none; gives their number.

    Subjects that were never backed up, or for too short a time, have taught nothing, and get none.
    """
    learned = [
        each
        for each in judgements
        if each.longest is not None and not each.unlearned and each.subject not in plans
    ]
    for each in learned:
        source.do(
            f"{source.dialect.ignoring} INTO plan "
            "(master_host, job_name, master_instance, max_backup_age, note) VALUES (?, ?, ?, ?, ?)",
            (*each.subject, round(each.longest or 0), "learned by b1000 monitor"),
        )
    source.commit()
    return len(learned)
