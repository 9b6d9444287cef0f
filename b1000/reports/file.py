"""Reports of type file: one ini file for each run, replaced as a whole at each state."""

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from b1000.b1k import names
from b1000.b1k.report_file import render
from b1000.files import remove_unwritten, sync_directory, write_atomically
from b1000.identity import is_alive
from b1000.jobs import Report
from b1000.reports import report
from b1000.reports.directory import make_readable
from b1000.reports.outdated import Runs, outdated
from b1000.rsync.paths import START_TIME, file_stem
from b1000.runs.run import Run

_MOST_AHEAD = 86400.0  # seconds by which the name of a file may be ahead, in whatever time zone


class FileReport:
    """Writes the files of one ``[report:NAME]``.

    ``runs`` gives the runs of some files of a stem; those that are not over or can be
    retried stay.
    """

    settle, linger = 0.5, 0.0

    def __init__(
        self,
        settings: Report,
        runs: Callable[[str, Collection[str]], Runs],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = Path(settings.path)
        self._keep = settings.keep
        self._runs = runs
        self._clock = clock
        self._begun = False
        # The start times of the files of each stem; others may remove some in the meantime.
        self._there: dict[str, set[str]] = defaultdict(set)

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Write the state of each run; gives the run_ids that were written, and the first error.

        One that cannot be written holds up none of the others. Raises OSError
        where the directory as a whole cannot be used.
        """
        # Readable for the rsync daemon's user, whatever the umask.
        if not self._directory.is_dir():
            make_readable(self._directory)
        if not self._begun:
            remove_unwritten(self._directory)
            for file in os.listdir(self._directory):
                if found := names.split(file):
                    self._there[found.stem].add(found.start_time)
            self._begun = True
        written: set[int] = set()
        trouble: OSError | None = None
        for run in runs:
            try:
                self._write(run, _is_to_last(run))
                written.add(run.run_id)
                self._there[file_stem(run.job, run.instance)].add(run.start_time)
            except OSError as error:
                trouble = trouble or error
        ended = {
            file_stem(run.job, run.instance): run.start_time
            for run in runs
            if run.ending and run.run_id in written
        }
        for stem, last in ended.items():
            trouble = self._remove_old(stem, last) or trouble
        if any(map(_is_to_last, runs)):
            sync_directory(self._directory)
        return written, trouble

    def renew(self, runs: Iterable[Run]) -> None:
        """Say anew that these runs are alive; where that cannot be said, they seem dead."""
        for run in runs:
            with contextlib.suppress(OSError):
                self._write(run, durable=False)

    def _write(self, run: Run, durable: bool) -> None:
        if run.direction == "passive" and not run.copies and not run.ending:
            return  # Who is to pull stands in a report from the first one on.
        path = self._directory / report.file_name(run)
        # What a dead run has still pending is delivered by others, who must not speak for its life.
        lives = run.ending is None and is_alive(run.supervisor)
        alive = self._clock() if lives else run.changed
        write_atomically(path, render(report.of_file(run, alive)), 0o644, durable)

    def close(self) -> None:
        """Nothing stays open."""

    def _remove_old(self, stem: str, last: str) -> OSError | None:
        """Remove finished runs' files beyond those that are kept; gives what was in the way.

        That of the ``last`` one to end is not removed, also where it is an old run.
        """
        there = self._there[stem]
        if len(there) <= self._keep:
            return None
        trouble: OSError | None = None
        known = self._runs(stem, there)
        latest = datetime.fromtimestamp(self._clock() + _MOST_AHEAD).strftime(START_TIME)
        for start_time in set(outdated(there, known, self._keep, latest)) - {last}:
            there.discard(start_time)
            try:
                (self._directory / f"{stem}-{start_time}{names.SUFFIX}").unlink(missing_ok=True)
            except IsADirectoryError:
                pass  # Somebody else's: a report is a file.
            except OSError as error:
                trouble = error
        return trouble


def _is_to_last(run: Run) -> bool:
    """Whether what is written of a run has to survive a power cut.

    A run that is cut off in the middle is told anew when the next ``b1000`` finds
    it dead; but who pulls reads at once what a client left.
    """
    return run.ending is not None or run.direction == "passive"
