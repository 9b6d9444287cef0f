"""Where else the run of a backup lies, and how it is restored from there."""

import functools
import math
from collections.abc import Iterable, Sequence

from b1000 import figures
from b1000.config.loader import Config
from b1000.storage import survey
from b1000.storage.backup import Backup, Group, Root
from b1000.verify.findings import Look

_MOST_PATHS = 20


class Elsewhere:
    """The other storages of a configuration; each is asked once, and only when it has to be."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._beside = functools.cache(self._survey)

    def _survey(self, destination: str) -> list[tuple[Root, Group]]:
        found = survey.survey(self._config, lambda each: each.name != destination)
        return list(found.groups())

    def commands(self, look: Look, names: Sequence[bytes]) -> list[str]:
        """The commands that restore files of a backup from where the same run lies as well."""
        run = look.backup.run
        return [
            self._config.command(*_words(root, group, backup, names))
            for root, group in (self._beside(look.root.destination) if run else ())
            for backup in group.backups
            if backup.run == run and backup.complete and not backup.memory.bad
        ]


def _words(root: Root, group: Group, backup: Backup, names: Iterable[bytes]) -> list[str]:
    key = group.key
    words = ["restore", f"{key.job}/{key.instance}" if key.instance else key.job]
    words += ["--host", key.host] if key.host else []
    words += ["--from", root.place]
    if backup.started is not None:
        words += ["--at", figures.iso(math.ceil(backup.started))]
    paths = [name.decode("utf-8", "surrogateescape") for name in names]
    return [*words, "--to", "DIR", *(paths if len(paths) <= _MOST_PATHS else ())]
