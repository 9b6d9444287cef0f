"""Restores that are under way, were interrupted or failed, as rows of the status."""

import os
from collections.abc import Callable, Iterable, Sequence

from b1000.config.selectors import Selector
from b1000.progress_files import Progress
from b1000.runs.run import Copy, Run
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.runs.stored import Restore
from b1000.status.row import RESTORE, StatusRow

_IN_PLACE = "/"


def rows(
    restores: Iterable[Restore],
    asked: Sequence[Selector],
    alive: Callable[..., bool],
    progress: Callable[[int], Progress | None],
    history: bool = False,
) -> list[StatusRow]:
    """The rows of those that are to be seen; ``restores`` are the last ones, in their order.

    ``progress`` says how far one is, by its id.

    One that came to no good end is to be seen until a later one of the same backup did, or the
    directory into which it went is gone; one that did, as part of the ``history`` alone.
    """
    seen: dict[tuple[str, str, str], list[StatusRow]] = {}
    for each in restores:
        if not is_asked(each, asked):
            continue
        whose = each.job, each.instance, each.host
        if each.ended is not None and not each.error:
            well = [_row(each, alive)] if history else []
            seen[whose] = [row for row in seen.get(whose, []) if row.live or not row.error] + well
        elif each.is_open:
            row = _row(each, alive)
            current = progress(each.restore_id) if row.live else None
            row = row._replace(progress={each.destination: current} if current else {})
            seen.setdefault(whose, []).extend([row] if row.live or _is_there(each) else [])
    return [row for found in seen.values() for row in found]


def is_asked(restore: Restore, asked: Sequence[Selector]) -> bool:
    """Whether it is of a job/instance that is meant; all are without any."""
    return not asked or any(
        job == restore.job and instance in (None, restore.instance) for job, instance in asked
    )


def _is_there(restore: Restore) -> bool:
    try:
        status = os.stat(restore.target)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # whoever may not look there cannot say that it is gone
    return (status.st_dev, status.st_ino) == (restore.device, restore.inode)


def _row(restore: Restore, alive: Callable[..., bool]) -> StatusRow:
    over, failed = restore.ended is not None, bool(restore.error)
    died = not over and not alive(restore.process)
    run = Run(
        0,  # it has no number: it is no run
        "",
        restore.job,
        restore.instance,
        restore.host,
        RESTORE,
        "",
        restore.began,
        "",
        restore.process,
        Step.COPYING,
        Status.FAILED if failed else Status.OK,
        restore.error,
        (Ending.INTERRUPTED if failed else Ending.FINISHED) if over else None,
        restore.ended,
        began=restore.began,
        copies=(
            Copy(
                restore.destination,
                restore.path,
                status=_status(restore),
                error=restore.error,
                started=restore.began,
                ended=restore.ended,
            ),
        ),
    )
    notes = (_note(restore),) if over or died else ()
    return StatusRow(run.job, run.instance, RESTORE, "", run.host, run, died, notes=notes)


def _status(restore: Restore) -> CopyStatus:
    if restore.ended is None:
        return CopyStatus.COPYING
    return CopyStatus.FAILED if restore.error else CopyStatus.DONE


def _note(restore: Restore) -> str:
    where = "in place" if restore.target == _IN_PLACE else f"to {restore.target}"
    is_well = restore.ended is not None and not restore.error
    again = "" if is_well else "; the same `b1000 restore` resumes it"
    return f"restore {where} of {restore.path}{again}"
