"""What the central database knows of all subjects, and what it learns of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from b1000.monitor.extents import Scope
from b1000.monitor.histories import Histories
from b1000.monitor.history import PastRun, PlanRow, Subject
from b1000.monitor.needed_copies import Moments
from b1000.monitor.replies import Replies, Reply, ack_of, is_ignored
from b1000.monitor.roots import settled
from b1000.monitor.stored import read_stored
from b1000.monitor.verdicts import Judgement
from b1000.monitor.witnesses import NOTHING_TOLD, Witnesses
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource


class Known(NamedTuple):
    """What the database knows of subjects beside their runs."""

    plans: Mapping[Subject, PlanRow]
    replies: Mapping[Subject, Replies] = {}
    stored: Mapping[Subject, Witnesses] = {}
    """What storages tell, of each root by itself."""

    def ack(self, subject: Subject) -> Reply | None:
        """By which what is wrong with it was acknowledged."""
        return ack_of(self.replies[subject]) if subject in self.replies else None

    def told_of(self, subject: Subject, runs: Sequence[PastRun]) -> Witnesses:
        """What storages tell of it, which made these runs."""
        told = self.stored.get(subject)
        return settled(told, runs) if told else NOTHING_TOLD

    def is_ignored(self, subject: Subject, now: float) -> bool:
        """Whether nobody wants to know of it."""
        return is_ignored(self.plans.get(subject), self.replies.get(subject, {}), now)


class Fleet(NamedTuple):
    """All subjects of which there are runs or plans, with their histories."""

    known: Known
    histories: Mapping[Subject, Sequence[PastRun]]
    ignored: Mapping[Subject, Sequence[PastRun]] = {}
    """The histories of those that nobody wants to know of."""


def known(source: DatabaseSource, host: str = "", job: str = "") -> Known:
    """Of all, or of a host or job. Raises NotDelivered where the database does not answer."""
    plans = {
        subject: plan
        for subject, plan in _plans(source)
        if host in ("", subject.host) and job in ("", subject.job)
    }
    return Known(plans, _replies(source), read_stored(source, host, job))


def read(source: DatabaseSource, now: float) -> Fleet:
    """All there is. Raises NotDelivered where the database does not answer."""
    told = known(source)
    reading = Histories(source, Moments(now, now), Scope())
    reading.read()
    planned = [subject for subject in told.plans if not told.is_ignored(subject, now)]
    histories, _ = reading.all(planned)
    return divided(told, histories, told.plans, now)


def divided(
    known: Known,
    histories: Mapping[Subject, Sequence[PastRun]],
    planned: Iterable[Subject],
    now: float,
) -> Fleet:
    """Those that are ignored by themselves; those that are planned without a run are there too."""
    whole = {**dict.fromkeys(planned, ()), **histories}
    ignored = {each for each in {*known.plans, *known.replies} if known.is_ignored(each, now)}
    return Fleet(
        known,
        {subject: runs for subject, runs in whole.items() if subject not in ignored},
        {subject: runs for subject, runs in whole.items() if subject in ignored},
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
