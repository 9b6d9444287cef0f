"""The parent: places, forks, one wait loop, signals; every write to the journal.

It never copies, never runs a script and never waits for a report. Workers tell
it what they are about to do; it makes that durable, all messages that arrived
together in one commit, and lets them go on.
"""

import contextlib
import gc
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, assert_never

from b1000.config.grammar import Selector
from b1000.config.loader import Config
from b1000.errors import JournalFailed, JournalUnusable, signal_name, words
from b1000.identity import identify, is_alive, myself
from b1000.jobs import BrokenJob, Command, Job, Template
from b1000.locks import Locks, run_lock
from b1000.logs import LOGGER, for_run, that_nothing_was_done
from b1000.progress import directory_of, remove_stale
from b1000.rsync import paths
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Listed,
    Message,
    Note,
    PlaceWanted,
    ProcessBegan,
    ProcessEnded,
    ProcessEvent,
    Relayed,
    Resolved,
    Resumed,
    RunMoved,
    Swept,
    Waiting,
)
from b1000.runs.lifecycle import changed
from b1000.runs.protocol import Acknowledged, Batch, Delivered, Refused, Stop
from b1000.runs.run import Leftovers, Run, label
from b1000.runs.states import BEGUN, CopyStatus, Ending, Status, Step
from b1000.state.damage import suspicion
from b1000.state.queries import Reader
from b1000.state.status_files import StatusFiles
from b1000.supervise import narrative, recovery
from b1000.supervise.beginnings import Beginning, Beginnings, Follow
from b1000.supervise.children import (
    AFTERWARDS,
    Child,
    Errand,
    Kind,
    Worker,
    allow_many_files,
    drain,
)
from b1000.supervise.crew import Crew, labels
from b1000.supervise.display import INTERVAL, Display
from b1000.supervise.gate import Gate
from b1000.supervise.orphans import kill_at_once
from b1000.supervise.plan import Action, Plan, Planned
from b1000.supervise.recorder import RETRY, Entry, Recorder
from b1000.supervise.reporting import Reporting
from b1000.supervise.selection import Selection
from b1000.supervise.signals import Signals
from b1000.work import worker as work
from b1000.work.assignment import Subject
from b1000.work.worker import Task

_STOP_TIME = 12.0  # seconds that workers have to end their trees once the program is stopped
_KILLS = 2  # how often what lingers then is killed, a second apart
_CLEARINGS = 3  # trials to end what dead runs left, until it is killed without grace
_STOP_REPORTS = 1.0  # seconds that reporters have then

_SUCCESS, _FAILED, _LEFT_OUT = 0, 1, 3


