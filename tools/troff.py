"""The man page b1000.cfg(5), made from the reference, and how a man page is written."""

import re
from collections.abc import Iterable, Iterator

from b1000 import __version__
from tools.reference import reference

_HEADER = (
    r".\" Made from b1000/parsers/ and b1000/config/options/; a change by hand is lost."
    "\n"
    r".\" Anew: make generated"
)

_SPECIAL = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
}


def title(name: str, section: int, words: str) -> str:
    """The head of a page, up to its NAME."""
    return "\n".join(
        [
            _HEADER,
            f'.TH {name.upper()} {section} "" "B1000 {__version__}" "B1000"',
            # Commands and paths are not to be torn apart.
            ".nh",
            ".ad l",
            ".SH NAME",
            f"{literal(name)} \\- {literal(words)}",
        ]
    )


def page(lines: Iterable[str]) -> str:
    """A whole page; a paragraph begins by itself behind a heading."""
    return re.sub(r"^(\.S[HS] .*)\n\.PP$", r"\1", "\n".join(lines), flags=re.MULTILINE)


def literal(text: str) -> str:
    """The text as it is: nothing in it means anything to troff."""
    return re.sub(r"^(?=[.])", r"\\&", _escaped(text), flags=re.MULTILINE)


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def rich(markdown: str) -> str:
    """A line of Markdown: what is code or bold there is bold here, emphasis is italic."""
    found = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^]]+\]\([^)]+\))", markdown):
        if part.startswith(("`", "**")):
            found.append(rf"\fB{_escaped(part.strip('`*'))}\fR")
        elif part.startswith("*") and len(part) > 1:
            found.append(rf"\fI{_escaped(part.strip('*'))}\fR")
        else:
            found.append(_escaped(re.sub(r"^\[([^]]+)\]\([^)]+\)$", r"\1", part)))
    return re.sub(r"^(?=[.])", r"\\&", "".join(found))


def tagged(tag: str, text: str) -> str:
    """An entry of a list: the tag, already troff, and what it is, already troff."""
    return f".TP\n{tag}\n{text}"


def configuration_page() -> str:
    """b1000.cfg(5)."""
    return page(
        [
            title("b1000.cfg", 5, "configuration of B1000"),
            ".SH DESCRIPTION",
            "An ini file that names what is backed up, where to, and what is told of it.",
            rich("`b1000 check` tells all that is wrong with it, with lines."),
            *_blocks(reference()),
            ".SH SEE ALSO",
            r"\fBb1000\fR(1), \fBrsync\fR(1), \fBrsyncd.conf\fR(5)",
            "",
        ]
    )


def _blocks(markdown: str) -> Iterator[str]:
    """Headings, paragraphs, lists and tables of the reference, each as troff."""
    text = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL)
    for block in re.split(r"\n\s*\n|\n(?=- )", text):
        lines = block.strip("\n").splitlines()
        joined = " ".join(line.strip() for line in lines)
        if not lines or lines[0].startswith("# "):
            continue
        if lines[0].startswith("##"):
            kind = ".SH" if lines[0].startswith("## ") else ".SS"
            heading = literal(lines[0].lstrip("# "))
            yield f"{kind} {heading.upper() if kind == '.SH' and '[' not in heading else heading}"
            yield from _blocks("\n".join(lines[1:]))
        elif lines[0].startswith("|"):
            yield from map(_entry, lines[2:])
        elif lines[0].startswith("- "):
            yield f".IP \\(bu 2\n{rich(joined[2:])}"
        else:
            yield f".PP\n{rich(joined)}"


def _entry(row: str) -> str:
    """An option: its name and value, then its default and what it does."""
    cells = [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    name, value, default, *rest = cells
    tag = f"{rich(name)} = {rich(value)}"
    if default:
        known = "" if "required" in default else "default "
        tag += f" ({known}{rich(default)})"
    return tagged(tag, rich(" ".join(rest)))
