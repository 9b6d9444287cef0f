"""The report directory of a client, as a pull sees it: what is there, and what it says.

Nothing in it is trusted. All that it can make a look take is bounded: time,
memory, names, files and bytes.
"""

import asyncio
import os
import resource
import stat
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from b1000.errors import B1000Error, BadValue, words
from b1000.exchange import names, offers
from b1000.exchange.listing import MOST_ENTRIES, Entry, Listing
from b1000.exchange.names import ReportName
from b1000.exchange.report_file import LARGEST
from b1000.jobs import Limits, Pull
from b1000.logs import printable
from b1000.rsync import command, outcome, paths
from b1000.rsync.outcome import Retry
from b1000.runs.run import Client
from b1000.work import process
from b1000.work.assignment import Assignment
from b1000.work.output import Tail

_MOST_FETCHED = 200  # reports in one look, the newest first
_OF_ONE_SUBJECT = 10  # of them of one job/instance: --copy goes on with some older ones too
_SILENCE = 60  # seconds without a word after which a look is given up
_TO_CONNECT = 20
_MOST_TOLD = 20  # warnings about unusable files
_MEMORY = 512 * 2**20  # bytes of address space of an rsync that looks
_BOUNDS = {
    resource.RLIMIT_AS: _MEMORY,
    resource.RLIMIT_FSIZE: 2 * LARGEST,
    resource.RLIMIT_CORE: 0,
}

_DELIVERY_PATIENCE = 60.0  # seconds for a notification
_LONGEST_PAUSE = 10.0


class Unseen(B1000Error):
    """A look at the client failed: its daemon is down, refuses or is silent, or lists too much.

    ``retry`` is whether it may be better in a moment.
    """

    def __init__(self, what: str, hint: str = "", retry: Retry = Retry.YES) -> None:
        super().__init__(what, hint)
        self.retry = retry


class Seen(NamedTuple):
    """A report that could be read; ``mtime`` is that of its file at the client."""

    client: Client
    mtime: float


class Look(NamedTuple):
    """What one look has found.

    ``there`` are all names; ``unusable`` says what is wrong with reports that
    could not be read.
    """

    there: frozenset[str]
    seen: Mapping[str, Seen] = {}
    unusable: Mapping[str, str] = {}

    def answered(self, client: Client) -> bool:
        """Whether this host has already told the client how its pull ended."""
        return any(
            names.notification(client.file, client.pull_host, ending) in self.there
            for ending in (names.DONE, names.ERROR)
        )


