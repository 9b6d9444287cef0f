"""Workers that are given one task after the other: real forks, and what a task may leave behind."""

import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b1000.config.loader import Config, load
from b1000.jobs import Job, Transfer
from b1000.locks import Locks
from b1000.runs.events import ProcessEnded
from b1000.runs.protocol import Acknowledged, Assigned, Batch, Stop
from b1000.runs.run import RunIdentity
from b1000.runs.task import Task, TaskKind
from b1000.supervise.ahead import fork_worker
from b1000.supervise.children import Watch
from b1000.supervise.pool import Pool, Worker
from b1000.work import tasks
from b1000.work.channel import Channel
from b1000.work.forked import STOPPED
from tests.support.world import wait_until

JOB = Job("etc", "push", "full", (), (), {}, transfer=Transfer())

Body = Callable[[Channel, int | None], bool]


class Pooled:
    """A pool whose workers do what a test says in their process, by the name of a task."""

    def __init__(self, directory: Path, bodies: dict[str, Body]) -> None:
        async def carry_out(
            assigned: Assigned, _: object, __: Locks, lock: int | None, channel: Channel
        ) -> bool:
            good = bodies[assigned.subject.uid](channel, lock)
            channel.end(ProcessEnded(0.0, f"{os.getpid()}"))
            return good

        self._carry_out = tasks.carry_out
        tasks.carry_out = carry_out  # type: ignore[assignment]
        self.locks = Locks(directory / "locks")
        self.watch = Watch()
        self.pool = Pool({"etc": JOB}, self.locks, 2, self.watch, list)
        self._numbers = 0

    def close(self) -> None:
        tasks.carry_out = self._carry_out
        self.pool.kill()
        for worker in self.pool:
            self.pool.finish(worker, idle=False)
        self.watch.close()

    def start(self, what: str, lock: int | None = None) -> Worker:
        self._numbers += 1
        assigned = Assigned(
            TaskKind.LISTING, RunIdentity(what, "etc", "", "host", "push", "2026-11-22-10-11-12")
        )
        task = Task(TaskKind.LISTING, JOB, uid=what)
        return self.pool.start(self._numbers, task, lock, assigned)

    def hear(self, worker: Worker) -> list[Batch]:
        """What the worker says until its task is over, or it has ended."""
        said: list[Batch] = []
        while not (said and said[-1].idle) and worker.child.wire.open:
            for each, batches in self.pool.hear(self.watch.wait(10)):
                assert each is worker
                said += batches
        return said

    def carry_out(self, what: str, lock: int | None = None) -> tuple[int, bool]:
        """Do a task; gives the process that did it, and whether it may be given another."""
        worker = self.start(what, lock)
        said = self.hear(worker)
        idle = bool(said) and said[-1].idle
        self.pool.finish(worker, idle)
        (last,) = [message for batch in said for message in batch.messages][-1:]
        assert isinstance(last, ProcessEnded)
        return int(last.command), idle


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[dict[str, Body]], Pooled]]:
    made: list[Pooled] = []

    def with_bodies(bodies: dict[str, Body]) -> Pooled:
        made.append(Pooled(tmp_path, {"nothing": lambda *_: True, **bodies}))
        return made[-1]

    yield with_bodies
    for each in made:
        each.close()


Make = Callable[[dict[str, Body]], Pooled]


def test_a_worker_does_one_task_after_the_other(make: Make) -> None:
    pooled = make({})
    pids = {pooled.carry_out("nothing")[0] for _ in range(20)}
    assert len(pids) == 1


def test_a_worker_is_replaced_after_a_hundred_tasks(make: Make) -> None:
    pooled = make({})
    done = [pooled.carry_out("nothing") for _ in range(201)]
    pids = [pid for pid, _ in done]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [100, 100, 1]
    assert [idle for _, idle in done].count(False) == 2


def test_a_failure_is_the_last_task_of_its_worker(make: Make) -> None:
    pooled = make({"fails": lambda *_: False})
    first, idle = pooled.carry_out("fails")
    assert not idle
    assert pooled.carry_out("nothing")[0] != first


