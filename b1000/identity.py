"""Which process is meant: ids are used again, creation times are not."""

import functools
import os

from b1000.runs.run import ProcessIdentity


@functools.cache
def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a process that runs; None where there is none, or only its zombie."""
    fields = _fields(pid)
    return _identity(pid, fields) if fields and fields[0] not in (b"Z", b"X") else None


def identify_child(pid: int) -> ProcessIdentity | None:
    """The identity of a child that was not waited for, which may have ended already."""
    fields = _fields(pid)
    return _identity(pid, fields) if fields else None


def _fields(pid: int) -> list[bytes]:
    """What the kernel tells of a process, from its state on; nothing where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # The name in parentheses may hold blanks and parentheses: fields count from the last.
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _identity(pid: int, fields: list[bytes]) -> ProcessIdentity:
    return ProcessIdentity(pid, _boot(), int(fields[19]))


def myself() -> ProcessIdentity:
    """The identity of this process."""
    identity = identify(os.getpid())
    assert identity is not None
    return identity


def is_alive(process: ProcessIdentity) -> bool:
    """Whether this very process still runs, and not another one under its id.

    Where nothing can be looked up, for want of descriptors, whoever has the id counts as it.
    """
    try:
        return identify(process.pid) == process
    except OSError:
        return _is_there(process.pid)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def new_uid() -> str:
    """A mark for all that is started on one behalf: the value of ``B1000_RUN``."""
    return os.urandom(12).hex()
