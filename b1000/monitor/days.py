"""What each of the last days held of each subject, for the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from b1000.monitor.history import Subject
from b1000.monitor.statements import Expressions
from b1000.monitor.tracks import Track
from b1000.reports.source import SEPARATOR, DatabaseSource, Query
from b1000.runs.states import Status, Step


@dataclass(slots=True)
class Days:
    """What each of the last days held of one subject, the oldest first.

    ``runs``: None for no run, 0 for runs without a copy, 1 for a good one, 2 for
    a complete one. ``bytes``: the largest backup.
    """

    runs: list[int | None]
    bytes: list[int | None] = field(default_factory=list)


def read_days(
    source: DatabaseSource, now: float, count: int, owners: Mapping[Track, Subject]
) -> dict[Subject, Days]:
    """The last days of each subject, today included; the days are those of the hosts."""
    expressions = Expressions(source)
    names = ["j.host", "j.name", "j.instance", "j.master_host", "j.master_instance"]
    level = (
        f"CASE WHEN j.step = '{Step.DONE}' AND j.status = '{Status.OK}' THEN 2 "
        f"WHEN {expressions.has_good_copy} THEN 1 ELSE 0 END"
    )
    fields = source.dialect.joined([*names, level, expressions.column("jobs", "bytes")])
    today = datetime.fromtimestamp(now).date()
    days = [today - timedelta(days=count - 1 - number) for number in range(count)]
    origin = f"jobs j WHERE j.start_time >= ? AND j.start_time < ? AND {expressions.counts}"
    asked = [
        Query(fields, origin, (f"{day} 00:00:00", f"{day + timedelta(days=1)} 00:00:00"))
        for day in days
    ]
    found: dict[Subject, Days] = {}
    for number, texts in enumerate(source.texts_of_each(asked)):
        for text in texts:
            parts = text.split(SEPARATOR)
            if len(parts) != 7:
                continue
            host, name, instance, master_host, master_instance, reached, size = parts
            subject = Subject(master_host or host, name, master_instance or instance)
            if not master_host and not master_instance:
                # Perhaps it FAILED before its master was known.
                subject = owners.get((host, name, instance), subject)
            if (its := found.get(subject)) is None:
                its = found[subject] = Days([None] * count, [None] * count)
            its.runs[number] = max(its.runs[number] or 0, int(reached))
            if size:
                its.bytes[number] = max(its.bytes[number] or 0, int(size))
    return found
