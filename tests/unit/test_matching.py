"""What is read of a backup, held against its list of sums."""

import pytest

from b1000.verify.matching import Comparison, Wrong

LISTED = {b"a": "1", b"b": "2", b"d/c": "3"}


def compared(listed: dict[bytes, str] | None, *taken: tuple[bytes, str, str]) -> Comparison:
    """What is known once files were read: name, sum, and sum of an earlier reading."""
    comparison = Comparison(listed)
    for each in taken:
        comparison.take(*each)
    return comparison


@pytest.mark.parametrize(
    ("digest", "known", "wrong", "new"),
    [
        ("1", "", [], {}),
        ("1", "9", [], {}),  # the list says more than what was known otherwise
        ("9", "", [Wrong(b"a", "1")], {}),
        ("9", "9", [Wrong(b"a", "1")], {}),
    ],
)
def test_a_listed_file(digest: str, known: str, wrong: list[Wrong], new: dict[bytes, str]) -> None:
    comparison = compared(LISTED, (b"a", digest, known))
    assert (comparison.wrong, comparison.new) == (wrong, new)
    assert comparison.gone([]) == [b"b", b"d/c"]


@pytest.mark.parametrize("listed", [None, {}, LISTED])
@pytest.mark.parametrize(
    ("known", "wrong", "new"),
    [("", [], {b"x": "1"}), ("1", [], {b"x": "1"}), ("9", [Wrong(b"x", "9")], {})],
)
def test_one_that_no_list_has(
    listed: dict[bytes, str] | None, known: str, wrong: list[Wrong], new: dict[bytes, str]
) -> None:
    comparison = compared(listed, (b"x", "1", known))
    assert (comparison.wrong, comparison.new) == (wrong, new)


def test_what_is_gone_and_what_was_not_looked_at() -> None:
    comparison = compared(LISTED, (b"a", "1", ""))
    comparison.broken(b"b")
    assert comparison.wrong == [Wrong(b"b", "2")]
    assert comparison.gone([]) == [b"d/c"]
    assert comparison.gone([b"d"]) == comparison.gone([b"d/c"]) == comparison.gone([b""]) == []
    assert comparison.all_sums([Wrong(b"x", "7"), Wrong(b"y", "")]) == {**LISTED, b"x": "7"}
