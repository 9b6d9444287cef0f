"""What is done about tasks that may start: they begin together, in one commit."""

import contextlib
from collections.abc import Iterable, Sequence

from b1000.errors import JournalFailed
from b1000.locks import run_lock
from b1000.logs import for_run
from b1000.runs.events import Died, InstancesListed, Note, ProcessBegan, RunMoved
from b1000.runs.lifecycle import changed
from b1000.runs.protocol import Assigned
from b1000.runs.run import Run
from b1000.runs.states import BEGUN, Ending, Status, Step
from b1000.runs.task import Task, TaskKind
from b1000.supervise import narrative
from b1000.supervise.cleanup import Cleanup, FreeLock
from b1000.supervise.decisions import Clearing, Fail, NotYet, Over, Start, TasksAdded
from b1000.supervise.launch import Begun
from b1000.supervise.orphans import kill_at_once
from b1000.supervise.prepared import Busy, LeftRunning, NameTaken, Ready, Unlocked
from b1000.supervise.program import Program
from b1000.supervise.recorder import RETRY

Beginning = tuple[Start, Ready, Begun]


class Starts:
    """Begins the tasks of one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._skipped: set[tuple[str, str]] = set()

    # --- all that may start now

    def start(self, starts: Sequence[Start]) -> None:
        """Begin tasks, as far as that is possible now."""
        for start in starts:
            if start.task.kind is TaskKind.ON_END:
                self._start_on_end(start)
        left = [each for each in starts if each.task.kind is not TaskKind.ON_END]
        begun = self.begin(left)
        self.follow(begun)
        if begun:
            self._program.pool.load(more=self._program.schedule.waits)

    def begin(self, starts: Sequence[Start]) -> list[Beginning]:
        """Begin tasks in one commit with all that is to be recorded; gives what has begun."""
        ready = self._ready(starts)
        if not ready:
            self._program.write()
            return []
        try:
            with self._program.transaction() as journal:
                begin = self._program.launch.begin
                begun = [(start, each, begin(journal, start.task, each)) for start, each in ready]
        except JournalFailed as error:
            for _, each in ready:
                self._program.pool.release(each.lock)
            self._put_off([start for start, _ in ready], error)
            return []
        return begun

    def _ready(self, starts: Sequence[Start]) -> list[tuple[Start, Ready]]:
        """Those that can begin, with what they need; what is to be done about others is done."""
        ready: list[tuple[Start, Ready]] = []
        for position, start in enumerate(starts):
            try:
                if found := self._prepared(start):
                    ready.append((start, found))
            except JournalFailed as error:
                self._put_off(starts[position:], error)
                break
        return ready

    def _put_off(self, starts: Sequence[Start], error: JournalFailed) -> None:
        """They come again, in this order, when the journal is tried again."""
        self._program.records.recorder.mark_failed(error)
        again = self._program.clock() + RETRY
        for start in reversed(starts):
            self._program.decide(NotYet(start.number, again))

    def follow(self, begun: Iterable[Beginning]) -> None:
        """Do what follows from beginnings that are durable."""
        for each in begun:
            self._follow(*each)

    def _prepared(self, start: Start) -> Ready | None:
        """What a task needs to begin; None where it cannot, which is then settled."""
        program = self._program
        found = program.launch.prepare(start.task)
        match found:
            case Ready():
                if found.lock is not None:
                    program.pool.hold(found.lock)
                return found
            case NameTaken():
                program.decide(NotYet(start.number, found.until))
            case LeftRunning():
                self._clear(start, found)
            case Busy():
                self._skip(start, found.behind)
            case Unlocked():
                self._cannot_lock(start, found.reason)
        return None

    def _follow(self, start: Start, ready: Ready, begun: Begun) -> None:
        """What follows from a beginning, which is durable now."""
        program = self._program
        for each in begun.interrupted:
            self._log_interrupted(each)
        program.tally.failed += begun.failed
        run = begun.run
        if run and begun.said:
            for_run(run.label, run.run_id, shown=True).log(*begun.said)
        if run and run.step in BEGUN:
            # One that is resumed is none that --copy would retry.
            program.records.refresh_status_file(run, failed=False)
        if begun.task:
            self.hand_over(start.number, begun.task, ready.lock)
        else:
            program.pool.release(ready.lock)
            program.decide(Over(start.number))

    def _log_interrupted(self, run: Run) -> None:
        """A run died and will not be resumed here: tell of its failure."""
        for_run(run.label, run.run_id).error(
            "FAILED at %s: run %d of %s was interrupted", run.step, run.run_id, run.start_time
        )
        self._program.records.refresh_status_file(run, failed=True)
        self._program.follow_end(run._replace(status=Status.FAILED, error="interrupted"))

    def _start_on_end(self, start: Start) -> None:
        """A journal that cannot be written is a failure to be told of, too."""
        task = start.task
        assert task.run
        begun = task._replace(uid=task.run.uid)
        with contextlib.suppress(JournalFailed), self._program.transaction() as journal:
            begun = self._program.launch.begin(journal, task, Ready(None)).task or begun
        self.hand_over(start.number, begun, None)

    # --- workers

    def hand_over(self, number: int, task: Task, lock: int | None) -> None:
        """Give a task that has begun to a worker."""
        program = self._program
        gate = program.plan.gate(task.job.name)
        alone = task.kind is TaskKind.RUN and (not gate or gate.alone(task.instance))
        assigned = Assigned(
            task.kind,
            program.launch.subject(task),
            task.run_id or 0,
            None if task.kind is TaskKind.RUN else task.run,
            task.known,
            program.marks_at,
            alone,
        )
        try:
            worker = program.pool.start(number, task, lock, assigned)
        except OSError as error:
            self._not_started(number, task, narrative.no_worker(error))
            program.pool.release(lock)
            return
        identity = worker.child.identity
        if task.kind in (TaskKind.RUN, TaskKind.RESUME) and identity:
            # Becomes durable with the next commit, which no act of the worker precedes.
            command = f"worker-{identity.pid}"
            began = ProcessBegan(program.clock(), command, "worker", identity)
            program.records.recorder.keep([Note(task.uid, began)])

    def _not_started(self, number: int, task: Task, reason: str) -> None:
        """The system gives no more processes or descriptors: this run alone suffers."""
        program = self._program
        for_run(task.label, task.run_id).error("FAILED: %s", reason)
        if task.kind is TaskKind.LISTING:
            program.listed(task.job, InstancesListed(program.clock(), error=reason))
        elif task.run and task.kind in (TaskKind.RUN, TaskKind.RESUME):
            kill_at_once({task.uid: program.launch.orphans(task.uid).ended})
            died = changed(task.run, Died(program.clock(), reason, Ending.INTERRUPTED))
            program.write([died])
            program.note_failure(died.after)
            program.resolve_without_directory(task)
        else:
            program.tally.failed += 1
        program.decide(Over(number))

    # --- what cannot begin

    def _clear(self, start: Start, left: LeftRunning) -> None:
        """End what dead runs left running; the task comes again afterwards."""
        program, task = self._program, start.task
        is_listing = task.kind is TaskKind.LISTING
        if not is_listing:
            for_run(task.label).warning("ending what an interrupted run may have left running")
        program.decide(Clearing(start.number))
        lock = None if is_listing else FreeLock(program.locks, run_lock(*task.subject))

        def then() -> None:
            program.decide(Over(start.number))
            again = task._replace(cleared=task.cleared | left.uids)
            program.decide(TasksAdded((again,), first=True))

        program.cleanups.append(Cleanup(left.orphans, then, lock))

    def _skip(self, start: Start, behind: str) -> None:
        program, task = self._program, start.task
        # Several runs of the past may be those of one job/instance.
        if task.subject not in self._skipped:
            self._skipped.add(task.subject)
            program.tally.skipped += 1
            self._log_skip(task, behind)
        program.resolve_without_directory(task)
        program.decide(Over(start.number))

    def _log_skip(self, task: Task, behind: str) -> None:
        # That it cannot be written down changes nothing for the runs that can begin.
        if not task.kind.forgets:
            with contextlib.suppress(JournalFailed), self._program.transaction() as journal:
                journal.record_skip(*task.subject, behind)
        for_run(task.label, shown=True).log(*narrative.behind(behind, task.kind))

    def _cannot_lock(self, start: Start, reason: str) -> None:
        program, task = self._program, start.task
        program.decide(Over(start.number))
        if task.run:
            # It stays as it is, and no new run has begun.
            program.tally.failed += 1
            for_run(task.label, task.run_id).error("run %d: %s", task.run.run_id, reason)
        else:
            program.decide(TasksAdded((task._replace(refusal=reason),)))

    def fail(self, fail: Fail) -> None:
        """A run that is refused begins and FAILS in one commit, once its name is free."""
        program, task = self._program, fail.task
        until = None
        with contextlib.suppress(JournalFailed):
            until = None if program.signal else program.launch.name_free_at(task)
        if until:
            program.decide(NotYet(fail.number, until))
            return
        message = RunMoved(program.clock(), Step.INIT, Status.FAILED, task.refusal)
        try:
            with program.transaction() as journal:
                run = program.launch.begin_run(journal, task.job, task.instance)
                failed = changed(run, message)
                journal.store(failed)
        except JournalFailed:
            for_run(task.label).error("FAILED at INIT: %s", task.refusal)
            program.tally.failed += 1
        else:
            for_run(task.label, run.run_id).error("FAILED at INIT: %s", task.refusal)
            program.note_failure(failed.after)
        program.resolve_without_directory(task)
        program.decide(Over(fail.number))
