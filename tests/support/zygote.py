"""B1000 as a process of its own, without the time that Python takes to start and to import.

One process per pytest imports the program once, and forks for each start: what comes of that is
the program in a session of its own, with the descriptors, directory and umask that a started one
would have, in an empty environment. A keeper between them waits for it, and tells how it ended.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVIRONMENT = {"PYTHONPATH": ROOT}
_NUMBER = struct.Struct("i")
_LARGEST = 1 << 16
_ONE_AT_A_TIME = threading.Lock()
_ZYGOTES: list[tuple[subprocess.Popen[bytes], socket.socket]] = []


class Forked(subprocess.Popen[str]):
    """``python -m b1000 WORDS``, forked; its parent is not this process."""

    # subprocess has no other place for who makes a process in another way.

    def _execute_child(self, args: Sequence[str], *rest: Any) -> None:
        """``rest`` is as long as Python's version has it; all have this before the pipes' ends."""
        cwd, pipes = rest[4], rest[9:15]
        standard = pipes[0], pipes[3], pipes[5]
        self._turn = threading.Lock()
        self._told, ours = os.pipe()
        order = json.dumps({"words": args[3:], "cwd": cwd, "umask": _umask()}).encode()
        try:
            socket.send_fds(_zygote(), [order], [*standard, ours])
        finally:
            os.close(ours)
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        (self.pid,) = _NUMBER.unpack(os.read(self._told, _NUMBER.size))
        self._child_created = True

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        with self._turn:
            if self.returncode is None:
                waiting = select.poll()
                waiting.register(self._told, select.POLLIN)
                if not waiting.poll(None if timeout is None else timeout * 1000):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                (self.returncode,) = _NUMBER.unpack(os.read(self._told, _NUMBER.size))
                os.close(self._told)
        return self.returncode


def _zygote() -> socket.socket:
    """The way to the process that forks; it ends when this one does."""
    with _ONE_AT_A_TIME:
        if not _ZYGOTES:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
            theirs.close()
            _ZYGOTES.append((process, ours))
        return _ZYGOTES[0][1]


def _umask() -> int:
    """That of this process, without a moment in which it is another one."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 8) for line in status if line.startswith("Umask:"))


# --- in the process that forks


def import_all() -> None:
    """What the program imports where it is used."""
    import codecs
    import importlib
    import pkgutil

    import b1000

    for module in pkgutil.walk_packages(b1000.__path__, "b1000."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        *("psutil", "tenacity", "hashlib", "ctypes", "_strptime", "traceback", "random"),
        *("rich.table", "rich.console", "rich.progress", "tempfile", "shutil", "difflib"),
        *("multiprocessing.popen_fork", "multiprocessing.util", "asyncio.unix_events"),
        *("multiprocessing.resource_sharer", "multiprocessing.reduction", "urllib.parse"),
        # The latter by pathlib, from Python 3.13 on.
        *("sqlite3.dbapi2", "gzip"),
    ):
        importlib.import_module(name)
    for name in ("ascii", "idna", "latin-1", "unicode_escape", "utf-8-sig"):
        codecs.lookup(name)


def _serve(orders: socket.socket) -> None:
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, _LARGEST, 4)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _keep(json.loads(order), descriptors)
        for each in descriptors:
            os.close(each)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _keep(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Never returns."""
    program = os.fork()
    if program == 0:
        _become(order, descriptors)
    *standard, told = descriptors
    for each in standard:
        os.close(each)
    # Whoever started it may be gone, and it goes on all the same.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):
        os.write(told, _NUMBER.pack(program))
        _, status = os.waitpid(program, 0)
        os.write(told, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        for number, each in enumerate(descriptors[:3]):
            os.dup2(each, number)
        os.closerange(3, max(descriptors) + 1)
        os.chdir(order["cwd"])
        os.umask(order["umask"])
        sys.argv = [os.path.join(ROOT, "b1000", "__main__.py"), *order["words"]]
        from b1000 import cli

        cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import_all()
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
