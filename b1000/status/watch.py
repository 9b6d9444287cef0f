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
# The alternate screen, without a cursor; and back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"

Render = Callable[[Screen | None], StatusAnswer]


def watch(render: Render, out: TextIO) -> int:
    """Show the answer anew until KeyboardInterrupt, which ends it well; gives the exit code.

    Where the cursor cannot be moved, or there is no terminal, it is written
    again whenever its states have changed.
    """
    screen = _screen(out)
    answer = render(screen)  # What is wrong with the question is told before the screen is taken.
    if not screen or not screen.moves:
        return _below_each_other(render, screen, out)
    with contextlib.suppress(KeyboardInterrupt), keyboard() as typed, _alternate(out):
        top = 0
        while True:
            began = time.monotonic()
            answer = render(screen)
            # A large answer must not keep a processor busy.
            pause = max(_EVERY, 4 * (time.monotonic() - began))
            top = _scroll(answer.text.split("\n"), top, screen, out, typed=typed, seconds=pause)
            if top < 0:
                break
            screen = _screen(out) or screen
    # What was seen last stays in sight.
    print(answer.text, file=out, flush=True)
    return answer.exit_code


def _screen(out: TextIO) -> Screen | None:
    return screen_of(out.fileno(), os.environ, out.encoding)


def _below_each_other(render: Render, screen: Screen | None, out: TextIO) -> int:
    answer = StatusAnswer("", 0)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            newer = render(screen)
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
    lines: list[str], top: int, screen: Screen, out: TextIO, *, typed: Keyboard, seconds: float
) -> int:
    """Show lines for some seconds, from ``top`` on; gives what is the top then, or -1 to end."""
    until = time.monotonic() + seconds
    height = screen.height if len(lines) <= screen.height else screen.height - 1
    top = scrolled(top, "", height, len(lines))
    _draw(lines, top, height, out)
    while (left := until - time.monotonic()) > 0:
        for key in typed.wait(left):
            if key == "quit":
                return -1
            top = scrolled(top, key, height, len(lines))
            _draw(lines, top, height, out)
    return top


def _draw(lines: list[str], top: int, height: int, out: TextIO) -> None:
    seen = lines[top : top + height]
    if len(lines) > height:
        last = top + len(seen)
        seen = [*seen, f"lines {top + 1} to {last} of {len(lines)}; arrows and page keys scroll"]
    # Each line is erased as it is written anew, so that nothing flickers.
    out.write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in seen) + "\x1b[J")
    out.flush()


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
