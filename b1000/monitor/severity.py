"""Verdicts, and which of them is worse. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """The answer for one subject, or for a fleet."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    UNKNOWN = "UNKNOWN"

    @property
    def exit_code(self) -> int:
        """As Nagios counts."""
        return _CODES[self]


_CODES = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.CRITICAL: 2, Verdict.UNKNOWN: 3}
# What is certainly bad comes before what nobody knows.
SEVERITY = {Verdict.OK: 0, Verdict.UNKNOWN: 1, Verdict.WARNING: 2, Verdict.CRITICAL: 3}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of the verdicts; UNKNOWN where there is none: no backup at all is not OK."""
    return max(verdicts, key=SEVERITY.__getitem__, default=Verdict.UNKNOWN)
