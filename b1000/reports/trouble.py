"""A report that cannot be delivered is told once, then every ten minutes. Pure."""

from b1000 import figures
from b1000.logstyle import DEBUG, WARNING

_AGAIN = 600.0  # seconds


class Trouble:
    """What is the matter with a report, while something is; times are seconds since the epoch."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._told = 0.0

    def complaint(self, what: str, now: float) -> tuple[int, str]:
        """The level and the text for one more attempt that failed."""
        if self._since is None:
            self._since = self._told = now
            return WARNING, f"{what}; it is tried again, and nothing is lost"
        text = f"{what}; not delivered since {figures.since(self._since, now)}"
        # A clock that was set back must not silence it.
        if 0 <= now - self._told < _AGAIN:
            return DEBUG, text
        self._told = now
        return WARNING, text

    def over(self) -> bool:
        """All could be delivered; gives whether there was trouble until now."""
        was, self._since = self._since is not None, None
        return was
