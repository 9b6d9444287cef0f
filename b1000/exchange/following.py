"""A client's run as a pull follows it: awaited, looked at again, and seen to its end."""

import time

from b1000.b1k import names
from b1000.errors import B1000Error, RunFailed
from b1000.exchange import offers
from b1000.exchange.heartbeat import TIMEOUTS, Timeouts
from b1000.exchange.peer import Peer, PollFailed
from b1000.exchange.polling import Polling, stem_of
from b1000.jobs import Pull
from b1000.runs.events import Relayed
from b1000.runs.run import Client, label
from b1000.runs.states import CopyStatus, Status, Step
from b1000.work.assignment import Assignment
from b1000.work.waiting import sleep

_VERIFY_PAUSE = 1.0  # seconds between looks for a sign of life
_LEAST_PAUSE = 1.0


class ClientGone(B1000Error):
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


class Follower:
    """Follows the run of a client through the reports that it writes."""

    def __init__(
        self,
        assignment: Assignment,
        pull: Pull,
        peer: Peer,
        polling: Polling,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self._assignment = assignment
        self._pull = pull
        self._peer = peer
        self._polling = polling
        self._timeouts = timeouts
        self._relayed: Client | None = None
        self._until: float | None = None
        self._answered = False

    async def relay(self, client: Client) -> None:
        """Tell the state of the client's run, if it is new."""
        state = client._replace(alive="", transition=None)
        if state != self._relayed:
            self._relayed = state
            await self._assignment.commit(Relayed(self._assignment.clock(), client))

    async def refresh(self, client: Client) -> Client:
        """The same run as it is now, relayed, also one that is over.

        Raises ClientGone and PollFailed.
        """
        look = await self._polling.poll(stem_of(client))
        if client.file not in look.there:
            raise ClientGone("its report is gone", _judged(client, "its report is gone"), gone=True)
        seen = look.seen.get(client.file)
        if seen is None:
            why = look.unusable.get(client.file, "it could not be read")
            raise PollFailed(f"{client.file} cannot be used: {why}")
        now = seen.client
        self._answered = look.answered(now)
        if _identity(now) != _identity(client):
            text = "its report is now about something else"
            raise ClientGone(text, _judged(client, text))
        await self.relay(now)
        over = offers.is_finished(now)
        if self._polling.is_outdated(now, look):
            text = "a newer run has begun"
            raise ClientGone(text, now if over else _judged(now, text), newer=True)
        if over:
            return now
        if expired := self._polling.expired(seen):
            raise ClientGone(expired, _judged(now, expired), silent=True)
        return now

    async def until_offered(self, client: Client) -> Client:
        """Wait until its data can be copied. Raises ClientGone."""
        began = time.monotonic()
        # A client that begins anew again and again has no more time for it.
        self._until = self._until or began + self._pull.wait
        seen_at, failures = began, 0
        while not offers.is_offered(client):
            if client.status is Status.FAILED:
                client = await self._unless_it_goes_on(client)
            if offers.is_finished(client):
                raise ClientGone(offers.describe_end(client), client)
            if time.monotonic() >= self._until:
                text = f"it is still at {client.step} after {self._pull.wait} s (report_wait)"
                raise ClientGone(text, client)
            await sleep(self._pull.poll_wait)
            try:
                client = await self.refresh(client)
            except PollFailed as error:
                failures += 1
                silent = time.monotonic() - seen_at > self._timeouts.silence
                if silent and failures >= self._pull.poll_retries:
                    text = f"it cannot be looked at any more: {error}"
                    raise ClientGone(text, _judged(client, text)) from None
            else:
                seen_at, failures = time.monotonic(), 0
        return client

    async def _unless_it_goes_on(self, client: Client) -> Client:
        """A run that FAILED as it is some seconds later. Raises ClientGone for a newer one.

        A client that was killed ends its old run first as it begins the next, and one that
        FAILED while it was copied may go on.
        """
        until = time.monotonic() + self._timeouts.anew
        while offers.is_finished(client) and (left := until - time.monotonic()) > 0:
            await sleep(min(self._pull.poll_wait, left))
            try:
                client = await self.refresh(client)
            except PollFailed:
                continue
            except ClientGone as lost:
                if lost.newer:
                    raise
                break
        return client

    async def offered(self, client: Client) -> Client:
        """The same run as it is now, if it offers its data. Raises ClientGone and PollFailed.

        One that goes on with ``--copy`` offers nothing for a moment.
        """
        until = time.monotonic() + self._timeouts.anew
        while True:
            now = await self.refresh(client)
            if offers.is_offered(now):
                return now
            goes_on = now.step is Step.COPYING and not offers.is_finished(now)
            if not goes_on or time.monotonic() >= until:
                raise ClientGone(offers.describe_end(now), now)
            await sleep(_VERIFY_PAUSE)

    async def verify(self, client: Client) -> None:
        """Make sure that the client lives and still offers the same data.

        Raises ClientGone and PollFailed.

        A sign of life is one that was given after this was called. Reports that do
        not number their states are by others, who may renew theirs seldom: they are
        believed as long as they are not stale.
        """
        until = time.monotonic() + self._timeouts.silence
        before = ""
        while True:
            trouble: ClientGone | PollFailed
            try:
                now = await self.offered(client)
            except PollFailed as error:
                trouble = error
            else:
                by_others = not now.alive or now.transition is None
                if by_others or (before and now.alive > before):
                    return
                before = now.alive
                why = f"its client has not renewed it since {now.alive}"
                trouble = ClientGone(why, _judged(now, why), silent=True)
            if time.monotonic() >= until:
                raise trouble
            await sleep(_VERIFY_PAUSE)

    async def refresh_with_retries(self, client: Client) -> Client:
        """The run as it is now, with patience for a daemon that is down. Raises ClientGone."""
        polls = 0
        while True:
            try:
                return await self.refresh(client)
            except PollFailed as error:
                polls += 1
                if polls >= self._pull.poll_retries:
                    raise RunFailed(f"{client.file} cannot be polled again: {error}") from None
            await sleep(self._pull.poll_wait)

    async def follow_to_end(
        self, client: Client, seconds: float, copied: bool, unnotified: str = ""
    ) -> str:
        """See a client to the end of its run: what went wrong there, or "".

        One that died before it heard that its data was ``copied``, and goes on
        with ``--copy``, has removed what it was told and is told again: its data
        is what it was, since ``pre`` is not run again, and it is here. So is one
        that could not be told; ``unnotified`` is why.
        """
        until = time.monotonic() + seconds
        whose = f"the client's run of {label(client.job, client.instance)}"
        trouble = ""
        while time.monotonic() < until:
            try:
                client = await self.refresh(client)
                trouble = ""
                if copied and self._is_to_be_notified(client):
                    unnotified = await self._notify_again(client, not unnotified)
                elif self._answered:
                    unnotified = ""
            except PollFailed as error:
                trouble = str(error)
            except ClientGone as lost:
                if lost.gone:
                    # Older programs remove the report of a run that has ended well.
                    await self.relay(
                        client._replace(step=Step.DONE, copy_status=CopyStatus.DONE, judged=True)
                    )
                    return ""
                await self.relay(lost.client)
                if lost.client.judged:
                    return _with_unnotified(f"{whose} did not end: {lost}", unnotified)
                client = lost.client
            if client.status is Status.FAILED:
                return _with_unnotified(f"{whose} {offers.describe_end(client)}", unnotified)
            if offers.is_finished(client):
                return ""
            await sleep(max(_LEAST_PAUSE, self._pull.poll_wait))
        left = f"{whose} could not be followed to its end: {trouble}" if trouble else ""
        return _with_unnotified(left, unnotified)

    def _is_to_be_notified(self, client: Client) -> bool:
        """Whether a client waits still, and knows nothing.

        An older program, whose report has no ``alive``, removes what it was told
        as soon as it has seen it.
        """
        return not self._answered and bool(client.alive) and offers.is_offered(client)

    async def _notify_again(self, client: Client, heard: bool) -> str:
        """Tell a client that its data was copied; gives what is in the way, or "".

        ``heard``: it could be told before.
        """
        if heard:
            self._assignment.log.info(
                "%s is offered again, and was copied: the client is notified again", client.file
            )
        return await self._peer.notify(client, names.DONE)


def _with_unnotified(what: str, unnotified: str) -> str:
    """What went wrong at a client, and why it may have: it could not be notified."""
    why = (
        f"the client could not be notified that its data was copied: {unnotified}"
        if unnotified
        else ""
    )
    return "; ".join(filter(None, (why, what)))


def _judged(client: Client, why: str) -> Client:
    """The run of a client that has not said itself how it ended."""
    return client._replace(status=Status.FAILED, error=why, judged=True)


def _identity(client: Client) -> tuple[object, ...]:
    return (client.file, client.host, client.started, client.destination, client.pull_host)
