"""The mark beside a backup: which run it is of, and what that run counted. Pure.

A mark has the form of a report file with one destination and a section [backup]. It lies as
``NAME.b1k`` beside the directory NAME. What it says is the client's claim: all of it is checked
here for its form, and the place for where it belongs, nothing for its truth.
"""

from b1000.b1k import checks, form, names, report_file
from b1000.b1k.report_file import ReportFile
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.states import COMPLETE as COMPLETE_COPIES

FORMAT = 1
SUFFIX = names.SUFFIX
COMPLETE, WRITING = "complete", "writing"
OPTIONS = ("hard_links", "acls", "xattrs", "sparse")
"""What a restore has to know of how a tree was copied."""

UID = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}"
BASE = r"\.\./[0-9]{4}-[0-9]{2}-[0-9]{2}-[A-Z][a-z]+day/[A-Za-z0-9._:-]{1,255}"
"""Expressions: what an id of a run and a base may be."""
_UID, _BASE = expression(UID), expression(BASE)


class Counts(NamedTuple):
    """What rsync counted in the attempt that succeeded; None where it did not say."""

    files: int | None = None
    directories: int | None = None
    links: int | None = None
    others: int | None = None
    bytes: int | None = None
    vanished: int | None = None
    """Files that were gone when they were to be sent."""

    def are_more_than(self, files: int) -> bool:
        """Whether so many regular files are too few for what was counted."""
        return self.files is not None and files < self.files - (self.vanished or 0)


class Mark(NamedTuple):
    """One mark. Times are seconds since the epoch.

    ``report`` says whose backup it is and has one target, the destination as its writer calls
    it. ``run`` is the run's first uid, the same at every storage. ``base`` is the full into
    which unchanged files are links, as the way from where the mark lies: ``../DAY/NAME``.
    ``include`` is as the run had it, for people. ``leftovers``: temporary files of attempts
    that were ended may lie in the backup.
    """

    report: ReportFile
    run: str
    type: str
    state: str
    started: float
    ended: float | None = None
    counts: Counts = Counts()
    leftovers: bool = False
    base: str = ""
    options: tuple[str, ...] = ()
    relative: bool = False
    include: str = ""

    @property
    def complete(self) -> bool:
        """Whether the backup is said to be whole."""
        return self.state == COMPLETE

    @property
    def directory(self) -> str:
        """Where the backup lies below the path of a destination. BadValue: nowhere."""
        return directory(self.report, self.type)


def directory(report: ReportFile, kind: str) -> str:
    """``JOB/DAY/NAME`` of a full, ``JOB/NAME`` of a sync."""
    whose = paths.subject(report.host, report.instance, report.master_host, report.master_instance)
    return paths.directory("", report.job, kind, whose, report.start_time)[1:]


def render(mark: Mark) -> str:
    """The text of a mark, never longer than is read: a long ``include`` is left out."""
    text = _text(mark)
    return text if len(text.encode()) <= form.LARGEST else _text(mark._replace(include=""))


def _text(mark: Mark) -> str:
    counts = {
        key: "" if value is None else str(value) for key, value in mark.counts._asdict().items()
    }
    keys = {
        "format": str(FORMAT),
        "run": mark.run,
        "type": mark.type,
        "state": mark.state,
        "started": checks.instant_text(mark.started),
        "ended": "" if mark.ended is None else checks.instant_text(mark.ended),
        **counts,
        "leftovers": "yes" if mark.leftovers else "no",
        "base": mark.base,
        "options": " ".join(mark.options),
        "relative": "yes" if mark.relative else "no",
        "include": checks.escaped(mark.include).strip(),
    }
    sections = report_file.sections_of(mark.report)
    return form.text({**sections, (form.BACKUP, ""): keys})


def parse(data: bytes, place: str) -> Mark:
    """What the content of a mark says, that lies at ``place`` + ".b1k". Raises BadValue.

    ``place`` is the directory of the backup below the path of its destination.
    """
    mark = of(form.read(data))
    if mark.directory != place:
        raise BadValue(f"it is of {mark.directory}, and does not lie beside that")
    return mark


def of(sections: form.Sections) -> Mark:
    """What these sections say, wherever it lies. Raises BadValue."""
    backup = sections.pop((form.BACKUP, ""), None)
    if backup is None:
        raise BadValue("it has no section [backup]", "a mark has one")
    keys = form.Keys(backup)
    keys.take("format", checks.one_word(str(FORMAT)))
    mark = Mark(
        report_file.run_of(sections),
        run=keys.take("run", _uid),
        type=keys.take("type", checks.one_word("full", "sync")),
        state=keys.take("state", checks.one_word(COMPLETE, WRITING)),
        started=keys.take("started", _time),
        ended=keys.take("ended", checks.instant, ""),
        counts=Counts(*(keys.take(key, checks.number, "") for key in Counts._fields)),
        leftovers=keys.take("leftovers", checks.one_word("yes", "no"), "no") == "yes",
        base=keys.take("base", _base, ""),
        options=keys.take("options", _options, ""),
        relative=keys.take("relative", checks.one_word("yes", "no"), "no") == "yes",
        include=keys.take("include", checks.as_it_is, ""),
    )
    if not paths.is_local_time(mark.report.start_time, mark.started):
        raise BadValue("its start_time and its started are not the same time in any time zone")
    if len(mark.report.targets) != 1:
        raise BadValue(f"it has {len(mark.report.targets)} destinations", "a mark has one")
    if mark.complete and mark.report.targets[0].status not in COMPLETE_COPIES:
        raise BadValue(f"it is complete, and the copy {mark.report.targets[0].status}")
    return mark


def _uid(text: str, what: str) -> str:
    if not _UID.fullmatch(text):
        raise BadValue(f"{what} is no id of a run")
    return text


def _time(text: str, what: str) -> float:
    found = checks.instant(text, what)
    if found is None:
        raise BadValue(f"it has no {what}")
    return found


def _base(text: str, what: str) -> str:
    if text and not _BASE.fullmatch(text):
        raise BadValue(f"{what} is no ../DAY/NAME")
    return text


def _options(text: str, what: str) -> tuple[str, ...]:
    found = tuple(text.split())
    for each in found:
        if each not in OPTIONS:
            raise BadValue(f"{what} has {each[:20]!r}", f"they are among {', '.join(OPTIONS)}")
    return found
