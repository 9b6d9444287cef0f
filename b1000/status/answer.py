"""The answer to one ``b1000 status``, in the form that suits where it goes."""

import time

from b1000.config.loader import Config
from b1000.named import NamedTuple
from b1000.status import overview, sheet, tables, timeline
from b1000.status.order import counted
from b1000.status.programs import as_json, story_as_json
from b1000.status.question import StatusQuestion
from b1000.status.row import exit_code
from b1000.terminal.screen import Screen


class StatusAnswer(NamedTuple):
    """What is to be seen; ``states`` differ where more than a clock has moved on.

    ``damaged`` says what of the journal could not be read, ``notes`` what else there is to know
    beside the rows of a pipe, ``counts`` how many of them fare how.
    """

    text: str
    exit_code: int
    states: object = None
    damaged: str = ""
    notes: str = ""
    counts: str = ""


class Asked(NamedTuple):
    """What was asked for: an overview, or one run by its number."""

    config: Config
    question: StatusQuestion
    run_id: int | None = None

    def for_programs(self) -> StatusAnswer:
        """As JSON."""
        if self.run_id is not None:
            row, story, damaged = overview.story_of(self.config, self.run_id)
            text = story_as_json(row, story)
            return StatusAnswer(text, exit_code([row]), damaged=damaged)
        found = overview.collect(self.config, self.question)
        text = as_json(found)
        return StatusAnswer(text, exit_code(found.rows), damaged=found.damaged)

    def for_people(self, screen: Screen | None, watched: bool = False) -> StatusAnswer:
        """For a terminal, or without a ``screen`` for a pipe; ``watched`` by who can scroll."""
        now = time.time()
        if self.run_id is not None:
            row, story, damaged = overview.story_of(self.config, self.run_id)
            text = (
                timeline.shown(row, story, screen, now)
                if screen
                else timeline.plain(row, story, now)
            )
            return StatusAnswer(text, exit_code([row]), (row.run, row.died, story), damaged)
        found = overview.collect(self.config, self.question)
        if screen:
            fold = not self.question.everything and self.question.last == 1
            made = sheet.scrolling if watched else sheet.shown
            text, notes = made(found, screen, now, fold), ""
        else:
            text, notes = tables.plain(found, now), tables.notes(found, now)
        runs = [(row.run, row.died) for row in found.rows]
        states = (runs, found.unseen, found.pending, found.skipped)
        counts = counted(found.rows)
        return StatusAnswer(text, exit_code(found.rows), states, found.damaged, notes, counts)
