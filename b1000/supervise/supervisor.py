"""The parent: one loop that waits, hears, makes durable, decides and acts.

It never copies, never runs a script and never waits for a report. Workers tell it what they
are about to do; it makes that durable, all that arrived together in one commit, and lets them
go on.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import assert_never

from b1000.config.loader import Config
from b1000.config.selectors import Selection, Selector
from b1000.errors import JournalUnusable, message_of, signal_name
from b1000.locks import Locks
from b1000.logs import for_all, that_nothing_was_done
from b1000.logstyle import DEBUG
from b1000.progress_files import directory_of, remove_stale
from b1000.runs.protocol import Acknowledged, Refused, Stop
from b1000.runs.run import Run
from b1000.runs.states import CopyStatus
from b1000.runs.task import TaskKind
from b1000.supervise.children import Child, Watch, allow_many_files
from b1000.supervise.decisions import (
    Action,
    Fail,
    Refuse,
    Release,
    Start,
    Stopped,
    TasksAdded,
    Ticked,
)
from b1000.supervise.display import INTERVAL, Display
from b1000.supervise.ends import Ends
from b1000.supervise.heard import Heard
from b1000.supervise.launch import Launch
from b1000.supervise.naming import Reservations
from b1000.supervise.past import EarlierRuns
from b1000.supervise.plan import Plan
from b1000.supervise.planning import Planning
from b1000.supervise.pool import Pool, labels
from b1000.supervise.program import Program
from b1000.supervise.recorder import RETRY
from b1000.supervise.records import Records
from b1000.supervise.reporting import Reporting, number_of, told_of
from b1000.supervise.signals import Signals
from b1000.supervise.starts import Starts
from b1000.work.forked import Closable

_STOP_TIME = 12.0  # seconds that workers have to end their trees once the program is stopped
_KILLS = 2  # how often what lingers then is killed, a second apart
_STOP_REPORTS = 1.0  # seconds that reporters have then


class Supervisor:
    """Runs what was selected; :meth:`run` gives the exit code of the program.

    ``everything``: no job was named, so that sections which may have been meant as jobs count.
    ``ahead`` are workers that wait for a task already.
    """

    def __init__(
        self,
        config: Config,
        selection: Selection,
        *,
        display: Display | None = None,
        everything: bool = False,
        ahead: Sequence[Child] = (),
    ) -> None:
        self._config = config
        self._settings = config.settings
        self._log = for_all()
        self._selection = selection
        self._wrong_sections = config.stray if everything else ()
        self._display, self._ahead = display, ahead
        self._watch = Watch()
        self._program = Program(
            config,
            Locks.beside(config.settings.journal),
            Plan(config.jobs, selection),
            Reporting(self._watch),
        )
        self._starts = Starts(self._program)
        self._ends = Ends(self._program, Heard(self._program), self._starts)
        self._planning = Planning(self._program)
        self._signals = Signals()
        self._opened = False
        self._kill_at = 0.0
        self._kills = 0

    def run(self) -> int:
        """Carry out everything that was selected; gives the exit code, which is logged last.

        Raises JournalUnusable before anything was run, UsageError where an
        instance was asked for that its job does not list.
        """
        return self._within_session(self._run_selected, "there was nothing to run")

    def recover(self, selectors: Sequence[Selector], kind: TaskKind) -> int:
        """Go on with runs of the past, or forget them; gives the exit code.

        Raises JournalUnusable and, for names that nobody knows, UsageError.
        """
        nothing = "" if kind.forgets else "there is nothing to retry"
        return self._within_session(lambda: self._recover_selected(selectors, kind), nothing)

    # --- what is asked for

    def _run_selected(self) -> None:
        program = self._program
        program.make_backup_dir()
        self._planning.list_named()
        self._work()
        program.plan.check_named()
        if not program.signal:
            self._planning.begin()
            jobs = [self._config.jobs[each] for each in self._selection]
            self._keep_reporting(name for each in jobs for name in told_of(each))
            self._work()

    def _recover_selected(self, selectors: Sequence[Selector], kind: TaskKind) -> None:
        past = EarlierRuns(self._program, selectors, kind)
        self._program.decide(TasksAdded(past.tasks()))
        past.log_all()
        self._keep_reporting(past.reports)
        self._work()

    # --- the session

    def _within_session(self, carry_out: Callable[[], None], nothing: str) -> int:
        program, began = self._program, time.monotonic()
        try:
            with self._session():
                carry_out()
                self._finish_reporting()
            self._log_end(time.monotonic() - began, nothing)
        except BrokenPipeError:
            raise
        except OSError as error:
            if not self._opened:
                raise
            # Of the system, which has no more descriptors, processes or memory for us.
            program.tally.failed += 1
            self._log.error("stopped: %s; what was under way was ended", message_of(error))
            self._log.log(DEBUG, "stopped", trace=True)
        except JournalUnusable:
            # Whoever was stopped while another program had the journal locked found nothing wrong.
            if not program.signal:
                raise
        return program.tally.exit_code(program.signal, self._wrong_sections)

    def _log_end(self, seconds: float, nothing: str) -> None:
        """The last line of the log; ``nothing`` is for where nothing was to be done."""
        if text := self._program.tally.closing(seconds, self._wrong_sections):
            for_all(shown=True).info("%s", text)
        elif nothing and not self._program.signal:
            that_nothing_was_done(nothing)

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """The journal is open, signals are caught, and at the end no child is left."""
        program, journal = self._program, Path(self._settings.journal)
        if few := allow_many_files(self._settings.workers, number_of(self._config)):
            self._log.warning("%s", few)
        self._names = Reservations(self._settings.host)
        gc.freeze()  # Pages that children share are not touched by their collections.
        program.pool = Pool(
            self._config.jobs, program.locks, self._settings.workers, self._watch, self._not_shared
        )
        program.pool.adopt(*self._ahead)
        with self._signals, self._no_child_left(), self._displayed():
            self._watch.add(self._signals)
            inherited = program.pool.not_for_children
            program.reporting.start(self._config, journal, program.locks, inherited)
            program.records = Records(self._config, program.clock, self._is_stopped)
            self._opened = True
            self._make_launch()
            remove_stale(directory_of(journal), program.records.live())
            yield
        self._names.close()
        program.records.close()
        program.tally.unwritten = program.records.recorder.lost

    def _make_launch(self) -> None:
        program = self._program
        program.launch = Launch(
            self._settings.host,
            program.me,
            program.records.reader,
            program.locks,
            program.clock,
            names=self._names,
            config_path=self._config.path,
        )

    def _not_shared(self) -> list[Closable]:
        """What no child may keep."""
        program = self._program
        reporters = (reporter.child.wire for reporter in program.reporting.children)
        return [*reporters, self._signals.reader, self._signals.writer, self._watch]

    @contextlib.contextmanager
    def _displayed(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._display:
                self._display.clear()

    @contextlib.contextmanager
    def _no_child_left(self) -> Iterator[None]:
        """Whatever happens here, no child goes on without its supervisor."""
        try:
            yield
        finally:
            self._program.reporting.end()
            self._program.pool.kill()

    # --- the loop

    def _work(self) -> None:
        """Go on until nothing is under way and nothing waits."""
        program = self._program
        while True:
            if not program.pool and program.records.open_anew():
                self._make_launch()
            self._planning.go_on()
            program.decide(Ticked())
            self._act()
            if self._is_done():
                break
            self._turn()
        program.write()

    def _is_done(self) -> bool:
        program = self._program
        if not program.schedule.idle or program.cleanups or self._planning.waits:
            return False
        return not (program.records.recorder.unwritten and self._journal_is_waited_for())

    def _journal_is_waited_for(self) -> bool:
        """Whether a journal that fails may still be waited for."""
        if self._program.signal and time.monotonic() >= self._kill_at:
            return False
        recorder = self._program.records.recorder
        return recorder.failing and recorder.within_grace

    def _turn(self) -> None:
        """Wait for something, make it durable, and act on it."""
        program = self._program
        program.reporting.wake()
        ready = self._watch.wait(self._timeout())
        self._take_signals()
        if program.signal:
            program.records.recorder.shorten_timeout()
        said = [(worker, each) for worker, batches in program.pool.hear(ready) for each in batches]
        self._ends.hear(said, program.reporting.settle(ready))
        # After what they said last, which may have come together with their end.
        for worker in program.pool.ended():
            self._ends.end(worker, idle=False)
        self._step_cleanups()
        self._kill_what_lingers()
        self._act()
        if self._display:
            self._display.show(self._copying())

    def _timeout(self) -> float | None:
        """Seconds until something is to be done though nothing has happened."""
        program, now = self._program, time.monotonic()
        limits = [RETRY] if program.records.recorder.failing else []
        if program.signal:
            limits.append(self._kill_at - now)
        limits += [cleanup.due - now for cleanup in program.cleanups] + program.reporting.left(now)
        if until := program.schedule.next_time(program.clock()):
            # Not all of it at once: the clock may be set back meanwhile.
            limits.append(min(1.0, until - program.clock()))
        if self._display and self._copying():
            limits.append(INTERVAL)
        return max(0.0, min(limits)) if limits else None

    def _copying(self) -> list[Run]:
        """The runs that are at work on copies."""
        return [
            worker.run
            for worker in self._program.pool
            if worker.run and any(copy.status is CopyStatus.COPYING for copy in worker.run.copies)
        ]

    # --- acting

    def _act(self) -> None:
        """Do what was decided; that may lead to more."""
        program = self._program
        while program.actions:
            actions, program.actions = program.actions, []
            for action in actions:
                self._do(action)
            self._starts.start([action for action in actions if isinstance(action, Start)])
        recorder = program.records.recorder
        if recorder.failing and not recorder.within_grace and not program.pool:
            # What is still copied may have a post that frees the disk.
            self._planning.give_up()

    def _do(self, action: Action) -> None:
        match action:
            case Start():
                pass  # all together, in one commit
            case Fail():
                self._starts.fail(action)
            case Release():
                if worker := self._program.pool.get(action.number):
                    worker.child.send(Acknowledged(worker.parked))
            case Refuse():
                if worker := self._program.pool.get(action.number):
                    worker.child.send(Refused(action.why))
            case _:
                assert_never(action)

    def _step_cleanups(self) -> None:
        """What has to be ended is ended a step at a time."""
        now = time.monotonic()
        for cleanup in tuple(self._program.cleanups):
            if cleanup.due <= now and cleanup.step():
                self._program.cleanups.remove(cleanup)
                cleanup.then()

    # --- reports

    def _keep_reporting(self, used: Iterable[str]) -> None:
        """Keep the reporters that are used, or that something waits for; others may go."""
        pending = self._program.records.reader.pending_by_report()
        self._program.reporting.keep({*used, *pending})

    def _finish_reporting(self) -> None:
        """Wait a little for what is pending; runs have given back lock and slot before."""
        program = self._program
        program.reporting.order_last()  # they look while idle workers end and all is tidied up
        program.pool.rest()
        program.records.tidy()
        marks_wait = _STOP_REPORTS if program.signal else self._settings.mark_wait
        reports_wait = _STOP_REPORTS if program.signal else self._settings.report_wait_end
        program.reporting.finish(
            (reports_wait, marks_wait),
            lambda delivered: program.write([], delivered),
            self._signals,
        )
        self._take_signals()

    # --- signals

    def _take_signals(self) -> None:
        for number in self._signals.take():
            self._stop(number)

    def _is_stopped(self) -> bool:
        """Whether a signal has come meanwhile."""
        self._take_signals()
        return self._program.signal is not None

    def _stop(self, number: int) -> None:
        """The first signal ends everything in order, a second one at once."""
        program = self._program
        if program.signal is not None:
            self._kill_at = time.monotonic()
            return
        program.signal = number
        self._kill_at = time.monotonic() + _STOP_TIME
        ending = labels(program.pool)
        self._log.error(
            "stopped by %s; %s",
            signal_name(number),
            f"ending {ending}; a second signal ends at once" if ending else "nothing to end",
        )
        program.decide(Stopped())
        for each in [each for each in program.cleanups if not each.of_death]:
            program.cleanups.remove(each)
            each.then()
        program.pool.order(Stop(signal_name(number)))

    def _kill_what_lingers(self) -> None:
        program = self._program
        if not program.signal or time.monotonic() < self._kill_at:
            return
        for cleanup in program.cleanups:
            cleanup.at_once()
            cleanup.then()
        program.cleanups.clear()
        if program.pool:
            program.pool.kill()
            self._kill_at = time.monotonic() + 1
            self._kills += 1
            if self._kills > _KILLS:
                for worker in program.pool.abandon():
                    self._ends.abandon(worker)
