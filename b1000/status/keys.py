"""Keys that scroll: what is typed at a terminal while something is shown there."""

import contextlib
import os
import select
import termios
import time
import tty
from collections.abc import Iterator

_SEQUENCES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"k": "up",
    b"\x1b[B": "down", b"\x1bOB": "down", b"j": "down", b"\n": "down", b"\r": "down",
    b"\x1b[5~": "page up", b"b": "page up",
    b"\x1b[6~": "page down", b" ": "page down", b"f": "page down",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home", b"g": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end", b"G": "end",
    b"q": "quit",
}  # fmt: skip


class Keyboard:
    """The keys of a terminal, or none where there is none."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> list[str]:
        """The keys that were typed, as soon as there are some; [] after some seconds without."""
        if self._descriptor is None:
            time.sleep(seconds)
            return []
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return []
        typed = os.read(self._descriptor, 1024)
        if not typed:
            self._descriptor = None  # The terminal is gone.
        return list(keys(typed))


def keys(typed: bytes) -> Iterator[str]:
    """The names of the keys; of those that mean nothing here, none."""
    while typed:
        found = next((each for each in _SEQUENCES if typed.startswith(each)), typed[:1])
        if found in _SEQUENCES:
            yield _SEQUENCES[found]
        typed = typed[len(found) :]


@contextlib.contextmanager
def keyboard(descriptor: int = 0) -> Iterator[Keyboard]:
    """Take each key as it is typed and show none; as it was before, at the end."""
    if not _is_ours(descriptor):
        yield Keyboard(None)
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keyboard(descriptor)
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _is_ours(descriptor: int) -> bool:
    """Whether it is a terminal whose keys reach this program, which is in its foreground."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def scrolled(top: int, key: str, height: int, length: int) -> int:
    """The first line that is shown after a key, of so many on a screen of a height."""
    page = max(height - 1, 1)
    moved = {
        "up": top - 1,
        "down": top + 1,
        "page up": top - page,
        "page down": top + page,
        "home": 0,
        "end": length,
    }.get(key, top)
    return max(0, min(moved, length - height))
