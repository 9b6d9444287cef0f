"""A backup is never called more than what its storage has proven of it."""

import itertools
import json
from typing import Any

import pytest

from b1000.reports import stored
from b1000.runs.stored import Facts, Memory, Proven, Told, proven
from b1000.storage import programs, table
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.question import StoredRow

ENDED, BEFORE, AFTER = 1000.0, 900.0, 1100.0


@pytest.mark.parametrize("state", [*map(str, State), "removed"])
@pytest.mark.parametrize(
    ("kind", "wrong", "seen"),
    [*itertools.product(("full", "sync"), ("", "bad", "short", "unread"), (None, BEFORE, AFTER))],
)
def test_what_was_not_read_is_not_called_so(
    state: str, kind: str, wrong: str, seen: float | None
) -> None:
    memory = Memory(counted=seen, read=seen, restored=seen)
    if wrong:
        told = "2 files are wrong"
        known: dict[str, Any] = {wrong: told}
        memory = memory._replace(**known)
    found = proven(state, kind, ENDED, memory)
    if state != "complete" or wrong or (kind == "sync" and seen == BEFORE):
        assert found == Proven()
    else:
        assert found == Proven(seen, seen, seen)
    facts = Facts("s", "kept", "etc", "web1", kind, state, ("db",), ended=ENDED)
    row = stored.row(Told("/b", "etc/x", 1, facts, memory))
    times = (row["counted_utc"], row["read_utc"], row["restored_utc"])
    assert [each is not None for each in times] == [each is not None for each in found]
    bad = wrong in ("bad", "short")
    assert (row["bad"], row["error"]) == (int(bad), "2 files are wrong" if wrong else None)
    if state == "removed":
        return
    # What list says is the same, to programs and to people.
    backup = Backup("etc/x", kind, State(state), ended=ENDED, memory=memory)
    listed = StoredRow(Root("kept", "/b"), GroupKey("/b", "", "etc", "web1"), backup)
    (told_of,) = json.loads("\n".join(programs.as_json([listed])))["backups"]
    assert told_of["bad"] == bad
    shown = table.of_backups([listed], now=AFTER + 60).splitlines()[1]
    assert (" BAD" in shown) == bad
    assert (f"{wrong}: 2 files are wrong" in shown) == bool(wrong)
    for word, when in zip(("counted", "read", "restored"), found, strict=True):
        assert (told_of[word] is not None) == (when is not None)
        assert (f"{word} " in shown.partition(state)[2]) == (when is not None)


def test_each_witness_is_one_of_its_own() -> None:
    for seen in itertools.product((None, AFTER), repeat=3):
        counted, read, restored = seen
        memory = Memory(counted=counted, read=read, restored=restored)
        assert proven("complete", "full", ENDED, memory) == Proven(*seen)
