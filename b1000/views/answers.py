"""The answer to one ``b1000 status``, in the form that suits where it goes."""

import time
from typing import NamedTuple

from b1000.config.loader import Config
from b1000.views import status, tables, timeline
from b1000.views.screen import Screen
from b1000.views.status import Question


class Answer(NamedTuple):
    """What is to be seen; ``states`` differ where more than a clock has moved on.

    ``damaged`` says what of the journal could not be read.
    """

    text: str
    exit_code: int
    states: object = None
    damaged: str = ""


class Asked(NamedTuple):
    """What was asked for: an overview, or one run by its number."""

    config: Config
    question: Question
    run_id: int | None = None

    def for_programs(self) -> Answer:
        """As JSON."""
        if self.run_id is not None:
            row, story, damaged = status.look_at(self.config, self.run_id)
            text = status.story_as_json(row, story)
            return Answer(text, status.exit_code([row]), damaged=damaged)
        found = status.collect(self.config, self.question)
        text = status.as_json(found.rows)
        return Answer(text, status.exit_code(found.rows), damaged=found.damaged)

    def for_people(self, screen: Screen | None, with_bars: bool = False) -> Answer:
        """For a terminal, or without a ``screen`` for a pipe."""
        now = time.time()
        if self.run_id is not None:
            row, story, damaged = status.look_at(self.config, self.run_id)
            text = (
                timeline.shown(row, story, screen, now)
                if screen
                else timeline.plain(row, story, now)
            )
            return Answer(text, status.exit_code([row]), (row.run, row.died, story), damaged)
        overview = status.collect(self.config, self.question)
        text = (
            tables.shown(overview, screen, now, with_bars)
            if screen
            else tables.plain(overview, now)
        )
        runs = [(row.run, row.died) for row in overview.rows]
        states = (runs, overview.debts, overview.left_out)
        return Answer(text, status.exit_code(overview.rows), states, overview.damaged)
