"""How backups are drilled: restored, and judged by a command. Pure."""

from b1000.named import NamedTuple

LONGEST_DRILL = 86400
"""Seconds that a drill may take where script_timeout sets no limit."""


class Drill(NamedTuple):
    """How it is tried whether backups can be restored.

    ``command`` judges what was restored, within ``limit`` seconds, and ``every`` seconds again.
    ``reports`` are the databases that are told where the storage names none.
    """

    command: str
    every: int
    limit: int
    reports: tuple[str, ...] = ()
