"""What somebody at a terminal sees: bars, tables, colours, and the end of them."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from b1000.progress_files import Progress, directory_of, path_of, write
from b1000.runs.events import AttemptBegan, AttemptEnded, RunMoved
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.opening import open_journal
from tests.support import build
from tests.support.terminal import Terminal
from tests.support.world import World

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
BAR = "━"

Start = Callable[..., Terminal]


@pytest.fixture
def terminal(world: World) -> Iterator[Start]:
    """``terminal(words)`` starts ``b1000`` on a terminal of its own."""
    started: list[Terminal] = []

    def start(
        *words: str,
        environment: dict[str, str] | None = None,
        controlling: bool = True,
        **size: int,
    ) -> Terminal:
        argv = [sys.executable, "-m", "b1000", "-f", str(world.config), *words]
        started.append(Terminal(argv, environment or {}, controlling=controlling, **size))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()


@pytest.fixture
def slow(world: World) -> World:
    """Two jobs whose copies take some seconds, and one that fails at once."""
    (world.source / "large").write_bytes(os.urandom(3_000_000))
    world.write(
        {
            "dest:store": world.store(bwlimit=600),
            "dest:off": {"type": "active", "path": "rsync://127.0.0.1:1/x"},
            "job:bad": world.push(dest="off"),
            "job:one": world.push(),
            "job:two": world.push(),
        }
    )
    return world


def bars(text: str) -> list[str]:
    """The lines of the screen that are bars."""
    return [line for line in text.splitlines() if BAR in line]


def test_two_copies_side_by_side(slow: World, terminal: Start) -> None:
    """Bars below the log, seen from a second terminal too, and a failure read afterwards."""
    (slow.source / "large").write_bytes(os.urandom(7_000_000))
    program = terminal()
    program.read_until(lambda: sum("left" in line for line in bars(program.text)) == 2)
    one, two = sorted(bars(program.text))
    for line, name in ((one, "one store"), (two, "two store")):
        assert re.fullmatch(
            rf"{name} +\S+ +\d+% +[\d.]+ [KM]iB +[\d.]+ KiB/s +\d:\d\d:\d\d left", line.rstrip()
        )
    # They stand below the log.
    *log, last, lowest = program.text.splitlines()
    assert BAR in last
    assert BAR in lowest
    assert not any(BAR in line for line in log)

    watch = terminal("status", "--watch")
    watch.read_until(lambda: len(bars(watch.text)) == 2 and "\nbad " in watch.text)
    assert ENTER in watch.raw
    shown = watch.text
    assert re.search(r"^one +\d+ +\S+ \S+  COPYING  OK ", shown, re.MULTILINE)
    assert re.search(r"^    store:COPYING,\d+%$", shown, re.MULTILINE)
    assert re.search(r"^bad +\d+ +\S+ \S+  COPYING  FAILED ", shown, re.MULTILINE)
    first = int(re.findall(r"(\d+)%", bars(shown)[0])[0])
    watch.read_until(lambda: int(re.findall(r"(\d+)%", bars(watch.text)[0])[0]) > first)
    watch.keys(b"\x03")
    assert watch.finish() == 1
    assert LEAVE in watch.raw
    assert "Traceback" not in watch.text

    assert program.finish() == 1
    everything = program.everything
    assert BAR not in everything
    assert "Traceback" not in everything
    assert program.screen.cursor.x == 0
    flat = everything.replace("\n", "")
    for said in ("[one       ] store: DONE", "[two       ] store: DONE", "[one       ] DONE"):
        assert said in flat

    asked = terminal("status", "--failed")
    assert asked.finish() == 1
    (number,) = re.findall(r"^bad +(\d+) ", asked.text, re.MULTILINE)
    assert "connection refused by 127.0.0.1" in asked.text
    story = terminal("status", "--run", number, lines=60)
    assert story.finish() == 1
    assert f"run {number}: bad, push full, host client" in story.text
    assert "off: attempt 1 failed (exit code 10): connection refused" in story.text


@pytest.mark.usefixtures("slow")
def test_ctrl_c_says_what_it_ends_and_leaves_a_clean_terminal(terminal: Start) -> None:
    program = terminal("one", "two")
    program.read_until(lambda: len(bars(program.text)) == 2)
    program.keys(b"\x03")
    assert program.finish() == 130
    flat = program.everything.replace("\n", "")
    assert "stopped by SIGINT; ending one, two" in flat
    assert (
        "[two       ] FAILED at COPYING: interrupted by SIGINT; retry with b1000 --copy two" in flat
    )
    assert BAR not in flat
    assert "^C" not in flat
    assert program.screen.cursor.x == 0


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colour_where_none_is_wanted(slow: World, terminal: Start, variable: str) -> None:
    without = {"NO_COLOR": {"NO_COLOR": "1"}, "TERM": {"TERM": "dumb"}}[variable]
    slow.b1000("bad")
    coloured = terminal("status")
    plain = terminal("status", environment=without)
    assert coloured.finish() == plain.finish() == 1
    assert b"\x1b[" in coloured.raw
    assert b"\x1b[" not in plain.raw
    assert coloured.text == plain.text
    program = terminal("one", environment=without)
    if variable == "TERM":
        assert program.finish() == 0
        assert b"\x1b" not in program.raw
        assert BAR not in program.everything
    else:
        program.read_until(lambda: bars(program.text))
        assert re.search(rb"\x1b\[[\d;]*m", program.raw) is None


@pytest.mark.usefixtures("slow")
def test_a_terminal_that_is_not_its_own_shows_bars_too(terminal: Start) -> None:
    program = terminal("one", controlling=False)
    program.read_until(lambda: bars(program.text))
    assert bars(program.text)[0].startswith("one store")


def test_a_log_in_a_file_leaves_the_bars_alone(slow: World, terminal: Start) -> None:
    slow.config.write_text(
        slow.config.read_text().replace("[global]", f"[global]\nlog_file = {slow.root}/log")
    )
    program = terminal("one")
    program.read_until(lambda: bars(program.text))
    shown = program.text.splitlines()
    assert bars(program.text) == shown[-1:]
    assert program.finish() == 0
    assert not bars(program.everything)
    assert "\x1b" not in (slow.root / "log").read_text()


def lines(terminal: Terminal) -> list[str]:
    """What a terminal shows, without the times."""
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in terminal.everything.splitlines()]


def test_each_run_and_attempt_has_its_lines_where_the_log_goes_to_a_file(
    world: World, terminal: Start
) -> None:
    """Also while a storage is down; and at the end where the log is."""
    log = world.root / "log"
    world.files()
    world.write(
        {
            "global": {"log_file": log, "log_level": "ERROR", "copy_retries": 1},
            "dest:store": world.store(),
            "dest:off": {"type": "active", "path": "rsync://127.0.0.1:1/x"},
            "job:bad": world.push(dest="off"),
            "job:good": world.push(),
        }
    )
    program = terminal(columns=200)
    assert program.finish() == 1
    shown = lines(program)
    for told in (
        r"\[bad\] INIT \(run \d, .*\)",
        r"\[bad\] off: COPYING",
        r"\[bad\] off: attempt 1 failed: connection refused .*; next in \d s, at [\d:]+",
        r"\[bad\] off: attempt 2",
        r"\[good\] store: COPYING",
        r"\[good\] store: DONE \(3 files, 30 B; .* sent in [\d.]+ s, .*/s\)",
        r"\[good\] DONE in [\d.]+ s",
        r"\[b1000\] ended in [\d.]+ s: 1 FAILED, 1 OK",
    ):
        assert [line for line in shown if re.fullmatch(told, line)], (told, shown)
    assert shown[-1] == f"[b1000] the log is {log}"
    # The failure is told once, as ever on standard error.
    assert sum("[bad       ] FAILED at COPYING" in line for line in shown) == 1
    assert sum("FAILED at COPYING" in line for line in shown) == 1
    assert "INFO" not in log.read_text(), "the level is the log's"


def test_quiet_and_a_pipe_get_no_lines_of_a_log_in_a_file(world: World, terminal: Start) -> None:
    world.files()
    world.write(
        {
            "global": {"log_file": world.root / "log"},
            "dest:store": world.store(),
            "job:etc": world.push(),
        }
    )
    program = terminal("-q")
    assert program.finish() == 0
    assert program.raw == b""
    for words in ((), ("--copy",), ("forget", "etc")):
        done = world.b1000(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_to_do_is_told_on_the_terminal_and_in_the_log(
    world: World, terminal: Start
) -> None:
    log = world.root / "log"
    world.files()
    common = {"dest:store": world.store(), "job:etc": world.push()}
    world.write({"global": {"log_file": log}, **common})
    assert world.b1000().returncode == 0
    for words, told in (
        (("--copy",), "there is nothing to retry"),
        (("forget", "etc"), "there is nothing to forget"),
    ):
        program = terminal(*words, columns=200)
        assert program.finish() == 0
        name = "etc" if words[0] == "forget" else "b1000"
        assert lines(program) == [f"[{name}] {told}", f"[b1000] the log is {log}"]
        assert told in log.read_text().splitlines()[-1]
    # Without a log file the terminal is the log, and a cron job is told nothing new.
    world.write({"global": {"log_file": None}, **common})
    program = terminal("--copy", columns=120)
    assert program.finish() == 0
    assert "[b1000     ] there is nothing to retry" in program.text
    assert world.b1000("--copy").stdout == ""


@pytest.mark.usefixtures("slow")
def test_quiet_is_quiet(terminal: Start) -> None:
    program = terminal("-q", "one")
    assert program.finish() == 0
    assert program.raw == b""


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_watch_ended_by_a_signal_gives_the_screen_back(
    terminal: Start, number: signal.Signals
) -> None:
    watch = terminal("status", "--watch")
    watch.read_until(lambda: "never" in watch.text)
    watch.process.send_signal(number)
    assert watch.finish() == 128 + number
    assert watch.raw.endswith(LEAVE)


@pytest.mark.usefixtures("slow")
def test_a_watch_that_is_asked_nonsense_never_takes_the_screen(terminal: Start) -> None:
    watch = terminal("status", "--watch", "nix")
    assert watch.finish() == 2
    assert ENTER not in watch.raw
    assert "there is no job 'nix'" in watch.text


@pytest.mark.usefixtures("slow")
def test_a_small_terminal_shows_the_beginning_and_scrolls(terminal: Start) -> None:
    watch = terminal("status", "--watch", lines=4)
    watch.read_until(lambda: "scroll" in watch.text)
    assert watch.text.splitlines()[0].startswith("JOB")
    total = int(re.search(r"of (\d+); arrows and page keys scroll", watch.text)[1])  # type: ignore[index]
    for typed, first in (
        (b"\x1b[B", 2),
        (b"\x1b[A", 1),
        (b"\x1b[6~", 3),
        (b"\x1b[5~", 1),
        (b"\x1b[F", total - 2),
        (b"\x1b[6~\x1b[B", total - 2),
        (b"\x1b[H", 1),
    ):
        watch.keys(typed)
        last = f"lines {first} to {first + 2} of {total}"
        watch.read_until(lambda last=last: last in watch.text)  # type: ignore[misc]
    watch.keys(b"q")
    assert watch.finish() == 0
    assert LEAVE in watch.raw


@pytest.mark.usefixtures("slow")
def test_keys_are_not_shown_and_the_terminal_is_as_before(terminal: Start) -> None:
    watch = terminal("status", "--watch")
    watch.read_until(lambda: "never" in watch.text)
    watch.keys(b"xyz")
    watch.keys(b"\x03")
    assert watch.finish() == 0
    assert "xyz" not in watch.everything


# --- more than a screen holds

FAILED = [f"mysql/web{number}" for number in range(4, 60, 7)]
WHY = "atm: connection refused by atm.example.org, port 873 (exit code 10)"


@pytest.fixture
def sixty(world: World) -> World:
    """60 job/instances: 8 FAILED, 6 retry, 8 run, 38 are OK."""
    names = [f"web{number}" for number in range(1, 61)]
    instances = " ".join(names)
    world.write({"dest:store": world.store(), "job:mysql": world.push(instances=instances)})
    path = world.status_dir / "journal.sqlite3"
    now = time.time()
    journal = open_journal(path)
    for number, name in enumerate(names, 1):
        run = build.begin(journal, "mysql", name, reports=())
        build.resolve(journal, run, "store")
        build.move(journal, run, Step.COPYING)
        build.copy(journal, run, "store", CopyStatus.COPYING)
        if f"mysql/{name}" in FAILED:
            build.copy(journal, run, "store", CopyStatus.FAILED)
            with journal.transaction():
                build.record(journal, run, RunMoved(now, Step.COPYING, Status.FAILED, WHY))
        elif number % 7 == 0 and number < 45:
            with journal.transaction():
                build.record(journal, run, AttemptBegan(now - 60, "store", 1))
                ended = AttemptEnded(now - 50, "store", 1, 10, "connection refused", now + 900)
                build.record(journal, run, ended)
        elif number % 7 == 1 and number < 53:
            progress = path_of(directory_of(path), run.run_id, "store")
            write(progress, Progress(number * 10**8, number, 3e7, 500))
        else:
            build.copy(journal, run, "store", CopyStatus.DONE)
            build.move(journal, run, Step.POST)
            build.move(journal, run, Step.DONE)
    journal.close()
    return world


COUNTS = "60: 8 FAILED, 14 running, 38 OK"


@pytest.mark.usefixtures("sixty")
def test_what_failed_is_on_the_screen_when_the_command_ends(terminal: Start) -> None:
    for columns, lines in ((40, 12), (80, 24), (200, 50)):
        for words in ((), ("--watch",)):
            status = terminal("status", *words, columns=columns, lines=lines)
            if words:
                status.read_until(lambda status=status: "scroll" in status.text)  # type: ignore[misc]
                assert "mysql/web4" in status.text.split("\n")[int(columns >= 80)]
                status.keys(b"q")
            assert status.finish() == 1
            # The terminal of the test has no second screen to come back from.
            left = status.raw.rpartition(LEAVE)[2].decode()
            seen = re.sub(r"\x1b\[[0-9;]*m", "", left).splitlines()
            # The prompt has a line of its own.
            assert len(seen) < lines
            first = [line.split()[0].rstrip(":") for line in seen if line.startswith("mysql/")]
            assert first[:8] == FAILED
            assert not set(first) & {"mysql/web2", "mysql/web60"}  # they are OK
            assert COUNTS in " ".join(seen)
            assert "--all" in seen[-1]
            if columns >= 80:
                assert len(first) == 22
            else:
                assert "and 14 running" in seen
    everything = terminal("status", "--all", columns=80, lines=24)
    everything.finish()
    assert everything.everything.count("mysql/web") == 60 + 8  # and how each is resumed
    assert everything.text.splitlines()[-1] == COUNTS


@pytest.mark.usefixtures("sixty")
def test_what_failed_stands_above_bars_and_no_line_is_cut(terminal: Start) -> None:
    watch = terminal("status", "--watch", columns=80, lines=60)
    watch.read_until(lambda: "scroll" in watch.text or COUNTS in watch.text)
    seen = watch.text.splitlines()
    drawn = bars(watch.text)
    assert len(drawn) == 8
    assert all(line.endswith("left") and len(line) == 80 for line in drawn)
    assert seen.index(drawn[0]) > max(seen.index(line) for line in seen if "  FAILED  " in line)
    assert len(seen) == 60
    assert seen[-2] == COUNTS
    assert seen[-1].startswith("lines 1 to 58 of ")
    watch.keys(b"q")
    watch.finish()
    # A line that the terminal breaks would push the first ones out of sight.
    narrow = terminal("status", "--watch", columns=30, lines=10)
    narrow.read_until(lambda: "lines 1 to " in narrow.text)
    assert narrow.text.startswith("mysql/web4: FAILED")
    narrow.keys(b"q")
    narrow.finish()
