"""One drill: the directory of its own, its command, and that nothing is left of either."""

import contextlib
import ctypes
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from b1000.errors import B1000Error, message_of, signal_name
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.work import loop, process, scripts
from b1000.work.process import Command, TimedOut
from b1000.work.sinks import Lines
from b1000.work.tree import end_marked

_PREFIX = "drill-"
_BACKUP, _TEMPORARY = "backup", "tmp"
_SHOWN = 10  # last lines of what a command printed
_MARK = "B1000_RUN"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_REMOVAL = 86400.0  # seconds
_LOOK, _KILL_TIME = 0.02, 10.0  # seconds; what a hung disk keeps alive is given up


class Place(NamedTuple):
    """The directory of one drill; ``uid`` is its name, and marks all that it starts."""

    above: Path
    uid: str

    @property
    def directory(self) -> Path:
        """All that belongs to it."""
        return self.above / f"{_PREFIX}{self.uid}"

    @property
    def backup(self) -> Path:
        """Where the backup is restored."""
        return self.directory / _BACKUP

    def make(self) -> None:
        """Make it, for nobody else. Raises OSError."""
        self.above.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in (self.directory, self.backup, self.directory / _TEMPORARY):
            each.mkdir(mode=0o700)

    def free(self) -> int:
        """The bytes that are free there. Raises OSError."""
        space = os.statvfs(self.above)
        return space.f_bavail * space.f_frsize


class Judgement(NamedTuple):
    """How a command ended: ``trouble`` is "" where it passed; its last lines."""

    trouble: str
    printed: tuple[str, ...]


def run(place: Place, command: str, facts: Mapping[str, str], limit: float) -> Judgement:
    """Run the command of a drill, within ``limit`` seconds, and end whatever it has left."""
    printed: deque[str] = deque(maxlen=_SHOWN)

    def take(line: str) -> None:
        printed.append(printable(line))

    _inherit_orphans()
    environment = {
        **process.base_environment(),
        **facts,
        "B1000_DRILL_DIR": str(place.backup),
        "TMPDIR": str(place.directory / _TEMPORARY),
    }
    shell = ["/bin/sh", "-c", command]
    wanted = Command(shell, environment, {_MARK: place.uid}, Lines(take), Lines(take), limit=limit)
    try:
        code = loop.run(process.run(wanted))
    except TimedOut as error:
        return Judgement(str(error), tuple(printed))
    except OSError as error:
        return Judgement(f"it could not be started: {message_of(error)}", ())
    if code == 0:
        return Judgement("", tuple(printed))
    why = scripts.why_not_run(command, code, printed, environment["PATH"])
    said = f": {printed[-1]}" if printed else ""
    return Judgement(f"{_ending(code)}{f' ({why})' if why else said}", tuple(printed))


def _ending(code: int) -> str:
    if code >= 0:
        return f"its command ended with exit code {code}"
    return f"its command was ended by {signal_name(-code)}"


def _inherit_orphans() -> None:
    """What loses its parent becomes a child of this process, wherever it has gone."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def end_left(uid: str) -> bool:
    """End all that a drill has left running; gives whether there was any."""
    found = end_marked({_MARK: uid})
    return _end_children() or found


def _end_children() -> bool:
    """SIGKILL each child of this process, and what becomes one by that."""
    found, until = False, time.monotonic() + _KILL_TIME
    while (children := _children()) and time.monotonic() < until:
        for pid in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, os.WNOHANG)
                killed = bool(ended) and os.waitstatus_to_exitcode(status) == -signal.SIGKILL
                found = found or killed
        time.sleep(_LOOK)
    return found


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def remove(place: Place) -> str:
    """Remove the directory of a drill, and follow no link; gives what is in the way, or ""."""
    directory = str(place.directory)
    said: deque[str] = deque(maxlen=1)

    def carry_out(*argv: str) -> None:
        sink = Lines(said.append)
        environment = {**process.base_environment(), "LC_ALL": "C"}
        command = Command(argv, environment, {}, Lines(lambda _: None), sink, limit=_REMOVAL)
        loop.run(process.run(command))

    try:
        if os.geteuid():
            opened = ("-type", "d", "-exec", "chmod", "u+rwx", "--", "{}", ";")
            carry_out("find", "-P", directory, "-xdev", *opened)
            said.clear()
        carry_out("rm", "-rf", "--one-file-system", "--", directory)
    except (OSError, B1000Error) as error:
        said.append(message_of(error))
    if not os.path.lexists(directory):
        return ""
    return f"{directory} could not be removed: {printable(said[-1]) if said else 'rm failed'}"


def clear(above: Path) -> list[str]:
    """End and remove what drills that were killed have left; gives what is in the way."""
    if not above.is_dir():
        return []
    troubles = []
    for name in sorted(os.listdir(above)):
        if name.startswith(_PREFIX):
            left = Place(above, name.removeprefix(_PREFIX))
            end_left(left.uid)
            troubles.append(remove(left))
    return list(filter(None, troubles))
