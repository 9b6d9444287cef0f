"""Whose the runs are that a central database knows of: the history of each subject.

Only what a verdict of now and one of an earlier moment need is read: the last runs of each
instance, the last good ones where those are older, what the copies of some of them came to, and
at which destinations others were.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

from b1000.addresses import host_of
from b1000.monitor.copies import copies_of, together, with_copies
from b1000.monitor.drift import AGE_AFTER_ONE, DriftNote
from b1000.monitor.extents import Extent, Scope
from b1000.monitor.former import put_former_places
from b1000.monitor.history import PastRun, Subject, in_order, span
from b1000.monitor.lastruns import LEAST_READ, LastRuns
from b1000.monitor.needed_copies import Moments, before, needed
from b1000.monitor.severity import Verdict
from b1000.monitor.statements import Expressions
from b1000.monitor.tracks import Track, Tracks, of_all_writers, subjects_of
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource
from b1000.runs.states import Status


class Stray(NamedTuple):
    """Something to know that is no subject's, with what it would be of.

    Of one that found no client to pull, ``began`` is when that was, and ``client`` the host that
    it asked: it is told unless one was pulled since, which leaves a row of its client, under the
    name of the client's job, and none of its own.
    """

    subject: Subject
    note: DriftNote
    began: float | None = None
    client: str = ""


def told(strays: Sequence[Stray], relayed: Mapping[str, float]) -> list[tuple[Subject, DriftNote]]:
    """What is told of them; ``relayed`` is as in Histories."""
    clients = _of_clients(relayed)
    return [
        (each.subject, each.note)
        for each in sorted(strays, key=lambda each: each[:2])
        if each.began is None or not _pulled_since(each, each.began, relayed, clients)
    ]


_OfClients = Mapping[tuple[str, str], Sequence[tuple[str, float]]]
"""By storage and the first part of a client's name: its name, and when it was pulled last."""


def _of_clients(relayed: Mapping[str, float]) -> _OfClients:
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for whose, when in relayed.items():
        storage, _, host = whose.lower().partition(" ")
        if host:
            found.setdefault((storage, host.partition(".")[0]), []).append((host, when))
    return found


def _pulled_since(
    stray: Stray, began: float, relayed: Mapping[str, float], clients: _OfClients
) -> bool:
    """Whether a run of that job, or one of that client by the same storage, was pulled later.

    Short and full names are alike only where one has no dot.
    """
    if relayed.get(stray.subject.job, began) > began:
        return True
    asked = stray.client.lower()
    storage, host = stray.subject.host.lower(), asked.partition(".")[0]
    return bool(asked) and any(
        when > began and (asked == each or "." not in min(asked, each, key=len))
        for each, when in clients.get((storage, host), ())
    )


