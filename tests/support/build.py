"""Builders of real values for tests below the command line."""

from b1000.identity import myself
from b1000.runs.events import CopyMoved, Resolved, RunMoved
from b1000.runs.run import Copy, Frozen, Run
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.journal import Journal


def begin(
    journal: Journal,
    job: str = "etc",
    instance: str = "",
    kind: str = "full",
    reports: tuple[str, ...] = ("main",),
) -> Run:
    """A new run in a journal."""
    with journal.transaction():
        return journal.begin_run(job, instance, "client", "push", kind, reports, myself())


def resolve(journal: Journal, run: Run, *destinations: str, own_dump: bool = False) -> None:
    """INIT is over, with one copy for each destination."""
    copies = tuple(Copy(name, f"/{name}/{run.start_time}") for name in destinations)
    with journal.transaction():
        journal.record(run.uid, run.run_id, Resolved(1.0, Frozen(own_dump=own_dump), copies))


def move(journal: Journal, run: Run, step: Step, status: Status = Status.OK) -> None:
    """The run enters a step."""
    with journal.transaction():
        journal.record(run.uid, run.run_id, RunMoved(2.0, step, status, ""))


def copy(journal: Journal, run: Run, destination: str, *statuses: CopyStatus) -> None:
    """A copy goes through some statuses."""
    for status in statuses:
        with journal.transaction():
            journal.record(run.uid, run.run_id, CopyMoved(3.0, destination, status))


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
