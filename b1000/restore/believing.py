"""Where the includes of a backup were, and by whose word. Pure.

A mark is the word of a storage: whoever has that could bring files to any place of this host by
another include. So a place is believed of this host's own journal, or where its configuration
includes it too; else the one who restores has to name it.
"""

import fnmatch
import glob
from collections.abc import Iterator, Mapping, Sequence

from b1000.b1k import checks
from b1000.config import references
from b1000.jobs import BrokenJob, Job
from b1000.logstyle import printable
from b1000.marks import marking
from b1000.marks.marking import Included
from b1000.named import NamedTuple
from b1000.restore import places
from b1000.runs.run import Run
from b1000.storage.question import StoredRow
from b1000.templates import ScriptTemplate, WordTemplate

_SHOWN = 10  # includes

_ANY = "*"
"""What stands for a value that nothing tells: one name at most, of any letters."""


class Own(NamedTuple):
    """What this host knows of a backup: the ``run`` of its journal, None where it has none, and
    the ``job`` of the configuration in ``file``, None where that has none.
    """

    run: Run | None
    job: Job | BrokenJob | None
    file: str


class Judged(NamedTuple):
    """A backup with the include that counts.

    ``doubt`` says who contradicts its mark, or that nobody here confirms it: then nothing goes
    in place without a PATH. ``settled``: where it was, this host says; where it is not, only a
    PATH that is a place itself says so.
    """

    row: StoredRow
    doubt: str = ""
    settled: bool = True

    def is_named(self, words: Sequence[str], found: Sequence[str]) -> bool:
        """Whether the places that were ``found`` of some PATHs are meant."""
        if not self.doubt:
            return True
        return bool(words) and (self.settled or [*words] == [*found])


def judged(row: StoredRow, own: Own) -> Judged:
    """Whose word counts: that of the journal where it knows the run, else that of the mark where
    the job of the configuration includes the same, else nobody's.
    """
    said = places.includes(row.backup)
    storage = f"destination {row.root.place} says that {_shown(said)} was included"
    if known := _of_run(row, own.run):
        found = row._replace(backup=row.backup._replace(**known._asdict()))
        meant = places.includes(found.backup)
        if not said or said in (meant, _as_marked(row, known)):
            return Judged(found)
        journal = f"the journal of this host that it was {_shown(meant)}"
        return Judged(found, f"{storage}, and {journal}: the storage is wrong or lies")
    if all(is_included(word, row, own.job) for word in said):
        return Judged(row)
    return Judged(row, f"{storage}, and {_configured(row, own)}", settled=False)


def _of_run(row: StoredRow, run: Run | None) -> Included | None:
    """What the journal has of the run of a backup; a mark may name the run of another one."""
    if run is None or row.backup.run != (run.first_uid or run.uid):
        return None
    whose = run.clients[-1] if run.clients else run
    key = row.key
    if (run.job, whose.host, whose.instance) != (key.job, key.host, key.instance):
        return None
    known = marking.included(run.snapshot)
    return known if known.include else None


def _as_marked(row: StoredRow, known: Included) -> list[str]:
    """The includes as its mark has them."""
    text = checks.escaped(known.include).strip()
    return places.includes(row.backup._replace(include=text))


def is_included(word: str, row: StoredRow, job: Job | BrokenJob | None) -> bool:
    """Whether a job includes the very path too, in a run such as that of a backup."""
    if not isinstance(job, Job):
        return False
    values = _values(row, job)
    for text, pattern in filter(None, (_filled(each, values) for each in job.include)):
        if word == text or _match(word, pattern):
            return True
    return False


def _values(row: StoredRow, job: Job) -> Mapping[str, str | None]:
    """What is filled in for the run; None is what no run of the job can have."""
    backup, instance = row.backup, row.key.instance
    if isinstance(job.instances, ScriptTemplate):
        has_it = bool(instance)
    else:
        has_it = instance in (job.instances or ())
    return {
        "instance": instance if has_it else None,
        "start_time": backup.start_time or None,
        "master_host": backup.master_host or None,
        "master_instance": backup.master_instance or None,
    }


def _filled(word: WordTemplate, values: Mapping[str, str | None]) -> tuple[str, str] | None:
    """The word, and the same as a pattern; None where the run cannot have had it."""
    known: dict[str, str] = {}
    for name in references.names(word.text):
        value = values.get(name, _ANY)
        if value is None:
            return None
        known[name] = value
    literal = {
        name: glob.escape(value) if name in values else value for name, value in known.items()
    }
    return references.fill(word.text, known), references.fill(word.pattern, literal)


def _match(word: str, pattern: str) -> bool:
    """Name by name, to the slash at the end, which says whether a link is followed.

    What lies below an include is not the same: on the way there may be a link.
    """
    names, patterns = word.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(_fits, names, patterns))


def _fits(name: str, pattern: str) -> bool:
    if not glob.has_magic(pattern):
        return name == pattern
    hidden = name.startswith(".") and not pattern.startswith(".")  # as in a shell
    return name not in ("", ".", "..") and not hidden and fnmatch.fnmatchcase(name, pattern)


def _configured(row: StoredRow, own: Own) -> str:
    """What the configuration says."""
    job, name = own.job, row.key.job
    if job is None:
        return f"{own.file} has no job {name}"
    if isinstance(job, BrokenJob):
        return f"job {name} of {own.file} has errors"
    return f"job {name} of {own.file} includes {_shown([*_words(row, job)])}"


def _words(row: StoredRow, job: Job) -> Iterator[str]:
    values = _values(row, job)
    for word in job.include:
        names = references.names(word.text)
        yield references.fill(word.text, {each: values.get(each) or f"${each}" for each in names})


def _shown(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"{', '.join(map(printable, words[:_SHOWN])) or 'nothing'}{more}"
