"""The marks of a job at a daemon, brought into a private directory of this host.

Nothing that the daemon says is trusted; what it can make a look take is bounded.
"""

import os
from collections.abc import Collection
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from b1000.b1k import form, mark
from b1000.errors import BadValue, StorageAway, message_of
from b1000.files import private_directory, read_file
from b1000.jobs import PLAIN, Limits, Transport
from b1000.named import NamedTuple
from b1000.rsync import fetching, paths, surveys
from b1000.storage.session import Running, Session

if TYPE_CHECKING:
    from typing import TypedDict

    class _How(TypedDict):
        largest: int
        password_file: str | None
        limits: Limits
        way: Transport


_SECONDS = 600.0  # for one session
_MOST_BYTES = 256 * 2**20  # of the marks of one job
_MOST_NAMES = 1_000_000
_LONGEST_NUMBER = 16
PARTLY = (23, 24)  # exit codes: something could not be read, or vanished meanwhile


class Reach(NamedTuple):
    """How a daemon is read: ``way`` are options of rsync that lead there."""

    address: str
    password_file: str | None
    limits: Limits
    way: tuple[str, ...] = ()
    transport: Transport = PLAIN
    seconds: float = _SECONDS

    @property
    def host(self) -> str:
        """What errors call it."""
        return paths.host_or_path(self.address)

    def session(self, argv: list[str]) -> Session:
        """One with it, for nothing that is larger than marks are."""
        argv = [argv[0], surveys.TOTALS, *argv[1:]]
        timeout = self.limits.connect_timeout
        largest = 2 * form.LARGEST
        return Session(argv, self.host, self.seconds, largest, timeout, last=surveys.LAST)


class Marks:
    """Those of one job; they go with the end of a ``with``."""

    def __init__(self, there: Reach, job: str) -> None:
        self._there = there
        self._job = job
        self._stack = ExitStack()
        self._private = ""
        self._all: Running | None = None

    def __enter__(self) -> "Marks":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Fetch no more, and remove what was fetched."""
        if self._all:
            self._all.end()
        with suppress(OSError):
            self._stack.close()
        self._all, self._private = None, ""

    def begin(self) -> None:
        """Begin to fetch all that lie there, before anybody knows which these are.

        What does not come so, :meth:`bring` fetches by its name.
        """
        top = f"{self._there.address}/{self._job}"
        patterns = [f"{top}/*{mark.SUFFIX}", f"{top}/*day/*{mark.SUFFIX}"]
        with suppress(StorageAway):
            argv = fetching.fetch_all(patterns, self._marks(), **self._how())
            self._all = Running(self._session(argv))

    def waited(self) -> bool:
        """Whether that was under way until now; it is waited for. Raises StorageAway."""
        begun, self._all = self._all, None
        if begun:
            with begun:
                self._take(begun)
        return bool(begun)

    def bring(self, wanted: Collection[str]) -> None:
        """Have these here, by their paths below the address, in one session. Raises StorageAway."""
        self.waited()
        wanted = [each for each in wanted if not os.path.lexists(self._path(each))]
        if not wanted:
            return
        module, below = paths.parted(self._there.address)
        listing = os.path.join(self._directory(), "names")
        try:
            with open(listing, "wb") as file:
                file.writelines(f"{below}{each}".encode() + b"\0" for each in wanted)
        except OSError as error:
            raise _not_stored(error) from None
        argv = fetching.fetch(module, listing, self._marks(), **self._how())
        with Running(self._session(argv)) as running:
            if trouble := self._take(running):
                raise StorageAway(trouble)

    def read(self, wanted: str) -> bytes:
        """The content of one that was brought. Raises OSError and BadValue."""
        try:
            return read_file(self._path(wanted), form.LARGEST + 1, follow=False)
        except FileNotFoundError:
            raise BadValue("it could not be fetched") from None

    def _path(self, wanted: str) -> str:
        return os.path.join(self._marks(), os.path.basename(wanted))

    def _marks(self) -> str:
        """The directory of those that have come."""
        return os.path.join(self._directory(), "marks")

    def _directory(self) -> str:
        if not self._private:
            try:
                self._private = self._stack.enter_context(private_directory("b1000-list-"))
                os.mkdir(os.path.join(self._private, "marks"), 0o700)
            except OSError as error:
                raise _not_stored(error) from None
        return self._private

    def _how(self) -> "_How":
        there = self._there
        return {
            "largest": form.LARGEST,
            "password_file": there.password_file,
            "limits": there.limits,
            "way": there.transport,
        }

    def _session(self, argv: list[str]) -> Session:
        return self._there.session([argv[0], *self._there.way, "--out-format=%b", *argv[1:]])

    def _take(self, running: Running) -> str:
        """Wait for what comes; gives what was wrong, or "". Raises StorageAway."""
        came = names = 0

        def take(line: bytes) -> None:
            nonlocal came, names
            names += 1
            came += int(line) if line.isdigit() and len(line) < _LONGEST_NUMBER else 0
            if came > _MOST_BYTES or names > _MOST_NAMES:
                host = self._there.host
                raise StorageAway(f"{host} sends more than {_MOST_BYTES} bytes of marks")

        ended = running.ended(take)
        # What has gone meanwhile, or is no file any more, is no trouble of the others.
        return "" if ended.code in (0, *PARTLY) else ended.trouble(self._there.host)


def _not_stored(error: OSError) -> StorageAway:
    return StorageAway(f"marks cannot be stored on this host: {message_of(error)}")
