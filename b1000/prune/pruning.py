"""What a prune would do at one destination: groups to plans. Pure.

Nothing is removed where the configuration may not mean what lies there: without an id file and
a mark in the root (a disk that is not mounted), and while a pattern of ``keep`` fits no group.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from b1000 import keep
from b1000.errors import UsageError
from b1000.jobs import Destination
from b1000.keep import Line
from b1000.named import NamedTuple
from b1000.prune import retention
from b1000.prune.retention import Decision, Held, Terms, Verdict
from b1000.rsync import paths
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root, State

_STATES = {
    State.COMPLETE: retention.COMPLETE,
    State.WRITING: retention.WRITING,
    State.UNFINISHED: retention.UNFINISHED,
    State.LEGACY: retention.LEGACY,
}

UNDER_WAY = (State.WRITING, State.UNFINISHED)
"""States of what its client may go on with."""


class Wish(NamedTuple):
    """What the command line asks for. Words are JOB, JOB/HOST or JOB/HOST/INSTANCE.

    ``adopting`` is the command that writes marks, as people type it.
    """

    words: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    more: bool = False
    adopting: str = "b1000 mark --adopt"


class Removal(NamedTuple):
    """A backup that goes, and why."""

    root: Root
    key: GroupKey
    backup: Backup
    reason: str


class GroupPlan(NamedTuple):
    """What becomes of one group. ``line``: the line of ``keep`` that fits, None for none."""

    root: Root
    group: Group
    line: Line | None
    verdict: Verdict

    def removals(self) -> Iterator[Removal]:
        """Those that go, oldest first."""
        backups = {each.place: each for each in self.group.backups}
        for each in self.verdict.decisions:
            if not each.keep and not self.verdict.held_back:
                yield Removal(
                    self.root, self.group.key, backups[each.name], "; ".join(each.reasons)
                )


class Plan(NamedTuple):
    """What becomes of a destination, as it was decided at a ``moment``.

    ``refused`` says for some roots (by their paths) why nothing is removed there, or with ""
    for all of them. ``notes`` are what an operator is told.
    """

    destination: str
    moment: datetime
    groups: tuple[GroupPlan, ...]
    refused: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    def removals(self) -> Iterator[Removal]:
        """All that goes."""
        if "" in self.refused:
            return
        for each in self.groups:
            if each.root.path not in self.refused:
                yield from each.removals()

    @property
    def held_back(self) -> bool:
        """Whether something was kept that a rule would have let go."""
        return bool(self.refused) or any(each.verdict.held_back for each in self.groups)

    def why_held(self, group: GroupPlan) -> str:
        """Why nothing of a group is removed; "" where that is no trouble."""
        if group.group.key.unmarked:
            return ""  # nothing ever is
        refused = self.refused.get("") or self.refused.get(group.root.path, "")
        return refused or group.verdict.held_back


Changed = Callable[[Root, Backup], datetime]
"""The newest ctime in a backup, by the storage's clock."""


def plan(
    destination: Destination,
    catalogues: Sequence[Catalogue],
    now: datetime,
    wish: Wish,
    changed: Changed,
) -> Plan:
    """The plan for one destination.

    ``changed`` is asked only of backups under way that nothing else keeps.
    """
    groups = [
        (catalogue.root, group)
        for catalogue in catalogues
        for group in catalogue.groups
        if _wanted(group.key, wish)
    ]
    planner = _Planner(destination, now, wish, changed)
    plans = tuple(_where_all_was_read(planner.plan(*each), catalogues) for each in groups)
    reasons = {each.root.path: _is_no_storage(each, wish) for each in catalogues}
    refused = {path: why for path, why in reasons.items() if why}
    strange = _unmatched(destination.keep, catalogues)
    if strange and not wish.more:
        refused[""] = f"no group fits the pattern {strange[0]!r} of keep; correct it, or use --more"
    notes = [note for catalogue in catalogues for note in catalogue.notes]
    return Plan(destination.name, now, plans, refused, tuple(notes))


def _where_all_was_read(plan: GroupPlan, catalogues: Sequence[Catalogue]) -> GroupPlan:
    """Nothing of a group goes that may have backups which nobody could look at."""
    here = (each for each in catalogues if each.root.path == plan.root.path)
    found = [each for catalogue in here for each in catalogue.unread_of(plan.group.key.job)]
    if not found or plan.group.key.unmarked:
        return plan
    why = f"{found[0].path} could not be looked at: {found[0].why}"
    return plan._replace(verdict=plan.verdict._replace(held_back=why))


def _wanted(key: GroupKey, wish: Wish) -> bool:
    return not wish.words or any(fits(word, key) for word in (*wish.words, *wish.gone))


def fits(word: str, key: GroupKey) -> bool:
    """Whether JOB, JOB/HOST or JOB/HOST/INSTANCE names a group, without patterns."""
    parts = word.split("/")
    return parts == [key.job, key.host, key.instance][: len(parts)]


def refuse_strangers(words: Iterable[str], keys: Sequence[GroupKey], where: str) -> None:
    """UsageError for a word that names none of the groups that lie ``where``."""
    for word in words:
        if not any(fits(word, key) for key in keys):
            known = sorted({f"{key.job}/{key.host}" for key in keys if key.host})
            raise UsageError(
                f"no backups of {word} lie {where}",
                f"there are those of {', '.join(known[:20])}" if known else "there are none at all",
            )


