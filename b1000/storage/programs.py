"""The answer of ``b1000 list --json``."""

import json
from collections.abc import Mapping, Sequence

from b1000 import figures
from b1000.storage.contents import Version
from b1000.storage.question import StoredRow

_FORMAT = 1


def as_json(rows: Sequence[StoredRow]) -> str:
    """Backups as one object; times are ISO 8601 with offset, or null."""
    return _json({"format": _FORMAT, "backups": [_object(row) for row in rows]})


def files_as_json(versions: Sequence[Version]) -> str:
    """Versions of files as one object; a name that is no UTF-8 has its bytes as \\udcXX."""
    return _json({"format": _FORMAT, "files": [_version(each) for each in versions]})


def _json(found: Mapping[str, object]) -> str:
    return figures.inert(json.dumps(found, indent=2))


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
