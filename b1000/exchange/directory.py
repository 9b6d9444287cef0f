"""The report directory of a client, as a pull sees it: what is there, and what it says.

Nothing in it is trusted. All that it can make a look take is bounded: time,
memory, names, files and bytes.
"""

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from b1000.b1k import names
from b1000.b1k.form import LARGEST
from b1000.b1k.names import ReportName
from b1000.errors import BadValue, message_of
from b1000.exchange import claims, offers
from b1000.exchange.listing import MOST_ENTRIES, ListedEntry, Listing
from b1000.exchange.peer import Peer, PollFailed
from b1000.files import read_file
from b1000.jobs import Pull
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import fetching, paths, surveys
from b1000.rsync.verdicts import Retry
from b1000.runs.run import Client
from b1000.work.assignment import Assignment
from b1000.work.waiting import Lock

_MOST_FETCHED = 200  # reports in one look, the newest first
_OF_ONE_SUBJECT = 10  # of them of one job/instance: --copy goes on with some older ones too
_MOST_WARNINGS = 20  # warnings about unusable files


class Seen(NamedTuple):
    """A report that could be read; ``mtime`` is that of its file at the client."""

    client: Client
    mtime: float


class Poll(NamedTuple):
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


class ReportDirectory:
    """Looks into ``report_source``."""

    def __init__(self, assignment: Assignment, pull: Pull, peer: Peer) -> None:
        self._assignment = assignment
        self._pull = pull
        self._peer = peer
        self._known: dict[ListedEntry, Seen | str] = {}
        self._warned: set[str] = set()
        self._turn = Lock()

    async def poll(self, stem: str | None = None) -> Poll:
        """What is there now; of one job/instance only, if ``stem`` is given. Raises PollFailed."""
        async with self._turn:
            entries = await self._there()
            unusable: dict[str, str] = {}
            read: dict[ListedEntry, Seen | str] = {}
            unread: list[ListedEntry] = []
            for name in _newest(entries, stem, self._assignment.clock()):
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
                    raise PollFailed(
                        f"a report cannot be stored on this host: {message_of(error)}"
                    ) from None
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
                self.warn(file, reason)
            seen = {entry.name: each for entry, each in read.items() if isinstance(each, Seen)}
            return Poll(frozenset(entries), seen, unusable)

    async def _there(self) -> Mapping[str, ListedEntry]:
        listing = Listing()
        await self._list(f"{self._pull.source}/", listing)
        if listing.too_much:
            raise PollFailed(
                f"{self._pull.source} holds more than {MOST_ENTRIES} files",
                "it is for reports alone; remove what does not belong there",
            )
        return listing.entries

    async def some_at(self, address: str) -> Mapping[str, ListedEntry]:
        """What an address of the client's daemon holds, or some of much. Raises PollFailed."""
        listing = Listing()
        try:
            await self._list(address, listing)
        except PollFailed:
            if not listing.too_much:
                raise
        return listing.entries

    async def directories_at(self, address: str) -> Mapping[str, ListedEntry]:
        """All directories that an address of the client's daemon holds. Raises PollFailed."""
        listing = Listing("d")
        await self._list(address, listing)
        if listing.too_much:
            raise PollFailed(
                f"{address} brings more than {MOST_ENTRIES} directories, too many to look into",
                "name the one above them",
                retry=Retry.NEVER,
            )
        return listing.entries

    async def _list(self, address: str, listing: Listing) -> None:
        pull = self._pull
        argv = surveys.address(address, pull.password_file, self._peer.limits, pull.transport)
        await self._peer.poll(argv, listing.sink())

    async def _fetch(
        self, entries: list[ListedEntry], missing: dict[str, str]
    ) -> dict[ListedEntry, Seen | str]:
        """Read reports: each, or what is wrong with it; why others are ``missing``.

        Raises PollFailed where none could be fetched, OSError where this host cannot store them.
        """
        found: dict[ListedEntry, Seen | str] = {}
        with tempfile.TemporaryDirectory(prefix="b1000-pull-") as private:
            wanted = Path(private, "names")
            module, below = paths.parted(self._pull.source)
            wanted.write_bytes(
                b"".join(f"{below}{entry.name}".encode() + b"\0" for entry in entries)
            )
            into = Path(private, "reports")
            into.mkdir(mode=0o700)
            argv = fetching.fetch(
                module,
                str(wanted),
                str(into),
                largest=LARGEST,
                password_file=self._pull.password_file,
                limits=self._peer.limits,
                way=self._pull.transport,
            )
            trouble: PollFailed | None = None
            try:
                await self._peer.poll(argv)
            except PollFailed as error:
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
        data = read_file(path, LARGEST + 1, follow=False)
        client = offers.parse(data, path.name, self._assignment.subject.host)
        return Seen(client, path.stat(follow_symlinks=False).st_mtime)

    def warn(self, file: str, reason: str) -> None:
        """Log once what is wrong with a file."""
        text = f"the report {file} at {self._peer.name} cannot be used: {reason}"
        if text in self._warned or len(self._warned) >= _MOST_WARNINGS:
            return
        self._warned.add(text)
        self._assignment.log.warning("%s", printable(text))


def _newest(entries: Mapping[str, ListedEntry], stem: str | None, now: float) -> list[ReportName]:
    """The names of those reports that matter: the newest of each job/instance before all others.

    Those of a future that is not believed come last: a clock was ahead, and wrote many of them.
    """
    latest = claims.latest_name(now)

    def age(name: ReportName) -> tuple[bool, str]:
        return name.start_time <= latest, name.start_time

    by_stem: dict[str, list[ReportName]] = defaultdict(list)
    for file in entries:
        name = names.report_name(file)
        if name and stem in (None, name.stem):
            by_stem[name.stem].append(name)
    ranked: list[list[ReportName]] = [[] for _ in range(_OF_ONE_SUBJECT)]
    for found in by_stem.values():
        found.sort(key=age, reverse=True)
        for rank, name in zip(ranked, found, strict=False):
            rank.append(name)
    newest = [name for rank in ranked for name in sorted(rank, key=age, reverse=True)]
    return newest[:_MOST_FETCHED]
