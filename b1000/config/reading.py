"""The files of a configuration: the one that was named, and those of ``conf.d`` beside it."""

import os
from collections.abc import Iterator
from itertools import islice

from b1000.config import example, grammar
from b1000.config.sections import ConfigUnreadable, NoText, Problem, Section, parse
from b1000.errors import message_beside
from b1000.expressions import expression
from b1000.files import read_file

_DIRECTORY = "conf.d"
_ENDING = ".cfg"
_ONE_OF_MANY = f"each {_DIRECTORY}/*{_ENDING} is a part of the configuration"


def read(file: str) -> tuple[list[Section], list[Problem], tuple[str, ...]]:
    """The sections of all files, what is so wrong that nothing can be run, and the files.

    ConfigUnreadable where the file itself cannot be read.
    """
    sections, wrong = parse(text_of(file))
    others, problems = _found(file)
    wrong += problems
    for each in others:
        try:
            more, problems = parse(text_of(each, _ONE_OF_MANY), each)
        except ConfigUnreadable as error:
            wrong += [problem._replace(file=each) for problem in error.problems]
            continue
        wrong += problems
        for section in more:
            if section.kind == "global":
                text = f"it stands in {file} alone; move its options there"
                section.add_problem("", text)
                wrong += section.problems
            else:
                sections.append(section)
    return sections, wrong, (file, *others)


def beside(file: str) -> str:
    """The directory of which more files are read; there may be none."""
    return os.path.join(os.path.dirname(file), _DIRECTORY)


def _found(file: str) -> tuple[list[str], list[Problem]]:
    """The files of ``conf.d``, in the order of names."""
    directory = beside(file)
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        if not os.path.lexists(directory):
            return [], []
        text = f"cannot be read: {message_beside(error, directory)}"
        return [], [Problem(0, "", "", text, file=directory)]
    wanted = [name for name in names if name.endswith(_ENDING) and not name.startswith(".")]
    return [os.path.join(directory, name) for name in wanted], []


_CONTROL = expression(r"[\0-\x08\x0b-\x1f\x7f-\x9f]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how it begins
_MOST_NO_TEXT = 10  # lines; one that is no text at all has thousands


def text_of(file: str, otherwise: str = "") -> str:
    """What a file holds; ConfigUnreadable where that is no text.

    ``otherwise`` is what to do where it cannot be read; ``""``: another one may be named.
    """
    try:
        raw = read_file(file, -1, follow=True)
    except OSError as error:
        text = f"cannot be read: {error.strerror}; {otherwise or example.way_out(file)}"
        raise ConfigUnreadable(file, [Problem(0, "", "", text)]) from None
    if raw.startswith(_UTF_16):
        text = "it is UTF-16, and must be UTF-8; iconv -f UTF-16 -t UTF-8 makes it"
        raise ConfigUnreadable(file, [Problem(0, "", "", text)])
    problems = [*islice(_no_text(raw), _MOST_NO_TEXT + 1)]
    if len(problems) > _MOST_NO_TEXT:
        problems[-1] = Problem(problems[-1].line, "", "", "and so on; is it a configuration?")
    if problems:
        raise NoText(file, problems, _CONTROL.sub("", raw.decode("utf-8-sig", "ignore")))
    return raw.decode("utf-8-sig").replace("\r\n", "\n")


def _no_text(raw: bytes) -> Iterator[Problem]:
    """What is no text in a file, once a line."""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            yield Problem(number, "", "", f"the byte 0x{byte:02x} is not UTF-8, which it must be")
            continue
        control = _CONTROL.search(text.removesuffix("\r"))
        if control:
            shown = grammar.shown(control[0])
            yield Problem(number, "", "", f"the control character {shown} is not text")
