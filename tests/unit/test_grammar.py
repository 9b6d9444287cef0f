"""Lists, destinations, shell words, selectors: what fits, and what is refused as a whole."""

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.config import grammar, shellwords, sourcenames
from b1000.config.selectors import Selector, selector
from b1000.errors import BadValue
from b1000.jobs import DestinationChoice
from tests.support.chance import words

NAMES = words("._-", 11)
SEPARATORS = st.text(" \n,", min_size=1, max_size=4)
ANYTHING = st.text(st.characters(), max_size=12)
HOSTILE = [
    "$(touch x)", "`touch x`", "; rm -rf ~", "../..", "-e", "--delete", "a b", " a", "a ", "a\tb",
    "'a'", '"a"', "a\nb", "a\r", "a\0b", "a/b", "/etc", "a;b", "a&b", "a|b", "a>b", "a$b", "a\\b",
    "a*", "a?", "a[b]", "~", "a~b", "ä", "a\u2028b", "\u0663", "\udcff", ".", "..", "_a", "#a",
]  # fmt: skip


def refused(text: str, pattern: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is None


# --- names and hosts


@pytest.mark.parametrize("text", ["etc", "3306", "a", "7", "my-db_2.old", "A.b", "a..b", "x-"])
def test_names_that_fit(text: str) -> None:
    assert grammar.name(text) == text


@pytest.mark.parametrize("text", ["db1", "db1.example.com", "10.0.0.7", "fe80::1", "db1:3306"])
def test_hosts_that_fit(text: str) -> None:
    assert grammar.host(text) == text


@pytest.mark.parametrize("text", ["", *HOSTILE, "a:b"])
def test_names_that_do_not_fit(text: str) -> None:
    with pytest.raises(BadValue):
        grammar.name(text)


@pytest.mark.parametrize("text", ["", *HOSTILE, "a..b", "a..", ":a"])
def test_hosts_that_do_not_fit(text: str) -> None:
    with pytest.raises(BadValue):
        grammar.host(text)


@given(ANYTHING)
def test_a_name_is_given_back_as_it_was_or_refused(text: str) -> None:
    if refused(text, r"[A-Za-z0-9][A-Za-z0-9._-]*"):
        with pytest.raises(BadValue):
            grammar.name(text)
    else:
        assert grammar.name(text) == text


@given(ANYTHING | st.text("ab.:-_/$ \n", max_size=8))
def test_a_host_is_given_back_as_it_was_or_refused(text: str) -> None:
    if refused(text, r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]*"):
        with pytest.raises(BadValue):
            grammar.host(text)
    else:
        assert grammar.host(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$(touch x)", "the master has '$' at position 1"),
        ("db1; rm -rf ~", "the master has ';' at position 4"),
        ("db1\nx", "the master has U+000A at position 4"),
        ("db1\0", "the master has U+0000 at position 4"),
        ("db\u2028", "the master has U+2028 at position 3"),
        ("d\udcff", "the master has the byte 0xff at position 2"),
        ("'db1'", 'the master has "\'" at position 1'),
        ("..", "the master has '.' at position 1"),
        ("db1..x", "the master has '..' at position 4"),
        ("", "the master is empty"),
    ],
)
def test_the_error_names_source_and_first_bad_character(text: str, said: str) -> None:
    with pytest.raises(BadValue) as error:
        grammar.host(text, "the master")
    assert error.value.what == said
    assert "a host is a letter or digit" in error.value.hint


# --- ages, and what programs print


@pytest.mark.parametrize(("text", "age"), [("0", 0), ("12.5", 12.5), ("007", 7), ("86400", 86400)])
def test_ages_that_fit(text: str, age: float) -> None:
    assert grammar.age(text) == age


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "nan", "inf", " 1", "1 ", "1.", ".5", "1,5", "NULL", "\u0663"]
)
def test_ages_that_do_not_fit(text: str) -> None:
    with pytest.raises(BadValue):
        grammar.age(text)


