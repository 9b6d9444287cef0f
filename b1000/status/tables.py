"""The answer of ``b1000 status`` for people: plain columns for a pipe, a table for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from b1000 import errors, figures
from b1000.config.commandline import commandline, ways_out
from b1000.logs import printable
from b1000.runs.run import Copy
from b1000.runs.states import CopyStatus
from b1000.state import outbox
from b1000.state.detail_queries import Skipped
from b1000.state.outbox_queries import Backlog
from b1000.status.order import counted, is_wrong
from b1000.status.overview import Overview
from b1000.status.row import RESTORE, StatusRow
from b1000.terminal.screen import STYLES

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_COLUMNS = ("JOB", "RUN", "STARTED", "STEP", "STATUS", "DURATION", "SIZE")
_MORE = ("COPIES", "WHY")
_NUMBERS = frozenset({1, 5, 6})  # columns that are aligned to the right
_STATES = (3, 4)
_GAP = "  "
_INDENT = 4
_NARROW = 80  # columns below which each run has a block of its own
_LEAST_NAME = 10
_MOST_UNSEEN = 5  # runs that are told one by one although they have no row


# --- for a pipe


def plain(overview: Overview, now: float) -> str:
    """One line for each run, however long; each cell but the last, which says why, is one word."""
    lines = [
        (*_COLUMNS, *_MORE),
        *(tuple(_words(row, now)) for row in overview.rows),
    ]
    # The last column is as long as it needs to be.
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    return "\n".join(
        _GAP.join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        )
        for line in lines
    )


def _words(row: StatusRow, now: float) -> Iterator[str]:
    """The cells of a row for programs that split it at blanks."""
    label, number, _, *others = _cells(row, now)
    yield label
    yield number
    yield figures.iso(row.run.started) if row.run else "never"
    for cell in (*others, copies_of(row, ";")):
        yield cell.replace(" ", "")
    yield " ".join(why(row).split()) or "-"


def notes(overview: Overview, now: float) -> str:
    """What else there is to know, and how many fare how."""
    return "\n".join([*below(overview, now), counted(overview.rows)])


def _cells(row: StatusRow, now: float) -> tuple[str, ...]:
    run = row.run
    if not run:
        return (row.label, "-", "never", "-", "-", "-", "-")
    sizes = [copy.bytes for copy in run.copies if copy.bytes is not None]
    sizes += [current.bytes for current in row.progress.values() if current.bytes is not None]
    duration = row.duration(now)
    return (
        row.label,
        str(run.run_id or "-"),
        figures.moment(run.started),
        RESTORE.upper() if row.direction == RESTORE else run.step,
        row.status or "-",
        "-" if duration is None else figures.clock(duration),
        figures.size(max(sizes)) if sizes else "-",
    )


def copies_of(row: StatusRow, separator: str = " ") -> str:
    """Its copies, each in one word."""
    copies = row.run.copies if row.run else ()
    return separator.join(_copy(row, copy) for copy in copies) or "-"


def _copy(row: StatusRow, copy: Copy) -> str:
    """One copy in one word: ``store:FAILED(4)`` after four attempts, ``store:COPYING,45%``."""
    current = row.progress.get(copy.destination)
    attempts = f"({copy.attempts})" if copy.attempts > 1 else ""
    percent = f",{current.percent}%" if current and current.percent is not None else ""
    return f"{copy.destination}:{row.status_of(copy)}{attempts}{percent}"


def why(row: StatusRow) -> str:
    """All that is known of why it is not OK yet, in one line."""
    waits = [f"waits for {each}" for each in row.waits]
    return printable("; ".join([*([row.error] if row.error else []), *row.notes, *waits]))


def below(overview: Overview, now: float) -> Iterator[str]:
    """What is retried unseen, what was skipped, what reports and storages were not told yet."""
    yield from _unseen(overview.unseen)
    for each in overview.skipped:
        yield _skipped(each, now)
    for backlog in overview.pending:
        yield _pending(backlog, now)


def _unseen(rows: Sequence[StatusRow]) -> Iterator[str]:
    """A line for each run that ``--copy`` goes on with although it is not in the table."""
    for row in rows[:_MOST_UNSEEN]:
        assert row.run
        which = f"run {row.run.run_id} of {figures.moment(row.run.started)}"
        how = f"{row.status} at {row.step}: {row.error}"
        ways = ways_out(row.config_path, row.run)
        yield printable(f"not in the table: {row.label}, {which} {how}; {ways}")
    if len(rows) > _MOST_UNSEEN:
        names = commandline(rows[0].config_path, "-n", "--copy")
        retry = commandline(rows[0].config_path, "--copy")
        more = len(rows) - _MOST_UNSEEN
        yield f"not in the table: {more} more such runs; {names} names them, {retry} retries all"


def _skipped(each: Skipped, now: float) -> str:
    subject = f"{each.job}/{each.instance}" if each.instance else each.job
    return printable(
        f"skipped {figures.since(each.time, now)}: {subject}; {each.behind} is still running"
    )


def _pending(backlog: Backlog, now: float) -> str:
    why = f", {backlog.trouble}" if backlog.trouble else ""
    marked = outbox.destination_of(backlog.report)
    updates = errors.counted(backlog.states, "mark" if marked else "update")
    which = f"storage {marked}" if marked else f"report {backlog.report}"
    return printable(f"{which}: {updates} pending since {figures.since(backlog.since, now)}{why}")


# --- for a terminal


def table(
    rows: Sequence[StatusRow], width: int, now: float, bare: bool = False
) -> "Iterator[RenderableType]":
    """The rows as a table, or where that is too narrow as a block for each.

    ``bare``: of what is not wrong only the first line.
    """
    from rich.text import Text

    lines = [_cells(row, now) for row in rows]
    widths = [max(len(line[column]) for line in (_COLUMNS, *lines)) for column in range(7)]
    rest = sum(widths[1:]) + len(_GAP) * 6
    if width < _NARROW or rest + _LEAST_NAME > width:
        for row, cells in zip(rows, lines, strict=True):
            yield from islice(_block(row, cells), 1 if bare and not is_wrong(row) else None)
        return
    # A name that is longer than there is room for has a line of its own.
    widths[0] = min(widths[0], max(_LEAST_NAME, width - rest))
    copies = max((len(copies_of(row)) for row in rows), default=0)
    beside = copies and widths[0] + rest + len(_GAP) + copies <= width
    header = [*_COLUMNS, *(("COPIES",) if beside else ())]
    yield Text(_laid_out(header, widths), "bold", no_wrap=True)
    for row, cells in zip(rows, lines, strict=True):
        its = _row(row, cells, widths, bool(beside))
        first = 1 + (len(cells[0]) > widths[0])
        yield from islice(its, first if bare and not is_wrong(row) else None)


def _block(row: StatusRow, cells: tuple[str, ...]) -> "Iterator[RenderableType]":
    """A run on lines of its own, for a narrow terminal."""
    from rich.text import Text

    label, number, started, step, status, duration, size = cells
    if not row.run:
        yield Text(f"{label}: never ran", no_wrap=True, overflow="fold")
        return
    head = Text(f"{label}: ", no_wrap=True, overflow="fold")
    head.append(status, STYLES.get(status, ""))
    if step not in ("DONE",):
        head.append(f" at {step}", STYLES.get(step, ""))
    yield head
    yield from _indented(Text(f"run {number}, {started}"), _INDENT)
    figured = [each for each in (duration, size) if each != "-"]
    if figured:
        yield from _indented(Text(", ".join(figured)), _INDENT)
    if row.run.copies:
        yield from _indented(_styled_copies(row), _INDENT)
    yield from _reasons(row)


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
    yield from _reasons(row)


def _reasons(row: StatusRow) -> "Iterator[RenderableType]":
    from rich.text import Text

    if row.error:
        yield from _indented(Text(printable(row.error), STYLES.get(row.status or "", "")), _INDENT)
    for note in row.notes:
        yield from _indented(Text(printable(note), "yellow"), _INDENT)
    for wait in row.waits:
        yield from _indented(Text(printable(f"waits for {wait}"), "cyan"), _INDENT)
    if row.way_out:
        yield from _indented(Text(printable(row.way_out)), _INDENT)


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
