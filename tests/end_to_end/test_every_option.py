"""Each option of rsync, tried by a client against what is complete at a safe storage."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from b1000.config.allowed import RULES
from tests.support.attacker import NEW, OLD, OLD_NAME, Attacker, kept
from tests.support.storage import Storage

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")

# They make rsync another program, or lead it to another place than the storage.
ELSEWHERE = frozenset(
    {
        *("--daemon", "--server", "--sender", "--detach", "--no-detach", "--config", "--dparam"),
        *("--rsh", "-e", "--rsync-path", "--read-batch", "--password-file", "--port", "--address"),
        *("--ipv6", "-6", "--sockopts", "--early-input", "--help", "--version", "-V"),
        *("--remote-option", "-M"),
    }
)
OTHERS = f"../{OLD_NAME}"
VALUES = {
    **dict.fromkeys(("--backup-dir", "--partial-dir", "--temp-dir", "-T"), OTHERS),
    **dict.fromkeys(("--link-dest", "--copy-dest", "--compare-dest"), OTHERS),
    "--suffix": ".b1k",
    "--chmod": "a=rwx",
    **dict.fromkeys(("--chown", "--copy-as"), "1:1"),
    **dict.fromkeys(("--usermap", "--groupmap"), "*:1"),
    **dict.fromkeys(("--filter", "-f"), "protect none"),
    **dict.fromkeys(("--exclude", "--include"), "none"),
    **dict.fromkeys(("--exclude-from", "--include-from"), "/dev/null"),
    **dict.fromkeys(("--log-file", "--write-batch", "--only-write-batch"), "written"),
    **dict.fromkeys(("--log-format", "--out-format", "--log-file-format"), "%n"),
    **dict.fromkeys(("--compress-choice", "--zc"), "zlib"),
    **dict.fromkeys(("--checksum-choice", "--cc"), "md5"),
    "--skip-compress": "gz",
    "--iconv": "utf8,latin1",
    "--confine-root": "/",
    "--info": "name",
    "--debug": "recv",
    "--stderr": "all",
    "--outbuf": "L",
    "--protocol": "31",
    "--stop-at": "23:59",
}
ALL = sorted(set(RULES) - ELSEWHERE)
SAMPLE = ALL[::24]


def words(spelling: str) -> tuple[str, ...]:
    """The option as it is given, with a value that could do harm where it takes one."""
    if not RULES[spelling].takes_value:
        return (spelling,)
    value = VALUES.get(spelling, "1")
    return (f"{spelling}={value}",) if spelling.startswith("--") else (spelling, value)


def files(he: Attacker) -> Path:
    """What a client would put in the place of what is there, with what it would delete missing."""
    shutil.rmtree(he.root / "other", ignore_errors=True)
    made = he.files("other", passwd="root::0:0\n", big=b"x" * 4096, added="mine")
    (made / "passwd").chmod(0o666)
    (made / "link").symlink_to("/etc/passwd")
    return made


def attack(storage: Storage, *words: str) -> None:
    """Two sides that were told different options may wait for each other for ever."""
    password = storage.password("password", "backing-up")
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            ["rsync", f"--password-file={password}", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )


@pytest.mark.parametrize(
    "options", [SAMPLE, pytest.param(ALL, marks=pytest.mark.exhaustive)], ids=["some", "all"]
)
def test_no_option_changes_what_is_complete(
    storage: Storage, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to both sides, and to the storage alone; into it, and into a full that shares files."""
    monkeypatch.chdir(tmp_path)
    he = Attacker(storage, tmp_path, "b1000")
    new = storage.tree() / NEW
    harmful = []
    for spelling in options:
        given = words(spelling)
        hidden = tuple(f"-M{word}" for word in given)
        for way, target in ((given, OLD), (given, NEW), (hidden, NEW)):
            shutil.rmtree(new, ignore_errors=True)
            subprocess.run(["cp", "-al", storage.tree() / OLD, new], check=True)
            before = kept(storage)
            # With it the gate lets a session in to where files are.
            retry = ["--ignore-existing"] if target == NEW else []
            attack(storage, "-a", *retry, *way, f"{files(he)}/", he.at(f"{target}/"))
            if kept(storage) != before:
                harmful.append((way, target))
    assert not harmful
