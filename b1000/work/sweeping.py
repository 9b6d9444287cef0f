"""Before and after an attempt that goes on with another: what that one left at the destination."""

from collections.abc import Sequence

from b1000.errors import B1000Error, message_beside
from b1000.rsync.source import Source
from b1000.work import inventory, leftovers
from b1000.work.assignment import Assignment
from b1000.work.attempt import spoilt
from b1000.work.copying import Copying


async def prepare(assignment: Assignment, copying: Copying) -> str:
    """Make the directory fit for an attempt; gives why that is not possible, or ""."""
    target, standing = copying.target, copying.standing
    if standing.spoilt:
        return spoilt("found before")
    remote = target.destination.remote
    try:
        if target.linking and standing.leftovers and standing.claimed and not remote:
            await _begin_anew(assignment, copying)
        elif not remote:
            return await leftovers.stranger(target.directory)
    except OSError as error:
        return f"{target.directory} cannot be made ready: {message_beside(error, target.directory)}"
    if target.linking and copying.standing.leftovers:
        name = target.destination.name
        what = "what is there stays as it is: an older backup may share it"
        assignment.log.info("%s: %s", name, what)
    return ""


async def _begin_anew(assignment: Assignment, copying: Copying) -> None:
    """What is there may share files with an older backup, and is soon made again."""
    doubt = copying.standing.doubt
    why = f", since the attempt before {doubt}" if doubt else ""
    name = copying.destination.name
    assignment.log.info("%s: begins anew in an empty directory%s", name, why)
    await leftovers.clear(copying.target.directory)
    copying.standing = copying.standing._replace(leftovers=False, doubt="")


async def sweep(assignment: Assignment, copying: Copying, source: Source) -> None:
    """Remove what killed attempts left at a local destination; at a daemon it stays."""
    log, name, path = assignment.log, copying.destination.name, copying.target.directory
    text = "%s: temporary files of an interrupted attempt (.NAME.XXXXXX) may be left in %s%s"
    if copying.destination.remote:
        if not source.transfer.delete:
            log.warning(text, name, path, "")
        return
    try:
        beside = copying.target.shared and not source.transfer.delete
        found = await leftovers.temporary(path, copying.since, beside)
        await leftovers.remove(path, await _not_at_source(assignment, copying, source, found))
    except (B1000Error, OSError) as error:
        log.warning(text, name, path, f": {error}")


async def _not_at_source(
    assignment: Assignment, copying: Copying, source: Source, found: Sequence[str]
) -> list[str]:
    if not found:
        return []
    there = await inventory.named(assignment, source, copying.destination, inventory.TEMPORARY)
    # Which name another one is converted to is rsync's alone to know.
    converted = any(each.startswith("--iconv") for each in copying.destination.rsync_options)
    return [each for each in found if each not in there and not (converted and not each.isascii())]