def _directory(*_: object) -> bool:
    os.chdir("/tmp")
    return True


def _umask(*_: object) -> bool:
    os.umask(0)
    return True


def _environment(*_: object) -> bool:
    os.environ["LEFT"] = "behind"
    return True


def _descriptor(*_: object) -> bool:
    os.open("/dev/null", os.O_RDONLY)
    return True


def _standard_input(*_: object) -> bool:
    os.close(0)
    return True


def _handler(*_: object) -> bool:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return True


def _blocked(*_: object) -> bool:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    return True


def _thread(*_: object) -> bool:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return True


def _child(*_: object) -> bool:
    if not os.fork():
        os.execv("/bin/sleep", ["sleep", "1"])
    return True


def _priority(*_: object) -> bool:
    os.nice(1)
    return True


def _limit(*_: object) -> bool:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    return True


def _path(*_: object) -> bool:
    sys.path.append("/nowhere")
    return True


def _collector(*_: object) -> bool:
    gc.disable()
    return True


KEPT: list[bytes] = []


def _memory(*_: object) -> bool:
    KEPT.append(b"x" * (64 * 2**20))
    return True


def _lock(_: Channel, lock: int | None) -> bool:
    assert lock is not None
    os.dup(lock)
    return True


def _sleep(seconds: float) -> Body:
    def body(*_: object) -> bool:
        time.sleep(seconds)
        return True

    return body


@pytest.mark.parametrize(
    "leave",
    [
        _directory, _umask, _environment, _descriptor, _standard_input, _handler, _blocked,
        _thread, _child, _priority, _limit, _path, _collector, _memory,
    ],
)  # fmt: skip
def test_nothing_that_a_task_leaves_behind_reaches_the_next(make: Make, leave: Body) -> None:
    pooled = make({"leaves": leave})
    one, _ = pooled.carry_out("nothing")
    two, idle = pooled.carry_out("leaves")
    assert two == one, "it had been reused until then"
    assert not idle, "its worker goes on"
    assert pooled.carry_out("nothing")[0] != one


def test_a_lock_travels_with_its_task_and_is_free_after_it(make: Make) -> None:
    pooled = make({"keeps": _lock, "holds": lambda _, lock: lock is not None})
    for what in ("holds", "holds", "keeps"):
        lock = pooled.locks.take("run@etc@")
        assert lock is not None
        pooled.pool.hold(lock)
        pooled.carry_out(what, lock)
        pooled.pool.release(lock)
        taken = pooled.locks.take("run@etc@")
        assert taken is not None, f"{what}: somebody holds the lock"
        os.close(taken)


def test_an_idle_worker_holds_no_lock_and_no_wire_of_another(make: Make) -> None:
    pooled = make({"holds": _sleep(0.2)})
    lock = pooled.locks.take("run@etc@")
    assert lock is not None
    pooled.pool.hold(lock)
    busy = pooled.start("holds", lock)
    other = pooled.start("nothing")
    said = {busy: False, other: False}
    while not all(said.values()):
        for worker, batches in pooled.pool.hear(pooled.watch.wait(10)):
            said[worker] = said[worker] or any(batch.idle for batch in batches)
    for worker in said:
        pooled.pool.finish(worker, idle=True)
    pooled.pool.release(lock)
    taken = pooled.locks.take("run@etc@")
    assert taken is not None
    os.close(taken)
    # With each other's ends in their hands, neither would see that ours is closed.
    for child in tuple(pooled.pool._idle):
        pooled.watch.remove(child)
        child.wire.close()
        assert child.reap(10)
    pooled.pool._idle.clear()


