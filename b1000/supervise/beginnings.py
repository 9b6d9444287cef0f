"""What the beginning of something writes into the journal, and what follows from that."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from b1000.identity import is_alive, new_uid
from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks
from b1000.runs.events import Closed, CopyMoved, Died, Note, Resumed, RunMoved, Swept
from b1000.runs.lifecycle import changed
from b1000.runs.run import ProcessIdentity, Run
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state.journal import Journal
from b1000.state.queries import Reader
from b1000.supervise import narrative, recovery
from b1000.supervise.children import Errand, Kind
from b1000.supervise.plan import Action, Planned
from b1000.supervise.recovery import Fate
from b1000.work import worker as work
from b1000.work.worker import Task


class Beginning(NamedTuple):
    """What can begin: its ``lock`` is taken, and what ``dead`` runs left has been ended."""

    planned: Planned
    lock: int
    dead: Sequence[Run]


class Follow(NamedTuple):
    """What is to be done once a beginning is durable.

    ``said`` is a line of the log, its level first; ``buried`` are runs that
    have turned out to be FAILED; ``failed`` is whether that is a failure of
    this program. Without an errand the lock is free again.
    """

    run: Run
    said: tuple[int, str] | None = None
    buried: Sequence[Run] = ()
    failed: bool = False
    errand: Errand | None = None
    task: Task | None = None


class Beginnings:
    """Begins runs, goes on with those of the past, or gives them up."""

    def __init__(
        self,
        host: str,
        me: ProcessIdentity,
        reader: Reader,
        locks: Locks,
        clock: Callable[[], float],
    ) -> None:
        self._host = host
        self._me = me
        self._reader = reader
        self._locks = locks
        self._clock = clock

    def begin_run(self, journal: Journal, job: Job | BrokenJob, instance: str) -> Run:
        """A new run at INIT."""
        return journal.begin_run(
            job.name, instance, self._host, job.direction, job.type, job.reports, self._me
        )

    def begin(self, journal: Journal, beginning: Beginning) -> Follow:
        """Record the beginning of something; gives what follows."""
        planned = beginning.planned
        died = [run for run in beginning.dead if run.ending is None]
        for run in beginning.dead:
            if run not in died:
                journal.note(Note(run.uid, Swept(self._clock())))
            elif planned.run is None or planned.run.run_id == run.run_id:
                last = Died(self._clock(), "interrupted", Ending.INTERRUPTED)
                journal.store(changed(run, last))
        if planned.run is None:
            assert isinstance(planned.job, Job)
            return self._new(journal, planned.job, planned.instance, beginning.lock, died)
        # Somebody else may have gone on with it while it waited here.
        run = self._reader.run(planned.run.run_id) or planned.run
        match recovery.fate(run, is_alive), planned.action:
            case Fate.NOTHING, Action.FORGET_WITH_POST if recovery.has_post_left(run):
                return self._post(journal, run, planned.job, beginning.lock)
            case Fate.NOTHING, _:
                return Follow(run)
            case Fate.FAILED, Action.FORGET_WITH_POST:
                return Follow(
                    run, (logging.INFO, f"{_which(run)}: {recovery.why_no_post(run)}"), [run]
                )
            case Fate.FAILED, action:
                return Follow(run, buried=[run], failed=action is Action.RESUME)
            case Fate.RESUME, Action.RESUME:
                return self._again(journal, run, planned.job, beginning.lock)
            case Fate.CLOSE, Action.FORGET_WITH_POST:
                reason = f"forgotten by hand; {recovery.why_no_post(run)}"
                return self._closed(journal, run, reason)
            case _, Action.FORGET_WITH_POST:
                return self._post(journal, run, planned.job, beginning.lock)
            case _, Action.FORGET:
                return self._closed(journal, run, "forgotten by hand")
            case _:
                return self._closed(journal, run, recovery.closing_words(run))

    def _post(self, journal: Journal, run: Run, job: Job | BrokenJob, lock: int) -> Follow:
        """Run the post of a run that is given up."""
        run = run._replace(uid=journal.begin_afterwards(run, self._me))
        task = work.post_task(run, job.limits, self._locks, lock)
        errand = Errand(Kind.FORGETTING, run.uid, job, run, lock)
        return Follow(run, errand=errand, task=task)

    def _new(
        self, journal: Journal, job: Job, instance: str, lock: int, died: Sequence[Run]
    ) -> Follow:
        run = self.begin_run(journal, job, instance)
        return Follow(
            run,
            (logging.INFO, f"INIT ({_which(run)})"),
            died,
            errand=Errand(Kind.RUN, run.uid, job, run, lock),
            task=work.run_task(
                run,
                job,
                self._locks,
                lock,
                work.Known(
                    self._reader.bases(job, instance),
                    self._reader.unsettled(),
                    self._reader.taken(job.name, instance) if job.pull else (),
                ),
            ),
        )

    def _again(self, journal: Journal, past: Run, job: Job | BrokenJob, lock: int) -> Follow:
        if isinstance(job, BrokenJob):
            # It waits on, as it is, for a configuration that can be used.
            reason = "; ".join(job.reasons)
            if not job.configured and past.error != reason:
                self._fail_without_job(journal, past, reason)
            return Follow(
                past,
                (
                    logging.ERROR,
                    f"{_which(past)} cannot be resumed: {reason}; {narrative.ways_out(past)}",
                ),
                failed=True,
            )
        resumed = changed(past, Resumed(self._clock(), new_uid(), self._me))
        journal.store(resumed)
        run = resumed.after
        return Follow(
            run,
            (logging.INFO, f"resumed ({_which(run)})"),
            errand=Errand(Kind.RUN, run.uid, job, run, lock),
            task=work.resume_task(
                run,
                job._replace(type=run.type),
                self._locks,
                lock,
                work.Known(unsettled=self._reader.unsettled()),
            ),
        )

    def _fail_without_job(self, journal: Journal, run: Run, reason: str) -> None:
        """Its copies cannot be made until the job is configured again; told once."""
        missing = [copy.destination for copy in run.copies if not copy.complete]
        now = self._clock()
        for destination in missing:
            failed = CopyMoved(now, destination, CopyStatus.FAILED, reason)
            journal.store(change := changed(run, failed))
            run = change.after
        if missing:
            last = RunMoved(now, Step.COPYING, Status.FAILED, reason)
            journal.store(changed(run, last))

    def _closed(self, journal: Journal, run: Run, reason: str) -> Follow:
        journal.store(changed(run, Closed(self._clock(), reason)))
        return Follow(run, (logging.WARNING, f"{_which(run)}: {reason}"))


def _which(run: Run) -> str:
    return f"run {run.run_id}, {run.start_time}"
