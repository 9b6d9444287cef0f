"""Pulling from a client: which report, when, what is copied, what is told and relayed."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.b1k import mark
from b1000.errors import B1000Error
from b1000.exchange.listing import MOST_ENTRIES
from b1000.state.queries import Reader
from tests.support.client import Client, Report, client_is_at, is_at, last, pull, storage
from tests.support.daemon import Daemon
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]


@pytest.fixture
def client(daemon: Daemons) -> Iterator[Client]:
    """A client with data and no report yet."""
    made = Client(daemon({"reports": "", "backup": "read only = yes", "other": ""}))
    made.data()
    yield made
    made.stop()


def state(world: World, job: str = "system") -> tuple[str, str]:
    run = last(world, job)
    return run.step, run.status


def data(world: World, job: str = "system", store: str = "local") -> dict[str, object]:
    """What the only copy of a job holds."""
    (found,) = (path for path in (world.root / store / job).glob("*/*") if path.is_dir())
    return dict(tree(found))


def copies(world: World) -> bool:
    """Whether rsync is at work on the copy of a pull."""
    return is_at(world, "COPYING") and bool(list(world.root.glob("local/*/*/*")))


def in_background(act: Callable[[], object]) -> None:
    threading.Thread(target=act, daemon=True).start()


def slow(client: Client, seconds: int = 4) -> dict[str, object]:
    """Data, and an option of the destination with which it takes some seconds to copy it."""
    (client.backup / "large").write_bytes(os.urandom(seconds * 500 * 1024))
    return {"bwlimit": "500"}


def slow_storage(world: World, client: Client, seconds: int = 4, **options: object) -> None:
    local = {**world.store("local"), "min_free": 0, **slow(client, seconds)}
    world.write(
        {
            "global": {"host": "backup-2"},
            "dest:local": local,
            "job:system": pull(client, **options),
        }
    )


WHOLE = {f"file{number}": f"content {number}\n".encode() for number in range(3)}
YESTERDAY = f"{datetime.now() - timedelta(days=1):%Y-%m-%d %H:%M:%S}"
EARLIER = f"{datetime.now() - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"


# --- the whole way


def test_the_mark_of_what_was_pulled_is_its_clients(world: World, client: Client) -> None:
    storage(world, client)
    names = {"master_host": "db1", "master_instance": "3307"}
    in_background(client.report(**names).copying().keep_alive().end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    root = world.root / "local"
    (found,) = root.glob("*/*/*.b1k")
    told = mark.parse(found.read_bytes(), str(found.relative_to(root)).removesuffix(".b1k"))
    run = last(world)
    whose = told.report
    assert (whose.host, whose.instance) == ("ext", "")
    assert (whose.master_host, whose.master_instance) == ("db1", "3307")
    assert (whose.job, whose.direction, whose.start_time) == ("system", "pull", run.start_time)
    assert (told.run, told.complete) == (run.first_uid, True)


def test_a_pull_from_init_to_done(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report().write().keep_alive()
    running = world.start()
    wait_until(lambda: client_is_at(world, "INIT"))
    report.write("PRE")
    wait_until(lambda: client_is_at(world, "PRE"))
    assert state(world) == ("INIT", "OK")
    report.copying()
    report.end()
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, out + err
    assert state(world) == ("DONE", "OK")
    assert data(world) == WHOLE
    (relayed,) = last(world).clients
    assert (relayed.host, relayed.job, relayed.step) == ("ext", "ext", "DONE")
    assert (relayed.copy_status, relayed.judged) == ("DONE", False)
    assert report.told() == "done"
    assert report.notification().read_bytes() == b""
    assert not world.processes()
    shown = world.b1000("status", "--run", str(last(world).run_id)).stdout
    for step in ("INIT", "PRE", "COPYING", "DONE"):
        assert f"  ext/ext: {step}\n" in shown


@pytest.mark.parametrize("prepared", [True, False])
def test_only_a_client_that_is_not_ready_is_waited_for(
    world: World, client: Client, prepared: bool
) -> None:
    storage(world, client)
    report = client.report().write("PRE").keep_alive()
    if prepared:
        in_background(report.copying().end)
    running = world.start()
    if not prepared:
        wait_until(lambda: client_is_at(world, "PRE"))
        report.copying()
        report.end()
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, out + err
    assert ("ext to prepare" in out) != prepared


def test_what_was_sent_is_what_the_client_has_sent(world: World, client: Client) -> None:
    storage(world, client)
    (client.backup / "large").write_bytes(os.urandom(300_000))
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    with world.journal() as journal:
        assert journal.execute("SELECT sent > 300000 FROM copies").fetchall() == [(1,)]


def test_the_directory_bears_the_names_of_the_client(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report(master_host="db1", master_instance="3307", data_age="12").copying()
    in_background(report.keep_alive().end)
    assert world.b1000().returncode == 0
    (copy,) = last(world).copies
    assert Path(copy.path).name.startswith("ext-db1-3307-")
    assert Path(copy.path).parent.parent == world.root / "local" / "system"
    assert last(world).snapshot.data_age == 12


def test_what_the_old_program_writes_is_understood(world: World, client: Client) -> None:
    """Only the keys of a run and its copies; the report is removed right after .done."""
    storage(world, client)
    report = client.report(modern=False).copying()

    def old_client() -> None:
        wait_until(report.told)
        report.path.unlink()
        report.notification().unlink()

    in_background(old_client)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert state(world) == ("DONE", "OK")
    (relayed,) = last(world).clients
    assert (relayed.step, relayed.status, relayed.judged) == ("DONE", "OK", True)


def test_reports_in_a_directory_below_a_module(world: World, client: Client) -> None:
    below = client.reports / "of" / "ext"
    below.mkdir(parents=True)
    storage(world, client, report_source=client.daemon.url("reports/of/ext"))
    client.reports = below
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert data(world) == WHOLE
    assert report.told() == "done"


def test_the_host_is_told_as_the_client_writes_it(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report(puller="backup-2.example.com").copying().keep_alive()
    in_background(report.end)
    assert world.b1000().returncode == 0
    names = sorted(path.name for path in client.reports.iterdir() if path.name[0] != ".")
    assert names == [report.name, f"{report.name}.backup-2.example.com.done"]


def test_several_destinations_and_a_sync(world: World, client: Client) -> None:
    (client.backup / "skip.tmp").write_text("no")
    world.write(
        {
            "global": {"host": "backup-2"},
            "dest:local": {**world.store("local"), "min_free": 0},
            "dest:other": {**world.store("other"), "min_free": 0, "exclude": "file1"},
            "job:system": pull(
                client, type="sync", dest="local& other", exclude="*.tmp", delete="yes"
            ),
        }
    )
    stale = world.root / "local" / "system" / "ext" / "stale"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert tree(world.root / "local" / "system" / "ext") == WHOLE
    assert sorted(tree(world.root / "other" / "system" / "ext")) == ["file0", "file2"]


def test_options_of_rsync_apply(world: World, client: Client) -> None:
    deep = client.backup / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "c").write_text("c")
    world.write(
        {
            "global": {"host": "backup-2", "log_level": "DEBUG"},
            "dest:local": {
                **world.store("local"),
                "rsync_options": "--chmod=F600 --devices --specials",
                "bwlimit": "10m",
                "compress": "yes",
            },
            "job:system": pull(
                client, relative="yes", include=client.daemon.url("backup/a/b"), hard_links="yes"
            ),
        }
    )
    os.mkfifo(deep / "fifo")
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert data(world) == {"a": None, "a/b": None, "a/b/c": b"c"}
    for option in ("--bwlimit=10m", "--compress", "--hard-links", "--relative", "--contimeout"):
        assert option in done.stdout


@pytest.mark.parametrize("words", [("backup/a/./", "backup/b/./"), ("backup/*/./",)])
@pytest.mark.parametrize("name", ["index.html", ""])
def test_what_two_addresses_keep_with_relative_may_meet(
    world: World, client: Client, words: tuple[str, ...], name: str
) -> None:
    """Directories of one name become one, and nothing is lost of them."""
    for site in ("a", "b"):
        (client.backup / site / "img").mkdir(parents=True)
        (client.backup / site / "img" / (name or site)).write_text(site)
    addresses = [client.daemon.url(f"{word}img") for word in words]
    if len(addresses) > 1:
        addresses[1] = client.daemon.url("backup/b/./")
    storage(world, client, include=" ".join(addresses), relative="yes")
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == bool(name), done.stdout
    if name:
        told = last(world, "system").copies[0].error
        assert "several sources brought img/index.html while they were copied" in told
    else:
        assert data(world) == {"img": None, "img/a": b"a", "img/b": b"b"}


@pytest.mark.parametrize("words", [("backup/a/", "backup/b/"), ("backup/*/",)])
@pytest.mark.parametrize("exclude", ["", "index.html"])
def test_what_two_addresses_both_bring_is_refused(
    world: World, client: Client, words: tuple[str, ...], exclude: str
) -> None:
    for name in ("a", "b"):
        (client.backup / name).mkdir()
        (client.backup / name / "index.html").write_text(name)
        (client.backup / name / f"only-{name}").touch()
    addresses = [client.daemon.url(word) for word in words]
    storage(world, client, include=" ".join(addresses), **({"exclude": exclude} if exclude else {}))
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    if exclude:
        assert done.returncode == 0, done.stdout
        found = {path.name for path in world.root.glob("local/**/only-*")}
        assert found == {"only-a", "only-b"}
        return
    assert done.returncode == 1
    assert "would become one at the destination" in done.stdout
    assert "index.html; relative = yes" in done.stdout
    assert all(address in last(world, "system").copies[0].error for address in addresses)
    assert not list(world.root.glob("local/**/index.html"))


def test_a_password_file(world: World, daemon: Daemons, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("backup:tiger\n")
    secrets.chmod(0o600)
    password = tmp_path / "password"
    password.write_text("tiger\n")
    password.chmod(0o600)
    closed = f"auth users = backup\nsecrets file = {secrets}"
    client = Client(daemon({"reports": closed, "backup": closed}))
    client.data()

    def with_user(module: str) -> str:
        return client.daemon.url(module).replace("//", "//backup@")

    options = {"include": with_user("backup"), "report_source": with_user("reports")}
    storage(world, client, **options, password_file=password)
    report = client.report().copying().keep_alive()
    in_background(report.end)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert data(world) == WHOLE
    password.write_text("lion\n")
    storage(world, client, **options, password_file=password, report_poll_retries=1)
    done = world.b1000()
    assert done.returncode == 1
    assert "refuses user or password for module 'reports'" in last(world).error
    client.stop()


# --- which report


def test_no_report_fails_at_init_in_its_own_name(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=2)
    began = time.monotonic()
    assert world.b1000().returncode == 1
    assert time.monotonic() - began < 10
    run = last(world)
    assert (run.step, run.status, run.host, run.clients) == ("INIT", "FAILED", "backup-2", ())
    assert "no report for backup-2 at rsync://" in run.error
    assert "polled 2 times" in run.error
    assert "there is none" in run.error


def test_the_report_of_the_job_that_is_wanted(world: World, client: Client) -> None:
    storage(world, client, report_job="www")
    other = client.report("ext").copying().keep_alive()
    report = client.report("www").copying().keep_alive()
    in_background(report.end)
    assert world.b1000().returncode == 0
    assert last(world).clients[0].job == "www"
    assert not other.told()


def test_two_pulls_of_one_client_take_their_own(world: World, client: Client) -> None:
    """The one whose client comes late does not take what is the other's."""
    storage(world, client)
    (client.daemon.module("other") / "www").write_text("www")
    sections: dict[str, dict[str, object]] = {
        "global": {"host": "backup-2"},
        "dest:local": {**world.store("local"), "min_free": 0},
        "job:system": pull(client, report_job="ext"),
        "job:www": pull(client, include=client.daemon.url("other")),
    }
    world.write(sections)
    early = client.report("ext").copying().keep_alive()
    in_background(early.end)
    running = world.start()
    wait_until(lambda: is_at(world, "DONE"))
    assert last(world, "www").clients == ()
    late = client.report("www").copying().keep_alive()
    in_background(late.end)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0, out
    assert data(world) == WHOLE
    assert data(world, "www") == {"www": b"www"}


