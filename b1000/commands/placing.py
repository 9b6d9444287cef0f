"""Where ``b1000 restore`` brings a backup: into DIR, or each include to its own place."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from b1000.errors import UsageError
from b1000.logstyle import printable
from b1000.named import NamedTuple
from b1000.restore import believing, listed, places, targets
from b1000.restore.believing import Judged, Own
from b1000.restore.part import Part
from b1000.restore.places import Named
from b1000.storage.question import StoredRow

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.storage.survey import Journalled


class Placing(NamedTuple):
    """What is needed to say so; ``words`` are the PATHs, ``private`` a directory for lists."""

    config: "Config"
    arguments: Any
    journal: "Journalled"
    words: Sequence[str]
    private: str
    warn: Callable[[str], None]

    def judged(self, row: StoredRow) -> Judged:
        """A backup with the include that counts."""
        run = self.journal.run_of(row.backup.run)
        return believing.judged(row, Own(run, self.config.jobs.get(row.key.job), self.config.path))

    def parts(self, judged: Judged, file: str) -> tuple[Part, ...]:
        """What goes where; lists of names are called after ``file``. Raises UsageError."""
        row = judged.row
        named = [self._named(word, judged) for word in self.words]
        if not row.root.remote:
            top = f"{row.root.address.rstrip('/')}/{row.backup.place}"
            for each in named:
                targets.real(top, os.path.dirname(os.path.join(top, each.name)))
        if self.arguments.in_place:
            return self._in_place(judged, named, file)
        if judged.doubt and judged.settled:
            self.warn(judged.doubt)
        to = os.path.abspath(self.arguments.to)
        is_shared = self.arguments.existing
        (part,) = targets.beside_others(to, row.backup) if is_shared else targets.whole(to)
        found = [each.name for each in named]
        return (self._listed(part, found, file),)

    def _named(self, word: str, judged: Judged) -> Named:
        find = places.named if self.arguments.in_place else places.named_below
        return find(word, judged.row.backup)

    def _listed(self, part: Part, names: Sequence[str], file: str) -> Part:
        return part._replace(names=listed.write(self.private, names, file) if names else "")

    def _in_place(self, judged: Judged, named: Sequence[Named], file: str) -> tuple[Part, ...]:
        backup = judged.row.backup
        if named:
            parts = targets.some_in_place(named, backup)
        else:
            parts = tuple((part, []) for part in targets.in_place(backup))
        found = [each.place for each in named]
        if not judged.is_named(self.words, found):
            words = places.includes(backup)
            whole = [places.place_of(word, backup.relative) for word in words]
            raise UsageError(
                f"{judged.doubt}; nothing was restored", self._ways_out(found or whole)
            )
        if judged.doubt and judged.settled:
            self.warn(judged.doubt)
        return tuple(
            self._listed(part, names, f"{file}-{number}")
            for number, (part, names) in enumerate(parts)
        )

    def _ways_out(self, found: Sequence[str]) -> str:
        """How it is restored all the same: who names a place means it."""
        if "/" in found:
            return "paths of it that are named, as /..., are restored there, --to DIR elsewhere"
        command = self.config.command(*_again(self.arguments, [*dict.fromkeys(found)]))
        return f"`{printable(command)}` restores it there, --to DIR elsewhere"


def _again(arguments: Any, paths: Sequence[str]) -> list[str]:
    """The words of the same command for some paths."""
    words = ["restore", arguments.job, "--in-place", f"--{arguments.existing}"]
    options = {"at": "at", "from": "source", "host": "host", "chown": "chown"}
    for option, name in options.items():
        value = getattr(arguments, name)
        words += [f"--{option}", value] if value else []
    flags = ("any", "devices", "no_verify", "yes")
    words += [f"--{each.replace('_', '-')}" for each in flags if getattr(arguments, each)]
    return [*words, *paths]
