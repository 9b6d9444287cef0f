"""Reports of type file: one ini file for each run, replaced as a whole at each state."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from b1000.files import write_atomically
from b1000.model import Report, Run
from b1000.reports import report
from b1000.state.journal import file_stem

_TIME = r"\d{4}(?:-\d\d){5}"


class FileReport:
    """Writes the files of one ``[report:NAME]``.

    ``unfinished`` gives the start times of the runs of a file stem that are not
    over or can be retried: their files stay.
    """

    def __init__(self, settings: Report, unfinished: Callable[[str], set[str]]) -> None:
        self._directory = Path(settings.path)
        self._keep = settings.keep
        self._unfinished = unfinished

    def deliver(self, runs: Sequence[Run]) -> None:
        """Write the state of each run; raises OSError where that cannot be done."""
        # Readable for the rsync daemon's user, whatever the umask.
        if not self._directory.is_dir():
            self._directory.mkdir(parents=True)
            self._directory.chmod(0o755)
        for run in runs:
            write_atomically(self._directory / report.file_name(run), report.ini(run), 0o644)
        for stem in sorted({file_stem(run.job, run.instance) for run in runs if run.ending}):
            self._remove_old(stem)

    def _remove_old(self, stem: str) -> None:
        name = re.compile(rf"{re.escape(stem)}-({_TIME})\.b1k")
        times = sorted(
            (found[1] for file in os.listdir(self._directory) if (found := name.fullmatch(file))),
            reverse=True,
        )
        if len(times) <= self._keep:
            return
        unfinished = self._unfinished(stem)
        finished = [start_time for start_time in times if start_time not in unfinished]
        for start_time in finished[self._keep :]:
            (self._directory / f"{stem}-{start_time}.b1k").unlink(missing_ok=True)