def test_several_that_could_be_meant_are_named(world: World, client: Client) -> None:
    storage(world, client)
    reports = [client.report(job).copying().keep_alive() for job in ("ext", "www")]
    assert world.b1000().returncode == 1
    assert last(world).step == "INIT"
    for each in reports:
        assert each.name in last(world).error
        assert not each.told()


@pytest.mark.parametrize(
    "keys",
    [
        {"start": YESTERDAY, "alive": "2026-01-01T00:00:00Z", "modern": False},
        {"start": EARLIER, "step": "DONE"},
        {"start": EARLIER, "status": "FAILED"},
        {"puller": "backup-3"},
        {"puller": "backup-2.a.example", "host": "ext"},
        {"direction": "push"},
    ],
)
def test_what_is_not_for_us_now_is_never_taken(
    world: World, client: Client, keys: dict[str, object]
) -> None:
    storage(world, client, report_poll_retries=2)
    if keys.get("puller") == "backup-2.a.example":
        text = world.config.read_text().replace("backup-2", "backup-2.b.example")
        world.config.write_text(text)
    step = str(keys.pop("step", "COPYING"))
    report = client.report(**keys).write(step, copy="COPYING")
    assert world.b1000().returncode == 1
    assert state(world) == ("INIT", "FAILED")
    assert not report.told()
    assert not (world.root / "local").exists()


