"""A terminal: how wide it is, what it can do, and text that is made for it with rich."""

import io
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from b1000.named import NamedTuple

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDTH, _HEIGHT = 80, 24  # of a terminal that does not tell
_LEAST = 40  # columns; in a narrower one lines are cut by the terminal

STYLES = {
    "OK": "green",
    "DONE": "green",
    "WARNING": "yellow",
    "FAILED": "bold red",
    "CRITICAL": "bold red",
    "UNKNOWN": "magenta",
    "COPYING": "cyan",
}
"""How states look; the words themselves say the same without colour."""


class Screen(NamedTuple):
    """A terminal. ``styled``: it shows colours. ``moves``: its cursor can be moved."""

    descriptor: int
    width: int = _WIDTH
    height: int = _HEIGHT
    styled: bool = False
    moves: bool = False
    encoding: str = "utf-8"

    def render(self, what: "Iterable[RenderableType]") -> str:
        """What is to be written to show these below each other, without a newline at the end."""
        # Here: a pipe does without, and it takes longer to import than a status to be made.
        from rich.console import Console

        sheet = io.TextIOWrapper(
            io.BytesIO(), encoding=self.encoding, errors="backslashreplace", newline=""
        )
        console = Console(
            file=sheet,
            width=self.width,
            force_terminal=True,
            color_system="standard" if self.styled else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            _environ={},
        )
        for each in what:
            console.print(each)
        sheet.flush()
        written = sheet.buffer
        assert isinstance(written, io.BytesIO)
        text = written.getvalue().decode(self.encoding)
        return "\n".join(line.rstrip() for line in text.splitlines())


def screen_of(
    descriptor: int, environment: Mapping[str, str], encoding: str = "utf-8"
) -> Screen | None:
    """The terminal behind a descriptor; None where there is none."""
    if not os.isatty(descriptor):
        return None
    try:
        columns, lines = os.get_terminal_size(descriptor)
    except OSError:
        columns = lines = 0
    moves = environment.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return Screen(
        descriptor,
        max(columns or _WIDTH, _LEAST),
        lines or _HEIGHT,
        moves and not environment.get("NO_COLOR"),
        moves,
        encoding,
    )
