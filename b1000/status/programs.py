"""The answer of ``b1000 status --json``."""

import json
import time
from collections.abc import Sequence

from b1000 import figures
from b1000.figures import iso
from b1000.status.overview import Story
from b1000.status.row import StatusRow


def as_json(rows: Sequence[StatusRow], now: float | None = None) -> str:
    """The rows as a list of objects; times are ISO 8601 with offset."""
    moment = time.time() if now is None else now
    return _json([_object(row, moment) for row in rows])


def story_as_json(row: StatusRow, story: Story) -> str:
    """One run as the only object of a list, with all that happened in it."""
    return _json(
        [
            {
                **_object(row, time.time()),
                "transitions": [
                    {**each._asdict(), "time": iso(each.time)} for each in story.transitions
                ],
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
        ]
    )


def _json(found: list[dict[str, object]]) -> str:
    return figures.inert(json.dumps(found, indent=2, ensure_ascii=False))


def _iso(when: float | None) -> str | None:
    return None if when is None else iso(when)


def _object(row: StatusRow, now: float) -> dict[str, object]:
    run = row.run
    return {
        "run_id": run.run_id if run else None,
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
        "master_host": run.frozen.master_host if run else "",
        "master_instance": run.frozen.master_instance if run else "",
        "data_age": run.frozen.data_age if run else None,
        "error": row.error,
        "resumable": row.resumable,
        "copies": [
            {
                "destination": copy.destination,
                "path": copy.path,
                "status": row.status_of(copy),
                "attempts": copy.attempts,
                "bytes": row.bytes_of(copy),
                "files": copy.files or 0,
                "error": copy.error,
            }
            for copy in (run.copies if run else ())
        ],
    }
