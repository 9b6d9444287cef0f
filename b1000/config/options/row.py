"""What a row of the table of options says."""

from collections.abc import Mapping

from b1000.config.kinds import ValueKind
from b1000.named import NamedTuple


class Option(NamedTuple):
    """One row.

    ``sections``: kinds of section in which it may stand (``global`` and ``job``
    together: the job's own value comes first). ``default`` is written as the
    user would write it; None means that there is none. ``deferred`` options are
    settled in each run, since they may refer to what only a run knows;
    ``dynamic`` ones may be the output of a command. ``literal`` ones hold no
    references, and of ``secret`` ones nothing is ever shown. ``of`` names the
    directions or types that have the option, all where it is empty
    (:data:`VARIANT`); ``defaults`` the defaults of some of them that differ. A
    ``required`` one may be missing where the option ``unless`` is given.
    """

    name: str
    sections: tuple[str, ...]
    kind: ValueKind
    help: str
    default: str | None = None
    required: bool = False
    deferred: bool = False
    dynamic: bool = False
    literal: bool = False
    secret: bool = False
    of: tuple[str, ...] = ()
    unless: str = ""
    defaults: Mapping[str, str] = {}

    def belongs(self, variant: str) -> bool:
        """Whether a section of this direction or type has the option."""
        return not self.of or variant in self.of


VARIANT = {"job": "direction", "dest": "type", "report": "type"}
"""Section kind → the option that decides which others the section has."""

GLOBAL, JOB, DEST, REPORT = ("global",), ("job",), ("dest",), ("report",)
BOTH = ("global", "job")
