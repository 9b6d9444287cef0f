"""From a run's facts to what a report says of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from b1000.b1k import names
from b1000.b1k.checks import instant_text
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.named import NamedTuple
from b1000.rsync.paths import moment
from b1000.runs.run import Client, Copy, Run
from b1000.runs.states import CopyStatus, Status, Step

Value = str | int | float | None
Values = Mapping[str, Value]
"""Column → value of one row; :mod:`b1000.reports.tables` has the columns."""

_FAILED = CopyStatus.FAILED
_LONGEST_ERROR = 60_000  # bytes; a TEXT column of MySQL takes 65,535


class RowsOfRun(NamedTuple):
    """One run in a database: its row in ``jobs``, and in ``copies`` those without their job_id."""

    job: Values
    copies: tuple[Values, ...]


def file_name(run: Run) -> str:
    """``JOB-INSTANCE-STARTTIME.b1k``; the dash stays where the instance is empty."""
    return names.file_name(run.job, run.instance, run.start_time)


class _Reported(NamedTuple):
    """What is told as one run: this host's own, or one that a client had while we pulled.

    ``copies`` are this host's, under the names that they have there.
    """

    host: str
    job: str
    instance: str
    master_host: str
    master_instance: str
    direction: str
    start_time: str
    step: Step
    status: Status
    data_age: float | None
    error: str
    started: float | None
    ended: float | None
    duration: float | None
    transition: int
    copies: tuple[tuple[str, Copy], ...]
    relayed_by: str = ""
    """The storage that tells it for a client."""


def _reported(run: Run) -> list[_Reported]:
    """As what runs a run is told.

    A pull run that took a report tells of the client's run instead of its own,
    and of nothing until it has found one, or given up.
    """
    if run.direction != "pull":
        return [_own(run)]
    if run.clients:
        *earlier, last = run.clients
        return [*(_of_client(each, run, ()) for each in earlier), _of_client(last, run, run.copies)]
    return [_own(run)] if run.status is Status.FAILED else []


def _own(run: Run) -> _Reported:
    snapshot = run.snapshot
    return _Reported(
        run.host,
        run.job,
        run.instance,
        snapshot.master_host,
        snapshot.master_instance,
        run.direction,
        run.start_time,
        run.step,
        run.status,
        snapshot.data_age,
        run.error,
        run.started,
        run.finished,
        _between(run.began, run.ended),
        run.last_transition,
        tuple((copy.destination, copy) for copy in run.copies),
    )


def _of_client(client: Client, run: Run, copies: tuple[Copy, ...]) -> _Reported:
    over = client.status is Status.FAILED or client.step is Step.DONE
    several = len(copies) > 1
    # Two clocks may differ, but no run ends before it began.
    ended = max(run.changed, client.started or 0.0) if over else None
    return _Reported(
        client.host,
        client.job,
        client.instance,
        client.master_host,
        client.master_instance,
        "passive",
        client.start_time,
        client.step,
        client.status,
        client.data_age,
        _why(client, copies),
        client.started,
        ended,
        _between(client.started, ended),
        # Never the client's own number: it could make all that follows look old.
        run.relayed or run.last_transition,
        tuple(
            (f"{client.destination}/{copy.destination}" if several else client.destination, copy)
            for copy in copies
        ),
        run.host,
    )


def _why(client: Client, copies: tuple[Copy, ...]) -> str:
    """Why a client's run is not well; of a copy that FAILED here only we know it."""
    here = [f"{copy.destination}: {copy.error}" for copy in copies if copy.status is _FAILED]
    failed = client.status is Status.FAILED and client.step is Step.COPYING
    return "; ".join([*here, client.error] if here and failed else [client.error])


def of_file(run: Run, alive: float) -> ReportFile:
    """What the report file of a run says.

    Who pulls from a passive run also sees when it was last known to be ``alive``,
    and which state of it this is.
    """
    reported = _of_client(run.clients[-1], run, run.copies) if run.clients else _own(run)
    report = ReportFile(
        reported.host,
        reported.job,
        reported.instance,
        reported.direction,
        reported.start_time,
        reported.step,
        reported.status,
        tuple(
            DestinationSection(name, copy.type, copy.path, copy.status)
            for name, copy in reported.copies
        ),
        reported.master_host,
        reported.master_instance,
        reported.data_age,
    )
    if run.direction != "passive":
        return report
    return report._replace(
        alive=instant_text(alive),
        started=run.started,
        transition=run.last_transition,
        error=run.error,
    )


# --- databases


def rows(run: Run) -> list[RowsOfRun]:
    """What databases are told of a run; nothing as long as there is nothing to tell."""
    return [_row(reported, run) for reported in _reported(run)]


def _row(reported: _Reported, run: Run) -> RowsOfRun:
    job: dict[str, Value] = {
        "host": reported.host,
        "name": reported.job,
        "instance": reported.instance,
        "master_host": reported.master_host,
        "master_instance": reported.master_instance,
        "direction": reported.direction,
        "start_time": f"{moment(reported.start_time):%Y-%m-%d %H:%M:%S}",
        "last_op_time": _local(run.changed),
        "step": reported.step.value,
        "status": reported.status.value,
        "data_age": reported.data_age,
        "backup_type": run.type,
        "started_utc": utc(reported.started),
        "ended_utc": utc(reported.ended),
        "duration": reported.duration,
        # The size of the backup, not of all its copies together.
        "bytes": _most(copy.bytes for _, copy in reported.copies),
        "files": _most(copy.files for _, copy in reported.copies),
        "attempts": sum(copy.attempts for _, copy in reported.copies),
        "error": storable(reported.error),
        "transition": reported.transition,
        "relayed_by": reported.relayed_by,
    }
    return RowsOfRun(job, tuple(_copy(name, copy, run) for name, copy in reported.copies))


def _copy(name: str, copy: Copy, run: Run) -> Values:
    return {
        "destination": name,
        "type": copy.type,
        "path": storable(copy.path),
        "status": copy.status.value,
        "last_op_time": _local(copy.ended or copy.started or run.changed),
        "copy_started_utc": utc(copy.started),
        "copy_ended_utc": utc(_not_before(copy.started, copy.ended)),
        "copy_duration": _between(copy.started, copy.ended),
        "copy_bytes": copy.bytes,
        "copy_files": copy.files,
        "sent": copy.sent,
        "copy_attempts": copy.attempts,
        "exit_code": copy.exit_code,
        "copy_error": storable(copy.error),
        "copy_transition": run.last_transition,
    }


def _most(numbers: Iterable[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def _between(start: float | None, end: float | None) -> float | None:
    if start is None or end is None:
        return None
    return round(max(0.0, end - start), 3)


def _not_before(start: float | None, end: float | None) -> float | None:
    """The end, where the clock was not set back in between; else the start."""
    return end if start is None or end is None else max(start, end)


def _local(when: float) -> str:
    return f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M:%S}"


def utc(when: float | None) -> str | None:
    """A time as databases have it."""
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def storable(text: str) -> str:
    """The text as any database can keep it: what is no character is shown, too much is cut."""
    shown = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    if len(shown) <= _LONGEST_ERROR:
        return shown.decode()
    return shown[:_LONGEST_ERROR].decode("utf-8", "ignore") + " [...]"
