"""What no restore touches, wherever it goes: the state of this host's own b1000, and backups.

A journal that went back in time would call complete backups interrupted, and go on with them.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from b1000.config.loader import Config
from b1000.errors import StorageAway, UsageError
from b1000.locks import Locks
from b1000.logstyle import printable
from b1000.progress_files import directory_of
from b1000.restore import listed
from b1000.restore.part import Part
from b1000.storage import local, survey
from b1000.storage.backup import Root
from b1000.storage.survey import Journalled


def own(config: Config) -> list[str]:
    """The directories and files of this host's b1000, and its local storages."""
    journal = Path(config.settings.journal)
    files = [journal, *(Path(f"{journal}{end}") for end in ("-wal", "-shm"))]
    state = [Path(config.settings.status_dir), *files, Locks.beside(journal).directory]
    found = [os.path.realpath(each) for each in (*state, directory_of(journal))]
    for each in survey.storages(config):
        if not survey.is_remote(each):
            found.append(os.path.realpath(survey.read_at(each).partition("/*")[0]))
    return [path for path in dict.fromkeys(found) if not any(_is_in(path, one) for one in found)]


def sparing(parts: Iterable[Part], paths: Sequence[str]) -> tuple[Part, ...]:
    """The parts without these paths; one that alone is asked for is not spared."""
    return tuple(_sparing(part, paths) for part in parts)


def _sparing(part: Part, paths: Sequence[str]) -> Part:
    target = os.path.realpath(part.target)
    below = (os.path.relpath(each, target) for each in paths if _is_in(each, target))
    tops = listed.read(part.names) if part.names else []
    if not part.whole:
        tops = [os.path.basename(part.source)]
    spared = (each for each in below if not tops or any(_is_in(each, top) for top in tops))
    return part._replace(spared=tuple(spared))


def check(directory: str, existing: str, config: Config, journal: Journalled) -> None:
    """Whether something may be restored into a directory. Raises UsageError in a backup, and where
    backups or the state of b1000 would be deleted.
    """
    whole = os.path.realpath(directory)
    if existing == "mirror":
        for path in own(config):
            if whole == path or _is_in(whole, path):
                raise UsageError(
                    f"{printable(directory)} is b1000's own, and what lies there would be deleted",
                    "a directory elsewhere, or --merge",
                )
    for each in survey.storages(config, lambda storage: not survey.is_remote(storage)):
        with contextlib.suppress(StorageAway):
            for root in local.roots(each.name, survey.read_at(each)):
                _check_root(whole, root, config, journal)


def _check_root(whole: str, root: Root, config: Config, journal: Journalled) -> None:
    top = os.path.realpath(root.address)
    if not _is_in(whole, top):
        return
    place = os.path.relpath(whole, top)
    here = lambda storage: storage.name == root.destination  # noqa: E731
    with survey.JobSurvey(config, place.partition("/")[0], here) as asked:
        found = asked.found(journal)
    for other, group in found.groups():
        for backup in group.backups if other.path == root.path else ():
            if place == backup.place or _is_in(place, backup.place):
                raise UsageError(
                    f"{printable(whole)} is in a backup, {printable(root.whole(backup.place))}",
                    "a directory elsewhere",
                )


def _is_in(path: str, directory: str) -> bool:
    return path.startswith(f"{directory.rstrip('/')}/") and path != directory
