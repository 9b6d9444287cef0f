"""One run from its beginning to its end: ``b1000 status --run``."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from b1000 import figures
from b1000.errors import counted
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.runs.states import CopyStatus
from b1000.status.overview import Story
from b1000.status.row import StatusRow
from b1000.terminal.screen import STYLES, Screen

if TYPE_CHECKING:
    from rich.console import RenderableType


class Event(NamedTuple):
    """Something that happened; ``state`` is the status that it led to, or ""."""

    time: float
    text: str
    state: str = ""


def plain(row: StatusRow, story: Story, now: float) -> str:
    """For a pipe: one line for each event, however long."""
    return "\n".join(
        [
            *_head(row, now),
            "",
            *(f"{_stamp(event.time)}  {event.text}" for event in events(story)),
            *(f"now{_WIDE[3:]}  waits for {printable(wait)}" for wait in row.waits),
        ]
    )


def shown(row: StatusRow, story: Story, screen: Screen, now: float) -> str:
    """The same for a terminal, as wide as it is."""
    return screen.render(_rendered(row, story, now))


def _rendered(row: StatusRow, story: Story, now: float) -> "Iterator[RenderableType]":
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    head = _head(row, now)
    yield Text(head[0], "bold")
    for line in head[1:]:
        yield Padding(Text(line), (0, 0, 0, 2))
    yield Text("")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for event in events(story):
        grid.add_row(_stamp(event.time), Text(event.text, STYLES.get(event.state, "")))
    for wait in row.waits:
        grid.add_row("now", Text(printable(f"waits for {wait}"), "cyan"))
    yield grid


_WIDE = " " * len("2026-11-22 10:11:12")


def _stamp(when: float) -> str:
    return figures.moment(when)


def _head(row: StatusRow, now: float) -> list[str]:
    """What the run is, and how it fares."""
    run = row.run
    assert run is not None
    duration = row.duration(now)
    took = f", {figures.clock(duration)}" if duration is not None else ""
    if row.live:
        state = f"{run.step}, {row.status}, under way{took} (process {run.supervisor.pid})"
    else:
        state = f"{row.status} at {run.step}{took}"
    lines = [
        f"run {run.run_id}: {row.label}, {run.direction} {run.type}, host {run.host}",
        f"began {figures.moment(run.began)}, {state}",
    ]
    if row.error:
        lines.append(printable(f"why: {row.error}"))
    lines += map(printable, row.notes)
    if row.way_out:
        lines.append(printable(row.way_out))
    for copy in run.copies:
        current = row.progress.get(copy.destination)
        numbers = [
            *([f"{figures.size(copy.bytes)}"] if copy.bytes is not None else []),
            *([counted(copy.files, "file")] if copy.files is not None else []),
            *([counted(copy.attempts, "attempt")] if copy.attempts else []),
            *([f"{current.percent}%"] if current and current.percent is not None else []),
        ]
        figured = f" ({', '.join(numbers)})" if numbers else ""
        lines.append(
            printable(f"{copy.destination}: {row.status_of(copy)}{figured} in {copy.path}")
        )
    return lines


def events(story: Story) -> list[Event]:
    """All that happened, by time; what happened at one time in the order of cause and effect."""
    # sorted() is stable: attempts end before the copy does, and begin after it has begun.
    found = [*_ends(story), *_transitions(story), *_beginnings(story)]
    return sorted(found, key=lambda event: event.time)


def _transitions(story: Story) -> Iterable[Event]:
    for each in story.transitions:
        error = f": {each.error}" if each.error else ""
        # "@HOST/JOB" is the run of a client that is pulled; all others are destinations.
        whose = f"{each.destination.removeprefix('@')}: " if each.destination else ""
        of_run = not each.destination or each.destination.startswith("@")
        if not of_run:
            text = f"{whose}{each.status}{error}"
        elif each.status == "OK":
            text = f"{whose}{each.step}{error}"
        else:
            text = f"{whose}{each.step} {each.status}{error}"
        state = each.step if of_run and each.status == "OK" else each.status
        yield Event(each.time, printable(text), state if state != CopyStatus.INIT else "")


def _ends(story: Story) -> Iterable[Event]:
    for each in story.attempts:
        if each.ended is None:
            continue
        exit_code = "" if each.exit_code is None else f" (exit code {each.exit_code})"
        well = "ended" if each.exit_code == 0 and not each.reason else "failed"
        why = f": {each.reason}" if each.reason else ""
        again = ""
        if each.retry_at is not None:
            clock = time.strftime("%H:%M:%S", time.localtime(each.retry_at))
            again = f"; the next at {clock}"
        text = f"{each.destination}: attempt {each.number} {well}{exit_code}{why}{again}"
        yield Event(each.ended, printable(text), "WARNING" if each.reason else "")
    for process in story.processes:
        if process.ended is not None:
            yield Event(process.ended, printable(f"process {process.pid} ended: {process.purpose}"))


def _beginnings(story: Story) -> Iterable[Event]:
    for each in story.attempts:
        why = f", by content, since the one before {each.doubt}" if each.doubt else ""
        yield Event(each.began, printable(f"{each.destination}: attempt {each.number}{why}"))
    for process in story.processes:
        yield Event(process.began, printable(f"process {process.pid}: {process.purpose}"))
