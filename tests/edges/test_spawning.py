"""How a process is started: what it is given, what it is not, and why it cannot be."""

import errno
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from b1000.work import spawning
from b1000.work.spawning import spawn


def output_of(*argv: str, inherited: tuple[int, ...] = (), **variables: str) -> tuple[str, str]:
    """What a process printed that ends by itself, on both streams."""
    environment = {"PATH": os.defpath, **variables}
    process = spawn(argv, environment, inherited)
    assert spawning.exit_code(process.pid, wait=True) == 0
    said = tuple(os.read(each, 65536).decode() for each in process[1:])
    os.close(process.out)
    os.close(process.err)
    return said[0], said[1]


@pytest.fixture
def ours() -> Iterator[int]:
    """A descriptor that only this process has."""
    descriptor = os.open("/", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_streams_are_apart_and_standard_input_is_empty() -> None:
    assert output_of("sh", "-c", "cat; echo one; echo two >&2") == ("one\n", "two\n")


def test_it_has_these_variables_alone() -> None:
    assert output_of("/usr/bin/env", MARK="1")[0].splitlines() == [f"PATH={os.defpath}", "MARK=1"]


def test_it_leads_a_session_of_its_own() -> None:
    shell, session = output_of("sh", "-c", "echo $$; cut -d' ' -f6 /proc/$$/stat")[0].split()
    assert shell == session


def test_only_what_is_passed_on_is_inherited(ours: int) -> None:
    listed = "ls /proc/self/fd"
    assert str(ours) not in output_of("sh", "-c", listed)[0].split()
    assert str(ours) in output_of("sh", "-c", listed, inherited=(ours,))[0].split()


def test_what_was_left_open_by_whoever_started_us_is_not_inherited(ours: int) -> None:
    os.set_inheritable(ours, True)
    spawning._keep_to_ourselves.cache_clear()
    assert str(ours) not in output_of("sh", "-c", "ls /proc/self/fd")[0].split()


def test_no_signal_is_ignored_in_it() -> None:
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    (ignored,) = output_of("grep", "SigIgn", "/proc/self/status")[0].split()[1:]
    assert not int(ignored, 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def programs(at: Path, modes: Mapping[str, int]) -> str:
    """A search path of directories, each with a program of some mode."""
    for name, mode in modes.items():
        (at / name).mkdir()
        (at / name / "told").write_text(f"#!/bin/sh\necho {name}\n")
        (at / name / "told").chmod(mode)
    return ":".join(str(at / name) for name in modes)


def test_the_first_that_can_be_run_is_found(tmp_path: Path) -> None:
    path = programs(tmp_path, {"one": 0o644, "two": 0o755, "three": 0o755})
    (tmp_path / "zero" / "told").mkdir(parents=True)
    assert output_of("told", PATH=f"{tmp_path}/zero:{path}") == ("two\n", "")


@pytest.mark.parametrize(("mode", "number"), [(None, errno.ENOENT), (0o644, errno.EACCES)])
def test_a_program_that_cannot_be_run(tmp_path: Path, mode: int | None, number: int) -> None:
    path = programs(tmp_path, {} if mode is None else {"one": mode})
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="told") as raised:
        spawn(["told"], {"PATH": path})
    assert raised.value.errno == number
    with pytest.raises(OSError, match="Argument list too long"):
        spawn(["sh", "-c", "true", "x" * 2**18], {"PATH": os.defpath})
    assert os.listdir("/proc/self/fd") == before
