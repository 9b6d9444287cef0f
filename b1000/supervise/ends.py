"""What is done when a worker has ended its task, or itself."""

from collections.abc import Iterable

from b1000.errors import signal_name
from b1000.logs import for_run
from b1000.runs.events import Died, InstancesListed, Swept
from b1000.runs.protocol import Batch, Delivered
from b1000.runs.states import Ending
from b1000.runs.task import TaskKind
from b1000.supervise.cleanup import Cleanup
from b1000.supervise.decisions import Over
from b1000.supervise.heard import Heard
from b1000.supervise.orphans import kill_at_once
from b1000.supervise.pool import Worker
from b1000.supervise.program import Program
from b1000.supervise.starts import Starts
from b1000.work.forked import BROKEN, STOPPED


class Ends:
    """Takes back slots and locks, and judges those that said no last word."""

    def __init__(self, program: Program, heard: Heard, starts: Starts) -> None:
        self._program = program
        self._heard = heard
        self._starts = starts

    def hear(self, batches: Iterable[tuple[Worker, Batch]], delivered: Iterable[Delivered]) -> None:
        """Make what was said durable, in one commit with what takes free slots; act on it."""
        said = self._heard.hear(batches, delivered)
        try:
            begun = self._starts.begin(self._program.take_starts())
        except OSError:
            self._program.write()
            raise
        for worker in self._heard.act(said):
            self.end(worker, idle=True)
        self._starts.follow(begun)

    def end(self, worker: Worker, idle: bool) -> None:
        """A task is over: its worker waits for another one, or has ended."""
        program = self._program
        program.pool.finish(worker, idle)
        done = idle or worker.child.exit_code == 0
        if worker.never_began and not program.signal:
            # It was found dead as the task was handed over, which costs the task nothing.
            self._starts.hand_over(worker.number, worker.task, worker.lock)
        elif done and worker.kind.is_afterwards:
            program.tally.failed += worker.kind is TaskKind.FORGET_WITH_POST and not worker.verdict
            self._settle(worker, Swept(program.clock()))
        elif worker.verdict:
            self._settle(worker)
        else:
            self._judge_death(worker)

    def abandon(self, worker: Worker) -> None:
        """Not even SIGKILL ends it: a disk that hangs can do that."""
        if worker.verdict:
            self._settle(worker)
        else:
            self._judge_death(worker)

    def _settle(self, worker: Worker, last: InstancesListed | Swept | Died | None = None) -> None:
        """Record what is said in the worker's stead; its lock and its slot are free."""
        if last is not None:
            self._heard.say(worker, last._replace(time=self._program.clock()))
        self._program.pool.release(worker.lock)
        self._program.decide(Over(worker.number))

    def _judge_death(self, worker: Worker) -> None:
        """A worker died before its last word: what it left is ended, then its run is judged."""
        program = self._program
        code, signal = worker.child.exit_code, program.signal
        cause = f"interrupted by {signal_name(signal)}" if signal else worker.fault or _cause(code)
        last = self._last_word(worker, cause)
        program.tally.failed += worker.kind is TaskKind.FORGET_WITH_POST
        if signal and code == STOPPED:
            self._settle(worker, last)
        elif signal or worker.kind is TaskKind.LISTING:
            kill_at_once({worker.uid: worker.ended})
            self._settle(worker, last)
        else:
            # The run is over only when nothing of it writes any more.
            for_run(worker.label, worker.task.run_id).error(
                "%s; what it left running is ended first", cause
            )
            known = program.launch.orphans(worker.uid)
            orphans = known._replace(ended=known.ended | worker.ended)
            then = lambda: self._settle(worker, last)  # noqa: E731
            program.cleanups.append(Cleanup([orphans], then, of_death=True))

    def _last_word(self, worker: Worker, cause: str) -> InstancesListed | Swept | Died:
        """What is to be recorded in the stead of a worker that died."""
        now = self._program.clock()
        if worker.kind is TaskKind.LISTING:
            return InstancesListed(now, error=f"the instances script: {cause}")
        if worker.kind.is_afterwards:
            return Swept(now)
        return Died(now, cause, Ending.INTERRUPTED)


def _cause(code: int | None) -> str:
    """Why a worker ended without a last word."""
    if code is not None and code < 0:
        name = signal_name(-code)
        memory = "; out of memory?" if name == "SIGKILL" else ""
        return f"its worker was killed by {name}{memory}"
    if code == STOPPED:
        return "its worker was ended by SIGTERM"
    if code == BROKEN:
        return "its worker failed by an internal error; the log has the traceback"
    return f"its worker ended with exit code {code}"
