"""The answer of ``b1000 list`` for people: plain columns for a pipe, as wide as a terminal is."""

from collections.abc import Iterable, Iterator, Sequence

from b1000 import figures
from b1000.logs import printable
from b1000.storage.backup import State
from b1000.storage.contents import Version
from b1000.storage.question import StoredRow

_HEADER = ("STARTED", "JOB", "HOST", "DEST", "SIZE", "FILES", "STATE")
_MORE = ("WITNESSES", "KEPT BY")
_OF_FILES = ("TIME", "SIZE", "JOB", "HOST", "DEST", "BACKUPS", "PATH")
_RIGHT = frozenset({"SIZE", "FILES"})
_GAP, _INDENT = "  ", "    "
_DAY, _HOUR, _MINUTE = 86400, 3600, 60


def of_backups(rows: Sequence[StoredRow], now: float, width: int | None = None) -> str:
    """One line for each backup; what does not fit into ``width`` columns stands below it.

    Without a width lines are as long as they are.
    """
    cells = [_cells(row) for row in rows]
    more = [_more(row, now) for row in rows]
    lines = _laid_out([(*_HEADER, *_MORE), *((*c, *m) for c, m in zip(cells, more, strict=True))])
    if width is None or max(map(len, lines)) <= width:
        return "\n".join(lines)
    lines = _laid_out([_HEADER, *cells])
    below = [[], *([each for each in pair if each != "-"] for pair in more)]
    return "\n".join(
        part
        for line, notes in zip(lines, below, strict=True)
        for part in (*_cut(line, width), *_folded(notes, width))
    )


def of_files(versions: Sequence[Version], width: int | None = None) -> str:
    """One line for each version of a file; the path stands last, or below where it is too long."""
    cells = [_file_cells(each) for each in versions]
    paths = [printable(each.path) + ("/" if each.kind == "directory" else "") for each in versions]
    lines = _laid_out([_OF_FILES, *((*c, path) for c, path in zip(cells, paths, strict=True))])
    if width is None or max(map(len, lines)) <= width:
        return "\n".join(lines)
    lines = _laid_out([_OF_FILES[:-1], *cells])
    below = ["", *paths]
    return "\n".join(
        part
        for line, path in zip(lines, below, strict=True)
        for part in (*_cut(line, width), *_folded([path] if path else [], width))
    )


def _cells(row: StoredRow) -> tuple[str, ...]:
    backup, counts = row.backup, row.backup.counts
    return (
        "-" if backup.started is None else figures.moment(backup.started)[:16],
        _label(row),
        row.host or "-",
        row.root.destination,
        "-" if counts.bytes is None else figures.size(counts.bytes),
        "-" if counts.files is None else str(counts.files),
        str(backup.state) + (" BAD" if backup.memory.wrong else ""),
    )


def _label(row: StoredRow) -> str:
    return f"{row.key.job}/{row.key.instance}" if row.key.instance else row.key.job


def _more(row: StoredRow, now: float) -> tuple[str, str]:
    beside = ["protected"] if row.backup.protected and "protected" not in row.kept_by else []
    kept = [*beside, *filter(None, [row.kept_by])]
    return "; ".join(_witnesses(row, now)) or "-", "; ".join(kept) or "-"


def _witnesses(row: StoredRow, now: float) -> Iterator[str]:
    """Who says that it is whole, and how long ago; what speaks against it comes first."""
    backup, memory, known = row.backup, row.backup.memory, row.backup.proven
    if memory.bad:
        yield printable(f"bad: {memory.bad}")
    if memory.short:
        yield printable(f"short: {memory.short}")
    if memory.unread:
        yield printable(f"unread: {memory.unread}")
    if memory.drill_error and memory.drilled is not None:
        ago = _age(now - memory.drilled)
        yield printable(f"its drill failed {ago} ago: {memory.drill_error}")
    if backup.flaw:
        yield printable(f"its mark cannot be used: {backup.flaw}")
    if backup.state is State.COMPLETE and backup.ended is not None:
        yield f"written {_age(now - backup.ended)}"
    for word, when in (
        ("counted", known.counted),
        ("read", known.read),
        ("restored", known.restored),
    ):
        if when is not None:
            yield f"{word} {_age(now - when)}"
    if known.restored is not None and memory.recovery is not None:
        yield f"recovery time {figures.span(memory.recovery)}"


def _age(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return f"{int(seconds // _DAY)}d"
    if seconds >= 2 * _HOUR:
        return f"{int(seconds // _HOUR)}h"
    return f"{max(0, int(seconds // _MINUTE))}min"


def _file_cells(version: Version) -> tuple[str, ...]:
    first, last = version.rows[0], version.rows[-1]
    number = len(version.rows)
    begin = "-" if first.backup.started is None else figures.moment(first.backup.started)[:16]
    end = "-" if last.backup.started is None else figures.moment(last.backup.started)[:16]
    return (
        figures.moment(version.time),
        figures.size(version.size),
        _label(first),
        first.host or "-",
        first.root.destination,
        begin if number == 1 else f"{begin} to {end} ({number})",
    )


def _laid_out(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns below each other; the last is as long as it needs to be."""
    header = table[0]
    widths = [max(len(line[column]) for line in table) for column in range(len(header) - 1)]
    return [_GAP.join(_padded(line, header, widths)).rstrip() for line in table]


def _padded(line: Sequence[str], header: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    for column, cell in enumerate(line):
        width = widths[column] if column < len(widths) else 0
        yield cell.rjust(width) if header[column] in _RIGHT else cell.ljust(width)


def _cut(line: str, width: int) -> Iterator[str]:
    """A line as lines that fit."""
    yield line[:width]
    yield from _wrapped(line[width:].strip(), width)


def _folded(notes: Sequence[str], width: int) -> Iterator[str]:
    for note in notes:
        yield from _wrapped(note, width)


def _wrapped(text: str, width: int) -> Iterator[str]:
    room = max(10, width - len(_INDENT))
    while text:
        cut = text.rfind(" ", 0, room + 1) if len(text) > room else len(text)
        cut = cut if cut > 0 else room
        yield _INDENT + text[:cut]
        text = text[cut:].lstrip()