def test_a_report_of_yesterday_of_an_old_program(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=2)
    report = client.report(start=YESTERDAY, modern=False).copying()
    os.utime(report.path, (time.time() - 90000, time.time() - 90000))
    assert world.b1000().returncode == 1
    assert "it has not been written for 24 h" in last(world).error
    assert not report.told()


def test_an_older_report_of_the_same_job_is_dead(world: World, client: Client) -> None:
    storage(world, client)
    old = client.report(start=EARLIER).copying().keep_alive()
    report = client.report().copying().keep_alive()
    in_background(report.end)
    assert world.b1000().returncode == 0
    assert report.told() == "done"
    assert not old.told()


def test_what_was_pulled_already_is_not_pulled_again(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=1)
    report = client.report().copying().keep_alive()
    report.notification().touch()
    assert world.b1000().returncode == 1
    assert "it is pulled already" in last(world).error


def test_one_report_is_pulled_by_one_at_a_time(world: World, client: Client) -> None:
    slow_storage(world, client, report_job="ext")
    with world.config.open("a") as file:
        options = pull(client, report_job="ext", report_poll_retries=2)
        file.write("[job:again]\n" + "".join(f"{k} = {v}\n" for k, v in options.items()))
    report = client.report().copying().keep_alive()
    running = world.start("system")
    wait_until(lambda: copies(world))
    assert world.b1000("again").returncode == 1
    assert "another pull is at work on it" in last(world, "again").error
    report.end()
    running.communicate(timeout=30)
    assert running.returncode == 0


