"""One command: its lines, its output that nobody closes, its limit, the end of its tree."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from b1000.identity import identify, identify_child, is_alive
from b1000.runs.run import ProcessIdentity
from b1000.work import loop, process, tree, waiting
from b1000.work.process import Command, Ended, TimedOut
from b1000.work.sinks import Captured, Lines, Sink
from tests.support.processes import living


def command(script: str, out: Sink, **options: object) -> Command:
    defaults = {
        "environment": process.base_environment(),
        "mark": {"B1000_RUN": f"test-{os.getpid()}", "B1000_COMMAND": "1"},
        "out": out,
        "err": out,
    }
    return Command(["/bin/sh", "-c", script], **{**defaults, **options})  # type: ignore[arg-type]


def marked() -> list[psutil.Process]:
    return living(lambda each: each.environ().get("B1000_RUN") == f"test-{os.getpid()}")


def test_lines_are_given_whole_and_decoded() -> None:
    lines: list[str] = []
    code = loop.run(
        process.run(
            command(r"printf 'one\r\ntw'; sleep 0.1; printf 'o\n\377\nlast'", Lines(lines.append))
        )
    )
    assert code == 0
    assert lines == ["one", "two", "\\xff", "last"]


def test_an_endless_line_is_cut() -> None:
    lines: list[str] = []
    loop.run(process.run(command("head -c 100000 /dev/zero | tr '\\0' x", Lines(lines.append))))
    assert max(map(len, lines)) <= 16384
    assert "".join(lines) == "x" * 100000


def test_all_output_of_a_process_that_ended_is_read() -> None:
    captured = Captured(2**22)
    loop.run(process.run(command("head -c 3000000 /dev/zero", captured)))
    assert len(captured.data) == 3000000


def may_be_large() -> bool:
    """Whether the system lets a pipe of this user hold more now."""
    ours = os.pipe()
    try:
        return fcntl.fcntl(ours[0], fcntl.F_SETPIPE_SZ, 2**18) == 2**18
    except PermissionError:
        return False
    finally:
        for each in ours:
            os.close(each)


def test_a_pipe_holds_what_gathers_while_nobody_reads() -> None:
    class Seldom(Captured):
        gathers = True

    asks = "import fcntl; print(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))"

    def size(captured: Captured) -> int:
        loop.run(process.run(command(f"{sys.executable} -c '{asks}'", captured)))
        return int(captured.data)

    assert size(Captured(100)) <= 2**16
    for _ in range(10):  # other tests have pipes, too
        large = may_be_large()
        if size(Seldom(100)) == 2**18:
            return
        if not (large and may_be_large()):
            pytest.skip("this user's pipes hold as much as they may (pipe-user-pages-soft)")
    raise AssertionError("a pipe that may be large is not")


def test_output_beyond_the_limit_is_not_kept() -> None:
    captured = Captured(1000)
    loop.run(process.run(command("head -c 100000000 /dev/zero", captured)))
    assert captured.too_much
    assert len(captured.data) <= 1000


def test_exit_codes_and_signals() -> None:
    sink = Captured(10)
    assert loop.run(process.run(command("exit 7", sink))) == 7
    assert loop.run(process.run(command("kill -9 $$", sink))) == -9


def test_a_service_that_holds_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    pid = tmp_path / "pid"
    loop.run(process.run(command(f"sleep 30 & echo $! > {pid}", Captured(10))))
    assert time.monotonic() - began < 5
    psutil.Process(int(pid.read_text())).kill()


def test_a_script_that_has_ended_already_is_noted_all_the_same() -> None:
    """Else what it started, such as a service, would be ended with what the run left behind."""
    noted: list[ProcessIdentity | None] = []

    def began(pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        noted.extend([identify_child(pid), identify(pid)])

    assert loop.run(process.run(command("exit 3", Captured(9), began=began))) == 3
    child, running = noted
    assert child
    assert running is None
    assert not is_alive(child)


def test_the_time_limit_ends_the_whole_tree() -> None:
    with pytest.raises(TimedOut, match=r"after 0\.5 s"):
        loop.run(
            process.run(command("setsid sleep 30 & sleep 30 & sleep 30", Captured(9), limit=0.5))
        )
    assert marked() == []


def test_a_guard_ends_it_with_its_reason() -> None:
    with pytest.raises(Ended, match="enough"):
        loop.run(process.run(command("sleep 30", Captured(9), guard=lambda _: "enough")))
    assert marked() == []


def test_what_survives_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "GRACE", 0.5)
    with pytest.raises(TimedOut):
        loop.run(
            process.run(command("trap '' TERM; while :; do sleep 1; done", Captured(9), limit=0.5))
        )
    assert marked() == []


def test_a_stranger_is_left_alone() -> None:
    """Only the mark as a whole makes a process ours."""
    environment = {**os.environ, "B1000_RUN": f"test-{os.getpid()}", "B1000_COMMAND": "2"}
    stranger = psutil.Popen(["sleep", "30"], env=environment, start_new_session=True)
    try:
        with pytest.raises(TimedOut):
            loop.run(process.run(command("sleep 30", Captured(9), limit=0.3)))
        assert stranger.is_running()
        assert stranger.status() != psutil.STATUS_ZOMBIE
    finally:
        stranger.kill()
        stranger.wait()


LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def under_the_id_of_another(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A process whose id belonged to another when psutil last looked at all."""
    for _ in range(100):
        before = subprocess.Popen(["sleep", "30"])
        assert before.pid in {each.pid for each in psutil.process_iter()}
        before.kill()
        before.wait()
        time.sleep(0.03)  # the kernel tells when a process began in hundredths
        LAST_PID.write_text(str(before.pid - 1))
        now = subprocess.Popen(["sleep", "30"], env=environment)
        if now.pid == before.pid:
            return now
        now.kill()
        now.wait()
    raise AssertionError("others took each id at once")


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="only root can choose ids")
def test_a_member_under_the_id_of_a_process_that_was_seen_before_is_ended() -> None:
    """Ids come again after a while, 32768 processes on small machines."""
    mark = {"B1000_RUN": f"test-{os.getpid()}", "B1000_COMMAND": "1"}
    member = under_the_id_of_another({**os.environ, **mark})
    try:
        loop.run(tree.end_tree(mark))
        assert member.wait(5) == -signal.SIGTERM
    finally:
        member.kill()
        member.wait()


