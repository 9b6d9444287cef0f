"""Named tuples of our own are those of typing, but for the time that a class takes."""

import copy
import pickle
import typing
from collections.abc import Callable, Mapping

import pytest

from b1000 import named


class Ours(named.NamedTuple):
    """A value."""

    first: int
    second: str = "two"
    third: Mapping[str, int] = {}

    @property
    def doubled(self) -> int:
        """Twice the first."""
        return 2 * self.first


class Theirs(typing.NamedTuple):
    """A value."""

    first: int
    second: str = "two"
    third: Mapping[str, int] = {}

    @property
    def doubled(self) -> int:
        """Twice the first."""
        return 2 * self.first


class Derived(Ours):
    """One with more to say."""

    def both(self) -> str:
        return f"{self.first}{self.second}"


@pytest.mark.parametrize(
    "told",
    [
        lambda kind: tuple(kind(1)),
        lambda kind: tuple(kind(1, third={"x": 1})),
        lambda kind: tuple(kind(second="b", first=3)),
        lambda kind: kind(1) == (1, "two", {}),
        lambda kind: repr(kind(1)).partition("(")[2],
        lambda kind: tuple(kind(1)._replace(second="b")),
        lambda kind: kind(1)._asdict(),
        lambda kind: tuple(kind._make([1, 2, 3])),
        lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__),
        lambda kind: (kind.__doc__, kind.__mro__[-2:], kind.__annotations__),
        lambda kind: kind(4).doubled,
        lambda kind: pickle.loads(pickle.dumps(kind(1))) == kind(1),
        lambda kind: type(copy.copy(kind(1))) is kind,
        lambda kind: hasattr(kind(1), "__dict__"),
    ],
)
def test_they_say_what_those_of_typing_say(told: Callable[[typing.Any], object]) -> None:
    assert told(Ours) == told(Theirs)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda kind: kind(),
        lambda kind: kind(1, 2, 3, 4),
        lambda kind: kind(1, first=2),
        lambda kind: kind(1, fourth=2),
        lambda kind: setattr(kind(1), "first", 2),
        lambda kind: setattr(kind(1), "fourth", 2),
    ],
)
def test_they_refuse_what_those_of_typing_refuse(wrong: Callable[[typing.Any], object]) -> None:
    with pytest.raises(Exception, match=r".") as theirs:
        wrong(Theirs)
    with pytest.raises(theirs.type):
        wrong(Ours)


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_no_other_field_is_replaced(kind: typing.Any) -> None:
    # Which error it is changed with Python 3.13.
    with pytest.raises((TypeError, ValueError), match="unexpected field names"):
        kind(1)._replace(fourth=2)


def test_a_class_that_inherits_has_its_own_methods() -> None:
    assert Derived(1).both() == "1two"
    assert type(Derived(1)._replace(first=2)) is Derived
    assert Derived(2).doubled == 4


@pytest.mark.parametrize(
    ("fields", "why"), [("a: int = 1; b: int", "without a default"), ("_a: int", "kept for others")]
)
def test_names_and_order_are_checked_where_a_class_is_made(fields: str, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        exec(f"class Wrong(NamedTuple): {fields}", {"NamedTuple": named.NamedTuple})