@pytest.mark.parametrize(
    ("raw", "text"), [(b"db1\n", "db1"), (b"db1\n\n", "db1"), (b"", ""), (b" db1 \n", " db1 ")]
)
def test_only_newlines_at_the_end_of_output_are_left_out(raw: bytes, text: str) -> None:
    assert grammar.from_outside(raw, "it") == text


def test_output_that_is_not_utf_8_names_the_byte() -> None:
    with pytest.raises(BadValue, match="the output has the byte 0xff at position 4; it must be"):
        grammar.from_outside(b"db1\xff", "the output")


# --- lists


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("main hd backup", ("main", "hd", "backup")),
        ("main, hd,backup", ("main", "hd", "backup")),
        ("3306 3307\n3308\n", ("3306", "3307", "3308")),
        (" ,one, ", ("one",)),
    ],
)
def test_lists(text: str, names: tuple[str, ...]) -> None:
    assert grammar.names(text) == names


@given(st.lists(st.tuples(NAMES, SEPARATORS), min_size=1, unique_by=lambda pair: pair[0]))
def test_any_separators_give_the_same_list(pairs: list[tuple[str, str]]) -> None:
    text = "".join(name + separator for name, separator in pairs)
    assert grammar.names(text) == tuple(name for name, _ in pairs)


@pytest.mark.parametrize("text", ["", " ", ",\n", " , "])
def test_an_empty_list_is_an_error(text: str) -> None:
    assert grammar.names_or_none(text) == ()
    with pytest.raises(BadValue, match="is empty"):
        grammar.names(text)


@pytest.mark.parametrize("bad", [each for each in HOSTILE if not set(each) <= set("ab \n")])
def test_one_bad_element_refuses_the_whole_list(bad: str) -> None:
    for text in (f"one {bad} two", f"{bad} one", f"one\n{bad}"):
        with pytest.raises(BadValue):
            grammar.names_or_none(text)


def test_the_bad_element_of_a_list_is_told_by_its_position() -> None:
    with pytest.raises(BadValue, match=re.escape("the output has '$' at position 11")):
        grammar.names("3306 3307 $(reboot)", "the output")


def test_a_name_twice_in_a_list_is_an_error() -> None:
    with pytest.raises(BadValue, match="the list has 'b' twice"):
        grammar.names("a b c b")


def test_a_very_long_list_is_read_quickly() -> None:
    assert len(grammar.names(" ".join(map(str, range(100_000))))) == 100_000


@given(st.text("ab-./&,$ \t\n", max_size=12))
def test_no_character_of_a_list_is_skipped(text: str) -> None:
    try:
        found = grammar.names(text)
    except BadValue:
        return
    assert [word for word in re.split(r"[ \n,]+", text) if word] == list(found)


# --- dest


def choices(*groups: str) -> tuple[tuple[DestinationChoice, ...], ...]:
    return tuple(
        tuple(
            DestinationChoice(name.removesuffix("&"), name.endswith("&")) for name in group.split()
        )
        for group in groups
    )


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("tele", choices("tele")),
        ("tele/atm", choices("tele atm")),
        ("atm/tele/hd", choices("atm tele hd")),
        ("hd& tele atm", choices("hd&", "tele", "atm")),
        ("hd& tele/atm", choices("hd&", "tele atm")),
        ("hd&/tele&,atm", choices("hd& tele&", "atm")),
        ("hd&\n  tele", choices("hd&", "tele")),
    ],
)
def test_destination_lists(text: str, groups: tuple[tuple[DestinationChoice, ...], ...]) -> None:
    assert grammar.destinations(text) == groups


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("/tele", "'/' at position 1"),
        ("tele/", "ends where a name is expected"),
        ("tele//atm", "'/' at position 6"),
        ("tele / atm", "'/' at position 6"),
        ("tele/ atm", "' ' at position 6"),
        ("&", "'&' at position 1"),
        ("hd&&", "'&' at position 4"),
        ("hd &", "'&' at position 4"),
        ("hd&tele", "'t' at position 4"),
        ("hd;tele", "';' at position 3"),
        ("hd\ttele", "U+0009 at position 3"),
        ("hd|tele", "'|' at position 3"),
        ("-e", "'-' at position 1"),
        ("hd tele hd", "'hd' twice"),
        ("hd&/hd", "'hd' twice"),
    ],
)
def test_destination_lists_that_do_not_fit(text: str, said: str) -> None:
    with pytest.raises(BadValue) as error:
        grammar.destinations(text)
    assert said in error.value.what