def test_a_program_that_is_not_there() -> None:
    missing = Command(["/nowhere/at/all"], {}, {}, Captured(1), Captured(1))
    with pytest.raises(FileNotFoundError):
        loop.run(process.run(missing))


LISTENING = (
    "trap 'echo told > {0}/told; exit 20' TERM INT HUP; touch {0}/ready; "
    "while :; do sleep 0.02; done"
)


@pytest.mark.parametrize("mark", [tree.RSYNC, ""])
@pytest.mark.parametrize("how", ["limit", "orphan"])
def test_an_rsync_of_ours_gets_sigkill_and_no_other_signal(
    tmp_path: Path, mark: str, how: str
) -> None:
    """Its handler of any other may send wrong data; a script is asked first."""
    marks = {"B1000_RUN": f"test-{os.getpid()}", "B1000_COMMAND": f"{mark}1"}
    script = LISTENING.format(tmp_path)

    async def ended() -> None:
        running = loop.begin(process.run(command(script, Captured(100), mark=marks)))
        while not (tmp_path / "ready").exists():
            await waiting.sleep(0.01)
        if how == "orphan":
            await tree.end_tree({"B1000_RUN": marks["B1000_RUN"]})
            await running
        else:
            running.cancel()
            with contextlib.suppress(loop.Cancelled):
                await running

    loop.run(ended())
    assert marked() == []
    assert (tmp_path / "told").exists() is not bool(mark)
