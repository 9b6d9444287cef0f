"""Of a mark what a storage goes by, read quickly: a hundred thousand of them lie at one. Pure.

A mark as :func:`b1000.b1k.mark.render` writes it is read by one expression. What marks of one job
have in common is looked at once, and so are the names of whose they are; each value that varies
has the one check that it has elsewhere. All else is read line by line, and refused there.
"""

import functools

from b1000.b1k import checks, form, mark, report_file
from b1000.b1k.mark import Counts, Mark
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.rsync import paths


class Claim(NamedTuple):
    """Whose backup lies beside a mark, and what is said of it, as in :class:`Mark`."""

    host: str
    job: str
    instance: str
    master_host: str
    master_instance: str
    run: str
    type: str
    state: str
    started: float
    ended: float | None
    counts: Counts
    leftovers: bool
    options: tuple[str, ...]
    relative: bool
    include: str

    @property
    def complete(self) -> bool:
        """Whether the backup is said to be whole."""
        return self.state == mark.COMPLETE


def read(data: bytes, place: str) -> Claim:
    """What the content of a mark claims, that lies at ``place`` + ".b1k". Raises BadValue.

    ``place`` is the directory of the backup below the path of its destination.
    """
    return quickly(data, place) or of(mark.parse(data, place))


def of(written: Mark) -> Claim:
    """What a storage goes by of that."""
    report = written.report
    return Claim(
        report.host,
        report.job,
        report.instance,
        report.master_host,
        report.master_instance,
        written.run,
        written.type,
        written.state,
        written.started,
        written.ended,
        written.counts,
        written.leftovers,
        written.options,
        written.relative,
        written.include,
    )


_WORD, _TEXT = "[!-~]+", "[!-~][ -~]*(?<! )"


def _line(key: str, value: str = _WORD) -> str:
    return rf"{key} = {value}\n"


def _or_empty(key: str, value: str) -> str:
    return rf"{key} =(?: {value})?\n"


_WRITTEN = expression(
    rf"\[{form.RUN}:({_WORD})\]\n"
    + _line("host", f"({_WORD})")
    + _line("name", r"\1")
    + _or_empty("instance", f"({_WORD})")
    + _or_empty("master_host", f"({_WORD})")
    + _or_empty("master_instance", f"({_WORD})")
    + f"({_line('direction')})"
    + _line("start_time", f"({checks.START_TIME})")
    + f"({_line('step')}{_line('status')})"
    + _or_empty("data_age", f"({_WORD})")
    + rf"\n(\[{form.DESTINATION}:{_WORD}\]\n{_line('type')})"
    + _or_empty("path", _TEXT)
    + rf"({_line('status')}\n\[{form.BACKUP}\]\nformat = {mark.FORMAT}\n)"
    + _line("run", f"({mark.UID})")
    + f"({_line('type')}{_line('state')})"
    + _line("started", f"({checks.INSTANT})")
    + _or_empty("ended", f"({checks.INSTANT})")
    + "".join(_or_empty(key, f"({checks.NUMBER})") for key in Counts._fields)
    + f"({_line('leftovers')})"
    + _or_empty("base", mark.BASE)
    + f"({_or_empty('options', _TEXT)}{_line('relative')}{_or_empty('include', _TEXT)})"
)
_LONGEST = 4096  # bytes: parts of many of them are kept


def quickly(data: bytes, place: str) -> Claim | None:
    """The same as :func:`read`; None for what is to be read line by line."""
    if len(data) > _LONGEST or not data.isascii():
        return None
    found = _WRITTEN.fullmatch(data.decode("ascii"))
    if not found:
        return None
    job, host, instance, master, of_master, direction, start_time, step, *more = found.groups("")
    age, target, status, run, kind, started, ended, *counts, left, rest = more
    try:
        names, subject = _whose((host, job, instance, master, of_master))
        host, job, instance, master, of_master = names
        alike = _alike((direction, step, target, status, kind, left, rest))
        when = checks.in_names(start_time, "start_time")
        if paths.directory("", job, alike.type, subject, when)[1:] != place:
            return None
        _age(age, "data_age")
        began = checks.since_epoch(started, "started")
        if not paths.is_local_time(when, began):
            return None
        return Claim(
            host,
            job,
            instance,
            master,
            of_master,
            run,
            alike.type,
            alike.state,
            began,
            checks.since_epoch(ended, "ended") if ended else None,
            Counts(*[int(each) if each else None for each in counts]),
            alike.leftovers,
            alike.options,
            alike.relative,
            alike.include,
        )
    except BadValue:
        return None


_age = functools.lru_cache(maxsize=1024)(checks.age)


@functools.lru_cache(maxsize=8192)
def _whose(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The names of whose backup it is, checked, and what they make of the names of directories."""
    keys = ("host", "name", "instance", "master_host", "master_instance")
    host, job, *others = report_file.whose(form.Keys(dict(zip(keys, names, strict=True))))
    return (host, job, *others), paths.subject(host, *others)


@functools.lru_cache(maxsize=1024)
def _alike(lines: tuple[str, ...]) -> Mark:
    """A mark with these lines, and any values where they vary. Raises BadValue."""
    direction, step, target, status, kind, left, rest = lines
    whole = (
        f"[{form.RUN}:any]\nhost = any\nname = any\ninstance =\nmaster_host =\nmaster_instance =\n"
        f"{direction}start_time = 2000-01-01 00:00:00\n{step}data_age =\n\n{target}path =\n{status}"
        f"run = any\n{kind}started = 2000-01-01T00:00:00Z\n{left}{rest}"
    )
    return mark.of(form.read(whole.encode()))
