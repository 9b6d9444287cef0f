"""What is begun when, and who goes on: slots, clients, directories, stop. Pure.

What happens comes in as an event, what is to be done goes out as actions, in their order.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from b1000.jobs import Job
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.task import Task, TaskKind
from b1000.supervise.decisions import (
    Action,
    Clearing,
    DirectoryResolved,
    Event,
    Fail,
    Gated,
    HeldAtInit,
    NotYet,
    Over,
    Refuse,
    Release,
    SlotReleased,
    SlotRequested,
    Start,
    Stopped,
    TasksAdded,
    Ticked,
)
from b1000.supervise.gate import Gate

Owner = Callable[[str, Sequence[str], str], str | None]
"""Which instance of a job, of some, has had a directory until now."""


class _Begun(NamedTuple):
    """A task that was begun.

    ``at_work`` is whether it holds a slot; ``held``, whether it waits at the gate.
    """

    task: Task
    at_work: bool = True
    held: bool = False


class _Waiting(NamedTuple):
    task: Task
    until: float = 0.0


class Schedule:
    """Decides for one program with so many ``slots``; ``owner`` says whose a directory is.

    A run of a job/instance is begun when no other one is under way. What comes back from
    waiting goes first, then what follows a failure, then lists of instances, then runs. Pulls
    from one client leave a slot to others.
    """

    def __init__(self, slots: int, owner: Owner = lambda *_: None) -> None:
        self._slots = slots
        self._owner = owner
        self._numbers = 0
        self._begun: dict[int, _Begun] = {}
        self._returning: list[int] = []
        self._waiting: list[_Waiting] = []
        self._refused: list[_Waiting] = []
        self._put_off = 0.0  # until when something waits at the longest
        self._gates: dict[str, Gate] = {}
        self._stopped = False

    # --- what can be asked

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not self._begun and not self.waits

    @property
    def waits(self) -> bool:
        """Whether something waits to begin."""
        return bool(self._waiting or self._refused)

    def next_time(self, now: float) -> float | None:
        """When time alone may let something begin; None where it cannot."""
        if now >= self._put_off:
            return None
        later = [each.until for each in (*self._waiting, *self._refused) if each.until > now]
        return min(later, default=None)

    def give_up(self) -> list[Task]:
        """Nothing that waits will begin; gives that."""
        given_up = [each.task for each in (*self._refused, *self._waiting)]
        self._waiting, self._refused = [], []
        return given_up

    # --- the rule

    def decide(self, event: Event, now: float) -> list[Action]:
        """What is to be done because of an event, at some time."""
        return [*self._note(event), *self._go_on(now)]

    def _note(self, event: Event) -> Iterator[Action]:
        match event:
            case TasksAdded():
                self._queue([_Waiting(task) for task in event.tasks], event.first)
            case Gated():
                self._gates[event.job] = event.gate
            case NotYet():
                task = self._begun.pop(event.number).task
                self._queue([_Waiting(task, event.until)], first=True)
            case Clearing():
                self._change(event.number, at_work=False)
            case HeldAtInit():
                self._change(event.number, at_work=False, held=True)
                job, instance = self._begun[event.number].task.subject
                yield from self._know(job, instance, event.directory)
            case DirectoryResolved():
                yield from self._know(event.job, event.instance, event.directory)
            case SlotReleased():
                self._change(event.number, at_work=False)
            case SlotRequested():
                self._returning.append(event.number)
            case Over():
                self._begun.pop(event.number, None)
                if event.number in self._returning:
                    self._returning.remove(event.number)
            case Stopped():
                self._stopped = True
                self._waiting.clear()
            case Ticked():
                pass
            case _:
                assert_never(event)

    def _queue(self, tasks: Sequence[_Waiting], first: bool) -> None:
        """In the order of :func:`_rank`; within one, the first stays first."""
        self._put_off = max([self._put_off, *(each.until for each in tasks)])
        self._refused += (each for each in tasks if each.task.refusal)
        if not self._stopped:
            new = [each for each in tasks if not each.task.refusal]
            both = [*new, *self._waiting] if first else [*self._waiting, *new]
            self._waiting = sorted(both, key=lambda each: _rank(each.task))

    def _change(self, number: int, at_work: bool, held: bool = False) -> None:
        self._begun[number] = self._begun[number]._replace(at_work=at_work, held=held)

    # --- the gate

    def _know(self, job: str, instance: str, directory: str | None) -> Iterator[Action]:
        """Decide on the runs that waited for just that."""
        gate = self._gates.get(job)
        if gate:
            gate.know(instance, directory)
        held = [n for n, each in self._begun.items() if each.held and each.task.job.name == job]
        for number in held:
            other = self._begun[number].task.instance
            if gate and not gate.open(other):
                continue
            why = gate.refusal(other, self._owner_of(gate, job, other)) if gate else None
            self._change(number, at_work=bool(why))
            if why:
                yield Refuse(number, why)
            else:
                self._returning.append(number)

    def _owner_of(self, gate: Gate, job: str, instance: str) -> str | None:
        """Which of the instances that would share a directory has had it until now."""
        rivals, directory = gate.rivals(instance), gate.subject(instance)
        if not rivals or directory is None:
            return None
        return self._owner(job, [instance, *rivals], directory)

    # --- slots

    def _go_on(self, now: float) -> Iterator[Action]:
        """First what is refused, then who comes back, then what is new, as slots allow."""
        yield from self._fail_refused(now)
        free = self._slots - sum(each.at_work for each in self._begun.values())
        for number in tuple(self._returning):
            if free > 0 and self._client_has_slot(self._begun[number].task):
                free -= 1
                self._returning.remove(number)
                self._change(number, at_work=True)
                yield Release(number)
        if free > 0 and self._waiting:
            yield from self._start(now, free)

    def _fail_refused(self, now: float) -> Iterator[Action]:
        refused, self._refused = self._refused, []
        for each in refused:
            if each.until > now and not self._stopped:
                self._refused.append(each)
            else:
                yield Fail(self._enter(each.task, at_work=False), each.task)

    def _start(self, now: float, free: int) -> Iterator[Action]:
        busy = {each.task.subject for each in self._begun.values() if _is_of_a_run(each.task)}
        waiting, self._waiting = self._waiting, []
        for position, each in enumerate(waiting):
            if not free:
                self._waiting += waiting[position:]
                break
            task = each.task
            blocked = _is_of_a_run(task) and task.subject in busy
            if _is_of_a_run(task):
                busy.add(task.subject)
            if blocked or each.until > now or not self._client_has_slot(task):
                self._waiting.append(each)
            else:
                free -= 1
                yield Start(self._enter(task), task)

    def _enter(self, task: Task, at_work: bool = True) -> int:
        self._numbers += 1
        self._begun[self._numbers] = _Begun(task, at_work)
        return self._numbers

    def _client_has_slot(self, task: Task) -> bool:
        """Whether the pulls from a client leave a slot to others."""
        client = client_of(task)
        most = max(1, self._slots - 1)
        return not client or most > sum(
            each.at_work and client_of(each.task) == client for each in self._begun.values()
        )


def client_of(task: Task) -> str:
    """The host that a task pulls from; "" where it does not."""
    pull = task.job.pull if isinstance(task.job, Job) else None
    return paths.host_or_path(pull.source) if pull and _is_of_a_run(task) else ""


def _is_of_a_run(task: Task) -> bool:
    """Whether only one of them may be under way for a job/instance."""
    return task.kind not in (TaskKind.LISTING, TaskKind.ON_END)


def _rank(task: Task) -> int:
    """What follows the end of a run goes before lists of instances, and these before runs."""
    order = {TaskKind.ON_END: 0, TaskKind.LISTING: 1}
    return order.get(task.kind, 2)