@pytest.mark.parametrize(("text", "told"), [("hd & tele", True), ("a/ b", True), ("a;b", False)])
def test_how_destinations_are_joined_is_told_who_tried_it(text: str, told: bool) -> None:
    with pytest.raises(BadValue) as error:
        grammar.destinations(text)
    assert ("/ joins two without blanks, & stands right behind one" in error.value.hint) == told


@given(
    st.lists(
        st.tuples(NAMES, st.booleans(), st.booleans()), min_size=1, unique_by=lambda each: each[0]
    )
)
def test_every_destination_list_can_be_written(parts: list[tuple[str, bool, bool]]) -> None:
    text = ""
    groups: list[list[DestinationChoice]] = []
    for name, background, joined in parts:
        if groups and joined:
            text += "/"
        else:
            text += " "
            groups.append([])
        text += name + "&" * background
        groups[-1].append(DestinationChoice(name, background))
    assert grammar.destinations(text) == tuple(map(tuple, groups))


# --- words


SAFE = st.text("abzAZ09._/:=+,@%-", min_size=1, max_size=4)
SINGLE = st.text(
    st.characters(exclude_characters="'\0", exclude_categories=["Cs"]), max_size=5
).map(lambda text: f"'{text}'")
DOUBLE = st.text(
    st.characters(exclude_characters='"\\$`\0', exclude_categories=["Cs"]), max_size=5
).flatmap(
    lambda text: st.sampled_from(["", '\\"', "\\\\", "\\$", "\\`", "\\\n", "\\n", "\\*"]).map(
        lambda escape: f'"{text}{escape}"'
    )
)
ESCAPED = st.characters(exclude_characters="\0", exclude_categories=["Cs"]).map(
    lambda character: f"\\{character}"
)
BLANK = st.sampled_from([" ", "  ", "\t", "\n", " \\\n "])
SHELL_TEXTS = st.lists(SAFE | SINGLE | DOUBLE | ESCAPED | BLANK, max_size=8).map("".join)


def shell_words(text: str) -> list[str]:
    """What a real shell makes of it."""
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'eval "set -- $1"; for word; do printf "%s\\0" "$word"; done',
            "sh",
            text,
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode("utf-8").split("\0")[:-1]


def blanks_for_newlines(text: str) -> str:
    """The text with blanks for the newlines that would end a command: those not quoted."""
    quoted = r"('[^']*'|\"(?:\\.|[^\"\\])*\"|\\.)|\n"
    return re.sub(quoted, lambda found: found[1] or " ", text, flags=re.DOTALL)


@given(SHELL_TEXTS)
def test_words_are_those_of_a_real_shell(text: str) -> None:
    found = [word.text for word in shellwords.split(text)]
    assert found == shell_words(blanks_for_newlines(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/etc /var/spool/cron\n/usr/local/bin", ["/etc", "/var/spool/cron", "/usr/local/bin"]),
        ("'/srv/my files' /etc", ["/srv/my files", "/etc"]),
        (r"/srv/my\ files", ["/srv/my files"]),
        ("/etc \\\n/var", ["/etc", "/var"]),
        ("'' a", ["", "a"]),
        ("$(reboot);&|<>~`a`", ["$(reboot);&|<>~`a`"]),
        ("a#b #c", ["a#b", "#c"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [word.text for word in shellwords.split(text)] == words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/etc '/var", "the list has a ' at position 6 that is not closed"),
        ('"', 'the list has a " at position 1 that is not closed'),
        ("a\\", "the list ends in a backslash"),
    ],
)
def test_words_that_do_not_end(text: str, said: str) -> None:
    with pytest.raises(BadValue) as error:
        shellwords.split(text)
    assert error.value.what == said


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("*.log", "*.log"), ("'*'.log", "[*].log"), (r"\*.log", "[*].log"), ('a"?"*', "a[?]*")],
)
def test_what_is_quoted_is_no_glob(text: str, pattern: str) -> None:
    assert [word.pattern for word in shellwords.split(text)] == [pattern]