# --- waiting


def test_a_daemon_that_comes_later(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=20)
    client.daemon.stop()
    running = world.start()
    time.sleep(2)
    client.daemon.start()
    report = client.report().write().keep_alive()
    wait_until(lambda: client_is_at(world, "INIT"))
    client.daemon.stop()
    time.sleep(2)
    client.daemon.start()
    report.copying()
    report.end()
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_no_place_for_a_report_is_a_look_that_failed(world: World, client: Client) -> None:
    """And no more than that, where there is some again."""
    storage(world, client)
    report = client.report().write("PRE").keep_alive()
    place = world.root / "tmp"
    place.mkdir()
    running = world.start(environment={"TMPDIR": str(place)})
    wait_until(lambda: client_is_at(world, "PRE"))
    wait_until(lambda: not _removal(place))
    time.sleep(2)
    place.mkdir()
    report.copying()
    report.end()
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0, out
    assert "Traceback" not in out


def _removal(place: Path) -> str:
    """Why a directory that is in use now and then could not be removed, or ""."""
    try:
        place.rmdir()
    except OSError as error:
        return str(error)
    return ""


def test_once_seen_it_is_followed_however_long_pre_takes(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=2)
    report = client.report().write("PRE").keep_alive()
    running = world.start()
    time.sleep(5)
    report.copying()
    report.end()
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_report_wait_ends_it(world: World, client: Client) -> None:
    storage(world, client, report_wait=2)
    client.report().write("PRE").keep_alive()
    assert world.b1000().returncode == 1
    assert "still at PRE after 2 s (report_wait)" in last(world).error
    assert state(world) == ("INIT", "FAILED")


