"""What of an overview a terminal shows: all, or what is wrong, so that it is still to be seen."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.status.bars import UnderWay, bars
from b1000.status.order import WORDS, Rank, counted, is_wrong, rank, told
from b1000.status.overview import Overview
from b1000.status.row import StatusRow
from b1000.status.tables import below, copies_of, table, why
from b1000.terminal.screen import STYLES, Screen

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_BELOW = 3  # lines below brief ones
_WORD = len("never ran")
_LEAST_NAME = 20


class Sheet(NamedTuple):
    """These rows, and how much of each.

    ``bare``: of what is not wrong only its first line. ``brief``: one line each, cut where the
    terminal ends; ``reasoned``: and one for why it is wrong. ``left``: what is not shown.
    ``with_bars``: a bar for each copy under way.
    """

    rows: Sequence[StatusRow]
    bare: bool = False
    brief: bool = False
    reasoned: bool = False
    left: Sequence[StatusRow] = ()
    hint: str = ""
    with_bars: bool = False


def shown(overview: Overview, screen: Screen, now: float, fold: bool = False) -> str:
    """As wide as the terminal is: what does not fit a column stands below its row.

    ``fold``: what is OK is only counted where all would not fit, and the less is told of each
    of the others the more they are, so that what is wrong is to be seen when this has ended.
    """
    if not fold or len(overview.rows) < 2:
        return _drawn(overview, screen, now, Sheet(overview.rows))
    for sheet in _sheets(overview):
        text = _drawn(overview, screen, now, sheet)
        if _fits(text, screen):
            return text
    return _cut(overview, screen, now)


def scrolling(overview: Overview, screen: Screen, now: float, fold: bool = False) -> str:
    """The same for who can scroll, with a bar for each copy that is under way.

    ``fold``: what is OK is only counted where all would not fit.
    """
    whole = _drawn(overview, screen, now, Sheet(overview.rows, with_bars=True))
    if not fold or _fits(whole, screen):
        return whole
    wanted = _wanted(overview)
    if len(wanted) == len(overview.rows):
        return whole
    return _drawn(overview, screen, now, Sheet(wanted, hint=" (--all shows them)", with_bars=True))


def _wanted(overview: Overview) -> list[StatusRow]:
    return [row for row in overview.rows if rank(row) is not Rank.OK]


def _sheets(overview: Overview) -> Iterator[Sheet]:
    """Ever less of what there is to see, as long as no row is missing that is not OK."""
    yield Sheet(overview.rows)
    wanted = _wanted(overview)
    if len(wanted) < len(overview.rows):
        yield Sheet(wanted, hint=" (--all shows them)")
    yield Sheet(wanted, bare=True, hint=" (--all shows all)")
    yield Sheet(wanted, brief=True, reasoned=True, hint=" (--all shows all)")
    yield Sheet(wanted, brief=True, hint=" (--all shows all)")


def _cut(overview: Overview, screen: Screen, now: float) -> str:
    """As many lines as there is room for, the worst first; at least one."""
    wanted = _wanted(overview)
    hint = " (--all shows all)"
    around = Sheet(wanted[:1], brief=True, left=wanted[1:], hint=hint)
    others = _drawn(overview, screen, now, around).count("\n")
    room = max(screen.height - 1 - others, 1)
    return _drawn(overview, screen, now, around._replace(rows=wanted[:room], left=wanted[room:]))


def _fits(text: str, screen: Screen) -> bool:
    """Whether all of it is still to be seen above the prompt, which has a line of its own."""
    return text.count("\n") + 1 < screen.height


def _drawn(overview: Overview, screen: Screen, now: float, sheet: Sheet) -> str:
    lines = _brief if sheet.brief else _full
    return screen.render(lines(overview, screen.width, now, sheet))


def _full(overview: Overview, width: int, now: float, sheet: Sheet) -> "Iterator[RenderableType]":
    from rich.text import Text

    for part in _parts(overview, width, now, sheet):
        yield from part
        yield Text("")
    for line in below(overview, now):
        yield Text(line, "yellow")
    yield from _counts(overview, width, sheet)


def _parts(
    overview: Overview, width: int, now: float, sheet: Sheet
) -> "Iterator[Iterator[RenderableType]]":
    """The rows, and where bars are wanted these between what is wrong and the others."""
    copies = [
        UnderWay(row.label, destination, current)
        for row in overview.rows
        for destination, current in row.progress.items()
    ]
    if sheet.with_bars and copies:
        if wrong := [row for row in sheet.rows if is_wrong(row)]:
            yield table(wrong, width, now)
        yield iter(bars(copies, width))
        rows = [row for row in sheet.rows if not is_wrong(row)]
    else:
        rows = list(sheet.rows)
    if rows:
        yield table(rows, width, now, sheet.bare)


def _brief(overview: Overview, width: int, now: float, sheet: Sheet) -> "Iterator[RenderableType]":
    """A line for each run: what it is, how it fares, and as much of why as there is room for."""
    from rich.text import Text

    most = width - len("  ") - _WORD
    # One long name leaves the reasons of the others their room.
    room = min(max(most // 3, _LEAST_NAME), most)
    lengths = [len(printable(row.label)) for row in sheet.rows]
    wide = max((length for length in lengths if length <= room), default=0)
    for row in sheet.rows:
        word, reason = WORDS[rank(row)], why(row) or copies_of(row)
        name = _cropped(printable(row.label), most).ljust(wide)
        below_it = sheet.reasoned and is_wrong(row)
        line = Text(_cropped(f"{name}  {word:<7}  {'' if below_it else reason}".rstrip(), width))
        line.stylize(STYLES.get(word, "cyan"), len(name) + 2, len(name) + 2 + len(word))
        yield line
        if below_it:
            yield Text(_cropped(f"    {reason}", width), STYLES.get(word, ""))
    if sheet.left:
        yield Text(_cropped(f"and {told(sheet.left)}", width))
    notes = [*below(overview, now)]
    for text in notes[:_MOST_BELOW]:
        yield Text(_cropped(text, width), "yellow")
    if len(notes) > _MOST_BELOW:
        more = f"and {len(notes) - _MOST_BELOW} more that are pending, skipped or to be retried"
        yield Text(_cropped(more, width), "yellow")
    yield from _counts(overview, width, sheet)


def _counts(overview: Overview, width: int, sheet: Sheet) -> "Iterator[RenderableType]":
    """How many fare how; where that is more than a line, a number stays beside its word."""
    from rich.text import Text

    line = ""
    *parts, last = counted(overview.rows).split(", ")
    for part in (*(f"{each}, " for each in parts), last, sheet.hint):
        if line and len((line + part).rstrip()) > width:
            yield Text(line.rstrip(), "bold")
            line = ""
        line += part if line else part.lstrip()
    yield Text(line, "bold")


def _cropped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
