"""Names that, joined by dashes, may come out equal."""

from hypothesis import given
from hypothesis import strategies as st

from b1000.supervise.collisions import equal, may_meet
from b1000.supervise.gate import Gate

NAMES = st.text("ab-", min_size=1, max_size=5).filter(lambda name: name[0] != "-")


@given(st.lists(NAMES, unique=True, max_size=6), st.data())
def test_what_comes_out_equal_was_foreseen(names: list[str], data: st.DataObject) -> None:
    joined = {}
    for name in names:
        master = data.draw(st.one_of(st.just(""), NAMES))
        joined[name] = "-".join(part for part in (name, master) if part)
    foreseen = may_meet(names)
    for name, others in equal(joined).items():
        assert set(others) <= foreseen[name]


def test_names_that_cannot_meet_do_not_wait_for_each_other() -> None:
    assert may_meet(["a", "ab", "b", "a-b"]) == {
        "a": {"a-b"},
        "ab": frozenset(),
        "b": frozenset(),
        "a-b": {"a"},
    }


def test_a_gate_opens_when_all_related_are_known() -> None:
    gate = Gate(["a", "a-b", "z"])
    gate.know("z", "h-z")
    gate.know("a", "h-a-b-c")
    assert gate.open("z")
    assert not gate.open("a")
    gate.know("a-b", "h-a-b-c")
    assert gate.open("a")
    assert gate.refusal("z") is None
    assert "a, a-b" in str(gate.refusal("a"))


def test_a_gate_does_not_wait_for_what_never_gets_a_directory() -> None:
    gate = Gate(["a", "a-b"])
    gate.know("a", "h-a")
    gate.know("a-b", None)
    assert gate.open("a")
    assert gate.refusal("a") is None