# --- includes that would merge


@pytest.mark.parametrize(
    "paths",
    [
        ["/a/data", "/b/other"],
        ["/a/data/", "/b/data/"],
        ["/a/data", "/b/data/"],
        ["/a/data", "/a/data"],
    ],
)
def test_sources_that_stay_apart(paths: list[str]) -> None:
    sourcenames.refuse_merging(paths)


def test_sources_that_would_merge_name_relative() -> None:
    with pytest.raises(BadValue, match=r"/a/data and /b/data would .*relative = yes"):
        sourcenames.refuse_merging(["/a/data", "/c", "/b/data"])


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("/srv/a/", "/", "srv/a"),
        ("/mnt/snap/./srv/a", "/mnt/snap", "srv/a"),
        ("/mnt//snap/././srv/./a", "/mnt/snap", "srv/a"),
        ("/./srv", "/", "srv"),
        ("/mnt/snap/./", "/mnt/snap", ""),
        ("rsync://h/m/srv/a/", "rsync://h/m", "srv/a"),
        ("rsync://h/m/snap/./srv", "rsync://h/m/snap", "srv"),
        ("rsync://h/m", "rsync://h/m", ""),
    ],
)
def test_what_relative_keeps_of_a_path(path: str, root: str, name: str) -> None:
    assert sourcenames.relative_name(path) == (root, name)


@pytest.mark.parametrize(
    "paths",
    [
        ["/srv/a", "/srv/a/b", "/mnt/./srv/c"],
        ["/./srv/a", "/srv/a"],
        ["/x/./", "/y/./"],
        ["rsync://h/m/a", "rsync://h/m/a/", "rsync://h/n/b"],
    ],
)
def test_relative_names_that_stay_apart(paths: list[str]) -> None:
    sourcenames.refuse_meeting(paths)


@pytest.mark.parametrize(
    "paths",
    [["/x/./srv", "/c", "/y/./srv/"], ["/mnt/./srv", "/srv"], ["rsync://h/m/a", "rsync://h/n/a"]],
)
def test_relative_names_that_would_merge(paths: list[str]) -> None:
    first, *_, second = paths
    with pytest.raises(BadValue, match=rf"{first} and {second} would become one .*: both are "):
        sourcenames.refuse_meeting(paths)


# --- selectors


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("etc", Selector("etc")),
        ("mysql/3306", Selector("mysql", "3306")),
        ("job:status", Selector("status")),
        ("job:mysql/3306", Selector("mysql", "3306")),
        ("job", Selector("job")),
    ],
)
def test_selectors(word: str, expected: Selector) -> None:
    assert selector(word) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "the job in '' is empty"),
        ("/3306", "the job in '/3306' is empty"),
        ("mysql/", "the instance in 'mysql/' is empty"),
        ("mysql/../x", "the instance in 'mysql/../x' has '.' at position 1"),
        ("mysql/a/b", "the instance in 'mysql/a/b' has '/' at position 2"),
        ("mysql/$(reboot)", "the instance in 'mysql/$(reboot)' has '$' at position 1"),
        ("dest:hd", "the job in 'dest:hd' has ':' at position 5"),
        ("job:job:x", "the job in 'job:job:x' has ':' at position 4"),
        ("mysql/\udcff", "the instance in 'mysql/\\udcff' has the byte 0xff at position 1"),
    ],
)
def test_selectors_that_do_not_fit(word: str, said: str) -> None:
    with pytest.raises(BadValue) as error:
        selector(word)
    assert error.value.what == said


@given(NAMES, st.none() | NAMES)
def test_a_selector_is_what_it_was_written_as(job: str, instance: str | None) -> None:
    word = job if instance is None else f"{job}/{instance}"
    assert selector(word) == selector(f"job:{word}") == Selector(job, instance)
