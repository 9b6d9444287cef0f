"""What a process prints goes to the log within bounds, and what was skipped is said."""

import os
import re
import subprocess
import sys

import pytest

from b1000.logstyle import LONGEST
from b1000.work import loop, process
from b1000.work.output import Output, Tail
from b1000.work.process import Command
from tests.support.world import ROOT

MOST_LINES, MOST_CHARACTERS = 10_000, 2**20  # what the documentation promises


def printed(script: str) -> tuple[list[str], Output]:
    """What a script's output makes of the log, and what it keeps for an error text."""
    logged: list[str] = []
    output = Output(logged.append)
    mark = {"B1000_RUN": f"test-{os.getpid()}", "B1000_COMMAND": "1"}
    loop.run(
        process.run(
            Command(
                ["/bin/sh", "-c", script],
                process.base_environment(),
                mark,
                output.sink(),
                output.sink(),
            )
        )
    )
    return logged, output


def bounded(logged: list[str]) -> bool:
    """Whether it is no more than may come of one script."""
    slack = 3  # lines that say what is skipped
    return (
        len(logged) <= MOST_LINES + slack
        and sum(map(len, logged)) <= MOST_CHARACTERS + 200 * slack
        and max(map(len, logged)) <= LONGEST
    )


def skipped(logged: list[str]) -> list[str]:
    return [line for line in logged if "skipped" in line]


def test_what_is_within_the_bounds_is_logged_whole() -> None:
    logged, output = printed("seq 8000; echo words >&2; printf last")
    assert {*map(str, range(1, 8001)), "words", "last"} == {*logged}
    assert not skipped(logged)
    assert "last" in output.tail.message()


@pytest.mark.parametrize(
    "script",
    [
        "head -c 100000000 /dev/zero",
        "yes | head -c 100000000",
        "yes '' | head -c 100000000",
        r"yes \\033 | head -c 30000000",
        "head -c 3000000 /dev/urandom",
        "seq 2000000",
        "head -c 30000000 /dev/zero >&2 & seq 1000000; wait",
        "tr '\\0' '\\n' < /dev/zero | head -c 3000000 | sed s/^/xx/",
    ],
)
def test_a_flood_is_bounded_and_the_rest_is_told(script: str) -> None:
    logged, _ = printed(script)
    assert bounded(logged), (len(logged), sum(map(len, logged)), max(map(len, logged)))
    assert skipped(logged)
    assert re.fullmatch(r"\([\d.]+ [KM]iB of output skipped\)", skipped(logged)[-1])


def test_the_beginning_and_the_end_of_a_flood_are_logged() -> None:
    logged, output = printed("seq 1000000; echo the cause >&2; seq 1000000; echo over")
    assert logged[:3] == ["1", "2", "3"]
    assert "the cause" in logged, "another stream has an end of its own"
    assert "over" in logged
    assert "1000000" in logged
    assert logged.index("(of what else it prints only the end is logged)") == 9000
    shown = sum(len(line) + 1 for line in logged if not line.startswith("("))
    total = 2 * sum(len(str(number)) + 1 for number in range(1, 1_000_001))
    (told,) = re.findall(r"\(([\d.]+) MiB of output skipped\)", "\n".join(logged))
    assert float(told) == pytest.approx((total - shown) / 2**20, abs=0.1)
    assert output.tail.message().endswith(("over", "the cause"))


def test_what_has_no_newline_yet_when_the_other_stream_is_full_is_logged_too() -> None:
    logged, _ = printed("printf half >&2; sleep 0.3; seq 20000")
    assert "half" in logged


def test_errors_that_a_hostile_client_makes_rsync_say_are_bounded() -> None:
    logged: list[str] = []
    tail = Tail(logged.append, 200)
    sink = tail.sink()
    for _ in range(1000):
        sink.feed(b"\x1b" * 16384 + b"\n")
    sink.close()
    assert bounded(logged)
    assert logged[-1] == "(the rest of its output is not logged)"
    assert len(tail.message()) < 600


LINE = """
import sys
from b1000 import logs
logs.set_up("/dev/stdout", "INFO", "<%(threadName)s> %(message)s", quiet=False)
logs.for_run("job").info("pre: %s", eval(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (r"'\0' * 3000", r"\x00" * 3000),
        (r"'\u2028' * 2000", r"\u2028" * 2000),
        (r"'\0' * 300000", None),
        (r"'x' * 300000", None),
    ],
)
def test_a_line_in_a_pipe_is_not_multiplied_by_escapes(text: str, whole: str | None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINE, text],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    lines = done.stdout.splitlines()
    assert len(lines) <= 20
    assert all(len(line.encode()) < 4096 for line in lines)
    message = "".join(line.removeprefix("<job> ") for line in lines)
    if whole:
        assert message == f"pre: {whole}"
    else:
        assert re.search(r"\.\.\. \(\d+ more characters\)$", message)
        assert len(message) < LONGEST + 100
