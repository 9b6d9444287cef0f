"""The answer of ``b1000 list --json``."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from b1000 import figures
from b1000.storage.contents import Version
from b1000.storage.question import StoredRow

_Found = TypeVar("_Found")
_FORMAT = 1
_AT_ONCE = 1000  # backups: of a hundred thousand the text is half a gigabyte on its way
_encoded = json.JSONEncoder(separators=(",\n      ", ": ")).encode


def as_json(rows: Sequence[StoredRow]) -> Iterator[str]:
    """Backups as one object, in parts of whole lines; times are ISO 8601 with offset, or null."""
    return _json("backups", rows, _object)


def files_as_json(versions: Sequence[Version]) -> Iterator[str]:
    """Versions of files as one object; a name that is no UTF-8 has its bytes as \\udcXX."""
    return _json("files", versions, _version)


def _json(
    name: str, found: Sequence[_Found], made: Callable[[_Found], Mapping[str, object]]
) -> Iterator[str]:
    """An object with the format and a list, each key on a line of its own."""
    begun = f'{{\n  "format": {_FORMAT},\n  "{name}": ['
    if not found:
        yield f"{begun}]\n}}"
        return
    yield begun
    for start in range(0, len(found), _AT_ONCE):
        part = found[start : start + _AT_ONCE]
        text = ",\n".join(f"    {{\n      {_encoded(made(each))[1:-1]}\n    }}" for each in part)
        yield figures.inert(text) + ("," if start + _AT_ONCE < len(found) else "")
    yield "  ]\n}"


def _object(row: StoredRow) -> dict[str, object]:
    backup, known = row.backup, row.backup.proven
    return {
        "destination": row.root.destination,
        "path": row.path,
        "job": row.key.job,
        "instance": row.key.instance,
        "host": row.host,
        "master_host": backup.master_host,
        "master_instance": backup.master_instance,
        "started": _iso(backup.started),
        "type": backup.type,
        "state": str(backup.state),
        "bytes": backup.counts.bytes,
        "files": backup.counts.files,
        "counted": _iso(known.counted),
        "read": _iso(known.read),
        "restored": _iso(known.restored),
        "bad": bool(backup.memory.wrong),
        "kept_by": row.kept_by,
        "protected": backup.protected,
    }


def _version(version: Version) -> dict[str, object]:
    first, last = version.rows[0], version.rows[-1]
    return {
        "path": version.path,
        "size": version.size,
        "time": _iso(version.time),
        "kind": version.kind,
        "job": first.key.job,
        "instance": first.key.instance,
        "host": first.host,
        "destination": first.root.destination,
        "first": _iso(first.backup.started),
        "last": _iso(last.backup.started),
        "backups": [row.path for row in version.rows],
    }


def _iso(when: float | None) -> str | None:
    return None if when is None else figures.iso(when)
