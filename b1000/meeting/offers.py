"""From the bytes of a client's report file to what it offers. Pure, and trusting nothing.

A report that does not fit is refused as a whole. Of reports by older programs
only the keys of the run and of each destination are known; all others may be absent.
"""

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from b1000.config import grammar
from b1000.errors import BadValue
from b1000.meeting import names
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step

_FILE = re.compile(r"(?P<stem>[A-Za-z0-9][A-Za-z0-9._-]*)-(?P<time>[0-9]{4}(?:-[0-9]{2}){5})\.b1k")
_HEADING = re.compile(r"\[(?P<kind>jobstatus|dest):(?P<name>[^]]*)\]")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_UTC = "%Y-%m-%dT%H:%M:%SZ"
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_LONGEST_FILE_NAME = 255
_LONGEST_MASTER = 255
_LONGEST_ERROR = 1000
_MOST_LINES = 2000
_OURS = "pull://"
_DIRECTIONS = ("push", "passive", "pull")

_Value = TypeVar("_Value")
_State = TypeVar("_State", Step, Status, CopyStatus)


class ReportName(NamedTuple):
    """The name of a report file: ``stem`` is all before the dash of the start time."""

    file: str
    stem: str
    start_time: str


def report_name(file: str) -> ReportName | None:
    """The name, if it can be that of a report file."""
    found = _FILE.fullmatch(file)
    if not found or len(file) > _LONGEST_FILE_NAME:
        return None
    try:
        _moment(found["time"], "%Y-%m-%d-%H-%M-%S", "the start time")
    except BadValue:
        return None
    return ReportName(file, found["stem"], found["time"])


def is_same_host(one: str, other: str) -> bool:
    """Compared as written; a short against a full name only where one of both has no dot."""
    if "." in one and "." not in other:
        one, other = other, one
    return one == other or ("." not in one and other.startswith(f"{one}."))


def is_finished(client: Client) -> bool:
    """Whether the client's run is over, as it says itself."""
    return client.status is Status.FAILED or client.step is Step.DONE


def is_offered(client: Client) -> bool:
    """Whether the client waits for this host to copy."""
    copying = client.step is Step.COPYING and client.copy_status is CopyStatus.COPYING
    return copying and not is_finished(client)


def parse(data: bytes, file: str, host: str) -> Client:
    """The run of a client that a report file tells of.

    ``host`` is this host; where no destination of the report is meant for it,
    ``destination`` is "". Raises BadValue.
    """
    named = report_name(file)
    if named is None:
        raise BadValue("the file is not called as a report is", "JOB-INSTANCE-STARTTIME.b1k")
    sections = _sections(_text(data))
    runs = [name for kind, name in sections if kind == "jobstatus"]
    if len(runs) != 1:
        raise BadValue(f"it has {len(runs)} sections [jobstatus:JOB]", "a report has one")
    keys = _Keys(sections["jobstatus", runs[0]])
    job = keys.take("name", grammar.name)
    if job != runs[0]:
        raise BadValue(f"[jobstatus:{runs[0]}] has another name, {job}")
    instance = keys.take("instance", _or_absent(grammar.name))
    start = keys.take("start_time", _start_time)
    if names.report_file(job, instance, start) != file:
        raise BadValue(
            f"job {job}, instance {instance!r} and start time {start} are not the file's"
        )
    direction = keys.take("direction", _text_of)
    if direction not in _DIRECTIONS:
        raise BadValue(f"direction is {direction[:20]!r}", "only a passive run waits for a pull")
    destination, pull_host, copy_status = _ours(sections, host)
    if direction != "passive":
        destination, pull_host, copy_status = "", "", CopyStatus.INIT
    return Client(
        file=file,
        host=keys.take("host", grammar.own_host),
        job=job,
        instance=instance,
        start_time=start,
        step=keys.take("step", _one_of(Step)),
        status=keys.take("status", _one_of(Status)),
        destination=destination,
        pull_host=pull_host,
        copy_status=copy_status,
        master_host=keys.take("master_host", _or_absent(_master)),
        master_instance=keys.take("master_instance", _or_absent(_master)),
        data_age=keys.take("data_age", _age),
        error=keys.take("error", _error, ""),
        alive=keys.take("alive", _alive, ""),
        started=keys.take("started", _instant, ""),
        transition=keys.take("transition", _number, ""),
    )


def instant(text: str) -> float:
    """Seconds since the epoch of a time as ``alive`` has it."""
    found = _instant(text, "the time")
    assert found is not None
    return found


