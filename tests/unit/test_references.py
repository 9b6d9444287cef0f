"""$key and ${key}: what is a reference, and what is left to the shell."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.config import references
from b1000.errors import BadValue
from b1000.templates import Reference, Template

KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("plain", ("plain",)),
        ("", ()),
        ("$key", (Reference("key"),)),
        ("${key}", (Reference("key"),)),
        ("$scripts_dir/pre.sh", (Reference("scripts_dir"), "/pre.sh")),
        ("$a-$b", (Reference("a"), "-", Reference("b"))),
        ("$a$b", (Reference("a"), Reference("b"))),
        ("${a}b", (Reference("a"), "b")),
        ("$a.b", (Reference("a"), ".b")),
        ("$_x", (Reference("_x"),)),
        ("$a1b", (Reference("a1b"),)),
        ("$keyä", (Reference("key"), "ä")),
    ],
)
def test_references(text: str, template: Template) -> None:
    assert references.parse(text) == template


@pytest.mark.parametrize(
    "text",
    [
        "$1", "$?", "$#", "$@", "$*", "$!", "$-", "$(date)", "$((1+2))", "a$", "$ x", "$.", "$'a'",
        '"$"', "awk '{print $1}'", "kill $(cat pid)", "echo $? >&2", "$é",
    ],
)  # fmt: skip
def test_dollars_of_the_shell_are_left_alone(text: str) -> None:
    assert references.parse(text) == (text,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$$", "$"),
        ("$$HOME", "$HOME"),
        ("$${HOME}", "${HOME}"),
        ("$$$$", "$$"),
        ("$$1", "$1"),
        ("cost: 5$$", "cost: 5$"),
        ("for i in 1 2; do echo $$i; done", "for i in 1 2; do echo $i; done"),
    ],
)
def test_two_dollars_are_one_that_is_literal(text: str, shown: str) -> None:
    assert references.parse(text) == (shown,)


def test_three_dollars_are_a_literal_one_and_a_reference() -> None:
    assert references.parse("$$$key") == ("$", Reference("key"))


@pytest.mark.parametrize("text", ["${", "${}", "${a", "${a-b}", "${1}", "${a:-b}", "${a%.*}"])
def test_braces_that_hold_no_key_tell_of_two_dollars(text: str) -> None:
    with pytest.raises(BadValue) as error:
        references.parse(f"echo {text}")
    assert repr(text) in error.value.what
    assert "$$" in error.value.hint


@given(st.text(st.characters(exclude_characters="$")))
def test_a_text_without_dollars_stays_as_it_is(text: str) -> None:
    assert references.fill(references.parse(text), {}) == text


@given(st.text())
def test_a_text_whose_dollars_are_doubled_stays_as_it_was(text: str) -> None:
    assert references.fill(references.parse(text.replace("$", "$$")), {}) == text


@given(st.lists(KEYS | st.from_regex(r"[ ./-][a-z ./-]{0,5}", fullmatch=True)))
def test_what_is_filled_in_stands_where_the_reference_stood(parts: list[str]) -> None:
    values = {part: f"<{part}>" for part in parts if re.match(r"\w", part)}
    text = "".join(f"${{{part}}}" if part in values else part for part in parts)
    expected = "".join(values.get(part, part) for part in parts)
    assert references.fill(references.parse(text), values) == expected


def test_what_is_filled_in_is_not_read_again() -> None:
    template = references.parse("echo $instance")
    assert references.fill(template, {"instance": "$HOME $$ ${x}"}) == "echo $HOME $$ ${x}"


def test_a_substitution_may_leave_references_open() -> None:
    found = {"dir": ("/srv/", Reference("instance")), "instance": (Reference("instance"),)}
    template = references.resolve("$dir/x-$instance", lambda name: found[name])
    assert template == ("/srv/", Reference("instance"), "/x-", Reference("instance"))
    assert references.names(template) == {"instance"}
    assert references.fill(template, {"instance": "3306"}) == "/srv/3306/x-3306"


def test_texts_side_by_side_become_one() -> None:
    assert references.join(["a", "", "b", Reference("c"), "", "d", "e"]) == (
        "ab",
        Reference("c"),
        "de",
    )