def test_a_client_that_failed_before_it_copied(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report().write("PRE").keep_alive()
    running = world.start()
    wait_until(lambda: client_is_at(world, "PRE"))
    report.write(status="FAILED", error="pre: ended with exit code 7")
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert last(world).error == (
        "the client's run of ext: FAILED at PRE: pre: ended with exit code 7"
    )
    (relayed,) = last(world).clients
    assert (relayed.status, relayed.step, relayed.judged) == ("FAILED", "PRE", False)


def test_a_client_whose_report_vanishes(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report().write("PRE").keep_alive()
    running = world.start()
    wait_until(lambda: client_is_at(world, "PRE"))
    report.kill()
    report.path.unlink()
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert "its report is gone" in last(world).error
    (relayed,) = last(world).clients
    assert (relayed.status, relayed.judged) == ("FAILED", True)


def test_a_client_that_begins_anew_is_pulled_then(world: World, client: Client) -> None:
    storage(world, client)
    first = client.report(start=EARLIER).write("PRE").keep_alive()
    running = world.start()
    wait_until(lambda: client_is_at(world, "PRE"))
    first.kill()
    second = client.report().write("PRE").keep_alive()
    wait_until(lambda: len(last(world).clients) == 2)
    second.copying()
    second.end()
    running.communicate(timeout=30)
    assert running.returncode == 0
    old, new = last(world).clients
    assert (old.status, old.judged) == ("FAILED", True)
    assert (new.step, new.status) == ("DONE", "OK")


# --- places


def test_a_waiting_pull_holds_no_place(world: World, client: Client) -> None:
    world.files()
    world.write(
        {
            "global": {"host": "backup-2", "workers": 1},
            "dest:local": {**world.store("local"), "min_free": 0},
            "dest:store": world.store(),
            "job:system": pull(client, report_poll_retries=20),
            "job:web": pull(client, report_poll_retries=20),
            "job:etc": world.push(),
        }
    )
    running = world.start()
    wait_until(lambda: is_at(world, "DONE", "etc"))
    assert last(world).waiting.startswith("a report for backup-2")
    for job in ("system", "web"):
        report = client.report(job).copying().keep_alive()
        in_background(report.end)
    out, _ = running.communicate(timeout=40)
    assert running.returncode == 0, out


def test_one_client_leaves_a_place_to_others(world: World, client: Client) -> None:
    world.files()
    jobs = ("a", "b", "c")
    slow_storage(world, client, 3)
    local = {**world.store("local"), "min_free": 0, "bwlimit": "500"}
    world.write(
        {
            "global": {"host": "backup-2", "workers": 2},
            "dest:local": local,
            "dest:store": world.store(),
            **{f"job:{job}": pull(client) for job in jobs},
        }
    )
    for job in jobs:
        report = client.report(job).copying().keep_alive()
        in_background(lambda report=report: report.end(60))  # type: ignore[misc]
    running = world.start()
    most = 0
    while running.poll() is None:
        # All in one look: what one look after the other sees may never have been so at once.
        with (
            contextlib.suppress(B1000Error),
            Reader(world.status_dir / "journal.sqlite3") as reader,
        ):
            runs = reader.unfinished()
            most = max(most, sum(run.step == "COPYING" and not run.waiting for run in runs))
        time.sleep(0.1)
    out, _ = running.communicate()
    assert running.returncode == 0, out
    assert most == 1


# --- no stale data


def test_a_client_that_fails_while_it_is_copied(world: World, client: Client) -> None:
    """It timed out, and begins to write its dump anew."""
    slow_storage(world, client)
    report = client.report().copying().keep_alive()
    running = world.start()
    wait_until(lambda: copies(world))
    report.write(status="FAILED", copy="FAILED", error="backup-2 did not pull within 1 s (timeout)")
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert state(world) == ("COPYING", "FAILED")
    assert "the client gave up while we copied: FAILED at COPYING: backup-2 did not" in (
        last(world).copies[0].error
    )
    assert not report.told()
    assert last(world).ending == "CLOSED"
    assert world.b1000("--copy").returncode == 0
    assert state(world) == ("COPYING", "FAILED")
    assert not world.status_files()


def test_a_newer_report_while_it_is_copied(world: World, client: Client) -> None:
    slow_storage(world, client)
    report = client.report(start=EARLIER).copying().keep_alive()
    running = world.start()
    wait_until(lambda: copies(world))
    client.report().write().keep_alive()
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert "a newer run has begun" in last(world).copies[0].error
    assert report.told() != "done"


def test_a_report_that_becomes_another_while_it_is_copied(world: World, client: Client) -> None:
    slow_storage(world, client)
    report = client.report().copying().keep_alive()
    running = world.start()
    wait_until(lambda: copies(world))
    report.run["host"] = "somebody"
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert "its report is now about something else" in last(world).copies[0].error
    assert report.told() != "done"


# --- telling


def test_an_error_is_told_and_the_run_is_closed(world: World, client: Client) -> None:
    storage(world, client, include=client.daemon.url("backup/missing"))
    report = client.report().copying().keep_alive()
    running = world.start()
    report.end()
    said, _ = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "b1000 --copy" not in said, "nothing does: the run is closed"
    assert report.told() == "error"
    run = last(world)
    assert (run.step, run.status, run.ending) == ("COPYING", "FAILED", "CLOSED")
    assert "missing at the source" in run.copies[0].error
    assert "the client was notified" in run.error
    assert (run.clients[0].step, run.clients[0].status) == ("COPYING", "FAILED")
    assert world.b1000("--copy").returncode == 0
    assert not world.status_files()


@pytest.mark.parametrize(
    ("include", "kept"), [("home/*", "b[x]b/file"), ("home/b*/ backup/home/a*", "file")]
)
def test_with_delete_each_directory_of_a_glob_is_looked_into(
    world: World, client: Client, include: str, kept: str
) -> None:
    """As in a push: a disk that is not mounted at the client is empty."""
    home = client.backup / "home"
    for name in ("ann", "b[x]b", "c d"):
        (home / name).mkdir(parents=True)
        (home / name / "file").write_text(name)
    (home / "link").symlink_to("nowhere")
    addresses = map(client.daemon.url, f"backup/{include}".split())
    storage(world, client, type="sync", delete="yes", include=" ".join(addresses))
    for code in (0, 1):
        report = client.report(start=f"{datetime.now():%Y-%m-%d %H:%M:%S}").copying().keep_alive()
        in_background(report.end)
        done = world.b1000()
        assert done.returncode == code, done.stdout
        assert (world.root / "local/system/ext" / kept).read_text() == "b[x]b"
        report.kill()
        (home / "b[x]b" / "file").unlink(missing_ok=True)
        time.sleep(1)  # a start time of its own
    error = last(world).copies[0].error
    assert "is empty; with delete = yes the destination would be emptied of what" in error


@pytest.mark.parametrize(
    ("files", "directories", "told"),
    [
        (MOST_ENTRIES, 1, "/home/zz/ is empty"),
        (0, MOST_ENTRIES, f"/home/* brings more than {MOST_ENTRIES} directories, too many"),
    ],
)
def test_so_it_is_behind_many_names(
    world: World, client: Client, files: int, directories: int, told: str
) -> None:
    home = client.backup / "home"
    home.mkdir()
    for number in range(files):
        (home / f"{number}").touch()
    for number in range(directories - 1):
        (home / f"{number}").mkdir()
    for name in ("aa", "zz"):
        (home / name).mkdir()
    (home / "aa" / "file").touch()
    address = client.daemon.url("backup/home/*")
    storage(world, client, type="sync", delete="yes", include=address)
    report = client.report().copying().keep_alive()
    in_background(report.end)
    assert world.b1000().returncode == 1
    error = last(world).copies[0].error
    assert told in error
    assert "the destination would be emptied" in error
    report.kill()


def test_an_empty_source_with_delete_empties_nothing(world: World, client: Client) -> None:
    (client.backup / "empty").mkdir()
    for include in ("other", "backup/empty", "backup/empty/", "backup/missing", "other/*"):
        storage(
            world,
            client,
            type="sync",
            delete="yes",
            include=client.daemon.url(include),
        )
        kept = world.root / "local" / "system" / "ext" / "kept"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text("kept")
        report = client.report(start=f"{datetime.now():%Y-%m-%d %H:%M:%S}").copying().keep_alive()
        in_background(report.end)
        assert world.b1000().returncode == 1
        assert "the destination would be emptied" in last(world).copies[0].error
        assert kept.exists()
        wait_until(lambda report=report: "FAILED" in report.path.read_text())  # type: ignore[misc]
        report.kill()
        time.sleep(1)  # a start time of its own


def unnotified(world: World, daemon: Daemons) -> tuple[Client, Report, subprocess.Popen[str]]:
    """A pull that has copied, and can tell its client nothing."""
    client = Client(daemon({"reports": "read only = yes", "backup": ""}))
    client.data()
    storage(world, client)
    report = client.report().copying().keep_alive()
    running = world.start()
    wait_until(lambda: is_at(world, "POST"))
    return client, report, running


def test_a_report_directory_that_takes_nothing(world: World, daemon: Daemons) -> None:
    client, report, running = unnotified(world, daemon)
    # It is followed all the same: what became of it is to be seen.
    report.write(status="FAILED", copy="FAILED", error="nobody pulled it")
    running.communicate(timeout=30)
    assert running.returncode == 0
    assert state(world) == ("DONE", "WARNING")
    assert "could not be notified that its data was copied" in last(world).error
    assert "read only" in last(world).error
    assert "nobody pulled it" in last(world).error
    assert last(world).clients[-1].status == "FAILED"
    assert data(world) == WHOLE
    report.kill()
    # What failed and could not be told stays resumable.
    storage(world, client, include=client.daemon.url("backup/missing"))
    client.report(start=f"{datetime.now():%Y-%m-%d %H:%M:%S}").copying().keep_alive()
    assert world.b1000().returncode == 1
    assert last(world).ending == "FINISHED"
    assert "the client could not be notified" in last(world).error
    assert world.status_files()
    client.stop()


def test_a_client_that_could_not_be_told_is_told_later(world: World, daemon: Daemons) -> None:
    client, report, running = unnotified(world, daemon)
    assert not report.told()
    config = client.daemon.config
    config.write_text(config.read_text().replace("read only = yes", ""))
    report.end().kill()
    running.communicate(timeout=30)
    assert running.returncode == 0
    assert state(world) == ("DONE", "OK")
    assert last(world).clients[-1].step == "DONE"


def test_a_client_that_fails_in_post_is_a_warning(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report().copying().keep_alive()
    running = world.start()
    wait_until(report.told)
    report.write("POST", copy="DONE")
    wait_until(lambda: client_is_at(world, "POST"))
    report.write(status="FAILED", error="post: ended with exit code 3")
    running.communicate(timeout=30)
    assert running.returncode == 0
    assert state(world) == ("DONE", "WARNING")
    assert "FAILED at POST: post: ended with exit code 3" in last(world).error
    (relayed,) = last(world).clients
    assert (relayed.step, relayed.status) == ("POST", "FAILED")


# --- killed


def kill(world: World, step: Callable[[], object]) -> None:
    running = world.start()
    wait_until(step)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)


def test_killed_while_it_waits(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=50)
    report = client.report().write("PRE").keep_alive()
    kill(world, lambda: client_is_at(world, "PRE"))
    wait_until(lambda: not world.processes())
    report.copying()
    in_background(report.end)
    # There is nothing to go on with; that it has failed is told once.
    assert world.b1000("--copy").returncode == 1
    assert state(world) == ("INIT", "FAILED")
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert state(world) == ("DONE", "OK")


def test_killed_while_it_copies_it_resumes(world: World, client: Client) -> None:
    slow_storage(world, client)
    report = client.report().copying().keep_alive()
    kill(world, lambda: copies(world))
    in_background(report.end)
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert state(world) == ("DONE", "OK")
    assert sorted(data(world)) == ["file0", "file1", "file2", "large"]
    assert report.told() == "done"


def test_a_client_that_refuses_checksums_is_copied_once_more(world: World, daemon: Daemons) -> None:
    client = Client(daemon({"reports": "", "backup": "read only = yes\nrefuse options = checksum"}))
    client.data()
    slow_storage(world, client)
    report = client.report().copying().keep_alive()
    kill(world, lambda: "file0" in data_so_far(world))
    (victim,) = world.root.glob("local/*/*/*/file0")
    before = victim.stat()
    victim.write_bytes(b"x" * before.st_size)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    in_background(report.end)
    done = world.b1000("--copy")
    client.stop()
    assert done.returncode == 0, done.stdout
    assert "refuses the option --checksum" in done.stdout
    assert state(world) == ("DONE", "OK")
    assert {name: content for name, content in data(world).items() if name != "large"} == WHOLE


def data_so_far(world: World) -> set[str]:
    """The names that have arrived, while a copy is under way."""
    return {path.name for path in world.root.glob("local/*/*/*/*")}


def test_killed_while_it_copies_and_the_client_has_failed(world: World, client: Client) -> None:
    slow_storage(world, client)
    report = client.report().copying().keep_alive()
    kill(world, lambda: copies(world))
    report.write(status="FAILED", copy="FAILED", error="timeout")
    assert world.b1000("--copy").returncode == 1
    run = last(world)
    assert (run.step, run.status, run.ending) == ("COPYING", "FAILED", "CLOSED")
    assert "the client no longer offers it" in run.error
    assert not report.told()
    assert world.b1000("--copy").returncode == 0


def test_killed_after_it_has_told(world: World, client: Client) -> None:
    storage(world, client)
    report = client.report().copying().keep_alive()
    kill(world, lambda: is_at(world, "POST"))
    assert report.told() == "done"
    in_background(report.end)
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert state(world) == ("DONE", "OK")
    assert last(world).clients[-1].step == "DONE"


def test_stopped_by_a_signal_it_ends_soon(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=50)
    running = world.start()
    wait_until(lambda: is_at(world, "INIT"))
    time.sleep(1)
    began = time.monotonic()
    running.terminate()
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 15
    assert not world.processes()