class Histories:
    """Reads what there is to know of all subjects of a scope.

    ``planned`` are subjects of which there need not be a run. Once the runs are read,
    ``found`` has them, of which another process may give or take some before they are looked at.
    """

    def __init__(self, source: DatabaseSource, moments: Moments, scope: Scope) -> None:
        self._source = source
        self._moments = moments
        self._now = moments.now
        self._expressions = Expressions(source)
        self._last = LastRuns(source, self._expressions, moments, scope)
        self._histories: dict[Subject, list[PastRun]] = {}
        self._needed: dict[Subject, Sequence[int]] = {}
        self._planned: Sequence[Subject] = ()
        self.relayed: dict[str, float] = {}
        """When the last run began that was pulled: of each job, and of each ``STORAGE CLIENT``."""

    @property
    def since(self) -> float:
        """What is older may be unknown."""
        return self._last.since

    @property
    def found(self) -> Tracks:
        """The runs."""
        return self._last.found

    def read(self, extent: Extent | None = None) -> None:
        """The last runs of each instance."""
        self._last.read(extent)

    def all(self, planned: Sequence[Subject]) -> tuple[dict[Subject, list[PastRun]], list[Stray]]:
        """The histories in the order of time, and failures that belong to none."""
        self._planned = planned
        self._last.good_ones_behind_failures()
        strays = self._put_together()
        self._look_at_copies()
        self._good_ones_of_the_past()
        some = [before(runs, self._moments) for runs in self._histories.values()]
        put_former_places(self._source, [each for each in some if each], self.found.relayed)
        return self._histories, strays

    def _good_ones_of_the_past(self) -> None:
        """Where the last runs hold hardly a good one, whatever they said of themselves."""
        lacking = {
            (run.made_on, subject.job, run.listed_as)
            for subject, runs in self._histories.items()
            if len(runs) >= LEAST_READ and not _half_of_them_are_good(runs)
            for run in runs
        } - self._last.good_ones_read
        if lacking:
            self._last.last_good_ones_of(lacking)
            self._put_together()
            self._look_at_copies()

    # --- whose they are

    def _put_together(self) -> list[Stray]:
        """Make the histories; gives what belongs to no subject."""
        self._histories = {}
        nobodys: list[tuple[Track, list[PastRun]]] = []
        by_host_and_job: dict[tuple[str, str], dict[Subject, None]] = {}
        for track, rows in self._last.tracks.items():
            runs = in_order(rows)
            if self.found.relayed:
                runs = of_all_writers(runs)
            subjects = subjects_of(track, runs, self.found.subjects[track])
            if not subjects:
                nobodys.append((track, runs))
            for subject, its in subjects.items():
                all_done = track not in self.found.flawed
                if subject in self._histories:
                    its = in_order([*self._histories[subject], *its])
                    all_done = False
                self._put(subject, its, all_done)
                by_host_and_job.setdefault(track[:2], {})[subject] = None
        for subject in self._planned:
            if subject not in self._histories:
                by_host_and_job.setdefault((subject.host, subject.job), {})[subject] = None
        strays = []
        for track, failures in nobodys:
            for subject in by_host_and_job.get(track[:2], ()):
                self._put(subject, in_order([*self._histories.get(subject, ()), *failures]))
            if track[:2] not in by_host_and_job and (stray := self._stray(track, failures)):
                strays.append(stray)
        self._see_what_was_pulled()
        return [*strays, *(self._leave_claims_out() if self.found.relayed else ())]

    def _put(self, subject: Subject, runs: list[PastRun], all_done: bool = False) -> None:
        """At once with what else is asked of each run: it takes longest to find it in memory."""
        self._histories[subject] = runs
        self._needed[subject] = needed(runs, self._moments, all_done)

    def _see_what_was_pulled(self) -> None:
        for subject, runs in self._histories.items():
            if subject.job in self.found.pulled:
                began = [run.started for run in runs if run.direction == "passive"]
                self.relayed[subject.job] = max([self.relayed.get(subject.job, 0.0), *began])
                for run in runs if began else ():
                    for storage in filter(None, run.relayed_by.split(", ")):
                        whose = f"{storage} {run.made_on}"
                        self.relayed[whose] = max(self.relayed.get(whose, 0.0), run.started)

    def _leave_claims_out(self) -> list[Stray]:
        """A client's word is no backup of another host that is not known by such words alone."""
        strays = []
        for subject, runs in self._histories.items():
            claimed = [run for run in runs if run.relayed_by and run.made_on != subject.host]
            if claimed and any(not run.relayed_by for run in runs):
                self._put(subject, [run for run in runs if run not in claimed])
                last = claimed[-1]
                text = (
                    f"{subject.label} has backups that do not rest on a client's word; those that "
                    f"{last.made_on} claims, relayed by {last.relayed_by}, do not count"
                )
                strays.append(Stray(subject, DriftNote("claim", text)))
        return strays

    def _stray(self, track: Track, failures: Sequence[PastRun]) -> Stray | None:
        """A failure of a job of which no backup is known; one that found no client to pull."""
        last = failures[-1]
        if last.acknowledged or last.status != Status.FAILED:
            return None
        host, job, _ = track
        age = self._now - last.started
        why = f": {last.error}" if last.error else ""
        if last.direction != "pull":
            text = f"{job} on {host} FAILED {span(age)} ago before it knew what to do"
            text += f", and nothing of it was ever backed up{why}"
            return Stray(Subject(*track), DriftNote("job", text, Verdict.CRITICAL))
        if age > AGE_AFTER_ONE:
            return None
        text = f"{job} on {host} found nothing to pull {span(age)} ago{why}"
        note, asked = DriftNote("pull", text, Verdict.WARNING), last.error.partition(" at ")[2]
        return Stray(Subject(*track), note, last.started, host_of(asked))

    # --- their copies

    def _look_at_copies(self) -> None:
        """Of each run that is not plainly good, and of the last of the others then and now."""
        sought = [
            (runs, index)
            for subject, runs in self._histories.items()
            for index in self._needed[subject]
        ]
        deceptive = self._count_copies(sought)
        # A run that is DONE and OK without a copy: look at all others of its subject too.
        self._count_copies([(runs, index) for runs in deceptive for index in range(len(runs))])

    def _count_copies(self, sought: Sequence[tuple[list[PastRun], int]]) -> list[list[PastRun]]:
        """Put into runs what their copies came to; gives the histories that seemed better."""
        asked = {runs[index].job_id: None for runs, index in sought}
        for runs, index in sought:
            asked.update(dict.fromkeys(runs[index].also))
        copies = copies_of(self._source, self._expressions, [*asked])
        deceptive = []
        for runs, index in sought:
            run = runs[index]
            known = copies[run.job_id]
            if run.also:
                known = together([copies[job_id] for job_id in (run.job_id, *run.also)])
            if run.good and not known.done + known.vanished:
                deceptive.append(runs)
            runs[index] = with_copies(run, known)
        return deceptive


def _half_of_them_are_good(runs: Sequence[PastRun]) -> bool:
    """Whether so many as half of those that are read at least are good, of the last ones first."""
    good = (run for run in reversed(runs) if run.good)
    return len([*islice(good, LEAST_READ // 2 + 1)]) * 2 >= LEAST_READ