class Directory:
    """Looks into ``report_source``, and sends notifications there.

    ``monotonic`` and ``sleep`` are those of the system, but in tests.
    """

    def __init__(
        self,
        assignment: Assignment,
        pull: Pull,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assignment = assignment
        self._pull = pull
        self._monotonic = monotonic
        silence = min(assignment.limits.io_timeout or _SILENCE, _SILENCE)
        self._limits: Limits = assignment.limits._replace(io_timeout=silence)
        # rsync's --timeout is content with one byte now and then.
        self._limit = (assignment.limits.connect_timeout or _TO_CONNECT) + 2.0 * silence
        self._peer = paths.place(pull.source)
        self._known: dict[Entry, Seen | str] = {}
        self._told: set[str] = set()
        self._turn = asyncio.Lock()

    # --- looking

    async def look(self, stem: str | None = None) -> Look:
        """What is there now; of one job/instance only, if its ``stem`` is given. Raises Unseen."""
        async with self._turn:
            entries = await self._list(f"{self._pull.source}/")
            unusable: dict[str, str] = {}
            read: dict[Entry, Seen | str] = {}
            unread: list[Entry] = []
            for name in _newest(entries, stem):
                entry = entries[name.file]
                if entry.kind != "-":
                    unusable[entry.name] = "it is no regular file"
                elif entry.size > LARGEST:
                    unusable[entry.name] = f"it has more than {LARGEST} bytes"
                elif entry in self._known:
                    read[entry] = self._known[entry]
                else:
                    unread.append(entry)
            if unread:
                try:
                    read |= await self._fetch(unread, unusable)
                except OSError as error:
                    raise Unseen(f"there is no place here for a report: {words(error)}") from None
            # What has ended, or is no report at all, is not fetched again until it changes.
            known = {
                entry: self._known[entry] for entry in entries.values() if entry in self._known
            }
            self._known = known | {
                entry: result
                for entry, result in read.items()
                if isinstance(result, str) or offers.is_finished(result.client)
            }
            unusable |= {entry.name: each for entry, each in read.items() if isinstance(each, str)}
            for file, reason in unusable.items():
                self.tell(file, reason)
            seen = {entry.name: each for entry, each in read.items() if isinstance(each, Seen)}
            return Look(frozenset(entries), seen, unusable)

    async def list_address(self, address: str) -> Mapping[str, Entry]:
        """What an address of the client's daemon holds. Raises Unseen."""
        return await self._list(address, some=True)

    async def _list(self, address: str, some: bool = False) -> Mapping[str, Entry]:
        """The entries at an address; with ``some`` not all of them are wanted."""
        listing = Listing()
        argv = command.listing(address, self._pull.password_file, self._limits)
        try:
            await self._rsync(argv, listing)
        except Unseen:
            if not (some and listing.too_much):
                raise
        if listing.too_much and not some:
            raise Unseen(
                f"{self._pull.source} holds more than {MOST_ENTRIES} files",
                "it is for reports alone; remove what does not belong there",
            )
        return listing.entries

    async def _fetch(
        self, entries: list[Entry], missing: dict[str, str]
    ) -> dict[Entry, Seen | str]:
        """Read reports: each, or what is wrong with it; why others are ``missing``.

        Raises Unseen where none could be fetched, OSError where this host has no place for them.
        """
        found: dict[Entry, Seen | str] = {}
        with tempfile.TemporaryDirectory(prefix="b1000-pull-") as private:
            wanted = Path(private, "names")
            module, below = paths.parted(self._pull.source)
            wanted.write_bytes(
                b"".join(f"{below}{entry.name}".encode() + b"\0" for entry in entries)
            )
            into = Path(private, "reports")
            into.mkdir(mode=0o700)
            argv = command.fetch(
                module,
                str(wanted),
                str(into),
                LARGEST,
                self._pull.password_file,
                self._limits,
            )
            trouble: Unseen | None = None
            try:
                await self._rsync(argv)
            except Unseen as error:
                trouble = error
            for entry in entries:
                try:
                    found[entry] = self._read(into / entry.name)
                except FileNotFoundError:
                    missing[entry.name] = f"it could not be fetched: {trouble or 'it went away'}"
                except BadValue as error:
                    found[entry] = str(error)
                except OSError as error:
                    missing[entry.name] = f"it cannot be read: {error.strerror}"
        if trouble and not found:
            raise trouble
        return found

    def _read(self, path: Path) -> Seen:
        """Raises OSError and BadValue."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadValue("it is no regular file")
            data = file.read(LARGEST + 1)
        client = offers.parse(data, path.name, self._assignment.subject.host)
        return Seen(client, status.st_mtime)

    def tell(self, file: str, reason: str) -> None:
        """Log once what is wrong with a file."""
        text = f"the report {file} at {self._peer} cannot be used: {reason}"
        if text in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add(text)
        self._assignment.log.warning("%s", printable(text))

    async def _rsync(self, argv: list[str], listing: Listing | None = None) -> None:
        """Run one that only looks; Unseen in words where it fails."""
        err = Tail()
        out = listing.sink() if listing else Tail().sink()
        try:
            code = await self._assignment.look(argv, out, err.sink(), self._limit, _BOUNDS)
        except process.TimedOut:
            raise Unseen(f"{self._peer} did not end its answer within {self._limit:g} s") from None
        except OSError as error:
            raise Unseen(f"rsync cannot be started: {error.strerror}") from None
        if code:
            judged = self._judge(code, err)
            raise Unseen(judged.reason, retry=judged.retry)

    def _judge(self, code: int, err: Tail) -> outcome.Outcome:
        lines = [printable(line) for line in err.lines]
        return outcome.judge(code, lines, self._pull.source, self._peer)

    # --- telling

    async def notify(self, client: Client, ending: str) -> str:
        """Send the notification that a client waits for; gives why it could not be sent, or ""."""
        until = self._monotonic() + _DELIVERY_PATIENCE
        pause = 1.0
        while True:
            name = names.notification(client.file, client.pull_host, ending)
            try:
                trouble, retry = await self._send(name)
            except OSError as error:
                trouble, retry = f"there is no place here for {name}: {words(error)}", Retry.YES
            if not trouble or retry is Retry.NEVER or self._monotonic() + pause > until:
                return trouble
            self._assignment.log.warning("the client could not be told: %s", trouble)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _send(self, name: str) -> tuple[str, Retry]:
        """Send an empty file; gives what is in the way, and whether it may pass. Raises OSError."""
        with tempfile.TemporaryDirectory(prefix="b1000-pull-") as private:
            file = Path(private, name)
            file.touch(mode=0o644)
            argv = command.deliver(
                str(file), self._pull.source, self._pull.password_file, self._limits
            )
            err = Tail()
            try:
                code = await self._assignment.rsync(
                    name, argv, Tail().sink(), err.sink(), bounds=_BOUNDS, limit=self._limit
                )
            except process.TimedOut:
                return f"{self._peer} did not take {name} within {self._limit:g} s", Retry.YES
            except OSError as error:
                return f"rsync cannot be started: {error.strerror}", Retry.YES
        if not code:
            return "", Retry.NEVER
        judged = self._judge(code, err)
        return judged.reason, judged.retry


def _newest(entries: Mapping[str, Entry], stem: str | None) -> list[ReportName]:
    """The names of those reports that matter: the newest of each job/instance before all others."""
    by_stem: dict[str, list[ReportName]] = defaultdict(list)
    for file in entries:
        name = names.report_name(file)
        if name and stem in (None, name.stem):
            by_stem[name.stem].append(name)
    ranked: list[list[ReportName]] = [[] for _ in range(_OF_ONE_SUBJECT)]
    for found in by_stem.values():
        found.sort(key=_start_time, reverse=True)
        for rank, name in zip(ranked, found, strict=False):
            rank.append(name)
    newest = [name for rank in ranked for name in sorted(rank, key=_start_time, reverse=True)]
    return newest[:_MOST_FETCHED]


def _start_time(name: ReportName) -> str:
    return name.start_time
