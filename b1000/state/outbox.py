"""What is pending: states for reports, and marks for the destinations of copies."""

import sqlite3

_MARKS = "mark@"  # with no such sign, no report is called so


def of_marks(destination: str) -> str:
    """What the outbox of a destination's marks is called among those of reports."""
    return f"{_MARKS}{destination}"


def destination_of(outbox: str) -> str | None:
    """The destination whose marks wait there; None for the outbox of a report."""
    return outbox.removeprefix(_MARKS) if outbox.startswith(_MARKS) else None


def add(database: sqlite3.Connection, outbox: str, run_id: int, number: int, when: float) -> None:
    """The state of a run since the transition of this number is pending."""
    database.execute(
        """INSERT INTO pending (report, run_id, transition_id, since) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET transition_id = excluded.transition_id""",
        (outbox, run_id, number, when),
    )
