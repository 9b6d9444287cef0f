"""Sends marks to a daemon, many in one session."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from b1000.jobs import Destination, Limits
from b1000.rsync import command, outcome, paths, transport
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.storage.marking import Written

_LONGEST = 600.0  # seconds that a session takes, whatever the configuration says
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def staged(marks: Iterable[Written]) -> Iterator[str]:
    """A directory with marks, each where it is to lie below its root. OSError."""
    with tempfile.TemporaryDirectory(prefix="b1000-marks-") as top:
        for mark in marks:
            path = Path(top, mark.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(mark.text)
            path.chmod(0o644)
        yield top


def send(
    marks: Iterable[Written], target: str, destination: Destination, limits: Limits
) -> Outcome:
    """Send marks below ``target``, an address at a daemon. OSError where rsync cannot be run."""
    environment = {
        "PATH": _PATH,
        **transport.environment(os.environ),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
    }
    with staged(marks) as top:
        try:
            done = subprocess.run(
                command.marks(top, target, destination, limits),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=_LONGEST,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return Outcome(CopyStatus.FAILED, Retry.YES, f"no answer within {_LONGEST:.0f} s")
    lines = [line for line in done.stderr.split("\n") if line]
    return outcome.judge(done.returncode, lines, paths.host_or_path(target))
