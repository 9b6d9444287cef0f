"""What ``b1000 check`` sees of storages on this host."""

import os
from collections.abc import Iterator
from pathlib import Path

from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.errors import B1000Error, StorageAway
from b1000.jobs import Destination
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage import emptied, local

_NEARLY_FULL = 0.8  # of a file system


def findings(config: Config) -> Iterator[Finding]:
    """Stores that nothing thins out, on file systems that are nearly full; and a `keep` in vain."""
    for name, each in config.destinations.items():
        if each.keep and each.mark_path and each.mark_path.rstrip("/") != each.path.rstrip("/"):
            yield Finding(
                f"dest:{name}",
                "keep",
                "b1000 prune removes nothing where marks do not lie beside the backups; leave out"
                " mark_path",
                warning=True,
            )
        if each.type != "store" or each.keep:
            continue
        used = _used(each.path.partition("/*")[0] or "/")
        if used > _NEARLY_FULL:
            yield Finding(
                f"dest:{name}",
                "keep",
                f"its file system is {used:.0%} full and nothing is ever removed; say what stays, "
                "such as 'keep = all 7d, daily 5w, monthly 13m', "
                f"and run {config.command('prune')} from cron",
                warning=True,
            )


def looked_at(config: Config) -> Iterator[Finding]:
    """Stores at which list, verify and prune would find nothing to look at."""
    for name, each in config.destinations.items():
        if each.type == "store":
            text, warning = _nothing_there(each, Path(config.settings.journal))
            if text:
                yield Finding(f"dest:{name}", "path", text, warning)


def _nothing_there(store: Destination, journal: Path) -> tuple[str, bool]:
    """Why nothing is there to be looked at, or ""; and whether that may be right."""
    try:
        roots = local.roots(store.name, store.path)
        if any(root.identity or local.jobs(root) for root in roots):
            return "", False
    except StorageAway as error:
        return f"{error}: make it, mount its disk, or correct the path", False
    if _was_there(journal, store.path.partition("/*")[0]):
        return emptied.why(store), False
    return (
        f"no backup lies at {store.path} yet; where clients have sent some, its disk is not "
        "mounted, or the path is another",
        True,
    )


def _was_there(journal: Path, above: str) -> bool:
    """Whether something was seen there that nobody has removed."""
    try:
        if not queries.may_exist(journal):
            return False
        with Reader(journal, untouched=True) as reader:
            return reader.seen_below(above)
    except B1000Error:
        return False


def _used(path: str) -> float:
    """The share of a file system that is in use; 0 where nobody can say."""
    try:
        space = os.statvfs(path)
    except OSError:
        return 0.0
    return 1 - space.f_bavail / space.f_blocks if space.f_blocks else 0.0
