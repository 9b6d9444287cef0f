"""``b1000 status``: the last run of each job/instance, as the journal knows it."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from b1000.config.loader import Config
from b1000.identity import is_alive
from b1000.logs import printable
from b1000.model import BrokenJob, Command, Run, label
from b1000.state.queries import Reader
from b1000.steps import CopyStatus, Status, Step, can_be_retried

_COLUMNS = ("JOB", "STARTED", "STEP", "STATUS", "DURATION", "SIZE", "COPIES", "WHY")


@dataclass(frozen=True, slots=True)
class Row:
    """One job/instance; ``run`` is None where it never ran. ``died``: its supervisor is gone."""

    job: str
    instance: str
    direction: str
    type: str
    host: str
    run: Run | None
    died: bool = False

    @property
    def step(self) -> Step | None:
        """Where its last run stands."""
        return self.run.step if self.run else None

    @property
    def status(self) -> Status | None:
        """How its last run fares; a run whose supervisor died has FAILED."""
        if not self.run:
            return None
        return Status.FAILED if self.died else self.run.status

    @property
    def error(self) -> str:
        """Why it is not OK."""
        if not self.run:
            return ""
        return "interrupted" if self.died else self.run.error

    @property
    def resumable(self) -> bool:
        """Whether ``--copy`` would go on with it."""
        run = self.run
        if not run or run.superseded:
            return False
        return can_be_retried(run.step, run.status, run.ending, self.died)


def collect(config: Config, everything: bool, alive: Callable[..., bool] = is_alive) -> list[Row]:
    """The rows, by name; ``everything``: also jobs and instances that are not there any more."""
    journal = Path(config.settings.journal)
    runs: Mapping[tuple[str, str], Run] = {}
    listed: Mapping[str, tuple[str, ...]] = {}
    if _may_exist(journal):
        with Reader(journal) as reader:
            runs = {(run.job, run.instance): run for run in reader.last_runs()}
            listed = reader.listed_instances()
    shown = _configured(config, runs, listed) | (runs.keys() if everything else set())
    return [_row(config, job, instance, runs, alive) for job, instance in sorted(shown)]


def retriable(config: Config, alive: Callable[..., bool] = is_alive) -> list[str]:
    """A line for each run that ``--copy`` would go on with: what is missing, and where."""
    journal = Path(config.settings.journal)
    if not _may_exist(journal):
        return []
    with Reader(journal) as reader:
        runs = reader.retriable(alive)
    return [
        f"{run.label} of {run.start_time}: "
        + (
            ", ".join(
                f"copy to {copy.destination}: {copy.path}"
                for copy in run.copies
                if not copy.complete
            )
            or "post"
        )
        for run in runs
    ]


def _may_exist(journal: Path) -> bool:
    """Whether to open it; where it cannot be seen, opening it tells why."""
    try:
        os.stat(journal)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _configured(
    config: Config,
    runs: Mapping[tuple[str, str], Run],
    listed: Mapping[str, tuple[str, ...]],
) -> set[tuple[str, str]]:
    """What the configuration has now, and failures of jobs themselves."""
    shown: set[tuple[str, str]] = set()
    for name, job in config.jobs.items():
        if isinstance(job, BrokenJob):
            # What its instances are cannot be said: those that are known stay in sight.
            instances = {instance for other, instance in runs if other == name}
        elif job.instances is None:
            instances = {""}
        elif isinstance(job.instances, Command):
            instances = set(listed.get(name, ()))
        else:
            instances = set(job.instances)
        if (name, "") in runs:
            instances |= {""}
        shown |= {(name, instance) for instance in instances or {""}}
    return shown


def _row(
    config: Config,
    job: str,
    instance: str,
    runs: Mapping[tuple[str, str], Run],
    alive: Callable[..., bool],
) -> Row:
    run = runs.get((job, instance))
    if run:
        died = run.ending is None and not alive(run.supervisor)
        return Row(job, instance, run.direction, run.type, run.host, run, died)
    configured = config.jobs[job]
    return Row(job, instance, configured.direction, configured.type, config.settings.host, None)


def exit_code(rows: Sequence[Row]) -> int:
    """1 where a last run that is shown FAILED."""
    return int(any(row.status is Status.FAILED for row in rows))


# --- forms


def as_json(rows: Sequence[Row], now: float | None = None) -> str:
    """The rows as a list of objects; times are ISO 8601 with offset."""
    moment = time.time() if now is None else now
    return json.dumps([_object(row, moment) for row in rows], indent=2, ensure_ascii=False)


def _object(row: Row, now: float) -> dict[str, object]:
    run = row.run
    return {
        "run_id": run.run_id if run else None,
        "job": row.job,
        "instance": row.instance,
        "host": row.host,
        "direction": row.direction,
        "type": row.type,
        "start_time": _iso(run.started) if run else None,
        "step": row.step,
        "status": row.status,
        "finished": _iso(run.ended) if run and run.ended is not None else None,
        "duration": _duration(row, now),
        "master_host": run.frozen.master_host if run else "",
        "master_instance": run.frozen.master_instance if run else "",
        "data_age": run.frozen.data_age if run else None,
        "error": row.error,
        "resumable": row.resumable,
        "copies": [
            {
                "destination": copy.destination,
                "path": copy.path,
                "status": _copy_status(row, copy.status),
                "attempts": copy.attempts,
                "bytes": copy.bytes,
                "files": copy.files,
                "error": copy.error,
            }
            for copy in (run.copies if run else ())
        ],
    }


def _copy_status(row: Row, status: CopyStatus) -> CopyStatus:
    return CopyStatus.FAILED if row.died and status is CopyStatus.COPYING else status


def _duration(row: Row, now: float) -> float | None:
    """Seconds from start to end, or until now; None where the end is not known."""
    if not row.run or row.died:
        return None
    end = row.run.ended if row.run.ended is not None else now
    return round(max(0.0, end - row.run.started), 3)


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def as_text(rows: Sequence[Row], now: float | None = None) -> str:
    """The rows in plain columns."""
    moment = time.time() if now is None else now
    lines = [_COLUMNS, *(_cells(row, moment) for row in rows)]
    # The last column is as long as it needs to be.
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS) - 1)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    )


def _cells(row: Row, now: float) -> tuple[str, ...]:
    run = row.run
    if not run:
        return (label(row.job, row.instance), "never", "-", "-", "-", "-", "-", "")
    sizes = [copy.bytes for copy in run.copies if copy.bytes is not None]
    duration = _duration(row, now)
    copies = " ".join(
        f"{copy.destination}:{_copy_status(row, copy.status)}"
        + (f"({copy.attempts})" if copy.attempts > 1 else "")
        for copy in run.copies
    )
    return (
        label(row.job, row.instance),
        datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M:%S"),
        run.step,
        row.status or "-",
        "-" if duration is None else _clock(duration),
        size(max(sizes)) if sizes else "-",
        copies or "-",
        printable(row.error),
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def size(count: int) -> str:
    """A number of bytes for people, in units of 1024."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