# --- the file ------------------------------------------------------------------------------

_Sections = dict[tuple[str, str], dict[str, str]]


def _text(data: bytes) -> str:
    if len(data) > names.LARGEST_REPORT:
        raise BadValue(f"it has more than {names.LARGEST_REPORT} bytes")
    text = grammar.from_outside(data, "it")
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise BadValue(f"it has {grammar.shown(found[0])} on line {line}")
    return text


def _sections(text: str) -> _Sections:
    """The sections by kind and name; no key and no section stands twice."""
    sections: _Sections = {}
    keys: dict[str, str] | None = None
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        raise BadValue(f"it has more than {_MOST_LINES} lines")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if line.startswith("["):
            found = _HEADING.fullmatch(line.rstrip())
            if not found:
                raise BadValue(f"line {number} is no [jobstatus:JOB] or [dest:NAME]")
            heading = (found["kind"], grammar.name(found["name"], f"the name on line {number}"))
            if heading in sections:
                raise BadValue(f"[{':'.join(heading)}] stands twice")
            keys = sections[heading] = {}
            continue
        key, equals, value = line.partition("=")
        key = key.rstrip()
        if not equals or keys is None or not re.fullmatch("[a-z_]+", key):
            raise BadValue(f"line {number} is no KEY = VALUE of a section")
        if key in keys:
            raise BadValue(f"{key} stands twice, the second time on line {number}")
        keys[key] = value.strip()
    return sections


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


def _ours(sections: _Sections, host: str) -> tuple[str, str, CopyStatus]:
    """The destination that is meant for this host, this host as it is written, and the status."""
    found: list[tuple[str, str, CopyStatus]] = []
    for (kind, name), values in sections.items():
        if kind != "dest":
            continue
        keys = _Keys(values)
        keys.take("type", _text_of)
        status = keys.take("status", _one_of(CopyStatus))
        path = keys.take("path", _text_of)
        if path.startswith(_OURS):
            puller = grammar.own_host(
                path.removeprefix(_OURS), f"the host in path of [dest:{name}]"
            )
            if is_same_host(puller, host):
                found.append((name, puller, status))
    if len(found) > 1:
        told = " and ".join(f"[dest:{name}]" for name, _, _ in found[:3])
        raise BadValue(f"{told} are all meant for {host}", "one destination for each host")
    return found[0] if found else ("", "", CopyStatus.INIT)


# --- values --------------------------------------------------------------------------------


def _text_of(text: str, _: str) -> str:
    return text


def _or_absent(check: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda text, what: check(text, what) if text else ""


def _master(text: str, what: str) -> str:
    if len(text) > _LONGEST_MASTER:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {_LONGEST_MASTER}")
    return grammar.host(text, what)


def _one_of(kind: type[_State]) -> Callable[[str, str], _State]:
    def check(text: str, what: str) -> _State:
        try:
            return kind(text)
        except ValueError:
            known = ", ".join(kind)
            raise BadValue(f"{what} is {text[:20]!r}", f"it is one of {known}") from None

    return check


def _moment(text: str, pattern: str, what: str) -> datetime:
    try:
        moment = datetime.strptime(text, pattern)
    except ValueError:
        raise BadValue(f"{what} is no date and time") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise BadValue(f"{what} is of the year {moment.year}")
    return moment


def _start_time(text: str, what: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", text):
        raise BadValue(f"{what} is no date and time", "YYYY-MM-DD HH:MM:SS")
    return f"{_moment(text, '%Y-%m-%d %H:%M:%S', what):%Y-%m-%d-%H-%M-%S}"


def _instant(text: str, what: str) -> float | None:
    if not text:
        return None
    if not _MOMENT.fullmatch(text):
        raise BadValue(f"{what} is no time in UTC", "YYYY-MM-DDTHH:MM:SSZ")
    return float(calendar.timegm(_moment(text, _UTC, what).timetuple()))


def _alive(text: str, what: str) -> str:
    _instant(text, what)
    return text


def _age(text: str, what: str) -> float | None:
    return grammar.age(text, what) if text else None


def _number(text: str, what: str) -> int | None:
    if text and not re.fullmatch("[0-9]{1,15}", text):
        raise BadValue(f"{what} is no number")
    return int(text) if text else None


def _error(text: str, what: str) -> str:
    if len(text) > _LONGEST_ERROR:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {_LONGEST_ERROR}")
    # What could turn the direction of a line around or hide in it is shown as it is.
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
