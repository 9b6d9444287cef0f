"""A client's run as a pull follows it: found, awaited, looked at again, and seen to its end."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from b1000.config import addresses
from b1000.errors import B1000Error, RunFailed
from b1000.jobs import Pull
from b1000.logs import printable
from b1000.meeting import choice, claims, names, offers
from b1000.meeting.choice import Offer
from b1000.runs.events import Relayed
from b1000.runs.run import Client, label
from b1000.runs.states import CopyStatus, Status, Step
from b1000.work.assignment import Assignment
from b1000.work.polling import Directory, Look, Seen, Unseen

_VERIFY_PAUSE = 1.0  # seconds between looks for a sign of life
_LEAST_PAUSE = 1.0
_TOLD = 3  # unusable files in an error text


class Patience(NamedTuple):
    """Seconds after which a silent client counts as dead, and one without ``alive`` as old.

    ``anew``: for how long one that waits for others, or is about to go on, may
    offer nothing, and one whose run has FAILED may take to go on or begin another.
    ``ending`` and ``ending_badly``: how long a client is followed that was told
    that its data was copied, or that it was not.
    """

    silence: float = 120.0
    old: float = 86400.0
    anew: float = 10.0
    ending: float = 600.0
    ending_badly: float = 60.0


PATIENCE = Patience()


class Lost(B1000Error):
    """The client's run will not be copied; ``client`` is what it is believed to be now.

    ``gone``: its report is not there any more. ``newer``: there is one of a newer
    run. ``silent``: it waits still, but gives no sign of life.
    """

    def __init__(
        self,
        what: str,
        client: Client,
        gone: bool = False,
        newer: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(what)
        self.client = client
        self.gone = gone
        self.newer = newer
        self.silent = silent


class Pulse:
    """Whether those who wrote the reports live.

    Clocks of two hosts may differ: what is seen to move on counts too. What goes
    back does not: it is what a dead one said, delivered late by others.
    """

    def __init__(
        self, patience: Patience, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._monotonic = monotonic
        self._last: dict[str, tuple[str, float | None]] = {}

    def note(self, look: Look) -> None:
        """Remember which reports have changed since the look before."""
        now = self._monotonic()
        last: dict[str, tuple[str, float | None]] = {}
        for file, seen in look.seen.items():
            alive = seen.client.alive
            before, changed = self._last.get(file, (alive, None))
            last[file] = (alive, now if alive > before else changed)
        self._last |= last
        self._last = {file: each for file, each in self._last.items() if file in look.there}

    def stale(self, seen: Seen) -> str:
        """Why nobody who wrote the report seems to live; "" where somebody does."""
        alive = seen.client.alive
        if not alive:
            old = abs(self._clock() - seen.mtime) >= self._patience.old
            return "nobody has written it for 24 h" if old else ""
        if abs(self._clock() - offers.instant(alive)) <= self._patience.silence:
            return ""
        _, changed = self._last.get(seen.client.file, (alive, None))
        if changed is not None and self._monotonic() - changed <= self._patience.silence:
            return ""
        return f"its client has not renewed it since {alive}"


class Follower:
    """Follows the run of a client through the reports that it writes."""

    def __init__(
        self,
        assignment: Assignment,
        pull: Pull,
        directory: Directory,
        patience: Patience = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assignment = assignment
        self._pull = pull
        self._directory = directory
        self._patience = patience
        self._monotonic = monotonic
        self._pulse = Pulse(patience, assignment.clock, monotonic)
        self._relayed: Client | None = None
        self._lock: tuple[str, int] | None = None
        self._until: float | None = None
        self._answered = False

    # --- which one

    async def find(self) -> Client:
        """The client's run that is to be pulled; RunFailed where none comes."""
        looks = 0
        while True:
            try:
                look = await self._look()
                found = choice.choose(self._offers(look), self._pull.job, self._pull.claimed)
                if found.client and self.take(found.client):
                    return found.client
                reason = found.reason or "another pull is at work on it"
                if look.unusable:
                    told = sorted(look.unusable.items())[-_TOLD:]
                    reason += "; " + "; ".join(
                        f"{file} cannot be used: {why}" for file, why in told
                    )
            except Unseen as error:
                reason = str(error)
            looks += 1
            if looks >= self._pull.poll_retries:
                raise RunFailed(
                    f"no report for {self._assignment.subject.host} at {self._pull.source}, "
                    f"looked {looks} times (report_poll_retries); the last look: "
                    f"{printable(reason)}"
                )
            await asyncio.sleep(self._pull.poll_wait)

    def _offers(self, look: Look) -> Iterator[Offer]:
        refused = self._refused(look)
        old = self._superseded(look, refused)
        for file, seen in look.seen.items():
            offer = Offer(
                seen.client,
                self._pulse.stale(seen),
                look.answered(seen.client),
                file in old or _is_hidden(seen.client, look),
            )
            why = refused.get(file, "")
            if why and seen.client.destination and not offer.obstacle:
                self._directory.tell(file, why)
            yield offer._replace(refused=why)

    def _refused(self, look: Look) -> dict[str, str]:
        """Reports that are not believed, each with the reason."""
        now, taken = self._assignment.clock(), self._assignment.taken
        found = {
            file: claims.refusal(seen.client, self._pull, now, taken)
            for file, seen in look.seen.items()
        }
        return {file: why for file, why in found.items() if why}

    def _superseded(self, look: Look, refused: Collection[str]) -> set[str]:
        """The files of runs of which there is a newer one; one that is not believed is none."""
        return choice.superseded(
            seen.client for file, seen in look.seen.items() if file not in refused
        )

    def take(self, client: Client) -> bool:
        """Take a run for this pull alone; False where another one is at work on it."""
        whose = f"{addresses.one_spelling(self._pull.source)}/{label(client.job, client.instance)}"
        name = f"pull@{hashlib.sha256(whose.encode()).hexdigest()[:32]}"
        if self._lock and self._lock[0] == name:
            return True
        self.release()
        try:
            descriptor = self._assignment.locks.take(name)
        except OSError as error:
            raise RunFailed(f"the lock of {whose} cannot be taken: {error.strerror}") from None
        self._lock = None if descriptor is None else (name, descriptor)
        return self._lock is not None

    def release(self) -> None:
        """Leave the run that was taken to others."""
        if self._lock:
            os.close(self._lock[1])
            self._lock = None

    # --- as it goes on

    async def relay(self, client: Client) -> None:
        """Tell the state of the client's run, if it is new."""
        state = client._replace(alive="", transition=None)
        if state != self._relayed:
            self._relayed = state
            await self._assignment.commit(Relayed(self._assignment.clock(), client))

    async def again(self, client: Client) -> Client:
        """The same run as it is now, relayed. Raises Lost and Unseen; one that is over is given."""
        look = await self._look(_stem(client))
        if client.file not in look.there:
            raise Lost("its report is gone", _judged(client, "its report is gone"), gone=True)
        seen = look.seen.get(client.file)
        if seen is None:
            why = look.unusable.get(client.file, "it could not be read")
            raise Unseen(f"{client.file} cannot be used: {why}")
        now = seen.client
        self._answered = look.answered(now)
        if _identity(now) != _identity(client):
            text = "its report now tells of something else"
            raise Lost(text, _judged(client, text))
        await self.relay(now)
        over = offers.is_finished(now)
        old = self._superseded(look, self._refused(look))
        if now.file in old or _is_hidden(now, look):
            text = "a newer run has begun"
            raise Lost(text, now if over else _judged(now, text), newer=True)
        if over:
            return now
        if stale := self._pulse.stale(seen):
            raise Lost(stale, _judged(now, stale), silent=True)
        return now

    async def _look(self, stem: str | None = None) -> Look:
        look = await self._directory.look(stem)
        self._pulse.note(look)
        return look

    async def until_offered(self, client: Client) -> Client:
        """Wait until its data can be copied. Raises Lost."""
        began = self._monotonic()
        # A client that begins anew again and again has no more time for it.
        self._until = self._until or began + self._pull.wait
        seen_at, unseen = began, 0
        while not offers.is_offered(client):
            if client.status is Status.FAILED:
                client = await self._unless_it_goes_on(client)
            if offers.is_finished(client):
                raise Lost(ended(client), client)
            if self._monotonic() >= self._until:
                text = f"it is still at {client.step} after {self._pull.wait} s (report_wait)"
                raise Lost(text, client)
            await asyncio.sleep(self._pull.poll_wait)
            try:
                client = await self.again(client)
            except Unseen as error:
                unseen += 1
                silent = self._monotonic() - seen_at > self._patience.silence
                if silent and unseen >= self._pull.poll_retries:
                    text = f"it cannot be looked at any more: {error}"
                    raise Lost(text, _judged(client, text)) from None
            else:
                seen_at, unseen = self._monotonic(), 0
        return client

    async def _unless_it_goes_on(self, client: Client) -> Client:
        """A run that FAILED as it is some seconds later. Raises Lost for a newer that has begun.

        A client that was killed ends its old run first as it begins the next, and one that
        FAILED while it was copied may go on.
        """
        until = self._monotonic() + self._patience.anew
        while offers.is_finished(client) and (left := until - self._monotonic()) > 0:
            await asyncio.sleep(min(self._pull.poll_wait, left))
            try:
                client = await self.again(client)
            except Unseen:
                continue
            except Lost as lost:
                if lost.newer:
                    raise
                break
        return client

    async def offered(self, client: Client) -> Client:
        """The same run as it is now, if it offers its data. Raises Lost and Unseen.

        One that goes on with ``--copy`` offers nothing for a moment.
        """
        until = self._monotonic() + self._patience.anew
        while True:
            now = await self.again(client)
            if offers.is_offered(now):
                return now
            goes_on = now.step is Step.COPYING and not offers.is_finished(now)
            if not goes_on or self._monotonic() >= until:
                raise Lost(ended(now), now)
            await asyncio.sleep(_VERIFY_PAUSE)

    async def verify(self, client: Client) -> None:
        """Make sure that the client lives and still offers the same data. Raises Lost and Unseen.

        A sign of life is one that was given after this was called. Reports that do
        not number their states are by others, who may renew theirs seldom: they are
        believed as long as they are not stale.
        """
        until = self._monotonic() + self._patience.silence
        before = ""
        while True:
            trouble: Lost | Unseen
            try:
                now = await self.offered(client)
            except Unseen as error:
                trouble = error
            else:
                by_others = not now.alive or now.transition is None
                if by_others or (before and now.alive > before):
                    return
                before = now.alive
                why = f"its client has not renewed it since {now.alive}"
                trouble = Lost(why, _judged(now, why), silent=True)
            if self._monotonic() >= until:
                raise trouble
            await asyncio.sleep(_VERIFY_PAUSE)

    async def look_again(self, client: Client) -> Client:
        """The run as it is now, with patience for a daemon that is down. Raises Lost."""
        looks = 0
        while True:
            try:
                return await self.again(client)
            except Unseen as error:
                looks += 1
                if looks >= self._pull.poll_retries:
                    raise RunFailed(f"{client.file} cannot be looked at again: {error}") from None
            await asyncio.sleep(self._pull.poll_wait)

    async def to_the_end(
        self, client: Client, seconds: float, copied: bool, untold: str = ""
    ) -> str:
        """See a client to the end of its run: what went wrong there, or "".

        One that died before it heard that its data was ``copied``, and goes on
        with ``--copy``, has removed what it was told and is told again: its data
        is what it was, since ``pre`` is not run again, and it is here. So is one
        that could not be told; ``untold`` is why.
        """
        until = self._monotonic() + seconds
        whose = f"the client's run of {label(client.job, client.instance)}"
        trouble = ""
        while self._monotonic() < until:
            try:
                client = await self.again(client)
                trouble = ""
                if copied and self._is_to_hear(client):
                    untold = await self._tell_again(client, not untold)
                elif self._answered:
                    untold = ""
            except Unseen as error:
                trouble = str(error)
            except Lost as lost:
                if lost.gone:
                    # Older programs remove the report of a run that has ended well.
                    await self.relay(
                        client._replace(step=Step.DONE, copy_status=CopyStatus.DONE, judged=True)
                    )
                    return ""
                await self.relay(lost.client)
                if lost.client.judged:
                    return _and_untold(f"{whose} did not end: {lost}", untold)
                client = lost.client
            if client.status is Status.FAILED:
                return _and_untold(f"{whose} {ended(client)}", untold)
            if offers.is_finished(client):
                return ""
            await asyncio.sleep(max(_LEAST_PAUSE, self._pull.poll_wait))
        left = f"{whose} could not be followed to its end: {trouble}" if trouble else ""
        return _and_untold(left, untold)

    def _is_to_hear(self, client: Client) -> bool:
        """Whether a client waits still, and knows nothing.

        An older program, whose report has no ``alive``, removes what it was told
        as soon as it has seen it.
        """
        return not self._answered and bool(client.alive) and offers.is_offered(client)

    async def _tell_again(self, client: Client, heard: bool) -> str:
        """Tell a client that its data was copied; gives what is in the way, or "".

        ``heard``: it could be told before.
        """
        if heard:
            self._assignment.log.info(
                "%s is offered again, and was copied: the client is told once more", client.file
            )
        return await self._directory.notify(client, names.DONE)


def ended(client: Client) -> str:
    """How a client's run has ended, or where it is."""
    if client.status is Status.FAILED:
        why = f": {client.error}" if client.error else ""
        return f"FAILED at {client.step}{why}"
    if client.step is Step.DONE:
        return "has ended"
    return f"is at {client.step}, its copy {client.copy_status}"


def _and_untold(what: str, untold: str) -> str:
    """What went wrong at a client, and why it may have: it could not be told."""
    why = f"the client could not be told that its data was copied: {untold}" if untold else ""
    return "; ".join(filter(None, (why, what)))


def _judged(client: Client, why: str) -> Client:
    """The run of a client that has not said itself how it ended."""
    return client._replace(status=Status.FAILED, error=why, judged=True)


def _identity(client: Client) -> tuple[object, ...]:
    return (client.file, client.host, client.started, client.destination, client.pull_host)


def _stem(client: Client) -> str:
    name = offers.report_name(client.file)
    assert name
    return name.stem


def _is_hidden(client: Client, look: Look) -> bool:
    """Whether a newer report of the same job/instance is there that cannot be read."""
    stem = _stem(client)
    reports = filter(None, map(offers.report_name, look.unusable))
    return any(each.stem == stem and each.start_time > client.start_time for each in reports)
