"""The reader of the journal: every SELECT whose answer leaves the room, as model values."""

import os
from pathlib import Path

from b1000.state.detail_queries import DetailQueries
from b1000.state.directory_queries import DirectoryQueries
from b1000.state.outbox_queries import OutboxQueries
from b1000.state.run_queries import RunQueries
from b1000.state.stored_queries import StoredQueries

_HISTORY = frozenset(
    {
        "runs",
        "copies",
        "attempts",
        "transitions",
        "processes",
        "listings",
        "earlier_uids",
        "clients",
        "stored",
        "pending_stored",
    }
)
"""Tables that grow: of these only what is asked for is read."""
_ASTRAY = """
    SELECT 1 FROM pending LEFT JOIN runs USING (run_id)
    WHERE runs.run_id IS NULL OR pending.transition_id > runs.last_transition
    UNION ALL
    SELECT 1 FROM latest LEFT JOIN runs USING (job, instance, run_id) WHERE runs.uid IS NULL
"""


def may_exist(journal: Path) -> bool:
    """Whether to open a journal; where it cannot be seen, opening it says why."""
    try:
        os.stat(journal)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


class Reader(RunQueries, DirectoryQueries, OutboxQueries, DetailQueries, StoredQueries):
    """All questions to a journal through one view, which :class:`View` describes."""

    def look_through(self) -> None:
        """Read what counts today, for ``damaged`` to say what of it cannot be read."""
        self.unclosed()
        self.last_runs()
        self.listed_instances()
        self._runs("run_id IN (SELECT run_id FROM pending)")
        for table in ("processes", "listings"):
            self._ask(f"SELECT * FROM {table} WHERE ended IS NULL")
        for table in self._tables.keys() - _HISTORY:
            self._ask(f"SELECT * FROM {table}")
        if self._ask(_ASTRAY):
            self.damaged.add("pending.run_id or latest.run_id")
