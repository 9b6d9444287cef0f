"""What ``b1000 check`` sees of storages on this host."""

import os
from collections.abc import Iterator

from b1000.check.on_this_host import Finding
from b1000.config.loader import Config

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


def _used(path: str) -> float:
    """The share of a file system that is in use; 0 where nobody can say."""
    try:
        space = os.statvfs(path)
    except OSError:
        return 0.0
    return 1 - space.f_bavail / space.f_blocks if space.f_blocks else 0.0
