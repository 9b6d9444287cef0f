"""What workers have said: applied, made durable together, then acted on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from b1000.errors import signal_name
from b1000.logs import for_run
from b1000.named import NamedTuple
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    InstancesListed,
    Message,
    Note,
    ProcessBegan,
    ProcessEnded,
    ProcessEvent,
    Relayed,
    Resolved,
    Resumed,
    RunEvent,
    RunMoved,
    SlotWanted,
    Swept,
    Waiting,
)
from b1000.runs.lifecycle import IllegalMove, changed
from b1000.runs.protocol import Acknowledged, Batch, Delivered, MarksTaken
from b1000.runs.run import Run
from b1000.runs.states import BEGUN, Ending, Status
from b1000.runs.task import TaskKind
from b1000.supervise import narrative
from b1000.supervise.decisions import HeldAtInit, SlotReleased, SlotRequested
from b1000.supervise.launch import subject_of
from b1000.supervise.pool import Worker
from b1000.supervise.program import Program
from b1000.supervise.recorder import Entry


class Said(NamedTuple):
    """One batch of a worker, and what it makes of its run."""

    worker: Worker
    batch: Batch
    entries: Sequence[Entry]


class Heard:
    """Hears the workers of one program."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def hear(
        self, batches: Iterable[tuple[Worker, Batch]], delivered: Iterable[Delivered]
    ) -> list[Said]:
        """What is to be recorded now; runs that are over and leave nothing to do give up slots."""
        said = [
            Said(worker, batch, list(self._made_of(worker, batch.messages)))
            for worker, batch in batches
        ]
        entries = [entry for each in said for entry in each.entries]
        self._program.records.recorder.keep(entries, delivered)
        for worker, batch, _ in said:
            if batch.idle and self._is_done(worker):
                self._program.decide(SlotReleased(worker.number))
        return said

    def _is_done(self, worker: Worker) -> bool:
        """Whether no command follows the end of a run, which would go before new runs."""
        run = worker.run
        if not run or worker.kind not in (TaskKind.RUN, TaskKind.RESUME):
            return False
        well = run.ending is Ending.FINISHED and run.status is not Status.FAILED
        return well and not self._program.following(run)

    def act(self, said: Iterable[Said]) -> list[Worker]:
        """Act on what is durable now; gives who is idle."""
        idle = []
        for each in said:
            self._act(each)
            if each.batch.idle:
                idle.append(each.worker)
        return idle

    def say(self, worker: Worker, message: Message) -> None:
        """Record a message that the supervisor gives in a worker's stead."""
        entry = self._made(worker, message)
        self._program.write([entry])
        self._act_on(worker, entry)

    def _made_of(self, worker: Worker, messages: Iterable[Message | MarksTaken]) -> Iterator[Entry]:
        """What messages make of the worker's run; one that cannot be is the end of its worker."""
        for message in messages:
            if isinstance(message, MarksTaken):
                self._program.note_marks_taken(message)
                continue
            try:
                yield self._made(worker, message)
            except IllegalMove as error:
                worker.fault = f"internal error: {error}; please report it"
                worker.child.kill()
                return

    def _made(self, worker: Worker, message: Message) -> Entry:
        """What a message makes of the worker's run, which is that from now on."""
        if isinstance(message, ProcessEvent):
            return Note(worker.uid, message)
        assert worker.run is not None
        change = changed(worker.run, self._as_it_counts(worker, message))
        worker.run = change.after
        return change

    def _as_it_counts(self, worker: Worker, message: RunEvent) -> RunEvent:
        """A failure that comes once the program is being stopped is an interruption.

        The signal may have reached the run's script before it reached us.
        """
        signal = self._program.signal
        failed = isinstance(message, RunMoved) and message.status is Status.FAILED
        if not signal or not failed or worker.kind not in (TaskKind.RUN, TaskKind.RESUME):
            return message
        interrupted = f"interrupted by {signal_name(signal)}"
        return Died(self._program.clock(), interrupted, Ending.INTERRUPTED)

    def _act(self, said: Said) -> None:
        worker, batch, entries = said
        closed = any(isinstance(message, Closed) for message in batch.messages)
        for entry in entries:
            self._act_on(worker, entry, closed)
        if batch.idle:
            return
        waits = False
        for message in batch.messages:
            if isinstance(message, Resolved):
                assert worker.run
                waits = True
                self._program.decide(HeldAtInit(worker.number, subject_of(worker.run)))
            elif isinstance(message, SlotWanted) and not waits:
                waits = True
                self._program.decide(SlotRequested(worker.number))
        if waits:
            worker.parked = batch.number
        else:
            worker.child.send(Acknowledged(batch.number))

    def _act_on(self, worker: Worker, entry: Entry, closed: bool = False) -> None:
        """What became durable means to the supervisor.

        ``closed``: another one that became durable with it closes the run.
        """
        if isinstance(entry, Note):
            self._act_on_note(worker, entry.event)
            return
        before, event, after = entry
        if spoken := narrative.line(entry, closed, self._program.config.path):
            for_run(after.label, after.run_id, narrative.is_shown(event)).log(*spoken)
        match event:
            case RunMoved():
                if event.final:
                    self._ended(worker, after)
                elif event.step in BEGUN:
                    self._program.records.refresh_status_file(before, failed=False)
            case Waiting():
                self._program.decide(SlotReleased(worker.number))
            case Died():
                self._ended(worker, after)
            case Closed():
                worker.verdict = True
                self._program.records.refresh_status_file(after, failed=True)
            case Resolved() | CopyMoved() | AttemptBegan() | AttemptEnded() | Relayed():
                pass
            case SlotWanted() | Resumed():
                pass
            case _:
                assert_never(event)

    def _act_on_note(self, worker: Worker, event: ProcessEvent) -> None:
        match event:
            case InstancesListed():
                worker.verdict = True
                self._program.listed(worker.task.job, event)
            case ProcessEnded():
                worker.ended.add(event.command)
            case Swept():
                worker.verdict = True
            case ProcessBegan():
                pass
            case _:
                assert_never(event)

    def _ended(self, worker: Worker, run: Run) -> None:
        program = self._program
        worker.verdict = True
        failed = run.status is Status.FAILED
        program.tally.count(run.status)
        program.records.refresh_status_file(run, failed)
        if failed:
            program.note_failure(run)
        else:
            program.follow_end(run)
        program.resolve_without_directory(worker.task)
