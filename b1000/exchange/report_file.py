"""The report file of a run: its name, how it is written and how one of others is read. Pure.

What is read is trusted in nothing, and refused as a whole where it does not fit. Of files by
older programs only the keys of the run and of each destination are known; all others may be
absent.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from b1000.config import grammar, ini
from b1000.errors import BadValue
from b1000.exchange import checks, names
from b1000.rsync.paths import moment
from b1000.runs.states import CopyStatus, Status, Step

LARGEST = 65536
"""Bytes of a report file beyond which nobody reads it."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_LINES = 2000
_RUN, _DESTINATION = "jobstatus", "dest"

_Value = TypeVar("_Value")


class DestinationSection(NamedTuple):
    """One ``[dest:NAME]`` of a report file."""

    name: str
    type: str
    path: str
    status: CopyStatus


class ReportFile(NamedTuple):
    """What a report file says. ``data_age`` is in seconds, None where it is unknown.

    The last four are told of passive runs, whose ``alive`` is renewed as long as somebody
    works on them: ``started`` and ``transition`` are None in the files of older programs.
    """

    host: str
    job: str
    instance: str
    direction: str
    start_time: str
    step: Step
    status: Status
    targets: tuple[DestinationSection, ...] = ()
    master_host: str = ""
    master_instance: str = ""
    data_age: float | None = 0.0
    alive: str = ""
    started: float | None = None
    transition: int | None = None
    error: str = ""


# --- writing


def render(report: ReportFile) -> str:
    """The text of a report file: one section for the run, one for each destination."""
    age = report.data_age
    keys = {
        "host": report.host,
        "name": report.job,
        "instance": report.instance,
        "master_host": report.master_host,
        "master_instance": report.master_instance,
        "direction": report.direction,
        "start_time": f"{moment(report.start_time):%Y-%m-%d %H:%M:%S}",
        "step": report.step,
        "status": report.status,
        "data_age": "" if age is None else f"{age:.15g}",
    }
    if report.alive:
        keys |= {
            "started": "" if report.started is None else checks.instant_text(report.started),
            "transition": "" if report.transition is None else str(report.transition),
            "error": checks.error_text(report.error),
            "alive": report.alive,
        }
    sections = {f"{_RUN}:{report.job}": keys}
    for target in report.targets:
        sections[f"{_DESTINATION}:{target.name}"] = {
            "type": target.type,
            "path": target.path,
            "status": target.status,
        }
    return "\n".join(
        f"[{heading}]\n"
        + "".join(f"{key} = {value}".rstrip() + "\n" for key, value in values.items())
        for heading, values in sections.items()
    )


# --- reading


def parse(data: bytes, file: str) -> ReportFile:
    """What the content of a report file of this name says. Raises BadValue."""
    if names.report_name(file) is None:
        raise BadValue("the file is not called as a report is", "JOB-INSTANCE-STARTTIME.b1k")
    sections = _sections(_text(data))
    runs = [name for kind, name in sections if kind == _RUN]
    if len(runs) != 1:
        raise BadValue(f"it has {len(runs)} sections [{_RUN}:JOB]", "a report has one")
    keys = _Keys(sections[_RUN, runs[0]])
    job = keys.take("name", grammar.name)
    if job != runs[0]:
        raise BadValue(f"[{_RUN}:{runs[0]}] has another name, {job}")
    instance = keys.take("instance", checks.or_absent(grammar.name))
    start = keys.take("start_time", checks.start_time)
    if names.file_name(job, instance, start) != file:
        raise BadValue(
            f"job {job}, instance {instance!r} and start time {start} are not the file's"
        )
    return ReportFile(
        host=keys.take("host", grammar.own_host),
        job=job,
        instance=instance,
        direction=keys.take("direction", checks.direction),
        start_time=start,
        step=keys.take("step", checks.one_of(Step)),
        status=keys.take("status", checks.one_of(Status)),
        targets=_targets(sections),
        master_host=keys.take("master_host", checks.or_absent(checks.master)),
        master_instance=keys.take("master_instance", checks.or_absent(checks.master)),
        data_age=keys.take("data_age", checks.age),
        alive=keys.take("alive", checks.alive, ""),
        started=keys.take("started", checks.instant, ""),
        transition=keys.take("transition", checks.number, ""),
        error=keys.take("error", checks.error, ""),
    )


_Sections = dict[tuple[str, str], dict[str, str]]


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise BadValue(f"it has more than {LARGEST} bytes")
    text = grammar.from_outside(data, "it")
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise BadValue(f"it has {grammar.shown(found[0])} on line {line}")
    return text


def _sections(text: str) -> _Sections:
    """The sections by kind and name; no key and no section stands twice."""
    if text.count("\n") >= _MOST_LINES:
        raise BadValue(f"it has more than {_MOST_LINES} lines")
    for number, line in enumerate(text.split("\n"), 1):
        # What people may write in a configuration no program writes here.
        if line.strip() and (line[0].isspace() or line[0] in "#;"):
            raise _no_option(number)
    written = ini.read(text, ())
    for stray in filter(None, (written.early, *written.stray)):
        raise _no_option(stray.number)
    sections: _Sections = {}
    for section in written.sections:
        heading = _heading(section)
        if heading in sections:
            raise BadValue(f"[{':'.join(heading)}] stands twice")
        sections[heading] = _options(section)
    return sections


def _heading(section: ini.RawSection) -> tuple[str, str]:
    kind, colon, name = section.heading.partition(":")
    if not colon or kind not in (_RUN, _DESTINATION):
        raise BadValue(f"line {section.line} is no [{_RUN}:JOB] or [{_DESTINATION}:NAME]")
    return kind, grammar.name(name, f"the name on line {section.line}")


def _options(section: ini.RawSection) -> dict[str, str]:
    options: dict[str, str] = {}
    for entry in section.entries:
        if entry.colon or not re.fullmatch("[a-z_]+", entry.option):
            raise _no_option(entry.line)
        if entry.option in options:
            raise BadValue(f"{entry.option} stands twice, the second time on line {entry.line}")
        options[entry.option] = entry.text
    return options


def _no_option(line: int) -> BadValue:
    return BadValue(f"line {line} is no KEY = VALUE of a section")


class _Keys:
    """The keys of one section, each checked as it is taken."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def take(
        self, key: str, check: Callable[[str, str], _Value], default: str | None = None
    ) -> _Value:
        """The checked value; a key without a ``default`` must be there."""
        value = self._values.get(key, default)
        if value is None:
            raise BadValue(f"it has no {key}")
        return check(value, key)


def _targets(sections: _Sections) -> tuple[DestinationSection, ...]:
    return tuple(
        DestinationSection(
            name,
            keys.take("type", checks.as_it_is),
            keys.take("path", checks.as_it_is),
            keys.take("status", checks.one_of(CopyStatus)),
        )
        for (kind, name), values in sections.items()
        if kind == _DESTINATION
        for keys in [_Keys(values)]
    )
