"""Which backups of one group are kept and which are removed, each with all its reasons. Pure.

Ages and periods are those of the names, in the local time of who wrote them, counted back from
the newest complete backup: nights on which nothing came age nothing out. All times are local
and without a zone; those of the storage are in its own.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from b1000.keep import Rule
from b1000.named import NamedTuple
from b1000.storage import layout
from b1000.storage.backup import State

_PERIOD: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar())[:2],
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}


class Held(NamedTuple):
    """One backup of a group, as the storage knows it.

    ``at`` is the time of its name; ``first_seen`` when the storage saw it first;
    ``newest_change`` the newest ctime in it, None where nobody has looked. ``size`` are the
    bytes that the storage counted, None where it has not. ``bad``: a file is known to be
    wrong; ``short``: there are fewer files than the mark says. ``protected``: NAME.keep lies
    beside it. ``flawed``: so does a mark that cannot be used, perhaps of a newer B1000.
    ``moment``: when its run began, which tells the newest where a night has an hour twice.
    """

    name: str
    at: datetime
    state: State
    first_seen: datetime
    sync: bool = False
    newest_change: datetime | None = None
    size: int | None = None
    bad: bool = False
    short: bool = False
    protected: bool = False
    flawed: bool = False
    moment: float = 0.0

    @property
    def wrong(self) -> str:
        """Why it satisfies no rule and no floor; "" where nothing speaks against it."""
        if self.bad:
            return "known bad"
        return "fewer files than its mark says" if self.short else ""


class Terms(NamedTuple):
    """What the configuration says of a group, and the storage's clock.

    ``read_since`` is when the storage read this group first; ``most`` the share of it that
    may go at once; with ``more`` any share may.
    """

    rules: tuple[Rule, ...]
    now: datetime
    read_since: datetime
    least: int = 3
    unfinished: timedelta = timedelta(days=14)
    most: float = 0.25
    more: bool = False


class _Reach(NamedTuple):
    """A rule and the oldest time that it means, counted back from the newest backup."""

    rule: Rule
    text: str
    since: datetime


class Decision(NamedTuple):
    """What becomes of one backup, and why."""

    name: str
    keep: bool
    reasons: tuple[str, ...]


class Verdict(NamedTuple):
    """The decisions on a group, oldest first, and what an operator is told of it.

    ``held_back``: why nothing at all is removed, or would be; the decisions are those without that.
    """

    decisions: tuple[Decision, ...]
    held_back: str = ""
    notes: tuple[str, ...] = ()

    @property
    def removed(self) -> tuple[str, ...]:
        """The names of those that go now, oldest first."""
        if self.held_back:
            return ()
        return tuple(each.name for each in self.decisions if not each.keep)


def decide(group: Iterable[Held], terms: Terms) -> Verdict:
    """The verdict on the backups of one group."""
    held = sorted(group, key=lambda each: (each.at, each.name))
    return _Group(held, terms).verdict()


def planted(each: Held, terms: Terms) -> bool:
    """Whether it came much later than its name says, into a group that was known by then."""
    known = terms.read_since < each.first_seen
    return known and each.first_seen - each.at > terms.unfinished


class _Group:
    def __init__(self, held: Sequence[Held], terms: Terms) -> None:
        self._held = held
        self._terms = terms
        self._texts: dict[str, str] = {}
        self._newest_of: dict[tuple[str, str], dict[tuple[int, ...], datetime]] = {}
        counted = [each for each in held if self._counts(each)]
        complete = (each for each in counted if each.state is State.COMPLETE)
        self._complete = sorted(complete, key=lambda each: (each.moment, each.at, each.name))
        self._good = [each for each in self._complete if not each.wrong]
        self._legacy = [each for each in counted if each.state is State.LEGACY and not each.wrong]
        self._enough = len(self._good) >= terms.least
        anchor = self._newest(self._complete or self._legacy)
        self._reaches = [] if anchor is None else [_reach(rule, anchor) for rule in terms.rules]
        self._reasons = _by_rules(self._good, self._reaches)
        _add(self._reasons, self._complete[-1:], "the newest complete one")
        _add(self._reasons, self._good[-terms.least :], f"one of the last {terms.least}")
        self._reasons |= _by_rules(self._legacy, self._reaches)
        if not self._enough:
            text = f"there are fewer than {terms.least} good complete ones"
            _add(self._reasons, [each for each in self._complete if each.wrong], text)
            _add(self._reasons, self._legacy[-terms.least :], text)

    @staticmethod
    def _newest(held: Sequence[Held]) -> datetime | None:
        return held[-1].at if held else None

    def _counts(self, each: Held) -> bool:
        return not (each.sync or self._ahead(each) or planted(each, self._terms))

    def _ahead(self, each: Held) -> bool:
        return layout.is_ahead(each.at, self._terms.now)

    def verdict(self) -> Verdict:
        decisions = tuple(map(self._decision, self._held))
        gone = [
            each for each, decision in zip(self._held, decisions, strict=True) if not decision.keep
        ]
        return Verdict(decisions, self._held_back(gone), tuple(self._notes()))

    def _decision(self, each: Held) -> Decision:
        kept = self._untouched(each) or self._reasons.get(each.name) or self._young(each)
        if kept:
            return Decision(each.name, True, tuple(kept))
        return Decision(each.name, False, tuple(self._why_not(each)))

    def _untouched(self, each: Held) -> list[str]:
        """Reasons that hold whatever the configuration says."""
        return [
            reason
            for holds, reason in (
                (each.protected, "protected by NAME.keep beside it"),
                (each.sync, "sync trees are never removed"),
                (each.state is State.WRITING, "it is being written"),
                (each.flawed, "the mark beside it cannot be used"),
                (self._ahead(each), "its name is ahead of this clock"),
            )
            if holds
        ]

    def _young(self, each: Held) -> list[str]:
        """Reasons to keep what is not complete, or came too late."""
        late = planted(each, self._terms)
        if not late and each.state is not State.UNFINISHED:
            return []
        wait, now = self._terms.unfinished, self._terms.now
        newest, changed = self._newest(self._complete), each.newest_change
        seen = f"{'planted? ' if late else ''}first seen {each.first_seen:%Y-%m-%d}"
        reasons = [(now - each.first_seen < wait, seen)]
        if each.state is not State.LEGACY:
            # Of a client that has ended while nobody looked, all that is new came late.
            new = newest is not None and each.at > newest
            reasons += [(newest is None, "no complete one is there")]
            reasons += [(new, "newer than the last complete one")]
        if each.state is State.UNFINISHED:
            when = f"changed {changed:%Y-%m-%d}" if changed else "it is not known when it changed"
            reasons += [(changed is None or now - changed < wait, when)]
        return [reason for holds, reason in reasons if holds]

    def _why_not(self, each: Held) -> list[str]:
        days = self._terms.unfinished.days
        if each.state is State.UNFINISHED:
            return [f"unfinished, unchanged for {days} days, and a newer one is complete"]
        if planted(each, self._terms):
            return [f"planted? first seen {each.first_seen:%Y-%m-%d}, {days} days ago or more"]
        if each.wrong:
            return [f"{each.wrong}: it satisfies no rule"]
        # Of a hundred thousand backups most go for a few reasons.
        texts = (self._passed_over(reach, each) for reach in self._reaches)
        return [self._texts.setdefault(text, text) for text in texts]

    def _passed_over(self, reach: _Reach, each: Held) -> str:
        """Why a rule does not keep one."""
        rule = reach.rule
        if rule.period == "last":
            there = "is 1 newer one" if rule.number == 1 else f"are {rule.number} newer ones"
            return f"{reach.text}: there {there}"
        if each.at < reach.since:
            return f"{reach.text}: it is older"
        period = _PERIOD[rule.period]
        key = rule.period, each.state
        if key not in self._newest_of:
            peers = self._good if each.state is State.COMPLETE else self._legacy
            self._newest_of[key] = {period(peer.at): peer.at for peer in peers}
        newer = self._newest_of[key][period(each.at)]
        return f"{reach.text}: {newer:%Y-%m-%d %H:%M:%S} is newer in the same period"

    def _held_back(self, gone: Sequence[Held]) -> str:
        # Also where nothing is due yet; but of one backup alone nothing ever goes.
        if len(self._held) > 1 and (sick := self._sick()):
            return sick
        # After a month of failed nights many unfinished ones may go on one day: nothing is lost.
        states = ([each.state for each in of] for of in (self._held, gone))
        total, going = (len(each) - each.count(State.UNFINISHED) for each in states)
        if going > 1 and going > total * self._terms.most and not self._terms.more:
            return (
                f"{going} of {total} would go at once, more than prune_most ="
                f" {self._terms.most:.0%}; if they may go, which -n lists, use --more"
            )
        return ""

    def _sick(self) -> str:
        """Why the newest complete one is no reason to let others go."""
        if not self._complete:
            return ""
        newest = self._complete[-1]
        if newest.bad:
            return f"the newest complete one, {newest.name}, is known to be bad"
        if newest.short:
            return f"the newest complete one, {newest.name}, has fewer files than its mark says"
        sizes = [each.size for each in self._good[:-1] if each.size is not None]
        if newest.size is not None and sizes and newest.size < median(sizes) / 2:
            return (
                f"the newest complete one, {newest.name}, has {newest.size} bytes,"
                f" less than half of the median {median(sizes):.0f}"
            )
        return ""

    def _notes(self) -> Iterable[str]:
        for each in self._held:
            if self._ahead(each):
                yield f"{each.name}: its name is more than a day ahead of this clock"
            elif planted(each, self._terms) and not each.sync:
                yield f"{each.name}: planted? It came long after the time in its name"


def _add(reasons: dict[str, list[str]], held: Iterable[Held], reason: str) -> None:
    for each in held:
        reasons.setdefault(each.name, []).append(reason)


def _reach(rule: Rule, anchor: datetime) -> _Reach:
    since = rule.span.before(anchor) if rule.span else datetime.min
    return _Reach(rule, str(rule), since)


def _by_rules(held: Sequence[Held], reaches: Sequence[_Reach]) -> dict[str, list[str]]:
    """The reasons to keep of those that count, by their names."""
    reasons: dict[str, list[str]] = {}
    for reach in reaches:
        _add(reasons, _chosen(reach, held), reach.text)
    # The oldest stands for those that would have been there, had backups begun earlier.
    spans = [reach for reach in reaches if reach.rule.period != "last"]
    unfilled = [reach for reach in spans if held and held[0].at >= reach.since]
    if unfilled:
        longest = min(unfilled, key=lambda reach: reach.since)
        _add(reasons, held[:1], f"the oldest, while {longest.text} is not filled")
    return reasons


def _chosen(reach: _Reach, held: Sequence[Held]) -> list[Held]:
    """Those that one rule keeps: of each period the newest."""
    rule = reach.rule
    if rule.period == "last":
        return list(held[-rule.number :])
    within = [each for each in held if each.at >= reach.since]
    if rule.period == "all":
        return within
    period = _PERIOD[rule.period]
    return list({period(each.at): each for each in within}.values())
