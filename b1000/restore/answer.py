"""What ``b1000 restore`` answers: the choice, and what became of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from b1000.figures import iso, moment, size

if TYPE_CHECKING:
    from b1000.restore.choice import Choice
    from b1000.restore.found import Verified
    from b1000.rsync.totals import Totals


class Answer:
    """The answer for programs; its keys are those of the documentation.

    ``others`` counts devices, sockets and FIFOs of what was asked for.
    """

    def __init__(self) -> None:
        self.others = 0
        self.keys: dict[str, Any] = {
            "format": 1,
            "choice": None,
            "reasons": [],
            "passed_over": [],
            "older": "",
            "to": "",
            "files": None,
            "bytes": None,
            "transferred": None,
            "seconds": None,
            "free": None,
            "replaced": [],
            "deleted": [],
            "verified": None,
            "against": "",
            "differing": [],
            "attributes": 0,
            "set_aside": [],
            "error": "",
            "exit": 0,
        }

    def chosen(self, choice: "Choice") -> str:
        """Note the choice; gives it in words."""
        row = choice.row
        backup = row.backup
        self.keys["choice"] = {
            "destination": row.root.destination,
            "path": row.path,
            "job": row.key.job,
            "instance": row.key.instance,
            "host": row.host,
            "started": None if backup.started is None else iso(backup.started),
            "state": str(backup.state),
            "bytes": backup.counts.bytes,
            "also_at": [each.root.destination for each in choice.rows[1:]],
        }
        self.keys |= {
            "reasons": list(choice.reasons),
            "passed_over": list(choice.notes),
            "older": choice.older,
        }
        held = "" if backup.counts.bytes is None else f", {size(backup.counts.bytes)}"
        when = "" if backup.started is None else f" of {moment(backup.started)}"
        return f"backup{when} at {row.root.destination}: {row.path}{held}"

    def read_from(self, destination: str, path: str) -> None:
        """Note from where it was brought in the end."""
        if self.keys["choice"]:
            self.keys["choice"] |= {"destination": destination, "path": path}

    def brought(self, totals: "Totals", transferred: int) -> None:
        """Add what one rsync has counted."""
        self.others += totals.others or 0
        counts = {"files": totals.files, "bytes": totals.bytes, "transferred": transferred}
        for name, number in counts.items():
            if number is not None:
                self.keys[name] = (self.keys[name] or 0) + number

    def compared(self, found: "Verified", set_aside: Sequence[str]) -> None:
        """Note what a comparison found."""
        self.keys |= {
            "verified": not found.differing and not set_aside,
            "against": found.against,
            "differing": list(found.differing),
            "attributes": found.attributes,
        }
