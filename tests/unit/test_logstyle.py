"""Lines of the log, beside those that Python's logging makes of the same."""

import logging
import os
import threading
import time
from pathlib import Path

import pytest

from b1000 import logoutputs, logs, logstyle
from b1000.logstyle import LEVELS, Line, Lines, lines, printable

FORMATS = [
    *("%(asctime)s", "%(asctime)-30s|", "%(created)f", "%(levelname)-7s|", "%(levelno)04d"),
    *("%(message)s", "%(message).3s", "%(msecs)03d", "%(msecs)s", "%(msg)s", "%(name)s"),
    *("%(process)d", "%(processName)s", "%(thread)d", "100%% of %(message)s", "%(asctime)r"),
]


@pytest.mark.parametrize("line_format", FORMATS)
@pytest.mark.parametrize("level", LEVELS.values())
def test_a_format_shows_what_it_always_has(line_format: str, level: int) -> None:
    when = 1_795_000_000.0625
    record = logging.LogRecord("b1000", level, "", 0, "told", None, None)
    record.created, record.msecs, record.process = when, 62.0, os.getpid()
    record.thread = threading.get_ident()
    expected = logging.Formatter(line_format).format(record)
    assert Lines(line_format).format(Line(level, "told", when)) == expected


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("UTC", "+00:00"), ("XXX-5:30", "+05:30"), ("XXX3:30", "-03:30"), ("XXX+11", "-11:00")],
)
def test_times_have_the_offset_of_their_zone(
    zone: str, offset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    logstyle._offset.cache_clear()
    try:
        assert Lines("%(offset)s").format(Line(20, "", 1.8e9)) == offset
    finally:
        monkeypatch.undo()
        time.tzset()
        logstyle._offset.cache_clear()


def test_a_line_can_tell_where_it_is_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logoutputs.File(str(tmp_path / "log"))
    log.style = lines("text", "%(pathname)s %(filename)s %(module)s %(funcName)s %(lineno)d", "")
    monkeypatch.setattr(logs, "outputs", [log])
    logs.for_all().info("told")
    path, *names, line = (tmp_path / "log").read_text().split()
    assert path == __file__
    here = test_a_line_can_tell_where_it_is_from
    assert names == ["test_logstyle.py", "test_logstyle", here.__name__]
    assert 'info("told")' in Path(__file__).read_text().splitlines()[int(line) - 1]


def test_only_the_level_that_is_wanted_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logoutputs.File(str(tmp_path / "log"))
    log.least = LEVELS["WARNING"]
    monkeypatch.setattr(logs, "outputs", [log])
    about = logs.for_run("job/a", 7)
    about.debug("%s", "debug")
    about.info("info")
    about.warning("50 % is told as it is")
    about.error("%d of %s", 1, "two")
    assert (tmp_path / "log").read_text() == "50 % is told as it is\n1 of two\n"


def test_what_steers_a_terminal_is_escaped_and_all_else_stays() -> None:
    steering = [*range(9), *range(0x0A, 0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F)]
    steering += [*range(0x2066, 0x206A), *range(0xD800, 0xE000)]
    escaped = [each for each in range(0x11000) if printable(chr(each)) != chr(each)]
    assert escaped == steering
    assert printable("a\x1bb\n") == r"a\x1bb\n"
