"""Builders of real values for tests below the command line."""

import time

from b1000.identity import myself, new_uid
from b1000.runs.events import CopyMoved, Message, Note, ProcessEvent, Resolved, Resumed, RunMoved
from b1000.runs.lifecycle import changed
from b1000.runs.run import Copy, ProcessIdentity, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.journal import Journal
from b1000.state.queries import Reader


def record(journal: Journal, run: Run, event: Message) -> Run:
    """What a supervisor does with what happens to a run; gives the run as it then is."""
    if isinstance(event, ProcessEvent):
        journal.note(Note(run.uid, event))
        return run
    # One that keeps a run at hand is a supervisor's; here the journal knows it.
    known: dict[int, Run] = journal.__dict__.setdefault("known_to_tests", {})
    change = changed(known.get(run.run_id) or _stored(journal, run), event)
    journal.store(change)
    known[run.run_id] = change.after
    return change.after


def _stored(journal: Journal, run: Run) -> Run:
    with Reader(journal.path) as reader:
        return reader.run(run.run_id) or run


def resume(journal: Journal, run: Run, supervisor: ProcessIdentity | None = None) -> str:
    """The run goes on at COPYING; gives its new uid."""
    journal.__dict__.pop("known_to_tests", None)
    return record(journal, run, Resumed(time.time(), new_uid(), supervisor or myself())).uid


def begin(
    journal: Journal,
    job: str = "etc",
    instance: str = "",
    kind: str = "full",
    reports: tuple[str, ...] = ("main",),
) -> Run:
    """A new run in a journal."""
    with journal.transaction():
        return journal.begin_run(
            job,
            instance,
            "client",
            direction="push",
            kind=kind,
            reports=reports,
            supervisor=myself(),
        )


def resolve(journal: Journal, run: Run, *destinations: str, own_dump: bool = False) -> None:
    """INIT is over, with one copy for each destination."""
    copies = tuple(Copy(name, f"/{name}/{run.start_time}") for name in destinations)
    with journal.transaction():
        record(journal, run, Resolved(1.0, Snapshot(own_dump=own_dump), copies))


def move(journal: Journal, run: Run, step: Step, status: Status = Status.OK) -> None:
    """The run enters a step."""
    with journal.transaction():
        record(journal, run, RunMoved(2.0, step, status, ""))


def copy(journal: Journal, run: Run, destination: str, *statuses: CopyStatus) -> None:
    """A copy goes through some statuses."""
    for status in statuses:
        with journal.transaction():
            record(journal, run, CopyMoved(3.0, destination, status))


def done(journal: Journal, run: Run, destination: str = "store") -> None:
    """A run from INIT to DONE with one copy."""
    resolve(journal, run, destination)
    move(journal, run, Step.COPYING)
    copy(journal, run, destination, CopyStatus.COPYING, CopyStatus.DONE)
    move(journal, run, Step.DONE)


def failed_at_copying(
    journal: Journal, run: Run, destination: str = "store", own_dump: bool = False
) -> None:
    """A run whose copy failed for good."""
    resolve(journal, run, destination, own_dump=own_dump)
    move(journal, run, Step.COPYING)
    copy(journal, run, destination, CopyStatus.COPYING, CopyStatus.FAILED)
    move(journal, run, Step.COPYING, Status.FAILED)
