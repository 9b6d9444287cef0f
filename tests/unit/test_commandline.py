"""Command lines that people are told to type, by the configuration in use."""

import shlex

import pytest

from b1000.config import DEFAULT_FILE
from b1000.config.commandline import commandline


@pytest.mark.parametrize(
    ("place", "words", "expected"),
    [
        (DEFAULT_FILE, ("--copy", "db/a"), "b1000 --copy db/a"),
        (DEFAULT_FILE, ("forget", "job:status"), "b1000 forget job:status"),
        ("/srv/b.cfg", ("--copy", "db/a"), "b1000 --copy db/a -f /srv/b.cfg"),
        ("/srv/b.cfg", ("status", "--last", "10"), "b1000 status --last 10 -f /srv/b.cfg"),
        ("/etc/b1000/b1000.cfg2", ("prune",), "b1000 prune -f /etc/b1000/b1000.cfg2"),
        ("/srv/my b.cfg", ("prune",), "b1000 prune -f '/srv/my b.cfg'"),
        ("/srv/$(id).cfg", ("prune",), "b1000 prune -f '/srv/$(id).cfg'"),
        (DEFAULT_FILE, ("restore", "etc", "a b"), "b1000 restore etc 'a b'"),
    ],
)
def test_each_line(place: str, words: tuple[str, ...], expected: str) -> None:
    assert commandline(place, *words) == expected


@pytest.mark.parametrize(
    "place", ["/a'b.cfg", '/a"b.cfg', "/a\\b.cfg", "/a\nb.cfg", "/ä\udcff.cfg"]
)
def test_a_shell_takes_it_as_it_was_meant(place: str) -> None:
    words = ["b1000", "--copy", "etc", "-f", place]
    assert shlex.split(commandline(place, "--copy", "etc")) == words