class Supervisor:
    """Runs what was selected; :meth:`run` gives the exit code of the program.

    ``everything``: no job was named, so that one that is not known to be one is missing.
    """

    def __init__(
        self,
        config: Config,
        selection: Selection,
        clock: Callable[[], float] = time.time,
        display: Display | None = None,
        everything: bool = False,
    ) -> None:
        self._config = config
        self._settings = config.settings
        self._clock = clock
        self._log = logging.getLogger(LOGGER)
        self._me = myself()
        self._locks = Locks(Path(self._settings.journal).parent / "locks")
        self._selection = selection
        self._missing = everything and config.stray
        self._plan = Plan(config.jobs, selection)
        # What waits for a place, in the order in which places are given.
        self._returning: deque[Worker] = deque()
        self._failures: deque[Run] = deque()
        self._to_list: deque[Job] = deque()
        self._planned: deque[Planned] = deque()
        self._refused: deque[Planned] = deque()
        self._name_free_at: float | None = None  # when the first of them has a name
        self._planning = False  # not before all that was named is known to exist
        # What is under way.
        self._signals = Signals()
        self._reporting = Reporting()
        self._crew = Crew(self._signals, self._reporting.children)
        self._display = display
        self._signal: int | None = None
        self._kill_at = 0.0
        self._kills = 0
        self._opened = self._opened_anew = False
        # What comes out.
        self._failed = 0
        self._left_out = 0
        self._ended_as: Counter[Status] = Counter()

    def run(self) -> int:
        """Carry out everything that was selected; gives the exit code, which is logged last.

        Raises JournalUnusable before anything was run, UsageError where an
        instance was asked for that its job does not list.
        """
        return self._within_session(self._run_selected, "there was nothing to run")

    def recover(self, selectors: Sequence[Selector], action: Action) -> int:
        """Go on with runs of the past, or forget them; gives the exit code.

        Raises JournalUnusable and, for names that nobody knows, UsageError.
        """
        nothing = "" if action.forgets else "there is nothing to retry"
        return self._within_session(lambda: self._recover_selected(selectors, action), nothing)

    def _make_backup_dir(self) -> None:
        """Scripts prepare data there; where that fails they have words of their own for it."""
        directory = self._settings.backup_dir
        if not directory:
            return
        try:
            Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._log.warning("backup_dir cannot be made: %s", words(error))

    def _run_selected(self) -> None:
        self._make_backup_dir()
        self._to_list.extend(self._plan.to_list_first())
        self._work()
        self._plan.check_named()
        if not self._signal:
            self._planning = True
            self._plan.know_unselected(self._reader.listed_instances())
            self._to_list.extend(self._plan.to_list())
            self._keep_reporting(
                name for each in self._selection for name in self._config.jobs[each].reports
            )
            self._work()

    def _recover_selected(self, selectors: Sequence[Selector], action: Action) -> None:
        runs, lasts = self._reader.unclosed(), self._reader.last_runs()
        seen = {(run.job, run.instance) for run in (*lasts, *runs)}
        listed = self._reader.listed_instances()
        recovery.check_words(selectors, self._config.jobs, seen, listed)
        runs = [run for run in runs if recovery.is_selected(run, selectors)]
        settled = [run for run in lasts if recovery.is_selected(run, selectors)]
        if action is Action.FORGET_WITH_POST:
            runs += filter(recovery.has_post_left, settled)
        past = [run for run in runs if recovery.is_recoverable(run, is_alive)]
        self._planned.extend(recovery.plan(past, self._config.jobs, action))
        self._leave_out_live(runs, action)
        if action.forgets:
            self._tell_of_nothing(selectors, runs, settled, action)
        self._keep_reporting(name for run in past for name in run.reports)
        self._work()

    def _tell_of_nothing(
        self, words: Sequence[Selector], runs: list[Run], lasts: list[Run], action: Action
    ) -> None:
        """Say of each word what there is not to be forgotten."""
        known = {(run.job, run.instance) for run in runs}
        with_post = action is Action.FORGET_WITH_POST
        for run in lasts:
            text = recovery.left_alone(run, with_post)
            if text and (run.job, run.instance) not in known:
                runs = [*runs, run]
                for_run(run.label, shown=True).info("%s", text)
        for word in recovery.without_run(words, runs):
            subject = label(word.job, word.instance or "")
            for_run(subject, shown=True).info("there is nothing to forget")

    def _leave_out_live(self, runs: Iterable[Run], action: Action) -> None:
        """What somebody else is at work on can neither be gone on with nor given up."""
        settled = {planned.subject for planned in self._planned}
        for run in runs:
            live = not recovery.is_recoverable(run, is_alive)
            meant = action is not Action.RESUME or self._reader.is_resumed(run.run_id)
            if live and meant and (run.job, run.instance) not in settled:
                self._left_out += 1
                spoken = narrative.behind(narrative.still_at_work(run), action)
                for_run(run.label, shown=True).log(*spoken)

    def _within_session(self, carry_out: Callable[[], None], nothing: str) -> int:
        began = time.monotonic()
        try:
            with self._session():
                carry_out()
                self._finish_reporting()
            self._tell_the_end(time.monotonic() - began, nothing)
        except BrokenPipeError:
            raise
        except OSError as error:
            if not self._opened:
                raise
            # Of the system, which has no more descriptors, processes or memory for us.
            self._failed += 1
            self._log.error("stopped: %s; what was under way was ended", words(error))
            self._log.debug("stopped", exc_info=True)
        except JournalUnusable:
            # Whoever was stopped while another program had the journal locked found nothing wrong.
            if not self._signal:
                raise
        return self._exit_code()

    def _tell_the_end(self, seconds: float, nothing: str) -> None:
        """The last line of the log; ``nothing`` is for where nothing was to be done."""
        well, warning = (self._ended_as[each] for each in (Status.OK, Status.WARNING))
        tally = narrative.Tally(self._failed, warning, self._left_out, well)
        if text := narrative.closing(tally, seconds):
            for_run("b1000", shown=True).info("%s", text)
        elif nothing and not self._signal:
            that_nothing_was_done(nothing)

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """The journal is open, signals are caught, and at the end no child is left."""
        journal = Path(self._settings.journal)
        if few := allow_many_files(self._settings.workers, len(self._config.reports)):
            self._log.warning("%s", few)
        gc.freeze()  # Pages that children share are not touched by their collections.
        with self._signals, self._no_child_left(), self._displayed():
            passive = {
                report
                for job in self._config.jobs.values()
                if job.direction == "passive"
                for report in job.reports
            }
            self._reporting.start(
                self._config.reports, passive, journal, self._locks, self._crew.not_for_children
            )
            self._open(journal)
            self._opened = True
            remove_stale(
                directory_of(journal),
                {run.run_id for run in self._reader.unfinished() if is_alive(run.supervisor)},
            )
            yield
        self._refresh_status_files()
        self._mend()
        self._reader.close()
        self._recorder.close(self._settings.journal_keep)

    def _open(self, journal: Path, unwritten: Sequence[Entry] = ()) -> None:
        """Open the journal to write and to read; what cannot be read of it is mended."""
        for last in (False, True):
            self._recorder = Recorder(journal, self._clock, self._is_stopped, unwritten)
            self._reader = Reader(journal, suspecting=True)
            try:
                self._reader.look_through()
                self._mend()
                break
            except JournalFailed as error:
                if last or not suspicion(journal).exists():
                    self._recorder.fails(error)
                    break
                # What was met is noted: who opens it now looks at all of it, and sets it aside.
                self._reader.close()
                self._recorder.let_go()
        self._beginnings = Beginnings(
            self._settings.host, self._me, self._reader, self._locks, self._clock
        )
        self._status_files = StatusFiles(
            Path(self._settings.status_dir),
            self._settings.host,
            os.path.abspath(self._config.file),
            self._reader,
            is_alive,
        )
        self._refresh_status_files()

    def _open_anew(self) -> None:
        """Damage that was met beyond the first look is mended, or set aside, once none works.

        That is tried once; else the journal is waited for like any other that fails.
        """
        before, reader = self._recorder, self._reader
        if self._opened_anew or self._crew or not before.failing:
            return
        if suspicion(reader.path).exists():
            self._opened_anew = True
            try:
                self._open(reader.path, before.unwritten)
            except JournalUnusable as error:
                self._log.error("%s", error)
                self._recorder, self._reader = before, reader
                return
            reader.close()
            before.let_go()

    @contextlib.contextmanager
    def _displayed(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._display:
                self._display.clear()

    def _exit_code(self) -> int:
        if self._signal:
            return 128 + self._signal
        if self._failed or self._recorder.lost or self._missing:
            return _FAILED
        return _LEFT_OUT if self._left_out else _SUCCESS

    # --- the loop

    def _work(self) -> None:
        """Go on until nothing is under way and nothing waits."""
        while True:
            self._open_anew()
            self._start()
            if self._crew or self._waits_for_journal() or self._name_free_at is not None:
                self._turn()
            elif self._signal or not (self._failures or self._waits_to_begin()):
                break
        self._write([])

    def _waits_for_journal(self) -> bool:
        """Whether only the journal stands in the way, and may still be waited for."""
        if self._signal and time.monotonic() >= self._kill_at:
            return False
        waiting = self._recorder.unwritten or (not self._signal and self._waits_to_begin())
        return bool(waiting) and self._recorder.failing and self._recorder.patient

    def _waits_to_begin(self) -> bool:
        return bool(self._planned or self._refused or self._to_list or self._ready())

    def _turn(self) -> None:
        """Wait for something, make it durable, and act on it."""
        children: list[Child] = [*self._crew, *self._reporting.children]
        waited: list[Any] = [child.process.sentinel for child in children]
        waited += [child.connection for child in children if child.open]
        ready = set(wait([*waited, self._signals.reader], self._timeout()))
        self._take_signals()
        if self._signal:
            self._recorder.hurry()
        told: list[tuple[Worker, Batch]] = []
        for worker in self._crew:
            if worker.connection in ready or worker.process.sentinel in ready:
                told += [(worker, self._as_it_counts(worker, batch)) for batch in drain(worker)]
        delivered = self._reporting.settle(ready)
        happened = [
            (worker, batch, [self._made(worker, message) for message in batch.messages])
            for worker, batch in told
        ]
        self._write([entry for _, _, entries in happened for entry in entries], delivered)
        for worker, batch, entries in happened:
            self._acknowledge(worker, batch, entries)
        # Drain before join: the last message may still be in the pipe when the sentinel fires.
        for worker in [each for each in self._crew if each.process.sentinel in ready]:
            self._bury(worker)
        self._kill_what_lingers()
        if self._display:
            self._display.show(self._copying())

    def _as_it_counts(self, worker: Worker, batch: Batch) -> Batch:
        """A failure that comes once the program is being stopped is an interruption.

        The signal may have reached the run's script before it reached us.
        """
        if not self._signal or worker.kind is not Kind.RUN:
            return batch
        interrupted = Died(
            self._clock(), f"interrupted by {signal_name(self._signal)}", Ending.INTERRUPTED
        )
        return batch._replace(
            messages=tuple(
                interrupted
                if isinstance(message, RunMoved) and message.status is Status.FAILED
                else message
                for message in batch.messages
            ),
        )

    def _copying(self) -> list[Run]:
        """The runs that are at work on copies."""
        return [
            worker.run
            for worker in self._crew
            if worker.run and any(copy.status is CopyStatus.COPYING for copy in worker.run.copies)
        ]

    def _timeout(self) -> float | None:
        limits = [RETRY] if self._recorder.failing else []
        if self._signal:
            limits.append(max(0.0, self._kill_at - time.monotonic()))
        if self._name_free_at is not None:
            # No longer at once: the clock may be set back meanwhile.
            limits.append(min(1.0, max(0.0, self._name_free_at - self._clock())))
        if self._display and self._copying():
            limits.append(INTERVAL)
        return min(limits, default=None)

    @staticmethod
    def _made(worker: Worker, message: Message) -> Entry:
        """What a message makes of the worker's run, which is that from now on."""
        if isinstance(message, ProcessEvent):
            return Note(worker.uid, message)
        assert worker.run is not None
        change = changed(worker.run, message)
        worker.run = change.after
        return change

    def _acknowledge(self, worker: Worker, batch: Batch, entries: Sequence[Entry]) -> None:
        closed = any(isinstance(message, Closed) for message in batch.messages)
        for entry in entries:
            self._act_on(worker, entry, closed)
        if any(isinstance(message, Resolved) for message in batch.messages):
            self._hold_or_release(worker, batch.number)
        elif any(isinstance(message, PlaceWanted) for message in batch.messages):
            worker.parked = batch.number
            self._returning.append(worker)
        else:
            worker.order(Acknowledged(batch.number))

    def _act_on(self, worker: Worker, entry: Entry, closed: bool = False) -> None:
        """What became durable means to the supervisor.

        ``closed``: another one that became durable with it closes the run.
        """
        if isinstance(entry, Note):
            self._act_on_note(worker, entry.event)
            return
        before, event, after = entry
        if spoken := narrative.line(entry, closed):
            for_run(after.label, narrative.is_shown(event)).log(*spoken)
        match event:
            case RunMoved():
                if event.final:
                    self._ended(worker, after)
                elif event.step in BEGUN:
                    self._refresh_status_file(before, failed=False)
            case Waiting():
                worker.at_work = False
            case Died():
                self._ended(worker, after)
            case Closed():
                worker.verdict = True
                self._refresh_status_file(after, failed=True)
            case Resolved() | CopyMoved() | AttemptBegan() | AttemptEnded() | Relayed():
                pass
            case PlaceWanted() | Resumed():
                pass
            case _:
                assert_never(event)

    def _act_on_note(self, worker: Worker, event: ProcessEvent) -> None:
        match event:
            case Listed():
                worker.verdict = True
                self._listed(worker.job.name, event)
            case ProcessEnded():
                worker.ended.add(event.command)
            case Swept():
                worker.verdict = worker.verdict or worker.kind is not Kind.ON_FAILURE
            case ProcessBegan():
                pass
            case _:
                assert_never(event)

    def _ended(self, worker: Worker, run: Run) -> None:
        worker.verdict = True
        failed = run.status is Status.FAILED
        self._ended_as[run.status] += 1
        self._refresh_status_file(run, failed)
        if failed:
            self._note_failure(run)
        self._know_subject(run.job, run.instance, None)

    def _note_failure(self, run: Run) -> None:
        self._failed += 1
        if not self._signal and self._on_failure(run):
            self._failures.append(run)

    def _on_failure(self, run: Run) -> Template | None:
        job = self._config.jobs.get(run.job)
        if job is None or isinstance(job, BrokenJob):
            return job.on_failure if job else None
        command = job.late.get("on_failure")
        assert not isinstance(command, Command)
        return command

    # --- the gate at INIT

    def _hold_or_release(self, worker: Worker, number: int) -> None:
        """Let a run past INIT once no other instance may share its directory."""
        run = worker.run
        assert run is not None
        worker.parked = number
        worker.at_work = False
        self._know_subject(
            run.job,
            run.instance,
            _subject_of(run),
        )

    def _know_subject(self, job: str, instance: str, subject: str | None) -> None:
        gate = self._plan.gate(job)
        if gate is None:
            return
        gate.know(instance, subject)
        for worker in self._crew:
            if worker.parked is None or worker.run is None or worker.run.job != job:
                continue
            if worker in self._returning or not gate.open(worker.run.instance):
                continue
            owner = self._owner(gate, job, worker.run.instance)
            refusal = gate.refusal(worker.run.instance, owner)
            if refusal:
                worker.parked = None
                worker.at_work = True
                worker.order(Refused(refusal))
            else:
                self._returning.append(worker)

    def _owner(self, gate: Gate, job: str, instance: str) -> str | None:
        """Which of the instances that would share a directory has had it until now."""
        rivals, whose = gate.rivals(instance), gate.subject(instance)
        if not rivals or whose is None:
            return None
        try:
            return self._reader.owner_of_directory(job, [instance, *rivals], whose)
        except JournalFailed:
            return None

    # --- beginnings

    def _free_places(self) -> int:
        return self._settings.workers - sum(worker.at_work for worker in self._crew)

    def _start(self) -> None:
        """Give free places to whoever waits: first those that come back, then new ones."""
        self._name_free_at = None
        self._fail_what_is_refused()
        self._return_places()
        if self._signal:
            return
        self._begin()
        # What was refused only now may be what others were held for.
        self._fail_what_is_refused()
        self._return_places()

    def _return_places(self) -> None:
        for worker in tuple(self._returning):
            if self._free_places() > 0 and self._client_has_place(worker):
                self._returning.remove(worker)
                number, worker.parked, worker.at_work = worker.parked, None, True
                assert number is not None
                worker.order(Acknowledged(number))

    def _begin(self) -> None:
        while self._failures and self._free_places() > 0:
            self._start_on_failure(self._failures.popleft())
        try:
            self._plan_what_is_ready()
            while self._to_list and self._free_places() > 0:
                self._start_listing(self._to_list[0])
                self._to_list.popleft()
            while self._start_planned():
                pass
        except JournalFailed as error:
            self._recorder.fails(error)
            # What is still copied may have a post that frees the disk.
            if not self._recorder.patient and not self._crew:
                self._give_up_planned(error)

    def _client_has_place(self, worker: Worker) -> bool:
        """Whether the host that the run pulls from leaves a place to others."""
        client = _client_host(worker)
        most = max(1, self._settings.workers - 1)
        return not client or most > sum(
            each.at_work and _client_host(each) == client for each in self._crew
        )

    def _ready(self) -> list[str]:
        return self._plan.ready() if self._planning else []

    def _plan_what_is_ready(self) -> None:
        for name in self._ready():
            what = self._plan.plan(name, self._reader.owners_of_names)
            self._know_what_runs_elsewhere(name)
            self._plan.strike_off(name)
            for planned in what:
                if planned.refusal:
                    self._refused.append(planned)
                else:
                    self._planned.append(planned)

    def _know_what_runs_elsewhere(self, job: str) -> None:
        """Instances that were not asked for have the directories that they had last."""
        gate = self._plan.gate(job)
        for instance in gate.elsewhere if gate else ():
            run = self._reader.last_run(job, instance)
            self._know_subject(job, instance, _subject_of(run) if run and run.copies else None)

    def _start_planned(self) -> bool:
        """Begin as much of what is planned as there are places, in one commit.

        Gives whether anything was begun; what was planned for a job/instance
        that is at work waits. JournalFailed where the journal cannot be used:
        all that was planned is planned still.
        """
        at_work = {(each.job.name, each.run.instance) for each in self._crew if each.run}
        begun: list[Beginning] = []
        later: list[Planned] = []
        try:
            while self._planned and len(begun) < self._free_places():
                planned = self._planned[0]
                waits = planned.subject in at_work or self._waits_for_name(planned)
                beginning = None if waits else self._lock(planned)
                self._planned.popleft()
                if waits:
                    later.append(planned)
                elif beginning:
                    begun.append(beginning)
                at_work.add(planned.subject)
            if begun:
                with self._recorder.transaction() as journal:
                    follows = [self._beginnings.begin(journal, each) for each in begun]
        except JournalFailed:
            for beginning in reversed(begun):
                self._crew.release(beginning.lock)
                self._planned.appendleft(beginning.planned)
            raise
        finally:
            self._planned.extendleft(reversed(later))
        if not begun:
            return False
        for beginning, follow in zip(begun, follows, strict=True):
            self._go_on(beginning, follow)
        self._reporting.wake()
        return True

    def _waits_for_name(self, planned: Planned) -> bool:
        """Whether an earlier run has the name of this second, and a new one waits for the next."""
        if planned.run:
            return False
        now = self._clock()
        free_at = self._reader.name_free_at(*planned.subject, now)
        if free_at > now:
            self._name_free_at = min(free_at, self._name_free_at or free_at)
        return free_at > now

    def _lock(self, planned: Planned) -> Beginning | None:
        """Take the lock of a job/instance; None where something else has to be done first.

        Or where it is settled: it was left out, or has FAILED.
        """
        try:
            lock = self._locks.take(run_lock(*planned.subject))
        except OSError as error:
            self._give_up_unlocked(planned, f"its lock cannot be taken: {words(error)}")
            return None
        if lock is not None:
            self._crew.hold(lock)
        try:
            dead = self._left_running(planned)
            cleared = {run.uid for run in dead} <= planned.cleared
            leftovers = () if cleared else tuple(self._reader.leftovers(run.uid) for run in dead)
        except JournalFailed:
            self._crew.release(lock)
            raise
        if leftovers:
            # It may be what holds the lock.
            self._crew.release(lock)
            self._start_clearing(planned, dead[-1], leftovers)
        elif lock is None:
            self._leave_out(planned)
        else:
            return Beginning(planned, lock, dead)
        return None

    def _give_up_unlocked(self, planned: Planned, reason: str) -> None:
        if planned.run:
            # It stays as it is, and no new run has begun.
            self._failed += 1
            for_run(planned.label).error("run %d: %s", planned.run.run_id, reason)
        else:
            self._refused.append(planned._replace(refusal=reason))

    def _left_running(self, planned: Planned) -> list[Run]:
        """Runs of the same job/instance of which something may run although nobody supervises it.

        What it is about is now decided by whoever holds the lock.
        """
        return [
            run
            for run in self._reader.left_running(planned.subject)
            if not is_alive(run.supervisor)
        ]

    def _leave_out(self, planned: Planned) -> None:
        self._left_out += 1
        behind = "a run that has just begun, or what an earlier one left running"
        # That it cannot be written down changes nothing for the runs that can begin.
        with contextlib.suppress(JournalFailed):
            alive = [
                run for run in self._reader.unfinished(planned.subject) if is_alive(run.supervisor)
            ]
            if alive:
                behind = narrative.still_at_work(alive[-1])
            if not planned.action.forgets:
                with self._recorder.transaction() as journal:
                    journal.leave_out(*planned.subject, behind)
        for_run(planned.label, shown=True).log(*narrative.behind(behind, planned.action))
        self._know_subject(*planned.subject, None)

    def _start_clearing(
        self, planned: Planned, dead: Run, leftovers: tuple[Leftovers, ...]
    ) -> None:
        """End what dead runs left running; what was planned comes again afterwards."""
        for_run(planned.label).warning("ending what an interrupted run may have left running")
        task = work.clearing_task(leftovers, self._locks, run_lock(*planned.subject))
        self._fork(
            Errand(Kind.CLEARING, dead.uid, planned.job, dead, then=planned, leftovers=leftovers),
            task,
        )

    def _cleared(self, planned: Planned, leftovers: tuple[Leftovers, ...], done: bool) -> None:
        """A clearing worker has ended: what was planned comes again, once it was ``done``."""
        trials = planned.trials + 1
        if not done and trials == _CLEARINGS:
            kill_at_once({each.uid: each.ended for each in leftovers})
            done = True
        cleared = {each.uid for each in leftovers} if done else set()
        self._planned.appendleft(
            planned._replace(cleared=planned.cleared | cleared, trials=0 if done else trials)
        )

    def _go_on(self, beginning: Beginning, follow: Follow) -> None:
        """What follows from a beginning, which is durable now."""
        for run in follow.buried:
            self._bury_the_past(run)
        if follow.said:
            for_run(follow.run.label, shown=True).log(*follow.said)
        self._failed += follow.failed
        if follow.run.step in BEGUN:
            # One that is gone on with is none that --copy would retry.
            self._refresh_status_file(follow.run, failed=False)
        if follow.errand and follow.task:
            self._fork(follow.errand, follow.task)
        else:
            self._crew.release(beginning.lock)

    def _bury_the_past(self, run: Run) -> None:
        """A run died and will not be gone on with here: tell of its failure."""
        for_run(run.label).error(
            "FAILED at %s: run %d of %s was interrupted", run.step, run.run_id, run.start_time
        )
        self._refresh_status_file(run, failed=True)
        if self._on_failure(run):
            self._failures.append(run._replace(status=Status.FAILED, error="interrupted"))

    def _fail_what_is_refused(self) -> None:
        """Runs that cannot even be forked fail, each once its name is free."""
        waiting = tuple(self._refused)
        self._refused.clear()
        for planned in waiting:
            try:
                waits = not self._signal and self._waits_for_name(planned)
            except JournalFailed:
                waits = False
            if waits:
                self._refused.append(planned)
            else:
                self._fail_at_init(planned.job, planned.instance, planned.refusal)

    def _fail_at_init(self, job: Job | BrokenJob, instance: str, reason: str) -> None:
        """It begins and FAILS in one commit."""
        message = RunMoved(self._clock(), Step.INIT, Status.FAILED, reason)
        for_run(label(job.name, instance)).error("FAILED at INIT: %s", reason)
        try:
            with self._recorder.transaction() as journal:
                failed = changed(self._beginnings.begin_run(journal, job, instance), message)
                journal.store(failed)
        except JournalFailed:
            self._failed += 1
        else:
            self._note_failure(failed.after)
            self._reporting.wake()
        self._know_subject(job.name, instance, None)

    def _give_up_planned(self, error: JournalFailed) -> None:
        """Nothing can be begun without a journal: say so for each, once patience has ended."""
        for job in self._to_list:
            self._plan.know_failed(job.name)
        given_up = [job.name for job in self._to_list]
        self._to_list.clear()
        for job_name in self._ready():
            self._planned.extend(self._plan.plan(job_name))
            self._plan.strike_off(job_name)
        for planned in self._planned:
            given_up.append(planned.label)
            self._know_subject(*planned.subject, None)
        self._planned.clear()
        for name in given_up:
            self._failed += 1
            for_run(name).error("FAILED: not begun: %s", error)

    def _start_listing(self, job: Job) -> None:
        with self._recorder.transaction() as journal:
            uid = journal.begin_listing(job.name, self._me)
        start_time = datetime.fromtimestamp(self._clock()).strftime(paths.START_TIME)
        subject = Subject(uid, job.name, "", self._settings.host, job.direction, start_time)
        dead = [
            self._leftovers(other)
            for other, supervisor in self._reader.unfinished_listings(job.name)
            if not is_alive(supervisor)
        ]
        self._fork(
            Errand(Kind.LISTING, uid, job), work.listing_task(subject, job, self._locks, dead)
        )

    def _listed(self, job: str, message: Listed) -> None:
        if message.error:
            self._refused.append(Planned(self._config.jobs[job], "", message.error))
            self._plan.know_failed(job)
        else:
            for_run(job).info("instances: %s", ", ".join(message.instances) or "none")
            self._plan.know(job, message.instances)

    def _start_on_failure(self, run: Run) -> None:
        job = self._config.jobs[run.job]
        command = self._on_failure(run)
        assert command is not None
        # A journal that cannot be written is a failure to be told of.
        with contextlib.suppress(JournalFailed), self._recorder.transaction() as journal:
            run = run._replace(uid=journal.begin_afterwards(run, self._me))
        task = work.failure_task(run, command, job.limits, self._locks)
        self._fork(Errand(Kind.ON_FAILURE, run.uid, job, run), task)

    def _fork(self, errand: Errand, task: Task) -> None:
        run = errand.run
        try:
            worker = self._crew.fork(errand, task)
        except OSError as error:
            self._not_forked(errand, narrative.no_worker(error))
            return
        identity = identify(worker.process.pid or 0)
        if errand.kind is Kind.RUN and run and identity:
            # Becomes durable with the next commit, which no act of the worker precedes.
            began = ProcessBegan(self._clock(), "worker", "worker", identity)
            self._recorder.add(Note(errand.uid, began))

    def _not_forked(self, errand: Errand, reason: str) -> None:
        """The system gives no more processes or descriptors: this run alone suffers."""
        for_run(errand.label).error("FAILED: %s", reason)
        if errand.kind is Kind.LISTING:
            self._listed(errand.job.name, Listed(self._clock(), error=reason))
        elif errand.then:
            self._cleared(errand.then, errand.leftovers, done=False)
        elif errand.run and errand.kind in (Kind.RUN, Kind.SWEEPING):
            kill_at_once({errand.uid: self._leftovers(errand.uid).ended})
            last = errand.last_word or Died(self._clock(), reason, Ending.INTERRUPTED)
            if isinstance(last, Died):
                died = changed(errand.run, last)
                self._recorder.write([died])
                self._note_failure(died.after)
                self._know_subject(errand.run.job, errand.run.instance, None)
            else:
                self._recorder.write([Note(errand.uid, last)])
        else:
            self._failed += 1
        self._crew.release(errand.lock)

    # --- ends

    def _bury(self, worker: Worker) -> None:
        """A worker has ended: take its place and lock back, judge it if it said no last word."""
        self._crew.dismiss(worker)
        if worker in self._returning:
            self._returning.remove(worker)
        errand = worker.errand
        done = worker.process.exitcode == 0
        if errand.then:
            if not self._signal:
                self._cleared(errand.then, errand.leftovers, done)
        elif done and worker.kind in AFTERWARDS:
            self._failed += worker.kind is Kind.FORGETTING and not worker.verdict
            self._tell(worker, Swept(self._clock()))
        elif not worker.verdict:
            self._judge_death(worker)
        self._crew.release(worker.lock)

    def _judge_death(self, worker: Worker) -> None:
        """A worker died before its last word: what it left is ended, then its run is judged."""
        code = worker.process.exitcode
        cause = f"interrupted by {signal_name(self._signal)}" if self._signal else _cause(code)
        last = worker.errand.last_word or self._last_word(worker, cause)
        self._failed += worker.kind is Kind.FORGETTING
        if self._signal and code == work.STOPPED:
            self._tell(worker, last)
        elif self._signal or worker.kind in (Kind.LISTING, Kind.SWEEPING):
            kill_at_once({worker.uid: worker.ended})
            self._tell(worker, last)
        else:
            assert not isinstance(last, Listed)
            # The run is over only when nothing of it writes any more.
            for_run(worker.label).error("%s; what it left running is ended first", cause)
            known = self._leftovers(worker.uid)
            leftovers = known._replace(ended=known.ended | worker.ended)
            self._fork(
                worker.errand._replace(kind=Kind.SWEEPING, run=worker.run, last_word=last),
                work.sweeping_task([leftovers], last),
            )
            worker.lock = None

    def _last_word(self, worker: Worker, cause: str) -> Listed | Swept | Died:
        """What is to be recorded in the stead of a worker that died."""
        if worker.kind is Kind.LISTING:
            return Listed(self._clock(), error=f"the instances script: {cause}")
        if worker.kind in AFTERWARDS:
            return Swept(self._clock())
        return Died(self._clock(), cause, Ending.INTERRUPTED)

    def _leftovers(self, uid: str) -> Leftovers:
        try:
            return self._reader.leftovers(uid)
        except JournalFailed:
            return Leftovers(uid)

    def _tell(self, worker: Worker, message: Message) -> None:
        """Record a message that the supervisor gives in a worker's stead."""
        entry = self._made(worker, message)
        self._write([entry])
        self._act_on(worker, entry)

    # --- the journal

    def _write(self, entries: Iterable[Entry], delivered: Iterable[Delivered] = ()) -> None:
        if self._recorder.write(entries, delivered):
            self._reporting.wake()

    def _mend(self) -> None:
        """Rows that could not be read are nobody's stumbling block any more."""
        if self._reader.damaged:
            self._recorder.mend()
            self._reader.damaged.clear()

    # --- projections

    def _refresh_status_files(self) -> None:
        self._try_status_files(self._status_files.refresh)

    def _refresh_status_file(self, run: Run, failed: bool) -> None:
        self._try_status_files(
            lambda: self._status_files.refresh_subject(run.job, run.instance, failed)
        )

    def _try_status_files(self, refresh: Callable[[], None]) -> None:
        """Status files are a projection: that they cannot be written fails no backup."""
        try:
            refresh()
        except (OSError, JournalFailed) as error:
            self._log.warning(
                "the status files in %s cannot be written: %s; backups go on",
                self._settings.status_dir,
                words(error),
            )

    def _keep_reporting(self, used: Iterable[str]) -> None:
        """Wake the reporters that are used, or that something is owed to; others may go."""
        self._reporting.keep({*used, *self._reader.pending_by_report()})

    def _finish_reporting(self) -> None:
        """Wait a little for what is owed; runs have given back lock and place before."""

        seconds = _STOP_REPORTS if self._signal else self._settings.report_wait_end
        self._reporting.finish(
            seconds, lambda delivered: self._write([], delivered), self._signals.reader
        )
        self._take_signals()

    @contextlib.contextmanager
    def _no_child_left(self) -> Iterator[None]:
        """Whatever happens here, no child goes on without its supervisor."""
        try:
            yield
        finally:
            self._reporting.end()
            self._crew.kill()

    # --- signals

    def _take_signals(self) -> None:
        for number in self._signals.take():
            self._stop(number)

    def _is_stopped(self) -> bool:
        self._take_signals()
        return self._signal is not None

    def _stop(self, number: int) -> None:
        """The first signal ends everything in order, a second one at once."""
        if self._signal is None:
            self._signal = number
            self._kill_at = time.monotonic() + _STOP_TIME
            ending = labels(self._crew)
            self._log.error(
                "stopped by %s; %s",
                signal_name(number),
                f"ending {ending}; a second signal ends at once" if ending else "nothing to end",
            )
            self._planned.clear()
            self._to_list.clear()
            self._failures.clear()
            self._crew.order(Stop(signal_name(number)))
        else:
            self._kill_at = time.monotonic()

    def _kill_what_lingers(self) -> None:
        if self._signal and time.monotonic() >= self._kill_at and self._crew:
            self._crew.kill()
            self._kill_at = time.monotonic() + 1
            self._kills += 1
            if self._kills > _KILLS:
                # A disk that hangs can keep a process from ending even now: it is left behind.
                for worker in self._crew.abandon():
                    if not worker.verdict:
                        self._judge_death(worker)


def _client_host(worker: Worker) -> str:
    """The host that a run pulls from; "" where it does not."""
    pull = worker.job.pull if isinstance(worker.job, Job) else None
    return paths.place(pull.source) if pull else ""


def _subject_of(run: Run) -> str:
    frozen = run.frozen
    return paths.subject(run.host, run.instance, frozen.master_host, frozen.master_instance)


def _cause(code: int | None) -> str:
    """Why a worker ended without a last word."""
    if code is not None and code < 0:
        name = signal_name(-code)
        memory = "; out of memory?" if name == "SIGKILL" else ""
        return f"its worker was killed by {name}{memory}"
    if code == work.STOPPED:
        return "its worker was ended by SIGTERM"
    if code == work.BROKEN:
        return "its worker failed by a mistake in this program; the log has the traceback"
    return f"its worker ended with exit code {code}"
