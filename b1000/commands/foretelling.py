"""What ``b1000 restore`` would do: told with -n, and asked before --mirror deletes anything."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from b1000.config import grammar
from b1000.errors import UsageError, counted
from b1000.figures import size
from b1000.files import private_directory
from b1000.logs import printable
from b1000.restore import looking
from b1000.restore.answer import Answer
from b1000.restore.part import Part
from b1000.restore.restoring import Restoring
from b1000.rsync.totals import Forecast
from b1000.storage.question import StoredRow

_SHOWN = 10  # names that would be deleted


def forecast(way: Restoring, answer: Answer, say: Callable[[str], None]) -> None:
    """Tell what it would bring, replace and delete, and how much space there is."""
    sizes: list[int] = []
    changes = _changes(way, lambda each: sizes.append(each.bytes))
    deleted = [name for change, name in changes if change == "*deleting"]
    replaced = [
        name
        for change, name in changes
        if change[0] in "<>c" and "+" not in change and change[1] != "d"
    ]
    for what, names in (("delete", deleted), ("replace", replaced)):
        for name in names:
            say(f"would {what} {printable(name)}")
    files = sum(change[:2] in (">f", "<f", "cf") for change, _ in changes)
    say(f"{counted(files, 'file')}, {size(sum(sizes))}, would be restored")
    for where in dict.fromkeys(map(_there, way.parts)):
        space = os.statvfs(where)
        free = space.f_bavail * space.f_frsize
        answer.keys["free"] = min(free, answer.keys["free"] or free)
        say(f"{size(free)} are free at {printable(where)}")
    answer.keys |= {"files": files, "bytes": sum(sizes), "replaced": replaced, "deleted": deleted}


def _there(part: Part) -> str:
    """The directory into which it goes, or the one above that is there already."""
    where = os.path.abspath(part.target)
    while not os.path.exists(where):
        where = os.path.dirname(where)
    return where


def _changes(
    way: Restoring, told: Callable[[Forecast], None] | None = None
) -> list[tuple[str, str]]:
    """What it would do, also where the directories into which it goes are not there yet."""
    with private_directory("b1000-empty-") as empty:
        parts = (
            each if os.path.isdir(each.target) else each._replace(target=f"{empty}/")
            for each in way.parts
        )
        return list(way._replace(parts=tuple(parts)).changes(told))


def ask_before_deleting(way: Restoring, arguments: Any, warn: Callable[[str], None]) -> None:
    """Tell what --mirror deletes, and ask whether it may. Raises UsageError where it may not."""
    if looking.is_empty(way):
        raise UsageError("the backup is empty: --mirror would delete everything")
    gone = [name for change, name in _changes(way) if change == "*deleting"]
    if not gone:
        return
    text = f"{counted(len(gone), 'name')} would be deleted: {_shown(gone)}"
    if arguments.yes:
        warn(text.replace("would be", "will be", 1))
        return
    if not _has_terminal():
        raise UsageError(text, "--yes deletes them")
    _ask(f"{text}\nDelete them?", arguments)


def ask_whose(row: StoredRow, own: str, arguments: Any, warn: Callable[[str], None]) -> None:
    """Files of another host go to their places on this one only if that is meant. UsageError."""
    is_meant = not arguments.in_place or arguments.host or arguments.yes
    if is_meant or grammar.is_same_host(row.host, own):
        return
    text = f"the backup is of {row.host}, and this host is {own}"
    if _has_terminal():
        _ask(f"{text}\nRestore it in place here?", arguments)
    else:
        warn(f"{text}: --host {row.host} says that this is meant")


def _has_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty())


def _ask(question: str, arguments: Any) -> None:
    asks = sys.stderr if arguments.json else sys.stdout
    print(f"{question} (yes/no) ", end="", flush=True, file=asks)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("nothing was restored")


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
