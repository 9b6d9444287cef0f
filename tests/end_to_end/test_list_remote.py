"""b1000 list at a real daemon: two sessions for each job, hostile trees, one that only takes."""

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k import form, mark
from b1000.errors import StorageAway
from b1000.jobs import Limits
from b1000.storage import contents, remote, session
from b1000.storage.backup import Entry, Unread
from b1000.storage.remote import Reach
from tests.support.daemon import CHROOT, Daemon
from tests.support.lying_client import Liar
from tests.support.ports import free_port
from tests.support.rows import DAY, Rows
from tests.support.stored import NIGHT, a_mark, put
from tests.support.world import World

MakeDaemon = Callable[..., Daemon]


def listed(world: World, *words: str, code: int = 0) -> list[dict[str, Any]]:
    done = world.b1000("list", "--json", *words)
    assert done.returncode == code, done.stderr
    backups: list[dict[str, Any]] = json.loads(done.stdout)["backups"]
    return backups


def test_two_sessions_list_a_job(world: World, daemon: MakeDaemon) -> None:
    there = daemon({"b": ""})
    for number in range(3):
        put(there.module("b") / "below", a_mark(when=NIGHT + timedelta(days=number)))
    put(there.module("b") / "below", a_mark(when=NIGHT + timedelta(days=3)), marked=False)
    put(there.module("b") / "below", a_mark("old"))
    store = world.store(path=f"{there.url('b')}/below")
    world.write({"job:etc": world.push(), "job:new": world.push(), "dest:store": store})
    found = listed(world)
    assert [each["state"] for each in found] == [*["complete"] * 3, "unfinished"]
    assert found[0]["path"] == f"{there.url('b')}/below/{a_mark().directory}"
    log = (there.directory / "log").read_text()
    sessions = re.findall("rsync on .*", log)
    # One for each of the jobs, and one that fetches the marks of the one that has some.
    assert len(sessions) == 3, log
    assert [each["job"] for each in listed(world, "--all")] == [*["etc"] * 4, "old"]
    before = len(re.findall("rsync on .*", (there.directory / "log").read_text()))
    done = world.b1000("list", "--json", "--files", "file")
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert (file["path"], len(file["backups"])) == ("file", 4)
    # No more than without.
    assert len(re.findall("rsync on .*", (there.directory / "log").read_text())) == before + 3


