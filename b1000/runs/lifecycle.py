"""What each event makes of a run. Pure: the journal stores the result, others show it.

A move that :mod:`b1000.runs.states` does not know is an internal error.
"""

from collections.abc import Callable
from typing import assert_never

from b1000.named import NamedTuple
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Relayed,
    Resolved,
    Resumed,
    RunEvent,
    RunMoved,
    SlotWanted,
    Waiting,
)
from b1000.runs.run import Copy, Run
from b1000.runs.states import COPY_MOVES, MOVES, CopyStatus, Ending, Status, Step


class IllegalMove(AssertionError):
    """An event that cannot come in the state of its run: an internal error."""


class Change(NamedTuple):
    """What an event has made of a run."""

    before: Run
    event: RunEvent
    after: Run


def changed(run: Run, event: RunEvent) -> Change:
    """The event with what it makes of the run. Raises IllegalMove."""
    return Change(run, event, apply(run, event))


class Transition(NamedTuple):
    """One row of history: a run's step or status changed, or the status of its copy.

    ``destination`` is "" for the run itself, and ``@HOST/JOB`` for the run of a client.
    """

    destination: str
    step: Step
    status: Status | CopyStatus
    error: str


def apply(run: Run, event: RunEvent) -> Run:
    """The run after the event. Raises IllegalMove.

    ``last_transition`` and ``relayed`` stay as they are: only the journal numbers transitions.
    """
    match event:
        case Resolved():
            if run.copies:
                raise IllegalMove(f"run {run.run_id} knows its copies already")
            return run._replace(snapshot=event.snapshot, copies=event.copies, changed=event.time)
        case RunMoved():
            return _move(run, event)
        case CopyMoved():
            after = _with_copy(run, event.destination, lambda copy: _move_copy(copy, event))
            return after._replace(changed=event.time)
        case AttemptBegan():
            return _with_copy(run, event.destination, lambda copy: _attempt(copy, event))
        case AttemptEnded():
            return _with_copy(
                run,
                event.destination,
                lambda copy: copy._replace(claimed=copy.claimed or event.claimed),
            )
        case Died():
            return _die(run, event)
        case Closed():
            error = f"{run.error}; {event.reason}" if run.error else event.reason
            return run._replace(ending=Ending.CLOSED, error=error, changed=event.time)
        case Resumed():
            resumed = run._replace(
                uid=event.uid, supervisor=event.supervisor, ending=None, ended=None, waiting=""
            )
            return _move(resumed, RunMoved(event.time, Step.COPYING, Status.OK))
        case Waiting():
            return run._replace(waiting=event.reason)
        case SlotWanted():
            return run._replace(waiting="")
        case Relayed():
            return _relay(run, event)
        case _:
            assert_never(event)


def _move(run: Run, event: RunMoved) -> Run:
    if event.step not in MOVES[run.step]:
        raise IllegalMove(f"run {run.run_id} cannot go from {run.step} to {event.step}")
    return run._replace(
        step=event.step,
        status=event.status,
        error=event.error,
        ending=Ending.FINISHED if event.final else None,
        ended=event.time if event.final else None,
        changed=event.time if _is_news(run, event) else run.changed,
    )


def _is_news(run: Run, event: RunMoved) -> bool:
    return (run.step, run.status) != (event.step, event.status) or event.final


def _with_copy(run: Run, destination: str, change: Callable[[Copy], Copy]) -> Run:
    if all(copy.destination != destination for copy in run.copies):
        raise IllegalMove(f"run {run.run_id} has no copy to {destination}")
    copies = (change(copy) if copy.destination == destination else copy for copy in run.copies)
    return run._replace(copies=tuple(copies))


def _move_copy(copy: Copy, event: CopyMoved) -> Copy:
    if event.status not in COPY_MOVES[copy.status]:
        raise IllegalMove(
            f"the copy to {copy.destination} cannot go from {copy.status} to {event.status}"
        )
    ended = None if event.status is CopyStatus.COPYING else event.time
    return copy._replace(
        status=event.status,
        error=event.error,
        ended=ended,
        **{name: counted for name in _COUNTED if (counted := getattr(event, name)) is not None},
    )


_COUNTED = (
    *("bytes", "files", "sent", "exit_code", "directories", "links", "others", "vanished"),
    "linked",
)


def _attempt(copy: Copy, event: AttemptBegan) -> Copy:
    started = event.time if copy.started is None else copy.started
    return copy._replace(attempts=event.number, started=started)


def _die(run: Run, event: Died) -> Run:
    """FAILED where it stands, and so are its copies that are under way.

    A run that is over stays what it is: that it died was concluded too late.
    """
    if run.ending:
        return run
    copies = tuple(
        _move_copy(copy, CopyMoved(event.time, copy.destination, CopyStatus.FAILED, event.error))
        if copy.status is CopyStatus.COPYING
        else copy
        for copy in run.copies
    )
    return run._replace(
        status=Status.FAILED,
        error=event.error,
        ending=event.ending,
        ended=event.time,
        copies=copies,
        changed=event.time,
    )


def _relay(run: Run, event: Relayed) -> Run:
    """A client's state takes the place of its earlier one."""
    clients = {client.file: client for client in run.clients}
    clients[event.client.file] = event.client
    return run._replace(clients=tuple(clients.values()), changed=event.time)


def transitions(change: Change) -> tuple[Transition, ...]:
    """The rows of history that an event leaves, in their order."""
    before, event, after = change
    whole = Transition("", after.step, after.status, after.error)
    match event:
        case Resolved():
            return tuple(Transition(c.destination, Step.INIT, c.status, "") for c in after.copies)
        case RunMoved():
            return (whole,) if _is_news(before, event) else ()
        case CopyMoved():
            return (Transition(event.destination, after.step, event.status, event.error),)
        case Died():
            copies = zip(before.copies, after.copies, strict=True)
            ended = [
                Transition(copy.destination, after.step, copy.status, copy.error)
                for earlier, copy in copies
                if copy != earlier
            ]
            return () if before.ending else (*ended, whole)
        case Resumed():
            is_news = (before.step, before.status) != (after.step, after.status)
            return (whole,) if is_news else ()
        case Closed():
            return (whole,)
        case Relayed(client=client):
            # No destination is called so.
            whose = f"@{client.host}/{client.job}"
            return (Transition(whose, client.step, client.status, client.error),)
        case AttemptBegan() | AttemptEnded() | Waiting() | SlotWanted():
            return ()
        case _:
            assert_never(event)
