"""Lines to sections and options: as configparser reads them, and what it would not tell."""

import configparser
import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from b1000.config import ini

NAMES = frozenset({"pre", "post", "type"})

Found = list[tuple[str, list[tuple[str, str]]]]

LINES = st.lists(
    st.sampled_from(
        [
            "[global]", "  [job:x]", "[odd]", " [odd] # x", "[job:y] z", "[a=b]", "a = b", "a=b=c",
            "  c = d", "\tc=d", "e =", "    f = g", "   cont", "\tcont = x", "", "   ", "# x",
            "  # x", "; y", "      ; y", "k = [v]", "  [v]", "pre = x ; y # z", "  ]", " é = ü",
        ]
    )
)  # fmt: skip


def by_configparser(text: str) -> Found:
    """What configparser makes of it where names are kept apart by their line."""
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        known = re.compile(r"\s*\[(?:global|(?:job|dest|report):[^\]]*)\]")
        for line in text.split("\n"):
            number += 1
            yield (line.strip() if known.match(line) else line) + "\n"

    class Heading:
        def match(self, line: str) -> "re.Match[str] | None":
            found = re.fullmatch(r"\[(.*?)\]?", line) if "]" in line else None
            return found and re.fullmatch(r"(?P<header>.*)", f"{found[1]}\0{number}", re.DOTALL)

    parser = configparser.RawConfigParser(
        delimiters=("=",), strict=True, default_section="\0", interpolation=None
    )
    parser.SECTCRE = Heading()  # type: ignore[assignment]
    parser.optionxform = lambda option: f"{option}\0{number}"  # type: ignore[assignment,method-assign]
    parser.read_file(lines())
    return [
        (
            heading,
            [(option, value.lstrip("\n")) for option, value in parser.items(heading)],
        )
        for heading in parser.sections()
    ]


def by_us(text: str) -> Found:
    written = ini.read(text, NAMES)
    assert not written.stray
    return [
        (
            f"{each.heading}\0{each.line}",
            [(f"{entry.option}\0{entry.line}", entry.text) for entry in each.entries],
        )
        for each in written.sections
    ]


@given(LINES)
def test_a_file_is_read_as_configparser_reads_it(lines: list[str]) -> None:
    text = "\n".join(["[global]", *lines])
    try:
        expected = by_configparser(text)
    except configparser.ParsingError:
        assert ini.read(text, NAMES).stray
        return
    assert by_us(text) == expected


def test_what_continues_a_line_that_is_nothing_is_nothing_either() -> None:
    written = ini.read("[x]\na = b\nnonsense\n  c = d\n  e\nf = g\n", NAMES)
    (section,) = written.sections
    assert [(entry.option, entry.text) for entry in section.entries] == [("a", "b"), ("f", "g")]
    assert written.stray == [(3, "nonsense")]


def test_colons_divide_where_a_name_or_a_blank_shows_it() -> None:
    text = "[x]\npre: a = b\nother: c\npost:d\nunknown:e\nhttp://f = g\ntype :\n"
    (section,) = (written := ini.read(text, NAMES)).sections
    assert [(entry.option, entry.text, entry.colon) for entry in section.entries] == [
        ("pre", "a = b", True),
        ("other", "c", True),
        ("post", "d", True),
        ("http://f", "g", False),
        ("type", "", True),
    ]
    assert written.stray == [(5, "unknown:e")]


@given(st.text(st.sampled_from("[]=:#; \t\nabpre")))
def test_every_line_has_its_place(text: str) -> None:
    written = ini.read(text, NAMES)
    numbers = [line.number for line in written.stray]
    for section in written.sections:
        numbers.append(section.line)
        for entry in section.entries:
            numbers += [line.number for line in (*entry.lines, *entry.comments)]
    assert len(numbers) == len(set(numbers))
