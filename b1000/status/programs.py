"""The answer of ``b1000 status --json``."""

import json
import time
from collections.abc import Sequence

from b1000 import figures
from b1000.figures import iso
from b1000.progress_files import Progress
from b1000.runs.run import Copy
from b1000.state import outbox
from b1000.status.overview import Overview, Story
from b1000.status.row import StatusRow

FORMAT = 1
"""Grows when the meaning of a key changes."""


def as_json(overview: Overview, now: float | None = None) -> str:
    """What is known as an object; times are ISO 8601 with offset."""
    moment = time.time() if now is None else now
    pending: list[dict[str, object]] = [
        {
            "report": "" if outbox.destination_of(each.report) else each.report,
            "destination": outbox.destination_of(each.report) or "",
            "updates": each.states,
            "since": iso(each.since),
            "error": each.trouble,
        }
        for each in overview.pending
    ]
    skipped: list[dict[str, object]] = [
        {"job": each.job, "instance": each.instance, "time": iso(each.time), "behind": each.behind}
        for each in overview.skipped
    ]
    return _json([_object(row, moment) for row in overview.rows], pending, skipped)


def story_as_json(row: StatusRow, story: Story) -> str:
    """The same of one run, with all that happened in it."""
    happened: dict[str, object] = {
        "transitions": [{**each._asdict(), "time": iso(each.time)} for each in story.transitions],
        "attempts": [
            {
                **each._asdict(),
                "began": iso(each.began),
                "ended": _iso(each.ended),
                "retry_at": _iso(each.retry_at),
            }
            for each in story.attempts
        ],
        "processes": [
            {**each._asdict(), "began": iso(each.began), "ended": _iso(each.ended)}
            for each in story.processes
        ],
    }
    return _json([_object(row, time.time()) | happened])


_Objects = Sequence[dict[str, object]]


def _json(runs: _Objects, pending: _Objects = (), skipped: _Objects = ()) -> str:
    whole = {"format": FORMAT, "runs": runs, "pending": pending, "skipped": skipped}
    return figures.inert(json.dumps(whole, indent=2, ensure_ascii=False))


def _iso(when: float | None) -> str | None:
    return None if when is None else iso(when)


def _object(row: StatusRow, now: float) -> dict[str, object]:
    run = row.run
    return {
        "run_id": (run.run_id or None) if run else None,
        "job": row.job,
        "instance": row.instance,
        "host": row.host,
        "direction": row.direction,
        "type": row.type,
        "start_time": iso(run.started) if run else None,
        "step": row.step,
        "status": row.status,
        "finished": _iso(run.finished) if run else None,
        "duration": row.duration(now),
        "master_host": run.snapshot.master_host if run else "",
        "master_instance": run.snapshot.master_instance if run else "",
        "data_age": run.snapshot.data_age if run else None,
        "error": row.error,
        "resumable": row.resumable,
        "live": row.live,
        "waiting": "; ".join(row.waits),
        "copies": [_copy(row, copy) for copy in (run.copies if run else ())],
    }


def _copy(row: StatusRow, copy: Copy) -> dict[str, object]:
    current = row.progress.get(copy.destination, Progress())
    return {
        "destination": copy.destination,
        "path": copy.path,
        "status": row.status_of(copy),
        "attempts": copy.attempts,
        "bytes": row.bytes_of(copy),
        "files": copy.files,
        "error": copy.error,
        "percent": current.percent,
        "rate": current.rate,
        "eta": current.left,
    }
