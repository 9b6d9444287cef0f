"""What the copies of runs came to."""

from collections.abc import Sequence

from b1000.monitor.history import PastRun
from b1000.monitor.statements import RUNS_AT_ONCE, VANISHED, Expressions, among, batches
from b1000.monitor.tracks import short
from b1000.named import NamedTuple
from b1000.reports.source import LIST_SEPARATOR, SEPARATOR, DatabaseSource, Query
from b1000.runs.states import CopyStatus


class CopyCounts(NamedTuple):
    """What the copies of one run came to, in the order of PastRun."""

    done: int
    vanished: int
    total: int
    copying_since: float | None
    missing: tuple[str, ...]
    places: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


NO_COPIES = CopyCounts(0, 0, 0, None, ())


def copies_of(
    source: DatabaseSource, expressions: Expressions, job_ids: Sequence[int]
) -> dict[int, CopyCounts]:
    """By job_id; those of which all are DONE, which most are, are only counted."""
    found = dict.fromkeys(job_ids, NO_COPIES)
    different = []
    counted = (
        f"c.job_id, COUNT(*) AS total, SUM(c.status = '{CopyStatus.DONE}') AS done, "
        f"{source.dialect.listed('c.destination')} AS places"
    )
    fields = source.dialect.joined(["t.job_id", "t.total", "t.done", "t.places"])
    alike: dict[str, CopyCounts] = {}
    asked = [
        Query(fields, f"(SELECT {counted} FROM copies c WHERE {among(some)} GROUP BY c.job_id) t")
        for some in batches(sorted(job_ids), RUNS_AT_ONCE)
    ]
    for texts in source.texts_of_each(asked):
        for text in texts:
            number, _, told = text.partition(SEPARATOR)
            job_id = int(number)
            if job_id in found:
                known = alike.get(told)
                if known is None:
                    known = alike[told] = _counted(told)
                found[job_id] = known
                if known.done != known.total:
                    different.append(job_id)
    for some in batches(different, RUNS_AT_ONCE):
        found |= _different_copies(source, expressions, some)
    return found


def _counted(told: str) -> CopyCounts:
    """Of so many copies, so many DONE, at these destinations."""
    total, done, names = told.split(SEPARATOR, 2)
    places = tuple(sorted(names.split(LIST_SEPARATOR)))
    return CopyCounts(int(done), 0, int(total), None, (), places)


_FIRST = PastRun._fields.index(CopyCounts._fields[0])
_BEHIND = _FIRST + len(CopyCounts._fields)


def with_copies(run: PastRun, known: CopyCounts) -> PastRun:
    """The run with what its copies came to; asked of many, so that no field is named."""
    return PastRun._make(run[:_FIRST] + known + run[_BEHIND:])


def _different_copies(
    source: DatabaseSource, expressions: Expressions, job_ids: Sequence[int]
) -> dict[int, CopyCounts]:
    fields = source.dialect.joined(
        [
            "c.job_id",
            "c.destination",
            "c.status",
            expressions.column("copies", "exit_code"),
            expressions.started("copies"),
            expressions.error("copies", CopyStatus.DONE),
        ]
    )
    found: dict[int, list[list[str]]] = {job_id: [] for job_id in job_ids}
    for (text,) in source.rows(f"SELECT {fields} FROM copies c WHERE {among(job_ids)}"):
        job_id, *copy = text.split(SEPARATOR, 5)
        if int(job_id) in found:
            found[int(job_id)].append(copy)
    return {job_id: summary(copies) for job_id, copies in found.items()}


def together(some: Sequence[CopyCounts]) -> CopyCounts:
    """The copies of the rows of one run together."""
    if len(some) == 1:
        return some[0]
    since = [each.copying_since for each in some if each.copying_since is not None]
    return CopyCounts(
        sum(each.done for each in some),
        sum(each.vanished for each in some),
        sum(each.total for each in some),
        min(since, default=None),
        tuple(text for each in some for text in each.missing),
        tuple(name for each in some for name in each.places),
        tuple(name for each in some for name in each.lacking),
    )


def summary(copies: Sequence[Sequence[str]]) -> CopyCounts:
    """Fields of copies: destination, status, exit_code, start, error."""
    done = vanished = 0
    since: list[float] = []
    missing = []
    places, lacking = [], []
    for destination, status, exit_code, started, error in copies:
        if status == CopyStatus.DONE:
            done += 1
            places.append(destination)
        elif status == CopyStatus.WARNING and exit_code == str(VANISHED):
            vanished += 1
            places.append(destination)
        else:
            lacking.append(destination)
            missing.append(f"{destination} ({short(error) or status})")
            if status == CopyStatus.COPYING and started:
                since.append(float(started))
    return CopyCounts(
        done,
        vanished,
        len(copies),
        min(since, default=None),
        tuple(missing),
        tuple(places),
        tuple(lacking),
    )
