"""How a task begins: its lock, what dead runs left, and what its beginning writes."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from b1000.config.commandline import ways_out
from b1000.errors import JournalFailed, message_of
from b1000.identity import is_alive, new_uid
from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks, run_lock
from b1000.logstyle import ERROR, INFO, WARNING
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.events import Closed, CopyMoved, Died, Note, Resumed, RunMoved, Swept
from b1000.runs.lifecycle import changed
from b1000.runs.run import Bases, Orphans, ProcessIdentity, Run, RunIdentity
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.runs.task import JournalFacts, Task, TaskKind
from b1000.state.journal import Journal
from b1000.state.queries import Reader
from b1000.supervise import narrative, recovery
from b1000.supervise.naming import Reservations
from b1000.supervise.prepared import Busy, LeftRunning, NameTaken, Prepared, Ready, Unlocked
from b1000.supervise.recovery import Fate


class Begun(NamedTuple):
    """What follows from a beginning, once it is durable.

    ``task`` is for a worker; None where nothing is left to be done. ``run`` is the run that it
    is about. ``said`` is a line of the log, its level first; ``interrupted`` are runs that have
    turned out to be FAILED; ``failed`` is whether that is a failure of this program.
    """

    task: Task | None
    run: Run | None
    said: tuple[int, str] | None = None
    interrupted: Sequence[Run] = ()
    failed: bool = False


class Launch:
    """Begins tasks: new runs, those of the past that are resumed or given up, and the rest."""

    def __init__(
        self,
        host: str,
        me: ProcessIdentity,
        reader: Reader,
        locks: Locks,
        clock: Callable[[], float],
        *,
        names: Reservations,
        config_path: str,
    ) -> None:
        self._host = host
        self._config_path = config_path
        self._names = names
        self._me = me
        self._reader = reader
        self._locks = locks
        self._clock = clock

    # --- before

    def prepare(self, task: Task) -> Prepared:
        """Take the lock of a task, or say what stands in the way. JournalFailed."""
        if task.kind is TaskKind.ON_END:
            return Ready(None)
        if task.kind is TaskKind.LISTING:
            return self._prepare_listing(task)
        if not task.run and (until := self._reserved(task)):
            return NameTaken(until)
        try:
            lock = self._locks.take(run_lock(*task.subject))
        except OSError as error:
            return Unlocked(f"its lock cannot be taken: {message_of(error)}")
        try:
            dead = self._left_running(task)
            uids = frozenset(run.uid for run in dead)
            cleared = uids <= task.cleared
            orphans = () if cleared else tuple(self._reader.orphans(uid) for uid in uids)
        except JournalFailed:
            _release(lock)
            raise
        if orphans:
            # It may be what holds the lock.
            _release(lock)
            return LeftRunning(uids, orphans)
        return Busy(self._whom(task)) if lock is None else Ready(lock, dead)

    def name_free_at(self, task: Task) -> float | None:
        """When a new run has a name of its own; None where it has one now."""
        now = self._clock()
        free_at = self._reader.name_free_at(*task.subject, now)
        return free_at if free_at > now else None

    def _reserved(self, task: Task) -> float | None:
        """Take the name of a new run; where that is not possible, when it may be."""
        if until := self.name_free_at(task):
            return until
        second = int(self._clock())
        free = self._names.reserve(task, second)
        return float(free) if free > second else None

    def _prepare_listing(self, task: Task) -> Prepared:
        uids = frozenset(
            uid
            for uid, supervisor in self._reader.unfinished_listings(task.job.name)
            if not is_alive(supervisor)
        )
        if uids <= task.cleared:
            return Ready(None)
        return LeftRunning(uids, tuple(self.orphans(uid) for uid in uids))

    def _left_running(self, task: Task) -> list[Run]:
        """Runs of the same job/instance of which something may run although nobody supervises it.

        What it is about is now decided by whoever holds the lock.
        """
        return [
            run for run in self._reader.left_running(task.subject) if not is_alive(run.supervisor)
        ]

    def _whom(self, task: Task) -> str:
        """The run that has the lock, in words."""
        with suppress(JournalFailed):
            alive = [r for r in self._reader.unfinished(task.subject) if is_alive(r.supervisor)]
            if alive:
                return narrative.still_at_work(alive[-1])
        return "a run that has just begun, or what an earlier one left running"

    def orphans(self, uid: str) -> Orphans:
        """What may still run under a mark, as far as the journal can say."""
        try:
            return self._reader.orphans(uid)
        except JournalFailed:
            return Orphans(uid)

    # --- the beginning

    def begin(self, journal: Journal, task: Task, ready: Ready) -> Begun:
        """Record the beginning of something; gives what follows."""
        if task.kind is TaskKind.ON_END:
            assert task.run
            run = task.run._replace(uid=journal.begin_afterwards(task.run, self._me))
            return Begun(task._replace(uid=run.uid, run=run), run)
        if task.kind is TaskKind.LISTING:
            return Begun(task._replace(uid=journal.begin_listing(task.job.name, self._me)), None)
        died = self._conclude(journal, task, ready.dead)
        if task.run is None:
            return self._new(journal, task, died)
        # Another program may have gone on with it while it waited here.
        run = self._reader.run(task.run.run_id) or task.run
        return self._of_the_past(journal, task, run)

    def _conclude(self, journal: Journal, task: Task, dead: Sequence[Run]) -> list[Run]:
        """What is known of dead runs now: nothing of them runs any more; gives who just died."""
        died = [run for run in dead if run.ending is None]
        for run in dead:
            if run not in died:
                journal.note(Note(run.uid, Swept(self._clock())))
            elif task.run is None or task.run.run_id == run.run_id:
                last = Died(self._clock(), "interrupted", Ending.INTERRUPTED)
                journal.store(changed(run, last))
        return died

    def _of_the_past(self, journal: Journal, task: Task, run: Run) -> Begun:
        with_post = task.kind is TaskKind.FORGET_WITH_POST
        match recovery.fate(run, is_alive):
            case Fate.NOTHING if with_post and recovery.has_post_left(run):
                return self._post(journal, task, run)
            case Fate.NOTHING:
                return Begun(None, run)
            case Fate.FAILED if with_post:
                why = f"{_which(run)}: {recovery.why_no_post(run)}"
                return Begun(None, run, (INFO, why), [run])
            case Fate.FAILED:
                return Begun(None, run, interrupted=[run], failed=task.kind is TaskKind.RESUME)
            case Fate.RESUME if task.kind is TaskKind.RESUME:
                return self._resume(journal, task, run)
            case Fate.CLOSE if with_post:
                reason = f"forgotten by hand; {recovery.why_no_post(run)}"
                return self._closed(journal, run, reason)
            case _ if with_post:
                return self._post(journal, task, run)
            case _ if task.kind is TaskKind.FORGET:
                return self._closed(journal, run, "forgotten by hand")
            case _:
                return self._closed(journal, run, recovery.closing_words(run))

    def begin_run(self, journal: Journal, job: Job | BrokenJob, instance: str) -> Run:
        """A new run at INIT."""
        return journal.begin_run(
            job.name,
            instance,
            self._host,
            direction=job.direction,
            kind=job.type,
            reports=job.reports,
            supervisor=self._me,
            # Until INIT is over, an age that is configured is not known.
            data_age=None if isinstance(job, Job) and "data_age" in job.deferred else 0.0,
        )

    def _new(self, journal: Journal, task: Task, died: Sequence[Run]) -> Begun:
        assert isinstance(task.job, Job)
        run = self.begin_run(journal, task.job, task.instance)
        known = JournalFacts(
            self._reader.bases(task.job, task.instance),
            self._reader.unsettled(),
            self._reader.taken(*task.subject) if task.job.pull else (),
            self._names.are_of_machine,
            run.first_uid,
            run.started,
            self._reader.sealed(task.job, task.instance),
        )
        begun = task._replace(uid=run.uid, run=run, known=known)
        return Begun(begun, run, (INFO, f"INIT ({_which(run)})"), died)

    def _resume(self, journal: Journal, task: Task, past: Run) -> Begun:
        if isinstance(task.job, BrokenJob):
            # It waits on, as it is, for a configuration that can be used.
            reason = "; ".join(task.job.reasons)
            if not task.job.configured and past.error != reason:
                self._fail_without_job(journal, past, reason)
            ways = ways_out(self._config_path, past)
            text = f"{_which(past)} cannot be resumed: {reason}; {ways}"
            return Begun(None, past, (ERROR, text), failed=True)
        resumed = changed(past, Resumed(self._clock(), new_uid(), self._me))
        journal.store(resumed)
        run = resumed.after
        reserved = self._names.are_of_machine  # no other run has the name of a second of the past
        known = JournalFacts(
            Bases(bad=self._reader.known_bad(task.job.name)),
            unsettled=self._reader.unsettled(),
            reserved=reserved,
            first_uid=run.first_uid,
            started=run.started,
            sealed=self._reader.sealed(task.job, task.instance),
        )
        begun = task._replace(uid=run.uid, run=run, known=known)
        return Begun(begun, run, (INFO, f"resumed ({_which(run)})"))

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

    def _post(self, journal: Journal, task: Task, run: Run) -> Begun:
        """The post of a run that is given up is run."""
        run = run._replace(uid=journal.begin_afterwards(run, self._me))
        return Begun(task._replace(uid=run.uid, run=run), run)

    def _closed(self, journal: Journal, run: Run, reason: str) -> Begun:
        journal.store(changed(run, Closed(self._clock(), reason)))
        return Begun(None, run, (WARNING, f"{_which(run)}: {reason}"))

    def owner_of_directory(self, job: str, instances: Sequence[str], directory: str) -> str | None:
        """Which of some instances has had a directory until now; None where none is known."""
        with suppress(JournalFailed):
            return self._reader.owner_of_directory(job, instances, directory)
        return None

    def subject(self, task: Task) -> RunIdentity:
        """On whose behalf a task that has begun starts processes: a run, or a job without one."""
        job, run = task.job, task.run
        if run:
            whose = (run.job, run.instance, run.host, run.direction, run.start_time)
        else:
            start_time = datetime.fromtimestamp(self._clock()).strftime(paths.START_TIME)
            whose = (job.name, "", self._host, job.direction, start_time)
        return RunIdentity(task.uid, *whose)


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _which(run: Run) -> str:
    return f"run {run.run_id}, {run.start_time}"


def subject_of(run: Run) -> str:
    """The part of a run's directories that names whose data it is."""
    snapshot = run.snapshot
    return paths.subject(run.host, run.instance, snapshot.master_host, snapshot.master_instance)
