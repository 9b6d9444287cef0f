"""What a supervisor writes and reads: the journal, and the status files beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from b1000.config.loader import Config
from b1000.errors import JournalFailed, JournalUnusable, message_of
from b1000.identity import is_alive
from b1000.logs import for_all
from b1000.runs.run import Run
from b1000.state.damage import suspicion
from b1000.state.queries import Reader
from b1000.state.status_files import StatusFiles
from b1000.supervise.recorder import Entry, Recorder


class Records:
    """The open journal, to write and to read; what cannot be read of it is mended."""

    recorder: Recorder
    reader: Reader

    def __init__(
        self, config: Config, clock: Callable[[], float], stopped: Callable[[], bool]
    ) -> None:
        """Raises JournalUnusable."""
        self._config = config
        self._clock = clock
        self._stopped = stopped
        self._opened_anew = False
        self._tidied = False
        self._log = for_all()
        self._open(())

    def _open(self, unwritten: Sequence[Entry]) -> None:
        path = Path(self._config.settings.journal)
        for last in (False, True):
            self.recorder = Recorder(path, self._clock, self._stopped, unwritten)
            self.reader = Reader(path, suspecting=True)
            try:
                self.reader.look_through()
                self.mend()
                break
            except JournalFailed as error:
                if last or not suspicion(path).exists():
                    self.recorder.mark_failed(error)
                    break
                # What was met is noted: who opens it now looks at all of it, and sets it aside.
                self.reader.close()
                self.recorder.let_go()
        settings = self._config.settings
        self._status_files = StatusFiles(
            Path(settings.status_dir),
            settings.host,
            self._config.path,
            self.reader,
            is_alive,
        )
        self.refresh_status_files()

    def open_anew(self) -> bool:
        """Damage that was met beyond the first look is mended, or set aside; gives whether it was.

        That is tried once, and only while nothing is at work; else the journal is waited for
        like any other that fails.
        """
        before, reader = self.recorder, self.reader
        if self._opened_anew or not before.failing or not suspicion(reader.path).exists():
            return False
        self._opened_anew = True
        try:
            self._open(before.unwritten)
        except JournalUnusable as error:
            self._log.error("%s", error)
            self.recorder, self.reader = before, reader
            return False
        reader.close()
        before.let_go()
        return True

    def mend(self) -> None:
        """Rows that could not be read stand in nobody's way any more."""
        if self.reader.damaged:
            self.recorder.mend()
            self.reader.damaged.clear()

    def live(self) -> set[int]:
        """The runs that are under way, whichever program's they are."""
        return {run.run_id for run in self.reader.unfinished() if is_alive(run.supervisor)}

    def tidy(self) -> None:
        """No run is at work any more: bring all up to date, and forget old history.

        Where something is still to be written, :meth:`close` does that.
        """
        if not self.recorder.unwritten:
            self._tidy()

    def _tidy(self) -> None:
        self._tidied = True
        self.refresh_status_files()
        self.mend()
        self.recorder.forget_old(self._config.settings.journal_keep)

    def close(self) -> None:
        """Tidy up what :meth:`tidy` could not, and close the journal."""
        if not self._tidied:
            self._tidy()
        self.reader.close()
        self.recorder.close()

    # --- status files

    def refresh_status_files(self) -> None:
        """Make all status files anew."""
        self._try(self._status_files.refresh)

    def refresh_status_file(self, run: Run, failed: bool) -> None:
        """Make that of a job/instance anew; ``failed``: its last run may be retried."""
        self._try(lambda: self._status_files.refresh_subject(run.job, run.instance, failed))

    def _try(self, refresh: Callable[[], None]) -> None:
        """Status files are a projection: that they cannot be written fails no backup."""
        try:
            refresh()
        except (OSError, JournalFailed) as error:
            self._log.warning(
                "the status files in %s cannot be written: %s; backups go on",
                self._config.settings.status_dir,
                message_of(error),
            )
