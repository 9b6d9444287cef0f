"""What is said of one subject, and what it was made from. Pure."""

from b1000.monitor.history import Subject
from b1000.monitor.replies import Reply
from b1000.monitor.severity import Verdict
from b1000.monitor.witnesses import Witnesses
from b1000.named import NamedTuple


class Reason(NamedTuple):
    """One thing that is wrong: a word for programs, and a text for people."""

    code: str
    text: str


class Judgement(NamedTuple):
    """The verdict on one subject, and what it was made from; None where it is not known.

    ``expected_by`` is "plan", "learned", or "default" as long as nothing is learned;
    ``unlearned`` then says why. ``relayed_by`` names the storages by whose relay a client
    told all this of itself. ``missing`` are destinations without a copy of the last good
    backup, ``places`` those with one, ``failing`` those without one of the last run.
    ``made_on`` is the host that made the last run, ``changed`` the verdict of then where it
    was another. ``acknowledged``: by which all of the reasons are known.
    ``longest``: what one age for all hours would be. ``offset`` is how far its host's local time is
    ahead of UTC, ``rests`` whether it never runs on some days of the week, and ``missed`` since
    when, in local time, it is late though nothing failed. ``before`` is when the good backup of
    a day before that of the last one began. ``newcomer``: what is missed may be its first weekend.
    """

    subject: Subject
    verdict: Verdict
    reason: str
    last_good: float | None
    age: float | None
    max_age: float | None
    expected_by: str
    data_age: float | None
    bytes: int | None
    usual_bytes: float | None
    copies_done: int
    copies_total: int
    last_run: float | None
    unlearned: str = ""
    relayed_by: str = ""
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    made_on: str = ""
    changed: str = ""
    acknowledged: Reply | None = None
    longest: float | None = None
    stored: Witnesses = Witnesses()
    offset: float = 0.0
    rests: bool = False
    missed: float | None = None
    before: float | None = None
    newcomer: bool = False

    @property
    def codes(self) -> frozenset[str]:
        """What is wrong, as words for programs."""
        return frozenset(each.code for each in self.reasons)

    @property
    def ratio(self) -> float:
        """The age against what it may be; what was never backed up is infinitely old."""
        if self.age is None:
            return float("inf")
        return self.age / self.max_age if self.max_age else 0.0
