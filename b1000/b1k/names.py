"""The names of the files through which both sides meet. Pure."""

from b1000.b1k import checks
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.named import NamedTuple

SUFFIX = ".b1k"
DONE, ERROR = "done", "error"

_FILE = expression(r"(?P<stem>[A-Za-z0-9][A-Za-z0-9._-]*)-(?P<time>[0-9]{4}(?:-[0-9]{2}){5})\.b1k")
_LONGEST = 255


class ReportName(NamedTuple):
    """The name of a report file: ``stem`` is all before the dash of the start time."""

    file: str
    stem: str
    start_time: str


def file_name(job: str, instance: str, start_time: str) -> str:
    """``JOB-INSTANCE-STARTTIME.b1k``; the dash stays where the instance is empty."""
    return f"{job}-{instance}-{start_time}{SUFFIX}"


def notification(report: str, host: str, ending: str) -> str:
    """``REPORTFILE.HOST.done`` or ``.error``: the host that pulls has ended its part."""
    return f"{report}.{host}.{ending}"


def report_name(file: str) -> ReportName | None:
    """The name, if it can be that of a report file."""
    found = split(file)
    if not found or len(file) > _LONGEST:
        return None
    try:
        checks.moment(found.start_time, "the start time")
    except BadValue:
        return None
    return found


def split(file: str) -> ReportName | None:
    """A name of the same form, whatever time it names."""
    found = _FILE.fullmatch(file)
    return ReportName(file, found["stem"], found["time"]) if found else None
