"""Which groups words name; what ``b1000 list`` is asked for, and the rows that answer. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from b1000.config.selectors import Selector
from b1000.errors import UsageError
from b1000.jobs import BrokenJob, Destination, Job
from b1000.named import NamedTuple
from b1000.storage.backup import Backup, Group, GroupKey, Root, State


def names_group(word: str, key: GroupKey) -> bool:
    """Whether JOB, JOB/HOST or JOB/HOST/INSTANCE names a group, without patterns."""
    parts = word.split("/")
    return parts == [key.job, key.host, key.instance][: len(parts)]


def is_meant(key: GroupKey, words: Collection[str]) -> bool:
    """Whether one of the words names the group; without any word all are meant."""
    return not words or any(names_group(word, key) for word in words)


def refuse_unknown_groups(words: Iterable[str], keys: Sequence[GroupKey], where: str) -> None:
    """UsageError for a word that names none of the groups that lie ``where``."""
    for word in words:
        if not any(names_group(word, key) for key in keys):
            known = sorted({f"{key.job}/{key.host}" for key in keys if key.host})
            raise UsageError(
                f"no backups of {word} lie {where}",
                f"there are those of {', '.join(known[:20])}" if known else "there are none at all",
            )


class StoredRow(NamedTuple):
    """One backup with where it lies and whose it is; ``kept_by`` says which rules keep it."""

    root: Root
    key: GroupKey
    backup: Backup
    kept_by: str = ""

    @property
    def path(self) -> str:
        """Its whole directory."""
        return self.root.whole(self.backup.place)

    @property
    def host(self) -> str:
        """Whose it is; where nothing says which part of a name is the host, all of it."""
        return self.key.host or self.key.unmarked


class StoredQuestion(NamedTuple):
    """What is wanted: backups of these job/instances, all without any; ``host`` "" for all.

    ``until`` is the latest start, None for all. ``everything``: groups too that are not
    configured any more.
    """

    selectors: Sequence[Selector] = ()
    host: str = ""
    until: float | None = None
    everything: bool = False


class Configured(NamedTuple):
    """What the configuration says of groups: this host's name, jobs, destinations."""

    host: str
    jobs: Mapping[str, Job | BrokenJob]
    destinations: Mapping[str, Destination]

    def has(self, destination: str, key: GroupKey) -> bool:
        """Whether a group is one of today's; a store has those that others write into it."""
        if self.destinations[destination].type == "store":
            return True
        job = self.jobs.get(key.job)
        if not isinstance(job, Job):
            return job is not None
        fixed = job.fixed_instances
        ours = job.direction == "push" and key.host == self.host
        gone = ours and fixed is not None and key.instance not in fixed
        return destination in job.destinations and not gone


def rows(
    found: Iterable[tuple[Root, Group]],
    question: StoredQuestion,
    configured: Configured,
    kept_by: Mapping[str, str],
) -> list[StoredRow]:
    """The backups that are asked for, group by group, oldest first.

    ``kept_by`` has what keeps a backup, by its whole path.
    """
    answer = [
        row._replace(kept_by=kept_by.get(row.path, ""))
        for root, group in found
        for row in _of_group(root, group, question, configured)
    ]
    return sorted(answer, key=_order)


def _of_group(
    root: Root, group: Group, question: StoredQuestion, configured: Configured
) -> Iterator[StoredRow]:
    key = group.key
    if not _asked(key, question):
        return
    shown = question.everything or question.selectors or configured.has(root.destination, key)
    for backup in group.backups:
        late = question.until is not None and (
            backup.started is None or backup.started > question.until
        )
        if not late and (shown or backup.state is State.UNKNOWN):
            yield StoredRow(root, key, backup)


def _asked(key: GroupKey, question: StoredQuestion) -> bool:
    whose = key.unmarked
    if question.host and not (
        key.host == question.host or f"{whose}-".startswith(f"{question.host}-")
    ):
        return False
    return not question.selectors or any(
        key.job == job
        and (instance is None or key.instance == instance or f"-{instance}-" in f"-{whose}-")
        for job, instance in question.selectors
    )


def _order(row: StoredRow) -> tuple[str, str, str, float, str, str]:
    key, backup = row.key, row.backup
    return key.job, key.instance, row.host, backup.moment, backup.name, row.root.path
