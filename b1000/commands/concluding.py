"""How a restore is concluded: what has come is compared, and told."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from b1000.errors import counted
from b1000.figures import clock, size
from b1000.logs import printable
from b1000.restore import aside
from b1000.restore.found import DIFFERS, Verified
from b1000.restore.listed import RestoreFailed, TargetFailed
from b1000.restore.restoring import Restoring
from b1000.rsync.restoring import is_small

if TYPE_CHECKING:
    from b1000.commands.bringing import Surroundings

_FAILED, _OLDER = 1, 3
_SHOWN = 10  # names that differ
NOT_COMPARED = "not compared: it could not be read at a storage that holds the run"
"""The error of a restore of which all has come, and that nobody has compared."""

T = TypeVar("T")
_Compared = tuple[Restoring, tuple[Verified, list[str]]]
"""A storage, what a comparison with it has found, and what is set aside there."""


class Conclusion:
    """What is told of what has come by one of some ``ways``; ``older``: it is not the newest."""

    def __init__(self, surroundings: "Surroundings", ways: Sequence[Restoring], older: str) -> None:
        self._with = surroundings
        self._arguments: Any = surroundings.arguments
        self._keys: dict[str, Any] = surroundings.answer.keys
        self._ways = ways
        self._older = older

    def conclude(self, way: Restoring, private: str) -> tuple[str, int]:
        """Compare it; gives what is wrong, "" for nothing, and the exit code."""
        words = way.wanted()
        what = f"restored {self._counted()}"
        self._tell_lost(way)
        partly = words or any(part.spared for part in way.parts)
        short = "" if partly else self._tell_short(way)
        if self._arguments.no_verify:
            whole = not words and aside.nothing(way.row.backup, self._keys["files"])
            looked = None if whole else self._asked(way, aside.found)
            lacking = self._tell_aside(looked[1] if looked else []) or short
            self._with.say(f"{what}; not verified")
            return (lacking, _FAILED) if lacking else ("", _OLDER)
        from b1000.restore import comparing  # with hashes and archives, once all has come

        if not is_small(self._keys["bytes"] or 0):
            self._with.say(f"{size(self._keys['bytes'])} have come; now they are compared")

        def compare(each: Restoring) -> tuple[Verified, list[str]]:
            found = comparing.verified(each, private)
            # Where all was compared, that has seen them.
            if each.manner.existing == "missing":
                return found, aside.found(each)
            return found, aside.lacking(each, found.set_aside)

        asked = self._asked(way, compare)
        if asked is None:
            self._with.say(f"{what}; not verified: the same command compares it again")
            return (short, _FAILED) if short else (NOT_COMPARED, _OLDER)
        return self._judged(way, asked, short)

    def _asked(self, way: Restoring, ask: Callable[[Restoring], T]) -> tuple[Restoring, T] | None:
        """The first storage that has the run and does not fail, with its answer; None for none.

        Raises RestoreFailed where what has come cannot be read back: no storage changes that.
        """
        others = [each for each in self._ways if each.row is not way.row]
        for each in (way, *others):
            try:
                return each, ask(each)
            except TargetFailed as failure:
                raise RestoreFailed(f"what has come cannot be compared: {failure}") from None
            except RestoreFailed as failure:
                self._with.warn(f"{each.row.path}: {failure}")
        return None

    def _judged(self, way: Restoring, asked: _Compared, short: str) -> tuple[str, int]:
        """Tell what a comparison with one storage has found of what has come by a ``way``."""
        by, (found, left) = asked
        what = f"restored {self._counted()}"
        lacking = self._tell_aside(left) or short
        self._with.answer.compared(found, left)
        self._keys["verified"] = self._keys["verified"] and not short
        if found.note:
            self._with.warn(found.note)
        wrong = [name for name in found.differing if name not in left]
        for name in wrong[:_SHOWN]:
            self._with.warn(f"differs from the backup: {printable(name)}")
        if found.attributes:
            self._with.warn(f"{counted(found.attributes, 'name')} could not get all attributes")
        if wrong:
            self._with.say(f"{what}, and compared with {found.against}: NOT equal")
            self._tell_others(way, by)
            verb = "differs" if len(wrong) == 1 else "differ"
            return f"{counted(len(wrong), 'name')} {verb} {DIFFERS}", _FAILED
        self._with.say(f"{what}, and compared with {found.against}: equal")
        code = _OLDER if self._older else 0
        return (lacking, _FAILED) if lacking else ("", code)

    def _tell_others(self, way: Restoring, by: Restoring) -> None:
        """Tell where the same run lies too, of which the same command can bring what differs.

        First of all the one from which it did not come, and that it was compared with.
        """
        used = way.row.root.place
        others = dict.fromkeys(each.row.root.place for each in (by, *self._ways))
        if left := [each for each in others if each != used]:
            text = (
                f"the same run is at {', '.join(left)} too: the same command with --from {left[0]}"
            )
            self._with.warn(f"{text} brings from there what differs")

    def _tell_lost(self, way: Restoring) -> None:
        """Tell what was not made, and which owners were not kept, as nothing else shows it."""
        others = self._with.answer.others
        if others and not way.manner.devices:
            what = "device, socket or FIFO" if others == 1 else "devices, sockets and FIFOs"
            self._with.say(f"not made: {others} {what} (--devices makes them)")
        if os.geteuid() and not self._arguments.chown:
            self._with.say("only root can keep owners: all files belong to who runs this")

    def _tell_short(self, way: Restoring) -> str:
        """Tell that a full had more files once; gives that as an error, "" where it had not.

        What is missing at the storage, nothing that is compared with the storage shows.
        """
        backup, files = way.row.backup, self._keys["files"]
        if backup.type != "full" or files is None or not backup.counts.are_more_than(files):
            return ""
        short = f"the backup had {counted(backup.counts.files or 0, 'file')}, and {files} are there"
        self._with.warn(short)
        return short

    def _tell_aside(self, names: Sequence[str]) -> str:
        """Tell what is set aside at the storage; gives that as an error, "" where nothing is."""
        self._keys["set_aside"] = list(names)
        for name in names[:_SHOWN]:
            self._with.warn(f"{printable(name)} is set aside as wrong there, and was not restored")
        return f"{counted(len(names), 'file')} of the backup could not be restored" if names else ""

    def _counted(self) -> str:
        files, held = self._keys["files"], self._keys["bytes"]
        took = clock(self._keys["seconds"])
        if files is None:
            return f"in {took}"
        moved = self._keys["transferred"]
        of_these = "" if moved == files else f" ({moved} transferred)"
        return f"{counted(files, 'file')}{of_these}, {size(held or 0)}, in {took}"
