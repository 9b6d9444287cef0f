"""What may go wrong with a backup, put into a history of runs: each must be seen."""

from collections.abc import Callable
from typing import NamedTuple

from b1000.monitor.history import DAY, HOUR, PastRun, PlanRow
from b1000.monitor.severity import Verdict

Change = Callable[[list[PastRun], float], list[PastRun]]


class Fault(NamedTuple):
    """A situation; ``change`` makes it of a healthy history and the moment it is looked at.

    ``schedule`` is the kind of subject it happens to, ``least`` what has to be said.
    """

    name: str
    schedule: str
    change: Change
    least: Verdict = Verdict.WARNING
    plan: PlanRow | None = None


def _last(count: int, **changes: object) -> Change:
    return lambda runs, _: [
        *runs[:-count], *(run._replace(**changes) for run in runs[-count:])  # type: ignore[arg-type]
    ]  # fmt: skip


def _silent(days: float) -> Change:
    return lambda runs, now: [run for run in runs if run.started < now - days * DAY]


def _scaled(count: int, **factors: float) -> Change:
    def change(runs: list[PastRun], _: float) -> list[PastRun]:
        some = [
            run._replace(**{name: int(getattr(run, name) * by) for name, by in factors.items()})  # type: ignore[arg-type]
            for run in runs[-count:]
        ]
        return [*runs[:-count], *some]

    return change


def _shrinking(runs: list[PastRun], _: float) -> list[PastRun]:
    """By three in a hundred with each run."""
    return [
        run._replace(bytes=max(1, int((run.bytes or 0) * 0.97**index)))
        for index, run in enumerate(runs)
    ]


def _died(runs: list[PastRun], _: float) -> list[PastRun]:
    return [*runs[:-1], runs[-1]._replace(step="COPYING", done=0, status="OK", bytes=None)]


def _hangs(runs: list[PastRun], now: float) -> list[PastRun]:
    last = runs[-1]
    began = now - 10 * max(run.duration or 0 for run in runs) - HOUR
    return [
        *(run for run in runs if run.started < began),
        last._replace(started=began, step="COPYING", done=0, bytes=None, duration=None),
    ]


def _flaps(runs: list[PastRun], _: float) -> list[PastRun]:
    return [
        run._replace(**FAILED)  # type: ignore[arg-type]
        if len(runs) - index in (3, 5, 8)
        else run
        for index, run in enumerate(runs)
    ]


def _some_years_ahead(runs: list[PastRun], now: float) -> list[PastRun]:
    return [*runs[:-1], runs[-1]._replace(started=now + 400 * DAY)]


def _moved_then_stopped(runs: list[PastRun], now: float) -> list[PastRun]:
    """Another host makes it since a week, and the last of it was two days ago."""
    return [
        run._replace(made_on="other") if run.started > now - 9 * DAY else run
        for run in runs
        if run.started < now - 2 * DAY
    ]


def _varying(runs: list[PastRun], _: float) -> list[PastRun]:
    some = [run._replace(bytes=1_000_000 + index * 37) for index, run in enumerate(runs[:-6])]
    return [*some, *(run._replace(bytes=1_234_567) for run in runs[-6:])]


FAILED: dict[str, object] = {
    "step": "COPYING", "status": "FAILED", "done": 0, "bytes": None, "files": None, "places": (),
    "lacking": ("near", "far"),
}  # fmt: skip
_PART = {
    "step": "COPYING", "status": "FAILED", "done": 1, "places": ("near",), "lacking": ("far",),
    "missing": ("far (connection refused)",),
}  # fmt: skip
_CRITICAL = Verdict.CRITICAL

FAULTS = (
    Fault("daily stopped, a day", "daily", _silent(1.2)),
    Fault("daily stopped, three days", "daily", _silent(3), _CRITICAL),
    Fault("daily stopped, a month", "daily", _silent(30), _CRITICAL),
    Fault("daily with an hour's spread stopped", "daily, spread over an hour", _silent(1.3)),
    Fault("weekdays stopped, four days", "weekdays", _silent(4.2)),
    Fault("weekly missed one", "weekly", _silent(7.5)),
    Fault("weekly missed two", "weekly", _silent(15), _CRITICAL),
    Fault("monthly missed one", "monthly", _silent(37)),
    Fault("monthly missed two", "monthly", _silent(70), _CRITICAL),
    Fault("hourly stopped, two hours", "hourly", _silent(2.5 / 24)),
    Fault("hourly stopped, a day", "hourly", _silent(1), _CRITICAL),
    Fault("Tuesday and Friday missed one", "Tuesday and Friday", _silent(4.5)),
    Fault("every two days missed one", "every two days", _silent(2.3)),
    Fault("laptop gone for a month", "laptops", _silent(30), _CRITICAL),
    Fault("office hours stopped, two weeks", "office hours", _silent(14), _CRITICAL),
    Fault("the last run FAILED", "daily", _last(1, **FAILED)),
    Fault("FAILED for four days", "daily", _last(4, **FAILED), _CRITICAL),
    Fault("never a good one", "daily", _last(1000, **FAILED), _CRITICAL),
    Fault("three FAILED of ten", "daily", _flaps),
    Fault("one destination FAILED", "daily", _last(1, **_PART)),
    Fault("one destination FAILED for a week", "daily", _last(7, **_PART)),
    Fault("a destination is gone", "daily", _last(2, done=1, total=1, places=("near",))),
    Fault("0 bytes", "daily", _last(1, bytes=0)),
    Fault("0 bytes for four days", "daily", _last(4, bytes=0), _CRITICAL),
    Fault("no file", "daily", _last(1, files=0)),
    Fault("shrank to a third", "daily", _scaled(1, bytes=0.33)),
    Fault("shrank to a third, five days ago", "daily", _scaled(5, bytes=0.33)),
    Fault("grew to the double", "daily", _scaled(1, bytes=2.2)),
    Fault("shrinks slowly", "daily", _shrinking),
    Fault("a tenth of the files", "daily", _scaled(1, files=0.1)),
    Fault("the same size six times", "daily", _varying),
    Fault("three slow runs", "daily", _last(3, duration=30_000.0)),
    Fault("a run hangs", "daily", _hangs),
    Fault("the run died", "daily", _died),
    Fault("data of a replica that lags", "daily", _last(1, data_age=9 * HOUR)),
    Fault("data older than planned", "daily", _last(1, data_age=700.0),
          plan=PlanRow(max_data_age=600)),
    Fault("older than planned", "weekly", _silent(3), _CRITICAL, PlanRow(max_backup_age=2 * DAY)),
    Fault("six attempts, three times", "daily", _last(3, attempts=7)),
    Fault("a clock years ahead", "daily", _some_years_ahead),
    Fault("post FAILED", "daily", _last(1, step="POST", status="FAILED")),
    Fault("moved, and stopped there", "daily", _moved_then_stopped),
    Fault("files vanished for the first time", "daily",
          _last(1, done=1, vanished=1, status="WARNING")),
)  # fmt: skip
