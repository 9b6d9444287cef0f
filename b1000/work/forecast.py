"""What one copy would send: rsync is asked with ``--dry-run``, and changes nothing."""

from collections.abc import Sequence

from b1000.errors import counted
from b1000.jobs import Destination
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import command, names, outcome, paths, totals
from b1000.rsync.source import Source
from b1000.runs.states import CopyStatus
from b1000.work.assignment import Assignment
from b1000.work.inventory import Names
from b1000.work.linking import Linking
from b1000.work.output import Tail
from b1000.work.run_rsync import Limit, Rsync, run_rsync
from b1000.work.sinks import Lines
from b1000.work.twice import Kept


class Forecast(NamedTuple):
    """What a copy would send, in words; or why it would fail."""

    text: str = ""
    trouble: str = ""


async def forecast(
    assignment: Assignment,
    source: Source,
    destination: Destination,
    trials: Sequence[list[str]],
    linking: Linking,
) -> Forecast:
    """What rsync says that it would do; a storage may take the second of the trials alone."""
    out, twice = Tail(), Names()
    kept = Kept(source.paths if source.transfer.relative and not source.pull else ())

    def take(line: str) -> None:
        name = names.duplicate(line)
        if name is not None and not kept.is_one(name, None):
            twice.add(printable(name))
        out.take(line)

    rsync = Rsync(
        destination.name,
        command.rehearsed(trials[0]),
        Lines(take),
        Tail(),
        paths.host_or_path(destination.path),
        paths.host_or_path(source.pull.source) if source.pull else None,
        Limit(assignment.limits.copy_timeout),
        io_timeout=assignment.limits.io_timeout,
        heard=linking.heard,
    )
    verdict, unlinked = await run_rsync(assignment, rsync), ""
    if outcome.is_refused_base(verdict):
        unlinked = " (the storage does not let it be seen what would be linked)"
        rsync = rsync._replace(argv=command.rehearsed(trials[1]))
        verdict = await run_rsync(assignment, rsync)
    if verdict.status is CopyStatus.FAILED:
        return Forecast(trouble=verdict.reason)
    if twice.count:
        return Forecast(trouble=f"several sources bring {twice}")
    would = totals.forecast(out.lines)
    if would is None:
        return Forecast("rsync gave no totals")
    return Forecast(_sums(would, totals.totals(out.lines)) + unlinked)


def _sums(would: totals.Forecast, whole: totals.Totals) -> str:
    deleted = f", delete {would.deleted}" if would.deleted else ""
    sent = f"{counted(would.files, 'file')}, {counted(would.bytes, 'byte')}"
    tree = f"{counted(whole.files or 0, 'file')}, {counted(whole.bytes or 0, 'byte')}"
    return f"would send {sent}{deleted}; the whole tree has {tree}"