def test_an_acknowledgement_that_comes_late_is_no_task(make: Make) -> None:
    """What was told but not waited for is acknowledged when the task is over; once this hung."""
    pooled = make({})
    one = pooled.start("nothing")
    pooled.hear(one)
    for number in range(1, 4):
        one.child.send(Acknowledged(number))
    pooled.pool.finish(one, idle=True)
    for _ in range(50):
        two = pooled.start("nothing")
        assert two.child is one.child
        assert pooled.hear(two)[-1].idle
        two.child.send(Acknowledged(99))
        pooled.pool.finish(two, idle=True)


def test_a_worker_that_died_while_it_was_idle_costs_no_task(make: Make) -> None:
    pooled = make({})
    one, _ = pooled.carry_out("nothing")
    os.kill(one, signal.SIGKILL)
    (child,) = pooled.pool._idle
    wait_until(lambda: Path(f"/proc/{one}/stat").read_text().split()[2] == "Z")
    pid, idle = pooled.carry_out("nothing")
    assert pid != one
    assert idle
    assert child.exit_code == -signal.SIGKILL


def test_a_worker_that_dies_before_it_has_read_its_task_never_began_it(make: Make) -> None:
    pooled = make({"reads": _sleep(30)})
    one, _ = pooled.carry_out("nothing")
    os.kill(one, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{one}/stat").read_text().split()[2] == "T")
    worker = pooled.start("nothing")
    os.kill(one, signal.SIGKILL)
    assert pooled.hear(worker) == []
    assert worker.never_began
    pooled.pool.finish(worker, idle=False)
    # One that has read it may have done something already.
    worker = pooled.start("reads")
    assert worker.child.pid != one
    time.sleep(0.5)
    os.kill(worker.child.pid, signal.SIGKILL)
    assert pooled.hear(worker) == []
    assert not worker.never_began
    pooled.pool.finish(worker, idle=False)


def test_an_idle_worker_ends_with_its_supervisor(make: Make) -> None:
    pooled = make({})
    pooled.carry_out("nothing")
    (child,) = pooled.pool._idle
    child.send(Stop("the end"))
    assert child.reap(10)
    assert child.exit_code == 143


def configuration(directory: Path, job: str) -> Config:
    file = directory / "b1000.cfg"
    file.write_text(
        f"[global]\nhost = client\nstatus_dir = {directory}\n"
        f"[dest:store]\ntype = active\npath = {directory / 'store'}\n"
        f"[report:main]\ntype = file\npath = {directory / 'reports'}\n"
        f"[job:etc]\ndirection = push\ntype = full\ndest = store\nreport = main\n{job}\n"
    )
    return load(str(file))


def test_a_worker_that_was_forked_ahead_has_the_first_task(make: Make, tmp_path: Path) -> None:
    pooled = make({})
    (ahead,) = fork_worker(configuration(tmp_path, "include = /etc"), ["etc"])
    pooled.pool.adopt(ahead)
    done = [pooled.carry_out("nothing") for _ in range(2)]
    assert done == [(ahead.pid, True)] * 2


def test_one_that_was_forked_ahead_and_died_costs_the_task_nothing(
    make: Make, tmp_path: Path
) -> None:
    pooled = make({})
    (ahead,) = fork_worker(configuration(tmp_path, "include = /etc"), ["etc"])
    pooled.pool.adopt(ahead)
    os.kill(ahead.pid, signal.SIGKILL)
    wait_until(lambda: Path(f"/proc/{ahead.pid}/stat").read_text().split()[2] == "Z")
    pid, good = pooled.carry_out("nothing")
    assert good
    assert pid != ahead.pid
    assert ahead.exit_code == -signal.SIGKILL


def test_one_that_was_forked_ahead_ends_with_its_parent(tmp_path: Path) -> None:
    (ahead,) = fork_worker(configuration(tmp_path, "include = /etc"), ["etc"])
    ahead.wire.close()
    assert ahead.reap(10)
    assert ahead.exit_code == STOPPED


def test_none_is_forked_ahead_where_no_job_can_run(tmp_path: Path) -> None:
    assert fork_worker(configuration(tmp_path, "include = /etc\nno_such = 1"), ["etc"]) == []
    assert fork_worker(configuration(tmp_path, "include = /etc"), []) == []
