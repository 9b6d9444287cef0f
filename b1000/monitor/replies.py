"""What people have answered to verdicts: acknowledged, ignored, expected; until when, why. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from b1000.monitor.finding import RuleResult
from b1000.monitor.history import PlanRow, Subject
from b1000.monitor.severity import Verdict
from b1000.named import NamedTuple

ACK, IGNORE, EXPECT = "ack", "ignore", "expect"
_ALIKE = frozenset({"failed", "missed"})  # one failure is the other, some hours later


class Reply(NamedTuple):
    """One answer, by whom and when; ``until`` None has no end. ``codes``: what was wrong then."""

    kind: str
    by: str
    when: float
    until: float | None = None
    note: str = ""
    codes: frozenset[str] = frozenset()

    def holds(self, now: float) -> bool:
        """Whether it is not over."""
        return self.until is None or now < self.until

    @property
    def text(self) -> str:
        """Who said it, until when and why."""
        until = ""
        if self.until is not None:
            until = f" until {datetime.fromtimestamp(self.until):%Y-%m-%d %H:%M}"
        return f"by {self.by or 'somebody'}{until}{f': {self.note}' if self.note else ''}"


Replies = Mapping[str, Reply]
"""Of one subject, by kind: of each the last."""


def is_ignored(plan: PlanRow | None, replies: Replies, now: float) -> bool:
    """Whether nobody wants to know of it now; what was set in ``plan`` by hand has no end."""
    last = _last(replies, IGNORE, EXPECT)
    if last and last.kind == EXPECT and not last.holds(now):
        return True
    over = last and last.kind == IGNORE and not last.holds(now)
    return bool(plan and plan.ignored) and not over


def ack_of(replies: Replies) -> Reply | None:
    """By which what is wrong was acknowledged, unless something else was said since."""
    last = _last(replies, ACK, IGNORE, EXPECT)
    return last if last and last.kind == ACK else None


def _last(replies: Replies, *kinds: str) -> Reply | None:
    some = [replies[kind] for kind in kinds if kind in replies]
    return max(some, key=lambda each: each.when, default=None)


def acknowledged(
    findings: Sequence[RuleResult], ack: Reply | None, last_good: float | None, now: float
) -> Reply | None:
    """The reply by which all of that is known; what came after it is not.

    Without an end it is over with the next good backup.
    """
    if not ack or not findings or not ack.holds(now):
        return None
    if ack.until is None and last_good is not None and last_good > ack.when:
        return None
    known = ack.codes | (_ALIKE if ack.codes & _ALIKE else frozenset())
    return ack if {each.code for each in findings} <= known else None


def softened(verdict: Verdict) -> Verdict:
    """The verdict on what is acknowledged: no backup gets younger by it."""
    return Verdict.WARNING if verdict is Verdict.CRITICAL else Verdict.OK


def named(text: str, subjects: Iterable[Subject]) -> list[Subject]:
    """The subjects that are meant by ``HOST JOB/INSTANCE``, a host with its job, or a host.

    Between host and job may stand a space, a slash or a colon. The longer name wins.
    """
    by_length: tuple[list[Subject], list[Subject], list[Subject]] = ([], [], [])
    for each in subjects:
        host, job, instance = each
        for signs in " /:":
            start = f"{host}{signs}{job}"
            if text == (f"{start}/{instance}" if instance else start):
                by_length[0].append(each)
            elif text == start:
                by_length[1].append(each)
        if text == host:
            by_length[2].append(each)
    return next((found for found in by_length if found), [])


def parsed(text: str) -> Subject | None:
    """The subject of that name, of which nothing need be known; None where it names none."""
    for sign in " :/":
        host, found, rest = text.partition(sign)
        job, _, instance = rest.partition("/")
        if found and host and job and not set(host) & set(" /") and " " not in job:
            return Subject(host, job, instance)
    return None