def test_a_database_calls_missing_only_what_was_looked_for(
    world: World, daemon: MakeDaemon
) -> None:
    there = daemon({"b": ""})
    rows = Rows(world.root / "central.sqlite3")
    for host, job in (("client", "etc"), ("other", "etc"), ("client", "old")):
        number = rows.run(host, job, "", DAY, "store:DONE")
        path = f"{there.url('b')}/{a_mark(job, host).directory}"
        rows.do("UPDATE copies SET path = ? WHERE job_id = ?", path, number)
    put(there.module("b"), a_mark("old"))
    store = world.store(path=there.url("b"))
    world.write({"job:etc": world.push(), "dest:store": store, "report:central": rows.section})
    assert [(each["job"], each["state"]) for each in listed(world)] == [("etc", "missing")]
    # The daemon is not asked for a job that is not configured but with --all.
    assert listed(world, "old", code=1) == []
    found = [(each["job"], each["host"], each["state"]) for each in listed(world, "--all", "old")]
    assert found == [("old", "client", "missing"), ("old", "web1", "complete")]
    there.stop()
    done = world.b1000("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "store could not be asked" in done.stderr


@pytest.mark.parametrize("limit", ["", "max connections = 1\n"])
def test_marks_that_are_fetched_at_once_are_the_same(
    daemon: MakeDaemon, limit: str, tmp_path: Path
) -> None:
    there = daemon({"b": f"{limit}lock file = {tmp_path}/lock\n" if limit else ""})
    root = there.module("b") / "below"
    for number in range(3):
        put(root, a_mark(when=NIGHT + timedelta(days=number)))
    put(root, a_mark(when=NIGHT + timedelta(days=3)), marked=False)
    put(root, a_mark(kind="sync"))
    Path(f"{put(root, a_mark(when=NIGHT + timedelta(days=4)), marked=False)}.b1k").mkdir()
    # One without its directory, and one that is too long, as many patterns fit.
    (root / "etc" / "web2.b1k").write_text("of none")
    reach = Reach(f"{there.url('b')}/below", None, Limits())
    expected = sorted(map(str, remote.entries(reach, ["etc"])))
    log = there.directory / "log"
    before = log.read_text().count("rsync on ")
    with remote.Look(reach, "etc", at_once=True) as look:
        assert sorted(map(str, look.entries())) == expected
    assert len(expected) == 7
    if not limit:
        assert log.read_text().count("rsync on ") == before + 2
    with remote.Look(reach, "none", at_once=True) as look:
        assert list(look.entries()) == []


def test_of_one_job_all_storages_are_asked_at_once_and_nothing_else(
    world: World, daemon: MakeDaemon
) -> None:
    logs, stores = [], {}
    for name in ("one", "two"):
        there = daemon({"b": ""})
        for number in range(2):
            put(there.module("b"), a_mark(host="client", when=NIGHT + timedelta(days=number)))
            put(there.module("b"), a_mark("other", host="client"))
        stores[f"dest:{name}"] = world.store(path=there.url("b"))
        logs.append(there.directory / "log")
    jobs = {f"job:{name}": world.push(dest="one two") for name in ("etc", "other")}
    world.write({**jobs, **stores})
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"), "-n")
    assert done.returncode == 0, done.stderr
    for log in logs:
        asked = re.findall("rsync on (.*) from", log.read_text())
        assert sum("b/etc" in each for each in asked) >= 2
        assert not [each for each in asked if "other" in each]


NAMES = [
    *(b"-x", b"new\nline", b"caf\xe9", b"hosts", b"a b", b" first", b"last ", b"a -> b"),
    *(b"back\\slash", b"\\#101", b"*", b"[x]", b"]", b"abe", b"ace", b"a.c", "\u00fcber".encode()),
]
PATTERNS = [
    *("-x", "new\nline", "new*", "caf\udce9", "caf?", "hosts", "HOSTS", "a b", " first", "last "),
    *("back\\slash", "\\#101", "[*]", "[[]x]", "[]]", "[]a]*", "a[b-d]e", "a[!b]e", "*.c", "*"),
    *(
        "??e",
        "\u00fcber",
        "?ber",
        "sub",
        "link",
        "su*/hosts",
        "sub/*",
        "sub/deep/hosts",
        "/sub/hosts",
    ),
    *(
        "sub/deep",
        "/sub/nothing",
        "*/hosts",
        "s[u]b/ho*",
        "sub/../sub/hosts",
        "sub//hosts",
        "/",
        ".",
    ),
    *("sub/caf\udce9", "sub/new\nline", "sub/*hosts", "sub/-*", "link/hosts", "a -> b"),
]


def test_a_pattern_finds_the_same_at_a_daemon_as_in_a_tree(daemon: MakeDaemon) -> None:
    there = daemon({"b": ""})
    root = there.module("b")
    backups = [put(root, a_mark()), put(root, a_mark(kind="sync"))]
    for backup in backups:
        for above in (backup, backup / "sub", backup / "sub" / "deep"):
            above.mkdir(exist_ok=True)
            for number, name in enumerate(NAMES):
                path = os.path.join(os.fsencode(above), name)
                Path(os.fsdecode(path)).write_text("x" * number)
                os.utime(path, (10**9 + number, 10**9 + number))
        (backup / "link").symlink_to("sub")
    for text in PATTERNS:
        search = contents.Search(contents.Pattern(text))
        reach = Reach(there.url("b"), None, Limits())
        assert len(list(remote.entries(reach, ["etc"], search))) == 2
        for backup in backups:
            place = backup.relative_to(root)
            local = {each._replace(time=int(each.time)) for each in
                     contents.in_tree(str(backup), search.pattern)}  # fmt: skip
            assert {*search.found(f"{there.url('b')}/{place}")} == local, text


def test_what_a_daemon_cannot_read_costs_only_its_job(daemon: MakeDaemon) -> None:
    there = daemon({"b": f"uid = nobody\ngid = nogroup\n{CHROOT}"})
    root = there.module("b")
    put(root, a_mark())
    put(root, a_mark("other"))
    root.chmod(0o755)
    closed = put(root, a_mark(when=NIGHT + timedelta(days=1))).parent
    closed.chmod(0)
    reach = Reach(there.url("b"), None, Limits())
    unread, *found = remote.entries(reach, ["etc", "other"])
    assert isinstance(unread, Unread)
    assert unread.path == "etc"
    assert "Permission denied" in unread.why
    assert [each.place.job for each in found if isinstance(each, Entry)] == ["etc", "other"]


def test_a_module_that_only_takes_names_the_option(world: World, daemon: MakeDaemon) -> None:
    there = daemon({"b": "write only = yes\n", "r": ""})
    put(there.module("r"), a_mark())
    job = {"job:etc": world.push()}
    world.write({**job, "dest:store": world.store(path=there.url("b"))})
    done = world.b1000("list")
    assert done.returncode == 1
    assert "restore_path names a module that can be read" in done.stderr
    options = {"path": there.url("b"), "restore_path": there.url("r")}
    world.write({**job, "dest:store": world.store(**options)})
    (backup,) = listed(world)
    assert backup["path"] == f"{there.url('b')}/{a_mark().directory}"


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def too_long(path: Path) -> None:
    path.write_bytes(mark.render(a_mark()).encode().ljust(form.LARGEST + 1, b"\n"))


def of_another(path: Path) -> None:
    path.write_text(mark.render(a_mark(host="web2")))


def an_escape(path: Path) -> None:
    path.with_name("\x1b[31mred\n-rw-r--r-- 1 2026 01:00:00 x.b1k").write_text("x")


@pytest.mark.parametrize("make", [a_link, os.mkfifo, too_long, of_another, an_escape])
def test_what_a_hostile_tree_holds_costs_its_own_backup(
    world: World, daemon: MakeDaemon, make: Callable[[Path], None]
) -> None:
    there = daemon({"b": ""})
    put(there.module("b"), a_mark(when=NIGHT - timedelta(days=1)))
    directory = put(there.module("b"), a_mark(), marked=False)
    make(Path(f"{directory}.b1k"))
    world.write({"job:etc": world.push(), "dest:store": world.store(path=there.url("b"))})
    assert [each["state"] for each in listed(world)] == ["complete", "unfinished"]


def test_a_daemon_that_does_not_end_its_answer_is_away() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"@RSYNCD: 31.0\n")
                while connection.recv(4096):
                    pass

        speaker = threading.Thread(target=answer)
        speaker.start()
        address = f"rsync://127.0.0.1:{server.getsockname()[1]}/b"
        there = Reach(address, None, Limits(), seconds=1.0)
        with pytest.raises(StorageAway, match="did not end its answer within 1 s"):
            list(remote.entries(there, ["etc"]))
        speaker.join()


