"""Lists that are split when the configuration is read, and filled in by each run."""

from hypothesis import given
from hypothesis import strategies as st

from b1000.config import references, shellwords
from b1000.templates import Reference, Word, WordTemplate

VALUES = st.text("ab \n'\"\\*?[]$#", max_size=6)
LITERALS = st.text("ab/ \n*", max_size=5)


def filled(text: str, **values: str) -> tuple[str, ...]:
    words = shellwords.split_template(references.parse(text))
    return shellwords.texts(shellwords.fill(words, values))


def test_a_value_stands_in_its_word() -> None:
    assert filled("/srv/$a-${b}/x '/y $a'", a="1", b="2") == ("/srv/1-2/x", "/y 1")


def test_a_value_cannot_become_two_words_a_quote_or_a_glob() -> None:
    words = shellwords.split_template(references.parse("/x/$a*"))
    assert shellwords.fill(words, {"a": "b c'*"}) == (Word("/x/b c'**", "/x/b c'[*]*"),)


def test_a_word_of_which_nothing_is_left_is_none_unless_it_is_quoted() -> None:
    assert filled("$a /x ${a}${a} '$a' ''", a="") == ("/x", "", "")


def test_only_words_without_references_are_known() -> None:
    words = shellwords.split_template(("/a /", Reference("x"), " /b"))
    assert shellwords.texts(shellwords.known(words)) == ("/a", "/b")


@given(st.lists(st.one_of(LITERALS, st.just(Reference("v"))), max_size=6), VALUES)
def test_whatever_a_value_holds_the_words_stay_as_many(
    parts: "list[str | Reference]", value: str
) -> None:
    words = shellwords.split_template(references.join(parts))
    found = shellwords.fill(words, {"v": value})
    assert len(found) == len(words) - (0 if value else _of_references_alone(words))
    assert [word.text for word in shellwords.fill(words, {"v": "v"})] == (
        "".join(part if isinstance(part, str) else "v" for part in parts).split()
    )


def _of_references_alone(words: "tuple[WordTemplate, ...]") -> int:
    return sum(not any(isinstance(part, str) for part in word.text) for word in words)
