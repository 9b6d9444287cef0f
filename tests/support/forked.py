"""The program's command line many times over: one process that has it all imported, and forks.

Each command is a process of its own, with the user, the limits and the time that a test gives it.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tests.support.zygote import import_all

ROOT = Path(__file__).parents[2]
NOBODY = 65534
_SECONDS = 60.0


class Ended(NamedTuple):
    """How a command ended; ``code`` is None where it had to be killed."""

    code: int | None
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said."""
        return self.out + self.err


class Commands:
    """A process that forks the program for each command."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(
        self,
        *words: str,
        user: int = 0,
        limits: Mapping[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run ``b1000 WORDS`` to its end; ``limits`` are of setrlimit(2)."""
        out, err = self._directory / "forked.out", self._directory / "forked.err"
        order = {
            "words": words,
            "user": user,
            "limits": list((limits or {}).items()),
            "environment": environment or {},
            "out": str(out),
            "err": str(err),
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())
        return Ended(code, *(each.read_text(errors="replace") for each in (out, err)))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def commands(directory: Path) -> Iterator[Commands]:
    """Commands for the length of a ``with``; what they say lies in a directory meanwhile."""
    started = Commands(directory)
    try:
        yield started
    finally:
        started.close()


def _carry_out(order: Mapping[str, object]) -> int | None:
    child = os.fork()
    if child == 0:
        _become(order)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _become(order: Mapping[str, object]) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        _redirect(str(order["out"]), 1)
        _redirect(str(order["err"]), 2)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(3, 256)
        _limit(order)
        code = _main(order["words"])  # type: ignore[arg-type]
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(file: str, number: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, number)
    os.close(descriptor)


def _limit(order: Mapping[str, object]) -> None:
    os.environ.update(order["environment"])  # type: ignore[call-overload]
    user = int(order["user"])  # type: ignore[call-overload]
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    for which, most in order["limits"]:  # type: ignore[attr-defined]
        resource.setrlimit(which, (most, most))


def _main(words: Sequence[str]) -> int:
    from b1000 import cli

    try:
        return cli._guarded(list(words))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _serve(orders: IO[str]) -> None:
    from b1000.supervise import recorder

    import_all()
    # A disk that is full stays so: that is waited for only a moment.
    recorder._GRACE = 1.0
    for line in orders:
        print(json.dumps(_carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve(sys.stdin)
