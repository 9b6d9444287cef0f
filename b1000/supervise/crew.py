"""The workers of one supervisor, and the locks of job/instances that are in their hands."""

import os
from collections.abc import Iterable, Iterator, Sequence

from b1000.supervise.children import Child, Descriptor, Errand, Worker, fork
from b1000.supervise.orphans import kill_at_once
from b1000.supervise.signals import Signals
from b1000.work import worker as work
from b1000.work.worker import Closable, Task


class Crew:
    """Forks workers, and lets go of those that have ended; in the order of their beginning."""

    def __init__(self, signals: Signals, reporters: Sequence[Child]) -> None:
        self._signals = signals
        self._reporters = reporters
        self._workers: list[Worker] = []
        self._held: set[int] = set()

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers))

    def __len__(self) -> int:
        return len(self._workers)

    def hold(self, lock: int) -> None:
        """Keep a lock from all children but the worker that it is for."""
        self._held.add(lock)

    def release(self, lock: int | None) -> None:
        """Give a lock back, where there is one; whoever inherited it has it still."""
        if lock is not None:
            self._held.discard(lock)
            os.close(lock)

    def fork(self, errand: Errand, task: Task) -> Worker:
        """Start a worker, which takes over the errand's lock; raises OSError."""
        process, connection = fork(
            work.enter, (task, errand.label), self.not_for_children(errand.lock)
        )
        worker = Worker(errand, process, connection, errand.run, errand.lock)
        self._workers.append(worker)
        return worker

    def not_for_children(self, own_lock: int | None = None) -> list[Closable]:
        """What a child must not keep: a lock or a pipe in its hands would outlive its owner."""
        return [
            *(worker.connection for worker in self._workers),
            *(reporter.connection for reporter in self._reporters),
            *(Descriptor(lock) for lock in self._held if lock != own_lock),
            self._signals.reader,
            self._signals.writer,
        ]

    def dismiss(self, worker: Worker) -> None:
        """Let go of a worker that has ended; its lock stays held."""
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)

    def abandon(self) -> list[Worker]:
        """Give up those that not even SIGKILL ends; gives them."""
        left, self._workers = self._workers, []
        return left

    def order(self, order: object) -> None:
        """Send an order to all."""
        for worker in self._workers:
            worker.order(order)

    def kill(self) -> None:
        """SIGKILL all workers, and whatever they have started."""
        for worker in self._workers:
            worker.process.kill()
        kill_at_once({worker.uid: worker.ended for worker in self._workers})


def labels(workers: Iterable[Worker]) -> str:
    """What workers are at work on, by name."""
    return ", ".join(sorted({worker.label for worker in workers}))
