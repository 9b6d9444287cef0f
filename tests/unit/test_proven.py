"""A backup is never called more than what its storage has proven of it."""

import itertools

import pytest

from b1000.reports import stored
from b1000.runs.stored import Facts, Memory, Proven, Told, proven
from b1000.storage.backup import State

ENDED, BEFORE, AFTER = 1000.0, 900.0, 1100.0


@pytest.mark.parametrize("state", [*map(str, State), "removed"])
@pytest.mark.parametrize(
    ("kind", "wrong", "seen"),
    [*itertools.product(("full", "sync"), ("", "bad", "short"), (None, BEFORE, AFTER))],
)
def test_what_was_not_read_is_not_called_so(
    state: str, kind: str, wrong: str, seen: float | None
) -> None:
    memory = Memory(counted=seen, read=seen, restored=seen)
    if wrong:
        told = "2 files are wrong"
        memory = memory._replace(bad=told) if wrong == "bad" else memory._replace(short=told)
    found = proven(state, kind, ENDED, memory)
    if state != "complete" or wrong or (kind == "sync" and seen == BEFORE):
        assert found == Proven()
    else:
        assert found == Proven(seen, seen, seen)
    facts = Facts("s", "kept", "etc", "web1", kind, state, ("db",), ended=ENDED)
    row = stored.row(Told("/b", "etc/x", 1, facts, memory))
    times = (row["counted_utc"], row["read_utc"], row["restored_utc"])
    assert [each is not None for each in times] == [each is not None for each in found]
    assert (row["bad"], row["error"]) == ((1, "2 files are wrong") if wrong else (0, None))


def test_each_witness_is_one_of_its_own() -> None:
    for seen in itertools.product((None, AFTER), repeat=3):
        counted, read, restored = seen
        memory = Memory(counted=counted, read=read, restored=restored)
        assert proven("complete", "full", ENDED, memory) == Proven(*seen)
