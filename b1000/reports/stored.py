"""From what a storage knows of a backup to its row in a database. Pure."""

import hashlib

from b1000.reports.report import Values, storable, utc
from b1000.rsync.paths import moment
from b1000.runs.stored import REMOVED, Facts, Memory, Proven, Told, proven


def row(told: Told) -> Values:
    """The row of one backup in ``stored``. Nothing in it is more than what is proven."""
    facts, memory = told.facts, told.memory
    known = proven(facts.state, facts.type, facts.ended, memory)
    gone = facts.state == REMOVED
    return {
        "storage": facts.storage,
        "path": storable(told.path),
        "host": facts.host,
        "name": facts.job,
        "instance": facts.instance,
        "master_host": facts.master_host,
        "master_instance": facts.master_instance,
        "start_time": f"{moment(facts.start_time):%Y-%m-%d %H:%M:%S}" if facts.start_time else None,
        "destination": facts.destination,
        "type": facts.type,
        "state": facts.state,
        "bytes": facts.bytes if memory.bytes is None else memory.bytes,
        "files": facts.files if memory.files is None else memory.files,
        "first_seen_utc": utc(memory.first_seen),
        "counted_utc": utc(known.counted),
        "read_utc": utc(known.read),
        "read_share": _share(known, memory),
        "bad": int(bool(memory.wrong)),
        "error": storable(memory.wrong or memory.unread or memory.drill_error) or None,
        "restored_utc": utc(known.restored),
        "removed_utc": utc(memory.removed) if gone else None,
        "reason": storable(memory.reason) or None if gone else None,
        "transition": told.transition,
        "started_utc": utc(facts.started),
        "run": facts.run,
        "tried_utc": utc(memory.drilled),
        "drilled_utc": utc(memory.restored),
        "drill_error": storable(memory.drill_error) or None,
        "recovery_time": memory.recovery,
        "verify_every": facts.verify,
        "drill_every": facts.drill,
        "held": storable(facts.held) or None,
        "whose": whose(facts, told.root),
        "last_read_utc": utc(memory.read),
        "sums": memory.sums,
    }


def _share(known: Proven, memory: Memory) -> float:
    """How much has been read of what lies there now: nothing where it was written since."""
    written_since = memory.read is not None and known.read is None
    whole = memory.read_share >= 1 and not memory.wrong and not memory.unread
    return 0.0 if whole and written_since else memory.read_share


def whose(facts: Facts, root: str) -> int:
    """A number of the subject and of the place where it lies, by which databases group rows."""
    names = (
        *(facts.host, facts.job, facts.instance, facts.master_host, facts.master_instance),
        *(facts.storage, facts.destination, root.rstrip("/")),
    )
    data = "\0".join(names).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") >> 1  # SQLite's have a sign
