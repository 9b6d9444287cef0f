"""The supervisor's children: how they are forked, and what is known of each."""

import functools
import os
import resource
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any, NamedTuple, Protocol

from b1000.errors import counted
from b1000.jobs import BrokenJob, Job
from b1000.runs.events import Died, Swept
from b1000.runs.run import Leftovers, Run
from b1000.stopping import STOPPING
from b1000.supervise.plan import Planned
from b1000.work.worker import Closable

_FORK = get_context("fork")


class Kind(Enum):
    """What a worker was forked for."""

    RUN = "run"
    LISTING = "listing"
    SWEEPING = "sweeping"
    CLEARING = "clearing"
    ON_FAILURE = "on_failure"
    FORGETTING = "forgetting"


AFTERWARDS = frozenset({Kind.ON_FAILURE, Kind.FORGETTING})
"""What is done for a run that is over."""


class Errand(NamedTuple):
    """What a worker is forked for.

    ``then`` is what was planned and waits until a CLEARING worker has ended
    what dead runs left, the ``leftovers``. ``last_word`` is what a SWEEPING
    worker tells once all is ended.
    """

    kind: Kind
    uid: str
    job: Job | BrokenJob
    run: Run | None = None
    lock: int | None = None
    then: Planned | None = None
    leftovers: tuple[Leftovers, ...] = ()
    last_word: Died | Swept | None = None

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return self.run.label if self.run else self.job.name


@dataclass(eq=False)
class Worker:
    """One forked worker; ``run`` is how its run stands now.

    ``at_work`` is whether it holds a place; ``verdict`` is set once its last
    message has come. ``parked`` is the number of the batch whose
    acknowledgement it waits for without a place. ``ended`` are its commands
    that ended by themselves: what these left is a service.
    """

    errand: Errand
    process: ForkProcess
    connection: "Connection[Any, Any]"
    run: Run | None
    lock: int | None
    at_work: bool = True
    verdict: bool = False
    open: bool = True
    parked: int | None = None
    ended: set[str] = field(default_factory=set)

    @property
    def kind(self) -> Kind:
        """What it was forked for."""
        return self.errand.kind

    @property
    def uid(self) -> str:
        """The mark of all that it starts."""
        return self.errand.uid

    @property
    def job(self) -> Job | BrokenJob:
        """The job that it works for."""
        return self.errand.job

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return self.errand.label

    def order(self, order: object) -> None:
        """Send an order; a worker that is gone will be buried soon."""
        try:
            self.connection.send(order)
        except OSError:
            self.open = False


class Descriptor(NamedTuple):
    """An open descriptor, as something that a child can close."""

    number: int

    def close(self) -> None:
        """Close it."""
        os.close(self.number)


def fork(
    main: Callable[..., None], arguments: tuple[object, ...], inherited: Iterable[Closable]
) -> "tuple[ForkProcess, Connection[Any, Any]]":
    """Fork a child that runs ``main(*arguments, connection, inherited)``; gives our end too."""
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_child, args=(main, *arguments, theirs, (*inherited, ours)))
    # Until the child has handlers of its own, a signal would be taken for one of the parent's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        process.start()
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    return process, ours


def _child(main: Callable[..., None], *arguments: object) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, _files())
    main(*arguments)


@functools.cache
def _files() -> tuple[int, int]:
    """The limits of open files with which the program began."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


_OWN_FILES, _OF_A_WORKER, _OF_A_REPORT = 24, 6, 3


def allow_many_files(workers: int, reports: int) -> str:
    """Raise the limit of open files for this process; children get the old one back.

    Gives a sentence where so many workers and reporters may need more; "" where they do not.
    """
    _, most = _files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needed = _OWN_FILES + _OF_A_WORKER * workers + _OF_A_REPORT * reports
    if most == resource.RLIM_INFINITY or most >= needed:
        return ""
    return (
        f"the limit of open files is {most} (ulimit -n), and {counted(workers, 'worker')} with "
        f"{counted(reports, 'report')} may need {needed}: runs that find none left will fail; "
        "allow more, or lower workers"
    )


class Child(Protocol):
    """What workers and reporters have in common; ``open`` is whether the pipe is."""

    process: ForkProcess
    connection: "Connection[Any, Any]"
    open: bool


def drain(child: Child) -> list[Any]:
    """All messages that are in the pipe of a child."""
    found = []
    try:
        while child.open and child.connection.poll():
            found.append(child.connection.recv())
    except (EOFError, OSError):
        child.open = False
    return found
