"""Who is told of runs: a report, or whoever looks for marks at a destination."""

from b1000.jobs import Destination, Limits, Report
from b1000.named import NamedTuple
from b1000.state import outbox


class Outbox(NamedTuple):
    """The marks of a destination, as a reporter is told of them; ``wait`` is mark_wait."""

    destination: Destination
    limits: Limits
    wait: float

    @property
    def name(self) -> str:
        """What it is called among reports."""
        return outbox.of_marks(self.destination.name)

    @property
    def label(self) -> str:
        """What it is called in the log."""
        return f"marks at {self.destination.name}"


def label_of(settings: Report | Outbox) -> str:
    """What it is called in the log."""
    return settings.label if isinstance(settings, Outbox) else f"report {settings.name}"
