"""The man pages: up to date, whole, and what troff understands."""

import argparse
import re
import shutil
import subprocess

import pytest

from b1000.config import COMMANDS
from b1000.config.options import OPTIONS
from b1000.parsers.every import PARSERS
from tests.support.world import ROOT
from tools import troff
from tools.generated import files
from tools.manual import _epilog

PAGES = ("etc/man/b1000.1", "etc/man/b1000.cfg.5")


def shown(source: str) -> str:
    """The page as a terminal of 80 columns shows it; what troff warns of fails the test."""
    if not shutil.which("groff"):
        pytest.skip("there is no groff")
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tascii", "-P-c", "-rLL=78n"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return re.sub(r".\x08", "", done.stdout)


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_made_from_the_tables(path: str) -> None:
    assert (ROOT / path).read_text() == files()[path], "write it anew: make generated"


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_fit_a_terminal(path: str) -> None:
    page = shown(files()[path])
    assert max(map(len, page.splitlines())) <= 80
    assert "NAME" in page


@pytest.mark.parametrize("path", PAGES)
def test_mandoc_understands_the_pages(path: str) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("there is no mandoc")
    page = str(ROOT / path)
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert told == []


def test_every_option_is_in_its_section() -> None:
    page = shown(files()["etc/man/b1000.cfg.5"])
    sections = dict(re.findall(r"^\[(\w+).*?\]\n(.*?)(?=^\S)", page, re.MULTILINE | re.DOTALL))
    for option in OPTIONS:
        for section in option.sections:
            entry = rf"^       {option.name} = (?:(?!^       \w+ = ).)*{_loose(option.help)}"
            assert re.search(entry, sections[section], re.MULTILINE | re.DOTALL), option.name


def _loose(text: str) -> str:
    return r"\s+".join(map(re.escape, text.split()))


def test_every_command_flag_and_exit_code_is_told() -> None:
    page = shown(files()["etc/man/b1000.1"])
    for name, make in PARSERS.items():
        parser = make()
        part = page.partition(f"   b1000 {name}\n" if name else "OPTIONS\n")[2]
        own = part.partition("\n   b1000 ")[0] if name else part.partition("\nCOMMANDS")[0]
        flags = {flag for flag in parser._option_string_actions if flag.startswith("--")}
        for flag in flags - ({"--cfg", "--help"} if name else set()):
            assert re.search(rf"(?<!\S){flag}(?!\S)", own), (name, flag)
    codes = page.partition("EXIT STATUS")[2].partition("\nFILES")[0]
    assert re.findall(r"^       (\S+)", codes, re.MULTILINE) == ["0", "1", "2", "3", "128+N"]


def test_what_help_says_last_becomes_a_list() -> None:
    parser = argparse.ArgumentParser(
        epilog="exit codes:\n  0  it\n     went\n  1  it did not\n\nA word\nmore.\n"
    )
    assert list(_epilog(parser)) == [
        ".PP\nExit codes:",
        ".TP\n\\fB0\\fR\nit went",
        ".TP\n\\fB1\\fR\nit did not",
        ".PP\nA word more.",
    ]
    assert list(_epilog(argparse.ArgumentParser())) == []


def test_a_command_without_a_parser_is_not_hidden() -> None:
    assert set(PARSERS) == {"", *COMMANDS}


@pytest.mark.parametrize(
    "text", [".TH", "'br", r"\fBno\fR", "a-b", "`x`", "^~", "$HOME \\", "..", r"\(aq"]
)
def test_text_means_nothing_to_troff(text: str) -> None:
    body = troff.page([troff.title("x", 1, "y"), ".SH Z", troff.literal(text), ""])
    found = shown(body).partition("\nZ\n")[2].split("\n")[0].strip()
    assert found == text


def test_markdown_becomes_fonts() -> None:
    assert troff.rich("`a-b` and *c*, **d**. [e](f.md)") == (r"\fBa\-b\fR and \fIc\fR, \fBd\fR. e")
