"""The answer of ``b1000 status`` for people: plain columns for a pipe, a table for a terminal."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from b1000 import figures
from b1000.errors import counted
from b1000.logs import printable
from b1000.runs.run import Copy
from b1000.runs.states import CopyStatus
from b1000.state.detail_queries import Skipped
from b1000.state.outbox_queries import Backlog
from b1000.status.bars import UnderWay, bars
from b1000.status.overview import Overview
from b1000.status.row import StatusRow
from b1000.terminal.screen import STYLES, Screen

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_COLUMNS = ("JOB", "RUN", "STARTED", "STEP", "STATUS", "DURATION", "SIZE")
_MORE = ("COPIES", "WHY")
_NUMBERS = frozenset({1, 5, 6})  # columns that are aligned to the right
_STATES = (3, 4)
_GAP = "  "
_INDENT = 4


# --- for a pipe


def plain(overview: Overview, now: float) -> str:
    """One line for each run, however long, and what else there is to know."""
    lines = [
        (*_COLUMNS, *_MORE),
        *((*_cells(row, now), _copies(row), _why(row)) for row in overview.rows),
    ]
    # The last column is as long as it needs to be.
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    table = [
        _GAP.join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    ]
    below = list(_below(overview, now))
    return "\n".join([*table, *([""] if below else []), *below])


def _cells(row: StatusRow, now: float) -> tuple[str, ...]:
    run = row.run
    if not run:
        return (row.label, "-", "never", "-", "-", "-", "-")
    sizes = [copy.bytes for copy in run.copies if copy.bytes is not None]
    sizes += [current.bytes for current in row.progress.values() if current.bytes is not None]
    duration = row.duration(now)
    return (
        row.label,
        str(run.run_id),
        figures.moment(run.started),
        run.step,
        row.status or "-",
        "-" if duration is None else figures.clock(duration),
        figures.size(max(sizes)) if sizes else "-",
    )


def _copies(row: StatusRow) -> str:
    return " ".join(_copy(row, copy) for copy in row.run.copies) or "-" if row.run else "-"


def _copy(row: StatusRow, copy: Copy) -> str:
    """One copy in one word: ``store:FAILED(4)`` after four attempts, ``store:COPYING,45%``."""
    current = row.progress.get(copy.destination)
    attempts = f"({copy.attempts})" if copy.attempts > 1 else ""
    percent = f",{current.percent}%" if current and current.percent is not None else ""
    return f"{copy.destination}:{row.status_of(copy)}{attempts}{percent}"


def _why(row: StatusRow) -> str:
    waits = [f"waits for {each}" for each in row.waits]
    return printable("; ".join([*([row.error] if row.error else []), *row.notes, *waits]))


def _below(overview: Overview, now: float) -> Iterator[str]:
    for each in overview.skipped:
        yield _skipped(each, now)
    for backlog in overview.pending:
        yield _pending(backlog, now)


def _skipped(each: Skipped, now: float) -> str:
    subject = f"{each.job}/{each.instance}" if each.instance else each.job
    return printable(
        f"skipped {figures.since(each.time, now)}: {subject}; {each.behind} is still running"
    )


def _pending(backlog: Backlog, now: float) -> str:
    why = f", {backlog.trouble}" if backlog.trouble else ""
    updates = counted(backlog.states, "update")
    return printable(
        f"report {backlog.report}: {updates} pending since {figures.since(backlog.since, now)}{why}"
    )


# --- for a terminal


def shown(overview: Overview, screen: Screen, now: float, with_bars: bool = False) -> str:
    """The same, as wide as the terminal is: what does not fit a column stands below its row.

    ``with_bars``: above it a bar for each copy that is under way.
    """
    return screen.render(_all(overview, screen.width, now, with_bars))


def _all(overview: Overview, width: int, now: float, with_bars: bool) -> "Iterator[RenderableType]":
    from rich.text import Text

    copies = [
        UnderWay(row.label, destination, current)
        for row in overview.rows
        for destination, current in row.progress.items()
    ]
    if with_bars and copies:
        yield from bars(copies, width)
        yield Text("")
    yield from table(overview, width, now)


def table(overview: Overview, width: int, now: float) -> "Iterable[RenderableType]":
    """The rows as a table with what else there is to know below it."""
    from rich.text import Text

    rows = [_cells(row, now) for row in overview.rows]
    widths = [max(len(line[column]) for line in (_COLUMNS, *rows)) for column in range(7)]
    rest = sum(widths[1:]) + len(_GAP) * 6
    # A name that is longer than there is room for has a line of its own.
    widths[0] = min(widths[0], max(10, width - rest))
    copies = max((len(_copies(row)) for row in overview.rows), default=0)
    beside = copies and widths[0] + rest + len(_GAP) + copies <= width
    header = [*_COLUMNS, *(("COPIES",) if beside else ())]
    yield Text(_laid_out(header, widths), "bold", no_wrap=True)
    for row, cells in zip(overview.rows, rows, strict=True):
        yield from _row(row, cells, widths, bool(beside))
    below = list(_below(overview, now))
    if below:
        yield Text("")
    for line in below:
        yield from _indented(Text(line, "yellow"), 0)


def _laid_out(cells: Iterable[str], widths: list[int]) -> str:
    return _GAP.join(
        cell.rjust(widths[column])
        if column in _NUMBERS
        else cell.ljust(widths[column] if column < len(widths) else 0)
        for column, cell in enumerate(cells)
    )


def _row(
    row: StatusRow, cells: tuple[str, ...], widths: list[int], beside: bool
) -> "Iterator[RenderableType]":
    from rich.text import Text

    if len(cells[0]) > widths[0]:
        yield Text(cells[0], no_wrap=True, overflow="fold")
        cells = ("", *cells[1:])
    line = Text(no_wrap=True)
    for column, cell in enumerate(cells):
        padded = cell.rjust(widths[column]) if column in _NUMBERS else cell.ljust(widths[column])
        line.append(padded, STYLES.get(cell, "") if column in _STATES else "")
        line.append(_GAP)
    if beside:
        line.append_text(_styled_copies(row))
    yield line
    if not beside and row.run and row.run.copies:
        yield from _indented(_styled_copies(row), _INDENT)
    if row.error:
        yield from _indented(Text(printable(row.error), STYLES.get(row.status or "", "")), _INDENT)
    for note in row.notes:
        yield from _indented(Text(printable(note), "yellow"), _INDENT)
    for wait in row.waits:
        yield from _indented(Text(printable(f"waits for {wait}"), "cyan"), _INDENT)
    if row.resumable:
        yield from _indented(Text(f"b1000 --copy {row.selecting} resumes it"), _INDENT)


def _styled_copies(row: StatusRow) -> "Text":
    from rich.text import Text

    line = Text()
    for copy in row.run.copies if row.run else ():
        style = STYLES.get(row.status_of(copy), "") if copy.status is not CopyStatus.INIT else ""
        line.append(" " if line else "")
        line.append(_copy(row, copy), style)
    return line


def _indented(text: "Text", columns: int) -> "Iterator[RenderableType]":
    from rich.padding import Padding

    yield Padding(text, (0, 0, 0, columns))
