"""Marks for backups at local destinations that were made before there were marks."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from b1000.config.loader import Config
from b1000.errors import BadValue, message_of
from b1000.identity import new_uid
from b1000.runs.run import Copy, Run
from b1000.state.queries import Reader
from b1000.storage import marking, placing
from b1000.storage.marking import Written


class Adopted(NamedTuple):
    """A backup that has got its mark, or ``trouble``: why it has none."""

    path: str
    trouble: str = ""


def adopt(config: Config, reader: Reader, jobs: Collection[str], now: float) -> Iterator[Adopted]:
    """Write the marks that are missing, and then the ids of roots; ``jobs``: () for all."""
    roots: set[str] = set()
    for run in reader.complete_runs():
        if jobs and run.job not in jobs:
            continue
        for copy in run.copies:
            mark = _wanted(config, reader, run, copy)
            if mark:
                yield _put(mark)
                roots.add(mark.root)
    for root in sorted(roots):
        try:
            placing.identify(root, new_uid(), now)
            placing.sync(root)
        except OSError as error:
            yield Adopted(root, message_of(error))


def _wanted(config: Config, reader: Reader, run: Run, copy: Copy) -> Written | None:
    """The mark of a copy that is there and has none; None for all others."""
    destination = config.destinations.get(copy.destination)
    if not copy.complete or copy.type != "active" or copy.path.startswith("rsync://"):
        return None
    if destination and not destination.mark:
        return None
    if reader.left_by_marks(run, copy.path):
        return None
    try:
        mark = marking.of_run(run, copy, leftovers=reader.leaves_leftovers(copy.path))
    except BadValue:
        return None
    has_one = Path(mark.root, mark.file).is_file()
    return mark if not has_one and placing.is_there(mark) else None


def _put(mark: Written) -> Adopted:
    path = f"{mark.root}/{mark.place}"
    try:
        placing.put(mark, mark.root, durable=True)
    except OSError as error:
        return Adopted(path, message_of(error))
    return Adopted(path)
