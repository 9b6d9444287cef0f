"""Sends marks to a daemon, many in one session."""

from collections.abc import Iterable

from b1000.b1k import form
from b1000.errors import StorageAway
from b1000.jobs import Destination, Limits
from b1000.logs import printable
from b1000.marks.marking import Written
from b1000.marks.staging import staged
from b1000.rsync import command, outcome, paths
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.storage import session
from b1000.storage.session import Session

_LONGEST = 600.0  # seconds that a session takes, whatever the configuration says


def send(
    marks: Iterable[Written], target: str, destination: Destination, limits: Limits
) -> Outcome:
    """Send marks below ``target``, an address at a daemon. OSError where they cannot be staged."""
    host = paths.host_or_path(target)
    with staged(marks) as top:
        argv = command.marks(top, target, destination, limits)
        whole = Session(argv, host, _LONGEST, form.LARGEST, limits.connect_timeout)
        try:
            ended = session.run(whole, lambda _: None)
        except StorageAway as error:
            return Outcome(CopyStatus.FAILED, Retry.YES, str(error))
    return outcome.judge(ended.code, [printable(line) for line in ended.errors], host)
