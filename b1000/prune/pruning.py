"""What a prune would do at one destination: groups to plans. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from b1000 import keep
from b1000.jobs import Destination
from b1000.keep import Line
from b1000.named import NamedTuple
from b1000.prune import refusing, retention
from b1000.prune.retention import Decision, Held, Terms, Verdict
from b1000.rsync import paths
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root, State
from b1000.storage.question import names_group

_HERE = (State.COMPLETE, State.WRITING, State.UNFINISHED, State.LEGACY)
"""States of what lies there; of what is unknown nothing is said."""

UNDER_WAY = (State.WRITING, State.UNFINISHED)
"""States of what its client may go on with."""

_FLAWED = "nothing goes while an option of its destination is wrong"


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
        gone = {*self.verdict.removed}
        for each in self.verdict.decisions:
            if each.name in gone:
                yield Removal(self.root, backups[each.name], "; ".join(each.reasons))


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
        """Whether there is a reason for which nothing goes, be it that nothing was to go yet."""
        return bool(self.refused) or any(each.verdict.held_back for each in self.groups)

    def why_held(self, group: GroupPlan) -> str:
        """Why nothing of a group is removed; "" where that is no trouble."""
        if group.group.key.unmarked:
            return ""  # nothing ever is
        refused = self.refused.get("") or self.refused.get(group.root.path, "")
        return refused or group.verdict.held_back


class Look(NamedTuple):
    """What is looked at where the rules do not settle it: ctimes, which no client can set.

    ``changed``: the newest in a backup. ``marked``: that of its mark, None where none is there.
    """

    changed: Callable[[Root, Backup], datetime]
    marked: Callable[[Root, Backup], datetime | None]


def plan(
    destination: Destination,
    catalogues: Sequence[Catalogue],
    now: datetime,
    wish: Wish,
    look: Look,
) -> Plan:
    """The plan for one destination; few of its backups have to be looked at."""
    groups = [
        (catalogue.root, group)
        for catalogue in catalogues
        for group in catalogue.groups
        if _wanted(group.key, wish)
    ]
    planner = _Planner(destination, now, wish, look)
    plans = tuple(_where_all_was_read(planner.plan(*each), catalogues) for each in groups)
    refused = refusing.refused(destination, catalogues, wish.more, wish.adopting)
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
    return not wish.words or any(names_group(word, key) for word in (*wish.words, *wish.gone))


class _Planner(NamedTuple):
    destination: Destination
    now: datetime
    wish: Wish
    look: Look

    def plan(self, root: Root, group: Group) -> GroupPlan:
        key = group.key
        if key.unmarked:
            # Nothing goes that may be of anybody; what is not there is none to be told of.
            there = [each for each in group.backups if each.is_there]
            why = f"it has no mark that says whose it is, see `{self.wish.adopting}`"
            return GroupPlan(root, group, None, _all_kept(there, why))
        here = [each for each in group.backups if each.state in _HERE]
        if self.destination.flaws:
            return GroupPlan(root, group, None, _all_kept(here, _FLAWED))
        line = keep.line_for(self.destination.keep, key.job, key.host, key.instance)
        if any(names_group(word, key) for word in self.wish.gone):
            return GroupPlan(root, group, line, self._gone(root, here))
        if line is None:
            return GroupPlan(root, group, None, _all_kept(here, "no line of keep fits"))
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
            self._as_it_came(root, backup, each, terms)
            for each, backup in zip(seen, here, strict=True)
        ]
        first = retention.decide(aged, terms)
        gone = {each.name for each in first.decisions if not each.keep}
        if not any(each.name in gone for each in seen if each.state is State.UNFINISHED):
            return first
        looked = [
            each._replace(newest_change=self.look.changed(root, backup))
            if each.name in gone and each.state is State.UNFINISHED
            else each
            for each, backup in zip(aged, here, strict=True)
        ]
        return retention.decide(looked, terms)

    def _as_it_came(self, root: Root, backup: Backup, each: Held, terms: Terms) -> Held:
        """One under way as if it were old; others were there when their marks were."""
        if each.state is State.UNFINISHED:
            return each._replace(newest_change=datetime.min)
        if each.state is State.COMPLETE and retention.planted(each, terms):
            return come_by(each, self.look.marked(root, backup))
        return each

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
        changed, wait = self.look.changed(root, backup), self.destination.keep_unfinished
        if self.now - changed >= timedelta(seconds=wait):
            return ""
        when = f"was written to at {changed:%Y-%m-%d %H:%M}" if changed < datetime.max else ""
        return (
            f"{backup.place} is not complete and {when or 'cannot be looked at'}, so that its"
            " source may not be gone; see keep_unfinished, or remove that directory by hand first"
        )


def _all_kept(backups: Iterable[Backup], why: str) -> Verdict:
    return Verdict(tuple(Decision(each.place, True, (why,)) for each in backups))


def _seen_before(group: Group) -> Iterator[datetime]:
    if group.seen_since is not None:
        yield datetime.fromtimestamp(group.seen_since)


def come_by(each: Held, marked: datetime | None) -> Held:
    """One that was there when its mark was ``marked``, though nobody looked before ``first_seen``.

    A ctime before the time of the name is that of a clock that was behind: it proves nothing.
    """
    if marked is None or marked < each.at - timedelta(days=1):
        return each
    return each._replace(first_seen=min(each.first_seen, marked))


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
        backup.state,
        seen,
        sync=sync,
        size=memory.bytes,
        bad=bool(memory.bad),
        short=bool(memory.short),
        protected=backup.protected,
        flawed=bool(backup.flaw),
        moment=backup.moment,
    )
