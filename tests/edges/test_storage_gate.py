"""etc/scripts/b1000-gate by itself, and what rsync refuses without it."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.mounting import needs_mounts
from tests.support.storage import Storage
from tests.support.world import ROOT

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")


def gate(request: str, *words: str, shell: str = "sh", **more: str) -> str:
    """What the gate says of a session; "" where it is let in."""
    arguments = ["rsyncd", "--server", *words, ".", f"/{request}"]
    environment = {
        "RSYNC_MODULE_NAME": "b1000",
        "RSYNC_MODULE_PATH": "/nowhere/client-1",
        "RSYNC_USER_NAME": "client-1",
        "RSYNC_PID": str(os.getpid()),
        "RSYNC_REQUEST": f"b1000/{request}",
        **{f"RSYNC_ARG{number}": word for number, word in enumerate(arguments)},
        **more,
    }
    script = str(ROOT / "etc" / "scripts" / "b1000-gate")
    program, *words_of_it = shell.split()
    argv = [shutil.which(program) or program, *words_of_it, script]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert bool(done.returncode) == bool(done.stdout)
    return done.stdout.removeprefix("b1000-gate: ").rstrip("\n")


SHELLS = [each for each in ("dash", "bash --posix", "busybox sh") if shutil.which(each.split()[0])]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_names_that_are_let_in(shell: str) -> None:
    let_in = [
        "etc/host/",
        "etc/host:3306-db1.example-3307/",
        "a.b_c/2026-W48/",
        "dumps.gz/host/",
        "my.b1k/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/",
        "etc/2024-02-29-Thursday/h.x_y:1-2024-02-29-Thu-23:59:59/",
    ]
    for request in let_in:
        assert gate(request, "-nlogDtpre.iLsfxCIvu", shell=shell) == "", request
    refused = [
        "", "/", "etc", "etc/", "etc/host", "/etc/host/", "etc//host/", "etc/host//", "./host/",
        "etc/./", "etc/../", "../etc/", "etc/../host/", "etc/..", ".b1000/marks/", ".b1000-id/x/",
        "etc/.b1000/", "etc/host.b1k/", "etc/host.keep/", "etc/host.gz/", "etc/ho st/", "etc/h?st/",
        "etc/h[o]st/", "etc/h*/", "etc/h\\?/", "etc/h\nst/", "etc/hést/", "-e/host/", "etc/-host/",
        "etc/2026-11-22-Sunday/", "etc/2026-11-22-Sunday/host", "etc/2026-11-22-Sunday/host/",
        "etc/2026-11-22-Sunday/host-2026-11-23-Mon-01:02:03/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Mon-01:02:03/",
        "etc/2026-11-22-SUNDAY/", "etc/2026-11-22-sunday/",
        "etc/2026-11-22-Sun/host-2026-11-22-Sun-01:02:03/",
        "etc/2026-13-22-Sunday/host-2026-13-22-Sun-01:02:03/",
        "etc/2026-11-22-Sunday/-2026-11-22-Sun-01:02:03/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03.b1k/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/etc/",
        "etc/2026-11-22-Sunday/../host/", "etc/host/sub/", "etc/host/sub/deep/",
    ]  # fmt: skip
    for request in refused:
        assert gate(request, "-nr", shell=shell).startswith("the path must be "), request


@pytest.mark.parametrize("shell", SHELLS)
def test_the_options_that_are_let_in(shell: str) -> None:
    full = "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/"
    other = "host-2026-11-22-Sun-00:00:00"
    for words in [
        ["-nlHogDtpAXrRSzce.iLsfxCIvu", "--timeout=300", "--stats", "-@-1", "--numeric-ids"],
        ["-nre.LsfxCIvu", "--partial-dir", ".b1000-partial", "--mkpath", "--log-format=%i"],
        ["-nr", "--link-dest", f"../{other}", "--link-dest=../../2026-11-22-Sunday/" + other],
        ["-nr", "--modify-window=-1", "--ignore-existing", "--fsync", "--usermap=*:1", "-B2048"],
        ["-nr", "-B700"],
        ["-nr", "-B1000"],
        ["-nr", "--block-size=131072"],
    ]:
        assert gate(full, *words, shell=shell) == "", words
    for words in [
        ["-nrK"], ["-nrb"], ["-nru"], ["-nrm"], ["-nrC"], ["-nrs"], ["-nre"], ["-nr", "-e", "--x"],
        ["-nr", "--inplace"], ["-nr", "--append"], ["-nr", "--sender"], ["-nr", "--daemon"],
        ["-nr", "--partial-dir", "/x"], ["-nr", "--partial-dir=x"], ["-nr", "--partial-dir"],
        ["-nr", "--link-dest", "/etc"], ["-nr", "--link-dest", "../../../x"], ["-nr", "--partial"],
        ["-nr", "--link-dest", f"../../../{other}"], ["-nr", "--link-dest=.."], ["-nr", "x"],
        ["-nr", "--link-dest", f"../../2026-11-23-Monday/{other}"], ["-nr", "--link-dest", "../x"],
        ["-nr", f"--link-dest=../2026-11-22-Sunday/{other}"], ["-nr", "--link-dest", ""],
        ["-nr", "--backup-dir=/x"], ["-nr", "--suffix=x"], ["-nr", "--temp-dir=/x"],
        ["-nr", "--compare-dest=../x"], ["-nr", "--copy-dest=../x"], ["-nr", "--force"],
        ["-nr", "--delete"], ["-nr", "--delete-excluded"], ["-nr", "--remove-source-files"],
        ["-nr", "--files-from=x"], ["-nr", "--write-devices"], ["-nr", "--copy-as=root"],
        ["-nr", "--fake-super"], ["-nr", "--iconv=utf8"], ["-nr", "--log-file=/x"], ["-nr", "."],
        ["-nr", "--no-implied-dirs"], ["-nr", "--existing"], ["-nr", "--trust-sender"], ["-"],
        ["-nr", "-B1"], ["-nr", "-B699"], ["-nr", "-B0700"], ["-nr", "--block-size=9x99"],
        ["-nr", "--block-size="], ["-nr", "-B4294967297"],
    ]:  # fmt: skip
        assert gate(full, *words, shell=shell), words
    base = ["-nrU", "--link-dest", f"../{other}"]
    assert gate(full, *base, shell=shell) == "--link-dest with -U needs -p"
    assert gate(full, "-np", *base, shell=shell) == ""
    base = ["-nr", "--link-dest", f"../{other}"]
    assert gate("etc/host/", *base, shell=shell).startswith("--link-dest must be")


@needs_mounts
@pytest.mark.parametrize("shell", SHELLS)
def test_why_it_cannot_write_is_told_in_the_words_of_the_system(tmp_path: Path, shell: str) -> None:
    full = "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/"
    mark = tmp_path / "etc" / "host.b1k"
    cannot = "the storage cannot write down this session: "
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        mark.parent.mkdir()
        mark.write_text("[backup]\nstate = complete\n")
        with open(tmp_path / "large", "wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        top = {"RSYNC_MODULE_PATH": str(tmp_path), "shell": shell}
        assert gate(full, "-r", **top) == f"{cannot}No space left on device"
        assert not [*(tmp_path / ".b1000" / "sessions").iterdir()]
        changed = "the storage cannot change the mark of this backup: "
        assert gate("etc/host/", "-r", **top) == f"{changed}No space left on device"
        for sessions in (True, False):
            if not sessions:
                shutil.rmtree(tmp_path / ".b1000")
            subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
            assert gate(full, "-r", **top) == f"{cannot}Read-only file system"
            assert gate("etc/host/", "-r", **top) == f"{changed}Read-only file system"
            subprocess.run(["mount", "-o", "remount,rw", tmp_path], check=True)
        assert [path.name for path in mark.parent.iterdir()] == ["host.b1k"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_request_arguments_user_and_path_are_all_it_needs(tmp_path: Path) -> None:
    full = "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03"
    (tmp_path / full).mkdir(parents=True)
    for request, told in ((full, ""), ("etc/host", ""), ("etc", "the path must be")):
        environment = {
            "RSYNC_REQUEST": f"b1000/{request}/",
            "RSYNC_USER_NAME": "client-1",
            "RSYNC_MODULE_PATH": str(tmp_path),
            "RSYNC_ARG1": "--server",
            "RSYNC_ARG2": "-logDtpre.iLsfxCIvu",
            "RSYNC_ARG3": ".",
            "RSYNC_ARG4": f"{request}/",
        }
        script = ROOT / "etc" / "scripts" / "b1000-gate"
        done = subprocess.run(
            [script], env=environment, capture_output=True, text=True, check=False
        )
        assert told in done.stdout
        assert (done.returncode, done.stderr) == (1 if told else 0, "")


def test_without_a_user_nobody_is_let_in() -> None:
    for more in (
        {"RSYNC_USER_NAME": ""},
        {"RSYNC_USER_NAME": "../x"},
        {"RSYNC_MODULE_PATH": "/srv/backup/"},
        {"RSYNC_MODULE_PATH": "/srv//.b1000/marks"},
    ):
        assert "every client would have every tree" in gate("etc/host/", "-nr", **more)


REFUSED = (
    "--delete --del --delete-before --delete-during --delete-delay --delete-after "
    "--delete-excluded --delete-missing-args --force --inplace --append --append-verify "
    "--backup -b --backup-dir=/x --suffix=x --temp-dir=/x -T/x --keep-dirlinks -K "
    "--delay-updates --remove-source-files --write-devices -M--copy-devices"
)


@pytest.mark.slow
def test_what_is_refused_behind_the_gate(tmp_path: Path) -> None:
    """Should the gate fail open, each spelling of the worst is still refused."""
    storage = Storage(tmp_path / "storage", without=["pre-xfer exec"])
    storage.start()
    (tmp_path / "source").mkdir()
    try:
        for option in REFUSED.split():
            words = ["-r", option, *(["--backup"] if "suffix" in option else [])]
            words += ["--delete"] if option.startswith("--delete-") else []
            for module in ("b1000", "b1000-marks"):
                to = storage.at("etc/host/" if module == "b1000" else "", module=module)
                done = storage.push(*words, f"{tmp_path}/source/", to)
                assert "configured to refuse" in done.stderr, (option, done.stderr)
    finally:
        storage.stop()


def test_a_module_without_users_is_closed(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage", without=["auth users"])
    storage.start()
    (tmp_path / "source").mkdir()
    try:
        for module in ("b1000", "b1000-marks"):
            done = storage.rsync("-r", f"{tmp_path}/source/", f"{storage.url(module)}/etc/host/")
            assert done.returncode != 0, module
        assert sorted(each.name for each in storage.module("backup").iterdir()) == [
            "client-1",
            "client-2",
        ]
    finally:
        storage.stop()


def test_what_a_backup_shares_with_another_goes_before_a_retry(tmp_path: Path) -> None:
    """What has all its names in it stays, and so does what has but one."""
    old, new = tmp_path / "job/old", tmp_path / "job/new"
    for each in (old / "sub", new / "sub", tmp_path / "elsewhere"):
        each.mkdir(parents=True)
    for name in ("shared", "sub/shared", "twins"):
        (old / name).write_text(name)
        os.link(old / name, new / name)
    os.link(old / "twins", new / "sub" / "twins")
    (old / "link").symlink_to("shared")
    os.link(old / "link", new / "link", follow_symlinks=False)
    (new / "own").write_text("own")
    os.link(new / "own", new / "sub" / "own")
    (new / "one").write_text("one")
    os.link(tmp_path / "job/old/shared", tmp_path / "elsewhere" / "shared")
    (new / "out").symlink_to(tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    script = ROOT / "etc" / "scripts" / "b1000-links"

    def made_private(backup: str) -> int:
        return subprocess.run([script, "--private", tmp_path, backup], check=False).returncode

    assert made_private("job/new") == 0
    left = {str(path.relative_to(new)) for path in new.rglob("*")}
    assert left == {"own", "sub", "sub/own", "one", "out"}
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    assert (tmp_path / "elsewhere" / "shared").exists()
    (tmp_path / "job/way").symlink_to("old")
    assert made_private("job/way") == 1
    assert made_private("way/../job/old") == 1
    assert (old / "shared").exists()
