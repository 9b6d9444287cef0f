"""One copy on its way: where it goes, and what is known of the directory there."""

from collections.abc import Mapping

from b1000.addresses import one_place
from b1000.jobs import Destination
from b1000.named import NamedTuple
from b1000.progress_files import directory_beside, path_of
from b1000.rsync.outcome import Outcome
from b1000.rsync.totals import Totals
from b1000.rsync.verdicts import Retry
from b1000.runs.run import ONLY_FORGET, Copy, Snapshot, Unsettled
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.work import linking
from b1000.work.assignment import Assignment
from b1000.work.linking import Linking
from b1000.work.progress import ProgressWriter


class Target(NamedTuple):
    """Where a copy goes: into ``directory`` at the destination, linked to what is there.

    ``shared``: the directory is not of one run alone, as that of a sync.
    """

    directory: str
    destination: Destination
    linking: Linking
    progress: ProgressWriter
    shared: bool = False


class Standing(NamedTuple):
    """What is known of the directory between attempts.

    ``leftovers``: an attempt may have left files there, temporary ones too. ``doubt`` is why
    what is there is not believed by size and time, as in Unsettled; "" where it is.
    ``claimed``: the directory is this run's own; one of a sync is everybody's who has its lock.
    ``spoilt``: what is there is wrong and cannot be mended.
    """

    leftovers: bool = False
    doubt: str = ""
    claimed: bool = True
    spoilt: bool = False

    def after(self, result: Outcome) -> "Standing":
        """What is known once an rsync has FAILED so."""
        return self._replace(
            leftovers=self.leftovers or result.leftovers, doubt=result.doubt or self.doubt
        )


class Copying:
    """One copy on its way; ``number`` is that of its attempt.

    ``since`` is when the first attempt began that did not end well there. ``took`` is for how many
    seconds the last one was at work, without what it waited for. ``announced``: all is there that
    has to be before the first.
    """

    def __init__(
        self, copy: Copy, target: Target, since: float, standing: Standing, moved: str = ""
    ) -> None:
        """``moved``: the path that its destination has now, where that is another one."""
        self.copy = copy
        self.moved = moved
        self.target = target
        self.number = copy.attempts
        self.since = since
        self.standing = standing
        self.totals = Totals()
        self.took: float | None = None
        self.retried_once = False
        self.announced = False

    @property
    def destination(self) -> Destination:
        """Where it goes, as the run found it."""
        return self.target.destination

    def unsettled(self, result: Outcome) -> Unsettled | None:
        """What the journal is to know of the directory after an attempt."""
        standing = self.standing
        known = standing.doubt or standing.leftovers
        if result.status in COMPLETE or not known or not standing.claimed:
            return None
        return Unsettled(self.since, standing.doubt, standing.spoilt)

    def told(self, result: Outcome) -> Outcome:
        """An outcome as it is told: of a FAILED copy also that its destination has moved."""
        hopeless = result.reason.endswith(ONLY_FORGET)
        if not self.moved or hopeless or result.status is not CopyStatus.FAILED:
            return result
        return result._replace(
            reason=f"{result.reason}; it goes on where its run began, and path of "
            f"[dest:{self.copy.destination}] is {self.moved} now: b1000 forget gives the old one "
            "up, a new run copies there"
        )

    def again(self, result: Outcome) -> bool:
        """Whether it is tried again after an attempt that ended so."""
        if result.retry is Retry.ONCE:
            first = not self.retried_once
            self.retried_once = True
            return first
        return result.retry is Retry.YES


def begin(
    assignment: Assignment,
    snapshot: Snapshot,
    copy: Copy,
    destinations: Mapping[str, Destination],
    *,
    shared: bool,
) -> Copying:
    """A copy as it begins, or goes on; an attempt of another run may be in its way too.

    ``shared``: its directory is not of this run alone.
    """
    excludes = dict(snapshot.destination_excludes)
    configured = destinations[copy.destination]
    destination = configured.as_at(copy.path, excludes.get(copy.destination, ()))
    beneath = one_place(copy.path).startswith(f"{one_place(configured.path)}/")
    known = assignment.known.unsettled.get(one_place(copy.path))
    began = copy.started or assignment.clock()
    # An attempt of which nobody knows the end had made the directory, as far as is known.
    claimed = shared or copy.claimed or (copy.attempts > 0 and known is not None)
    progress = directory_beside(assignment.locks.directory)
    base, bad = snapshot.bases.get(copy.destination), assignment.known.bases.bad
    begun = shared or copy.attempts > 0
    distrusted = linking.distrust(bad, destination, copy.path, base) if begun else ""
    doubt = known.doubt if known else ""
    linked = Linking(assignment, destination, copy.path, base, distrusted == linking.ROTTEN)
    if base:
        linked.linked = copy.attempts > 0 and copy.linked is not False
    return Copying(
        copy,
        Target(
            copy.path,
            destination,
            linked,
            ProgressWriter(path_of(progress, assignment.run_id, copy.destination)),
            shared,
        ),
        known.since if known else began,
        Standing(
            # What a copy is resumed from was interrupted, in whatever way.
            leftovers=claimed and (copy.attempts > 0 or known is not None),
            doubt=doubt or distrusted,
            claimed=claimed,
            spoilt=known is not None and known.spoilt,
        ),
        "" if beneath else configured.path,
    )
