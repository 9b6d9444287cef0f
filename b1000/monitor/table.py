"""A survey for a terminal: as much of it as the screen holds, the worst of it in any case."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from b1000.logs import printable
from b1000.monitor.forms import (
    COLUMNS,
    GAP,
    above,
    below,
    cells_of,
    laid_out,
    rest,
    shown_of,
    widths_of,
)
from b1000.monitor.survey import ORDER, Survey
from b1000.monitor.verdicts import Judgement, Verdict
from b1000.named import NamedTuple
from b1000.terminal.screen import STYLES, Screen

if TYPE_CHECKING:
    from rich.console import RenderableType

_EXPENDABLE = ("MAX", "SIZE", "COPIES")
_INDENT = 4
_NARROW = 80  # columns below which each subject has a block of its own
_LEAST_NAME = 20
_MOST_BELOW = 3  # notes below brief lines
_WELL = ("acknowledged: ", "drift: ")
_HINT = " (--all shows all)"


class Sheet(NamedTuple):
    """These subjects; ``left`` are not shown. ``brief``: a line each, cut where the screen ends.

    ``reasoned``: and one more for the reason.
    """

    subjects: Sequence[Judgement]
    left: Sequence[Judgement] = ()
    explained: int = 0
    brief: bool = False
    reasoned: bool = False
    notes: int | None = None
    everything: bool = False

    @property
    def reduced(self) -> bool:
        """Whether it has less than all that is bad."""
        return bool(self.left or self.explained or self.brief)


def as_table(found: Survey, screen: Screen, everything: bool = False) -> str:
    """In colour; what is wrong stands below its line.

    Where not all that is bad fits the screen, causes stand for what they explain, and then the
    less is told of each of the others the more they are. ``everything``: all is told of all.
    """
    whole = _drawn(found, screen, Sheet(shown_of(found, everything), everything=everything))
    if everything or _fits(whole, screen):
        return whole
    for sheet in _sheets(found):
        text = _drawn(found, screen, sheet)
        if _fits(text, screen):
            return text
    return _cut(found, screen)


def _unexplained(found: Survey) -> list[Judgement]:
    """What is bad without a cause that it shares with others."""
    explained = found.explained
    return [each for each in shown_of(found, False) if each.subject not in explained]


def _sheets(found: Survey) -> Iterator[Sheet]:
    """Ever less of what is bad, as long as each has a line, or a cause has."""
    bad = shown_of(found, False)
    alone = _unexplained(found)
    explained = len(bad) - len(alone)
    if explained:
        yield Sheet(alone, explained=explained)
        yield from _by_notes(Sheet(bad, brief=True))
    yield from _by_notes(Sheet(alone, explained=explained, brief=True, reasoned=True))
    yield from _by_notes(Sheet(alone, explained=explained, brief=True))


def _by_notes(sheet: Sheet) -> Iterator[Sheet]:
    """With many notes, then with few."""
    return (sheet._replace(notes=count) for count in (4 * _MOST_BELOW, _MOST_BELOW))


def _cut(found: Survey, screen: Screen) -> str:
    """As many lines as there is room for, the worst first; at least one."""
    alone = _unexplained(found)
    explained = len(shown_of(found, False)) - len(alone)
    around = Sheet(alone[:1], alone[1:], explained, brief=True, notes=0)
    others = _drawn(found, screen, around).count("\n")
    room = max(screen.height - 1 - others, 1)
    return _drawn(found, screen, around._replace(subjects=alone[:room], left=alone[room:]))


def _fits(text: str, screen: Screen) -> bool:
    """Whether all of it is still to be seen above the prompt, which has a line of its own."""
    return text.count("\n") + 1 < screen.height


def _drawn(found: Survey, screen: Screen, sheet: Sheet) -> str:
    return screen.render(_lines(found, screen.width, sheet))


def _lines(found: Survey, room: int, sheet: Sheet) -> "Iterator[RenderableType]":
    # Here: a pipe does without, and it takes longer to import than an answer to be made.
    from rich.text import Text

    for cause, text in zip(found.causes, above(found), strict=True):
        line = _cropped(text, room) if sheet.brief and not sheet.reasoned else text
        yield Text(line, f"bold {STYLES[cause.verdict]}", overflow="fold")
    if sheet.brief:
        yield from _brief(sheet.subjects, room, sheet.reasoned)
    elif sheet.subjects and (widths := _fitting(sheet.subjects, room)):
        yield from _columns(sheet.subjects, widths)
    else:
        yield from _blocks(sheet.subjects)
    for text in _uncounted(found, sheet):
        yield Text(text)
    *notes, last = below(found, sheet.everything)
    if sheet.brief:
        notes = [_cropped(text, room) for text in _most(notes, sheet.notes or 0)]
    if notes or not sheet.brief:
        yield Text("")
    yield from map(Text, notes)
    hint = _HINT if sheet.reduced else ""
    yield Text(last + hint, STYLES[found.verdict])


def _most(notes: Sequence[str], count: int) -> list[str]:
    """So many of them, what is wrong first, and how many more there are; none where none are."""
    if not count or len(notes) <= count:
        return [*notes[:count]]
    some = sorted(notes, key=lambda text: text.startswith(_WELL))
    return [*some[:count], f"and {len(notes) - count} more"]


def _uncounted(found: Survey, sheet: Sheet) -> list[str]:
    """What has no line here."""
    lines = [f"and {sheet.explained:,} that the above explains"] if sheet.explained else []
    if sheet.left:
        verdicts = Counter(each.verdict for each in sheet.left)
        each = (f"{verdicts[verdict]:,} {verdict}" for verdict in ORDER if verdicts[verdict])
        lines.append(f"and {', '.join(each)}")
    bad = shown_of(found, False)
    *turned, last = rest(found, bad if sheet.reduced else sheet.subjects) or [""]
    if sheet.brief and len(turned) > _MOST_BELOW:
        turned = [*turned[:_MOST_BELOW], f"and {len(turned) - _MOST_BELOW} more that changed"]
    return [*lines, *turned, *([last] if last else [])]


def _brief(subjects: Iterable[Judgement], room: int, reasoned: bool) -> "Iterator[RenderableType]":
    from rich.text import Text

    lines = [(each, printable(each.subject.label)) for each in subjects]
    # One long name leaves the reasons of the others their room.
    most = max(room // 3, _LEAST_NAME)
    wide = max((len(label) for _, label in lines if len(label) <= most), default=0)
    for each, label in lines:
        reason = printable(each.reason)
        line = f"{each.verdict:<8}{GAP}{label:<{wide}}{'' if reasoned else GAP + reason}"
        text = Text(_cropped(line.rstrip(), room))
        text.stylize(STYLES[each.verdict], 0, len(each.verdict))
        yield text
        if reasoned:
            yield Text(_cropped(" " * _INDENT + reason, room), STYLES[each.verdict])


def _blocks(subjects: Iterable[Judgement]) -> "Iterator[RenderableType]":
    """A subject on lines of its own, for a narrow terminal."""
    from rich.padding import Padding
    from rich.text import Text

    for each in subjects:
        head = Text(overflow="fold")
        head.append(each.verdict, STYLES[each.verdict])
        yield head.append(f" {printable(each.subject.label)}")
        *_, age, most, copies, size = cells_of(each)
        limit = "" if most == "-" else f", at most {most}"
        figures = [
            "never" if each.age is None else f"{age} old{limit}",
            f"{copies} copies" + ("" if size == "-" else f", {size}"),
        ]
        yield Padding(Text("; ".join(figures)), (0, 0, 0, _INDENT))
        if each.verdict is not Verdict.OK:
            yield _reason(each)


def _columns(subjects: Sequence[Judgement], widths: Sequence[int]) -> "Iterator[RenderableType]":
    from rich.text import Text

    rows = [(each, cells_of(each)) for each in subjects]
    yield Text(laid_out(COLUMNS, widths), "bold", overflow="fold")
    for each, cells in rows:
        line = Text(laid_out(cells, widths), overflow="fold")
        line.stylize(STYLES[each.verdict], 0, widths[0])
        yield line
        if each.verdict is not Verdict.OK:
            yield _reason(each)


def _reason(each: Judgement) -> "RenderableType":
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(printable(each.reason), STYLES[each.verdict]), (0, 0, 0, _INDENT))


def _fitting(subjects: Sequence[Judgement], room: int) -> list[int]:
    """How wide the columns are, 0 for those that have no room; none where not even the names do."""
    if room < _NARROW:
        return []
    found = list(widths_of([COLUMNS, *map(cells_of, subjects)]))
    for column in (*_EXPENDABLE, None):
        if sum(width + len(GAP) for width in found if width) - len(GAP) <= room:
            return found
        if column:
            found[COLUMNS.index(column)] = 0
    return []


def _cropped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
