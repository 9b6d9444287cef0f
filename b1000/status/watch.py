"""An answer that is given again every second and scrolls, until Ctrl-C or q."""

import contextlib
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from b1000.logs import to_stderr
from b1000.status.answer import StatusAnswer
from b1000.status.keys import Keyboard, keyboard, scrolled
from b1000.terminal.screen import Screen, screen_of

_EVERY = 1.0  # seconds
_ROOMY = 60  # columns of a terminal that has room for a sentence
# The alternate screen, without a cursor, its lines cut where it ends; and back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"

Render = Callable[[Screen | None, bool], StatusAnswer]
"""Gives the answer for a terminal or none; the flag says that it can be scrolled."""


def watch(render: Render, out: TextIO) -> int:
    """Show the answer anew until KeyboardInterrupt, which ends it well; gives the exit code.

    Where the cursor cannot be moved, or there is no terminal, it is written
    again whenever its states have changed.
    """
    screen = _screen(out)
    answer = render(
        screen, True
    )  # What is wrong with the question is told before the screen is taken.
    if not screen or not screen.moves:
        return _below_each_other(render, screen, out)
    with contextlib.suppress(KeyboardInterrupt), keyboard() as typed, _alternate(out):
        top = 0
        while True:
            began = time.monotonic()
            answer = render(screen, True)
            # A large answer must not keep a processor busy.
            pause = max(_EVERY, 4 * (time.monotonic() - began))
            top = _scroll(answer, top, screen, out, typed=typed, seconds=pause)
            if top < 0:
                break
            screen = _screen(out) or screen
    # What is wrong stays in sight, though nothing scrolls any more.
    with contextlib.suppress(KeyboardInterrupt):
        answer = render(_screen(out) or screen, False)
    print(answer.text, file=out, flush=True)
    return answer.exit_code


def _screen(out: TextIO) -> Screen | None:
    return screen_of(out.fileno(), os.environ, out.encoding)


def _below_each_other(render: Render, screen: Screen | None, out: TextIO) -> int:
    answer = StatusAnswer("", 0)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            newer = render(screen, False)
            if newer.states != answer.states:
                print(newer.text, end="\n\n", file=out, flush=True)
                if newer.notes:
                    to_stderr(newer.notes)
            answer = newer
            if _is_left_alone(out):
                break
    return answer.exit_code


def _is_left_alone(out: TextIO) -> bool:
    """Whether nobody reads what is written any more; this takes the time until the next look."""
    if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
        time.sleep(_EVERY)
        return False
    waiting = select.poll()
    waiting.register(out, 0)  # an end that is closed is told all the same
    return bool(waiting.poll(_EVERY * 1000))


def _scroll(
    answer: StatusAnswer, top: int, screen: Screen, out: TextIO, *, typed: Keyboard, seconds: float
) -> int:
    """Show lines for some seconds, from ``top`` on; gives what is the top then, or -1 to end."""
    until = time.monotonic() + seconds
    lines = answer.text.split("\n")
    length = len(lines)
    # As long as it ever is, so that nothing moves but what scrolls.
    foot = _foot(answer.counts, length, screen.height, length, screen.width)
    height = max(1, screen.height - len(foot))
    top = scrolled(top, "", height, len(lines))

    def draw() -> None:
        seen = lines[top : top + height]
        foot = _foot(answer.counts, top, len(seen), len(lines), screen.width)
        # Each line is erased as it is written anew, so that nothing flickers; before it, since
        # the cursor stays on the last character of one that is as long as the screen is wide.
        written = "\n".join(f"\x1b[K{line}" for line in (*seen, *foot))
        out.write(
            f"\x1b[H{written}" + ("\n\x1b[J" if len(seen) + len(foot) < screen.height else "")
        )
        out.flush()

    draw()
    while (left := until - time.monotonic()) > 0:
        for key in typed.wait(left):
            if key == "quit":
                return -1
            top = scrolled(top, key, height, len(lines))
            draw()
    return top


def _foot(counts: str, top: int, seen: int, length: int, width: int) -> list[str]:
    """What stands below lines that are not all of them: which these are, and how many fare how."""
    if seen >= length:
        return []
    keys = "arrows and page keys scroll" if width >= _ROOMY else "arrows scroll"
    where = f"lines {top + 1} to {top + seen} of {length}; {keys}"
    both = f"{counts}; {where}" if counts else where
    return [both] if len(both) <= width or not counts else [counts[:width], where[:width]]


@contextlib.contextmanager
def _alternate(out: TextIO) -> Iterator[None]:
    """A screen of its own, that is left again however the program ends."""
    try:
        out.write(_ENTER)
        yield
    finally:
        with contextlib.suppress(OSError):
            out.write(_LEAVE)
            out.flush()
