"""What is mounted where: a destination on a disk or on its mount point, a source in several."""

import contextlib
import os
from collections.abc import Iterator

from b1000.errors import message_of
from b1000.expressions import expression
from b1000.named import NamedTuple

_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = expression(r"\\([0-7]{3})")


def unmounted(path: str) -> str:
    """Why a path is on no mounted file system but the one of ``/``; "" where it is on another.

    It, or a directory above it, has to be a mount point.
    """
    real = os.path.realpath(path)
    with contextlib.suppress(OSError):
        os.stat(f"{real}/.")  # an automounter mounts what is looked at
    try:
        known = _mount_points()
    except OSError as error:
        return f"what is mounted cannot be known (must_be_mounted): {message_of(error)}"
    mount_point = real
    while mount_point != "/":
        if mount_point in known:
            return ""
        mount_point = os.path.dirname(mount_point)
    return f"nothing is mounted at {path} or above it (must_be_mounted): mount it"


def is_on_root(path: str) -> bool:
    """Whether what is written to the path fills the file system of ``/``."""
    mount_point = os.path.realpath(path)
    while True:
        try:
            return os.stat(mount_point).st_dev == os.stat("/").st_dev
        except OSError:
            mount_point = os.path.dirname(mount_point)


def with_files(below: str) -> list[str]:
    """Where below a directory other file systems are mounted that hold files of a disk or server.

    None of them is touched: a server may not answer.
    """
    above = os.path.join(os.path.realpath(below), "")
    try:
        here = os.stat(above).st_dev
        return sorted(
            {
                mount.mount_point
                for mount in _mounted()
                if mount.mount_point.startswith(above) and mount.mount_point != above
                if mount.device != here and mount.kind not in _WITHOUT_FILES
            }
        )
    except OSError:
        return []


# Of proc(5), or in memory only, or made of what lies on a disk that is mounted elsewhere.
_WITHOUT_FILES = frozenset(
    {"autofs", "bpf", "binfmt_misc", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"}
    | {"devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc"}
    | {"pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs"}
    | {"tracefs"}
)


def below(path: str) -> list[str]:
    """Where file systems are mounted at or below a path. Raises OSError."""
    real = os.path.realpath(path)
    inside = os.path.join(real, "")
    points = (mount.mount_point for mount in _mounted())
    return [each for each in points if each == real or each.startswith(inside)]


def _mount_points() -> set[str]:
    """Where a file system is mounted, bound directories included.

    Not those where an automounter only waits.
    """
    return {mount.mount_point for mount in _mounted() if mount.kind != "autofs"}


class _Mount(NamedTuple):
    device: int
    mount_point: str
    kind: str


def _mounted() -> Iterator[_Mount]:
    """What is mounted (proc(5)); raises OSError."""
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            _, _, device, _, escaped, *_ = before.split(" ")
            major, minor = map(int, device.split(":"))
            mount_point = _ESCAPED.sub(lambda digits: chr(int(digits[1], 8)), escaped)
            yield _Mount(os.makedev(major, minor), mount_point, after.split(" ")[0])
