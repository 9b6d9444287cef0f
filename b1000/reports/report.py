"""From a run's facts to what a report says of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from b1000.model import Copy, Run
from b1000.rsync.paths import moment

Value = str | int | float | None
Values = Mapping[str, Value]
"""Column → value of one row; :mod:`b1000.reports.tables` has the columns."""

_LONGEST_ERROR = 60_000  # bytes; a TEXT column of MySQL takes 65,535


class Row(NamedTuple):
    """One run in a database: its row in ``jobs``, and in ``copies`` those without their job_id."""

    job: Values
    copies: tuple[Values, ...]


def file_name(run: Run) -> str:
    """``JOB-INSTANCE-STARTTIME.b1k``; the dash stays where the instance is empty."""
    return f"{run.job}-{run.instance}-{run.start_time}.b1k"


def ini(run: Run) -> str:
    """The content of a report file: one section for the run, one for each destination."""
    start = moment(run.start_time)
    age = run.frozen.data_age
    sections = {
        f"jobstatus:{run.job}": {
            "host": run.host,
            "name": run.job,
            "instance": run.instance,
            "master_host": run.frozen.master_host,
            "master_instance": run.frozen.master_instance,
            "direction": run.direction,
            "start_time": f"{start:%Y-%m-%d %H:%M:%S}",
            "step": run.step,
            "status": run.status,
            "data_age": "" if age is None else f"{age:.15g}",
        }
    }
    for copy in run.copies:
        sections[f"dest:{copy.destination}"] = {
            "type": copy.type,
            "path": copy.path,
            "status": copy.status,
        }
    return "\n".join(
        f"[{heading}]\n"
        + "".join(f"{key} = {value}".rstrip() + "\n" for key, value in keys.items())
        for heading, keys in sections.items()
    )


# --- databases


def rows(run: Run) -> list[Row]:
    """What databases are told of a run."""
    job: dict[str, Value] = {
        "host": run.host,
        "name": run.job,
        "instance": run.instance,
        "master_host": run.frozen.master_host,
        "master_instance": run.frozen.master_instance,
        "direction": run.direction,
        "start_time": f"{moment(run.start_time):%Y-%m-%d %H:%M:%S}",
        "last_op_time": _local(run.changed),
        "step": run.step.value,
        "status": run.status.value,
        "data_age": run.frozen.data_age,
        "type": run.type,
        "started_utc": _utc(run.started),
        "ended_utc": _utc(run.ended),
        "duration": _between(run.started, run.ended),
        # The size of the backup, not of all its copies together.
        "bytes": _most(copy.bytes for copy in run.copies),
        "files": _most(copy.files for copy in run.copies),
        "attempts": sum(copy.attempts for copy in run.copies),
        "error": _text(run.error),
        "transition": run.last_transition,
    }
    return [Row(job, tuple(_copy(copy, run) for copy in run.copies))]


def _copy(copy: Copy, run: Run) -> Values:
    return {
        "destination": copy.destination,
        "type": copy.type,
        "path": _text(copy.path),
        "status": copy.status.value,
        "last_op_time": _local(copy.ended or copy.started or run.changed),
        "started_utc": _utc(copy.started),
        "ended_utc": _utc(copy.ended),
        "duration": _between(copy.started, copy.ended),
        "bytes": copy.bytes,
        "files": copy.files,
        "sent": copy.sent,
        "attempts": copy.attempts,
        "exit_code": copy.exit_code,
        "error": _text(copy.error),
        "transition": run.last_transition,
    }


def _most(numbers: Iterable[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def _between(start: float | None, end: float | None) -> float | None:
    if start is None or end is None:
        return None
    return round(max(0.0, end - start), 3)


def _local(when: float) -> str:
    return f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M:%S}"


def _utc(when: float | None) -> str | None:
    if when is None:
        return None
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _text(text: str) -> str:
    """The text as any database can keep it: what is no character is shown, too much is cut."""
    shown = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    if len(shown) <= _LONGEST_ERROR:
        return shown.decode()
    return shown[:_LONGEST_ERROR].decode("utf-8", "ignore") + " [...]"
