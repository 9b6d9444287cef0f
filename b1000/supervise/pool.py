"""Workers: forked when needed, given one task after the other, and let go of."""

import os
from collections.abc import Callable, Iterator, Mapping

from b1000.jobs import ON_END, BrokenJob, Job
from b1000.locks import Locks
from b1000.runs.protocol import Assigned, Batch
from b1000.runs.run import Run
from b1000.runs.task import Task, TaskKind
from b1000.supervise.children import Child, Descriptor, Watch, fork, worker_for
from b1000.supervise.orphans import kill_at_once
from b1000.wire import Wire
from b1000.work.forked import Closable

_FORKS = 3  # how often a worker is forked for one task, if each ends at once
_MOMENT = 5.0  # seconds that a process takes at most from closing its wire to its end


class Worker:
    """A task in the hands of a child; ``run`` is how its run stands now.

    ``number`` is that of the task in the schedule. ``verdict`` is set once its last message
    has come, ``heard`` with its first. ``parked`` is the number of the batch whose
    acknowledgement it waits for without a slot. ``ended`` are its commands that ended by
    themselves: what these left is a service. ``fault`` is why it was killed.
    """

    def __init__(
        self, number: int, task: Task, child: Child, run: Run | None, lock: int | None
    ) -> None:
        self.number = number
        self.task = task
        self.child = child
        self.run = run
        self.lock = lock
        self.verdict = False
        self.heard = False
        self.parked = 0
        self.ended: set[str] = set()
        self.fault = ""

    @property
    def kind(self) -> TaskKind:
        """What it does."""
        return self.task.kind

    @property
    def uid(self) -> str:
        """The mark of all that it starts."""
        return self.task.uid

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return self.task.label

    @property
    def never_began(self) -> bool:
        """Whether its child ended before it had read what it was to do."""
        return self.child.wire.unread and not self.heard


class Pool:
    """The workers of one supervisor, and the locks of job/instances that it holds for them."""

    def __init__(
        self,
        jobs: Mapping[str, Job | BrokenJob],
        locks: Locks,
        most_idle: int,
        watch: Watch,
        others: Callable[[], list[Closable]],
    ) -> None:
        """``others`` gives what else a child must not keep."""
        self._jobs = jobs
        self._locks = locks
        self._most_idle = most_idle
        self._watch = watch
        self._others = others
        self._working: list[Worker] = []
        self._idle: list[Child] = []
        self._held: set[int] = set()
        self._loaded: set[bool] = set()

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._working))

    def __len__(self) -> int:
        return len(self._working)

    def get(self, number: int) -> Worker | None:
        """The worker that has the task of this number; None where it is gone."""
        return next((worker for worker in self._working if worker.number == number), None)

    # --- locks

    def hold(self, lock: int) -> None:
        """Keep a lock from all children but the worker that it is for."""
        self._held.add(lock)

    def release(self, lock: int | None) -> None:
        """Give a lock back, where there is one; whoever has a copy of it has it still."""
        if lock is not None:
            self._held.discard(lock)
            os.close(lock)

    # --- work

    def adopt(self, *idle: Child) -> None:
        """Take workers that were forked before there was a pool."""
        for child in idle:
            self._idle.append(child)
            self._watch.add(child)

    def start(self, number: int, task: Task, lock: int | None, assigned: Assigned) -> Worker:
        """Hand a task over to a worker that is idle, or to a new one; raises OSError.

        A worker that is found dead costs the task nothing.
        """
        descriptors = () if lock is None else (lock,)
        for _ in range(len(self._idle) + _FORKS):
            child = self._idle.pop() if self._idle else self._fork(task)
            if child.send(assigned, *descriptors):
                worker = Worker(number, task, child, task.run, lock)
                self._working.append(worker)
                return worker
            self._dismiss(child)
        raise ChildProcessError(None, "new workers end at once")

    def load(self, more: bool) -> None:
        """Import what is wanted where a worker dies, and where others are forked.

        That may be in hours, when the program's files are those of another version. ``more``: tasks
        wait; others follow the end of a run.
        """
        if more in self._loaded:
            return
        self._loaded.add(more)
        import b1000.work.tree  # noqa: F401

        for job in self._jobs.values():
            if more or any(map(job.end_command, ON_END)):
                worker_for(job.direction)

    def _fork(self, task: Task) -> Child:
        # Imported here, not by each of them: its pages are shared by all that are forked here.
        serve = worker_for(task.job.direction)

        def main(wire: Wire) -> int:
            return serve(self._jobs, self._locks, wire)

        child = fork(main, self.not_for_children())
        self._watch.add(child)
        return child

    def not_for_children(self) -> list[Closable]:
        """What a child must not keep: a lock or a wire in its hands would outlive its owner."""
        return [
            *(worker.child.wire for worker in self._working),
            *(child.wire for child in self._idle),
            *(Descriptor(lock) for lock in self._held),
            *self._others(),
        ]

    def hear(self, ready: set[object]) -> list[tuple[Worker, list[Batch]]]:
        """What workers have said; a child that has gone idle is free for another task."""
        for child in tuple(self._idle):
            if child in ready and (child.wire.drain() or not child.wire.open):
                self._idle.remove(child)
                self._dismiss(child)
        said = []
        for worker in self._working:
            if worker.child in ready:
                batches = worker.child.wire.drain()
                worker.heard = worker.heard or bool(batches)
                said.append((worker, batches))
        return said

    def ended(self) -> list[Worker]:
        """Those whose child has ended, or is about to."""
        return [worker for worker in self._working if not worker.child.wire.open]

    def finish(self, worker: Worker, idle: bool) -> None:
        """A task is over: let go of it, and of its child unless that is ``idle``."""
        self._working.remove(worker)
        if not idle:
            self._dismiss(worker.child)
        elif len(self._idle) < self._most_idle:
            self._idle.append(worker.child)
        else:
            worker.child.kill()
            self._dismiss(worker.child)

    def _dismiss(self, child: Child) -> None:
        self._watch.let_go(child, _MOMENT)

    # --- the end

    def order(self, order: object) -> None:
        """Send an order to all that are at work."""
        for worker in self._working:
            worker.child.send(order)

    def rest(self) -> None:
        """Let go of those that are idle."""
        for child in self._idle:
            child.kill()
        while self._idle:
            self._dismiss(self._idle.pop())

    def kill(self) -> None:
        """SIGKILL all workers, and whatever they have started."""
        self.rest()
        for worker in self._working:
            worker.child.kill()
        kill_at_once({worker.uid: worker.ended for worker in self._working})

    def abandon(self) -> list[Worker]:
        """Give up those that not even SIGKILL ends; gives them."""
        left, self._working = self._working, []
        for worker in left:
            self._watch.remove(worker.child)
        return left


def labels(workers: "Pool") -> str:
    """What workers are at work on, by name."""
    return ", ".join(sorted({worker.label for worker in workers}))