# --- a daemon that lies

LINE = "-rw-r--r--              4 2026/11/22 01:00:00 "


def speaking(tmp_path: Path, script: str) -> None:
    """An ``rsync`` on PATH that says what a daemon can make it say."""
    program = tmp_path / "rsync"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"yes -- '{LINE}2026-11-22-Sunday/x'", "lists more than 500 names"),
        (f"yes -- '{LINE}2026-11-22-Sunday/a/b/c/d'", "lists more than 500 names"),
        ("tr '\\0' x </dev/zero", "lists more than 100000 bytes"),
        ("yes complaint >&2", "lists more than 100000 bytes"),
        ("sleep 60 & sleep 60", "did not end its answer within 1 s"),
        (f"while echo '{LINE}x'; do sleep 0.1; done", "did not end its answer within 1 s"),
        ("exec >&- 2>&-; sleep 60", "rsync"),
        (r"printf '@ERROR: \e[31mred\a\r\n' >&2; exit 5", r"x1b\[31mred"),
    ],
)
def test_what_a_daemon_can_make_a_look_take_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    speaking(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(remote, "_MOST_NAMES", 500)
    monkeypatch.setattr(session, "_MOST_BYTES", 100_000)
    there = Reach("rsync://liar/b", None, Limits(), seconds=1.0)
    with pytest.raises(StorageAway, match=said) as caught:
        list(remote.entries(there, ["etc"], contents.Search(contents.Pattern("*"))))
    assert "\x1b" not in str(caught.value)


OUTSIDE = [
    *("../../../etc/shadow.b1k", "/etc/passwd", "..", "../2026-11-22-Sunday", "."),
    *("2026-11-22-Sunday/../../x", "2026-11-22-Sunday//x", "2026-11-22-Monday/x.b1k", "\\#012"),
    *("2026-11-22-Sunday/web1-2026-11-22-Sun-01:00:00\x1b[31m", "\x1b]0;title\x07", "x" * 9000),
    *("2026-11-22-Sunday/-web1-2026-11-22-Sun-01:00:00", ".b1000-removed/web1", "-rf"),
]


@pytest.mark.parametrize("kind", ["-", "d", "l", "p"])
def test_names_outside_are_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    listing = tmp_path / "listing"
    lines = [f"{kind}{LINE[1:]}{name}\n" for name in OUTSIDE]
    listing.write_text("".join(lines) + "no line at all\n" + LINE)
    speaking(tmp_path, f"cat {listing}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = Reach("rsync://liar/b", None, Limits(), seconds=10.0)
    search = contents.Search(contents.Pattern("*"))
    assert list(remote.entries(there, ["etc"], search)) == []
    assert remote.jobs(there) == []


def test_too_many_bytes_of_marks_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever size they were listed with."""
    place = a_mark().directory.removeprefix("etc/")
    lines = f"d{LINE[1:]}{place}\n{LINE}{place}.b1k\n"
    speaking(tmp_path, f"case $* in *files-from*) yes 65536;; *) printf %s '{lines}';; esac")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = Reach("rsync://liar/b", None, Limits(), seconds=60.0)
    with pytest.raises(StorageAway, match="sends more than 268435456 bytes of marks"):
        list(remote.entries(there, ["etc"]))


def test_where_there_is_room_for_one_session_the_listing_comes_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_mark().directory.removeprefix("etc/")
    busy = "echo '@ERROR: max connections (1) reached -- try again later' >&2; exit 5"
    listing = f"mkdir {tmp_path}/first 2>&- && {{ {busy}; }}; echo 'd{LINE[1:]}{place}'"
    speaking(tmp_path, f"case $* in *list-only*) {listing};; esac")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = Reach("rsync://liar/b", None, Limits(), seconds=20.0)
    with pytest.raises(StorageAway, match="max connections"):
        list(remote.entries(there, ["etc"]))
    (tmp_path / "first").rmdir()
    with remote.Look(there, "etc", at_once=True) as look:
        assert len(list(look.entries())) == 1


TOTALS = "Number of files: 2\n\nsent 1 bytes  received 2 bytes\ntotal size is 4  speedup is 1.00"


def test_an_rsync_that_has_said_its_last_line_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_mark().directory.removeprefix("etc/")
    told = f"echo 'd{LINE[1:]}{place}'; echo '{TOTALS}'"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = Reach("rsync://liar/b", None, Limits(), seconds=5.0)
    speaking(tmp_path, f"{told}; sleep 60")
    (entry,) = remote.entries(there, ["etc"])
    assert isinstance(entry, Entry)
    assert entry.is_there
    # One that has complained is: its exit code says what that means.
    error = "echo 'rsync: [sender] opendir \"x\" failed: Permission denied (13)' >&2"
    speaking(tmp_path, f"{error}; {told}; exit 23")
    assert any(isinstance(each, Unread) for each in remote.entries(there, ["etc"]))
    there = there._replace(seconds=1.0)
    (tmp_path / "more").write_text(f"{TOTALS}\nmore\n")
    for script in (
        f"{error}; {told}",
        f"printf complaint >&2; {told}",
        f"echo '{TOTALS}' >&2",
        f"cat {tmp_path}/more",  # in one write, so that the last line is another
        f"printf '{TOTALS}'",
        f"echo '{LINE}{TOTALS.splitlines()[-1]}'",
    ):
        speaking(tmp_path, f"{script}; sleep 60")
        with pytest.raises(StorageAway, match="did not end its answer within 1 s"):
            list(remote.entries(there, ["etc"]))


def test_names_that_look_like_a_last_line_are_names(daemon: MakeDaemon) -> None:
    there = daemon({"b": ""})
    root = there.module("b")
    for number in range(3):
        put(root, a_mark(when=NIGHT + timedelta(days=number)))
    for name in ("0\ntotal size is 4", "total size is 4", "2026\ntotal size is 4\n"):
        (root / "etc" / name).write_text("text")
    found = list(remote.entries(Reach(there.url("b"), None, Limits()), ["etc"]))
    assert len([each for each in found if isinstance(each, Entry) and each.is_there]) == 3
    # Nothing is lost by it on the other side.
    assert "error" not in (there.directory / "log").read_text()


def test_a_daemon_that_lists_another_directory_or_is_slow(
    daemon: MakeDaemon, tmp_path: Path
) -> None:
    for name, text in (("secrets", "u:secret\n"), ("password", "secret\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    there = daemon({"b": f"auth users = u\nsecrets file = {tmp_path}/secrets\n"})
    password = str(tmp_path / "password")
    address = there.url("b").replace("rsync://", "rsync://u@")
    root = there.module("b")
    put(root, a_mark())
    other = put(root, a_mark("other", host="evil"))
    Path(f"{other}.b1k").write_text(mark.render(a_mark("etc", host="evil")))

    def edit(words: Sequence[str]) -> Sequence[str]:
        return [word.replace("b/etc/", "b/other/") for word in words]

    with Liar(there.port, edit) as liar:
        reach = Reach(liar.through(address), password, Limits(), seconds=20.0)
        assert list(remote.entries(reach, ["etc"]))
        for each in remote.entries(reach, ["etc"]):
            assert isinstance(each, Entry)
            assert each.mark is None, "a mark of another directory"
    with Liar(there.port) as liar:
        liar.going_on.clear()
        reach = Reach(liar.through(address), password, Limits(), seconds=1.0)
        with pytest.raises(StorageAway, match="did not end its answer within 1 s"):
            list(remote.entries(reach, ["etc"]))
