"""What a copy holds while it writes: the permit of its destination, the lock of its directory."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from b1000.locks import take_directory
from b1000.work.assignment import Assignment
from b1000.work.copying import Target
from b1000.work.waiting import sleep

_POLL = 0.2  # seconds between looks at a lock that another process holds
_LONGEST_NAME = 200  # bytes; a file's has at most 255


@contextlib.asynccontextmanager
async def held(assignment: Assignment, target: Target) -> AsyncIterator[tuple[int, ...]]:
    """The descriptors, as soon as all are free.

    Raises OSError where a lock cannot be taken.
    """
    descriptors: list[int] = []

    async def hold(take: Callable[[], int | None], why: str) -> None:
        descriptors.append(await _wait_for(assignment, target, take, why))

    locks, destination = assignment.locks, target.destination
    try:
        if most := destination.max_copies:
            permit = f"copies@{destination.name}"
            why = f"{destination.name} has its limit of {most} copies (max_copies)"
            await hold(lambda: locks.acquire_slot(permit, most), why)
        if target.shared:
            path = target.directory
            why = f"another copy writes into {path}"
            await hold(lambda: locks.take(f"directory@{_as_one_name(path)}"), why)
            if not destination.remote:
                # Where the directory cannot be used, rsync says why.
                with contextlib.suppress(OSError):
                    await hold(lambda: take_directory(Path(path)), why)
        yield tuple(descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _as_one_name(path: str) -> str:
    """A name for a file that no other path has."""
    name = path.replace("%", "%25").replace("/", "%2F")
    if len(name.encode()) <= _LONGEST_NAME:
        return name

    import hashlib  # with all of OpenSSL, which few need

    return hashlib.sha256(path.encode()).hexdigest()


async def _wait_for(
    assignment: Assignment, target: Target, take: Callable[[], int | None], why: str
) -> int:
    reported = False
    while (descriptor := take()) is None:
        if not reported:
            assignment.log.info("%s waits: %s", target.destination.name, why)
            target.progress.waits(why)
            reported = True
        await sleep(_POLL)
    return descriptor
