"""What is asked for and nobody knows, with what was probably meant. Pure."""

from collections.abc import Collection, Sequence

from b1000.config.selectors import Selector
from b1000.errors import B1000Error, UsageError, in_order, near
from b1000.figures import moment
from b1000.named import NamedTuple
from b1000.restore.choice import NothingFits
from b1000.runs.run import label
from b1000.storage.question import StoredRow


class Seen(NamedTuple):
    """What lies at the storages that answer: all backups of the job, and those of the instance.

    ``host`` and ``until`` are as they were asked for.
    """

    of_job: Sequence[StoredRow]
    of_instance: Sequence[StoredRow]
    host: str = ""
    until: float | None = None


def explained(
    wanted: Selector, seen: Seen, listed: Collection[str], failure: NothingFits
) -> B1000Error:
    """The error that says why nothing fits; ``listed`` are instances of the configuration."""
    job, instance = wanted
    if instance is not None and not seen.of_instance and instance not in listed:
        known = {row.key.instance for row in seen.of_job if row.key.instance} | {*listed}
        if known:
            what = f"job {job!r} has no instance {instance!r}{near(instance, known)}"
            return UsageError(what, f"known instances: {in_order(known)}")
        if seen.of_job:
            return UsageError(f"job {job!r} has no instances", f"ask for {job!r} alone")
    subject = label(job, instance or "")
    hosts = {row.host for row in seen.of_instance}
    masters = {row.backup.master_host for row in seen.of_instance if row.backup.master_host}
    if seen.host and hosts and seen.host not in hosts | masters:
        what = f"no backup of {subject} is of {seen.host!r}{near(seen.host, hosts | masters)}"
        return UsageError(what, f"there are some of {in_order(hosts | masters)}")
    starts = [row.backup.started for row in seen.of_instance if row.backup.started is not None]
    if seen.until is not None and starts and min(starts) > seen.until:
        return NothingFits(
            f"no backup of {subject} had begun at {moment(seen.until)}",
            f"the oldest is of {moment(min(starts))}",
        )
    return failure