def _is_no_storage(catalogue: Catalogue, wish: Wish) -> str:
    """Why nothing may be removed at a root; "" where it is one that B1000 has written to."""
    path = catalogue.root.path
    if catalogue.unreadable:
        return f"{path} could not be looked at: {catalogue.unreadable}"
    if catalogue.root.identity is None:
        return f"{path} has no .b1000-id; is its disk mounted? `{wish.adopting}` writes one"
    if not catalogue.marks:
        return f"{path} has no backup with a mark; is its disk mounted?"
    return ""


def _unmatched(lines: Iterable[Line], catalogues: Iterable[Catalogue]) -> list[str]:
    keys = [group.key for catalogue in catalogues for group in catalogue.groups]
    return [
        line.pattern
        for line in lines
        if line.pattern and not any(line.fits(key.job, key.host, key.instance) for key in keys)
    ]


class _Planner(NamedTuple):
    destination: Destination
    now: datetime
    wish: Wish
    changed: Changed

    def plan(self, root: Root, group: Group) -> GroupPlan:
        key = group.key
        if key.unmarked:
            return GroupPlan(root, group, None, _untouched(group, self.wish))
        here = [each for each in group.backups if each.state in _STATES]
        line = keep.line_for(self.destination.keep, key.job, key.host, key.instance)
        if any(fits(word, key) for word in self.wish.gone):
            return GroupPlan(root, group, line, self._gone(root, here))
        if line is None:
            kept = tuple(Decision(each.place, True, ("no line of keep fits",)) for each in here)
            return GroupPlan(root, group, None, Verdict(kept))
        seen = [held(each, self.now) for each in here]
        terms = Terms(
            line.rules,
            self.now,
            min([*(each.first_seen for each in seen), *_seen_before(group)], default=self.now),
            self.destination.keep_least,
            timedelta(seconds=self.destination.keep_unfinished),
            self.destination.prune_most,
            self.wish.more,
        )
        return GroupPlan(root, group, line, self._looked(root, here, seen, terms))

    def _looked(
        self, root: Root, here: Sequence[Backup], seen: Sequence[Held], terms: Terms
    ) -> Verdict:
        """The verdict, once those that only their age would let go have been looked at."""
        aged = [
            each._replace(newest_change=datetime.min) if each.state == State.UNFINISHED else each
            for each in seen
        ]
        first = retention.decide(aged, terms)
        gone = {each.name for each in first.decisions if not each.keep}
        if not any(each.name in gone for each in seen if each.state == State.UNFINISHED):
            return first
        looked = [
            each._replace(newest_change=self.changed(root, backup))
            if each.name in gone and each.state == State.UNFINISHED
            else each
            for each, backup in zip(aged, here, strict=True)
        ]
        return retention.decide(looked, terms)

    def _gone(self, root: Root, here: Iterable[Backup]) -> Verdict:
        """All of a group goes whose source is gone for good, but what is protected.

        A source that may be writing is not gone; and without the marks beside the others nobody
        would know later whose that backup is.
        """
        decisions, alive = [], ""
        for each in here:
            why = "protected by NAME.keep beside it" if each.protected else ""
            if each.state in UNDER_WAY and not why and not alive:
                alive = self._may_be_written(root, each)
            decisions.append(Decision(each.place, bool(why), (why or "--gone",)))
        return Verdict(tuple(decisions), alive)

    def _may_be_written(self, root: Root, backup: Backup) -> str:
        """Why its client may go on with it; "" where it has not for long."""
        changed, wait = self.changed(root, backup), self.destination.keep_unfinished
        if self.now - changed >= timedelta(seconds=wait):
            return ""
        when = f"was written to at {changed:%Y-%m-%d %H:%M}" if changed < datetime.max else ""
        return (
            f"{backup.place} is not complete and {when or 'cannot be looked at'}, so that its"
            " source may not be gone; see keep_unfinished, or remove that directory by hand first"
        )


def _untouched(group: Group, wish: Wish) -> Verdict:
    """Nothing goes that may be of anybody; what is not there is none to be told of."""
    here = (each.place for each in group.backups if each.state is not State.MISSING)
    why = f"it has no mark that says whose it is, see `{wish.adopting}`"
    return Verdict(tuple(Decision(place, True, (why,)) for place in here))


def _seen_before(group: Group) -> Iterator[datetime]:
    if group.seen_since is not None:
        yield datetime.fromtimestamp(group.seen_since)


def held(backup: Backup, now: datetime) -> Held:
    """A backup as the rules of retention see it; one that was never seen is seen now."""
    memory = backup.memory
    sync = backup.type == "sync"
    at = now if sync else paths.moment(backup.start_time)
    seen = now if memory.first_seen is None else datetime.fromtimestamp(memory.first_seen)
    if seen < at and backup.state in UNDER_WAY:
        # Nobody sees what has not begun: this clock was behind then, and makes nothing old.
        seen = min(at, now)
    if seen > now + timedelta(days=1):
        # This clock was ahead then: that makes nothing planted, and nothing old.
        seen = now if backup.state in UNDER_WAY else at
    return Held(
        backup.place,
        at,
        _STATES[backup.state],
        seen,
        sync=sync,
        size=memory.bytes,
        bad=bool(memory.bad),
        short=bool(memory.short),
        protected=backup.protected,
        flawed=bool(backup.flaw),
        moment=backup.moment,
    )
