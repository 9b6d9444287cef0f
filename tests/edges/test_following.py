"""A client that falls silent: what takes minutes in earnest, with patience for seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b1000.config import shellwords
from b1000.exchange import pull
from b1000.exchange.heartbeat import Timeouts
from b1000.jobs import Destination, DestinationChoice, Job, Limits, Pull
from b1000.runs.events import Closed, CopyMoved, Relayed, RunMoved
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.client import Client, Report, utc
from tests.support.daemon import Daemon
from tests.support.worker import Supervised
from tests.support.world import wait_until

Daemons = Callable[..., Daemon]

IMPATIENT = Timeouts(silence=2.5, anew=4, ending=4, ending_badly=2)


@pytest.fixture
def client(daemon: Daemons) -> Iterator[Client]:
    made = Client(daemon({"reports": "", "backup": ""}))
    made.data()
    yield made
    made.stop()


class Storage:
    """A pull run that can be watched."""

    def __init__(self, root: Path, client: Client, include: str = "backup") -> None:
        limits = Limits(io_timeout=5, connect_timeout=2, copy_retries=0, copy_retry_min_sleep=0)
        self.root = root
        self.worker = Supervised(root, limits)
        self.job = Job(
            "system",
            "pull",
            "full",
            ((DestinationChoice("local"),),),
            (),
            {"local": Destination("local", str(root / "local"), bwlimit="500")},
            include=shellwords.split_template((client.daemon.url(include),)),
            limits=limits,
            pull=Pull(client.daemon.url("reports"), "ext", 1, 3, hosts=("ext",)),
        )
        self.error = ""
        self.timeouts = IMPATIENT

    def run(self) -> "Storage":
        self.error = self.worker.run(
            lambda assignment: pull.carry_out(assignment, self.job, self.timeouts)
        )
        return self

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run)
        thread.start()
        return thread

    def last_client(self) -> tuple[Step, Status, bool]:
        relayed = self.worker.of(Relayed)[-1]
        assert isinstance(relayed, Relayed)
        return relayed.client.step, relayed.client.status, relayed.client.judged

    def seen(self, step: Step) -> bool:
        return bool(self.worker.of(Relayed)) and self.last_client()[0] is step

    def moved(self) -> list[tuple[Step, Status]]:
        found = self.worker.of(RunMoved)
        return [(each.step, each.status) for each in found if isinstance(each, RunMoved)]

    def copied(self) -> list[CopyStatus]:
        return [each.status for each in self.worker.of(CopyMoved) if isinstance(each, CopyMoved)]


def large(client: Client, seconds: int) -> None:
    (client.backup / "large").write_bytes(b"x" * (500 * 1024 * seconds))


def test_a_client_that_died_before_it_copied(tmp_path: Path, client: Client) -> None:
    storage = Storage(tmp_path, client)
    report = client.report().write("PRE").keep_alive()
    thread = storage.start()
    wait_until(lambda: storage.seen(Step.PRE))
    report.kill()
    thread.join(30)
    assert "its client has not renewed it since" in storage.error
    assert storage.last_client() == (Step.PRE, Status.FAILED, True)
    assert not report.told()


@pytest.mark.parametrize(("step", "anew"), [("INIT", True), ("PRE", True), ("PRE", False)])
def test_a_client_that_ends_its_old_run_before_it_begins_another(
    tmp_path: Path, client: Client, step: str, anew: bool
) -> None:
    storage = Storage(tmp_path, client)
    old = client.report(start="2026-11-23 01:00:00").write(step).keep_alive()
    thread = storage.start()
    wait_until(lambda: storage.seen(Step(step)))
    old.write(status="FAILED", error="interrupted")
    wait_until(lambda: storage.last_client()[1] is Status.FAILED)
    time.sleep(2)
    if anew:
        new = client.report(start="2026-11-23 02:00:00").copying().keep_alive()
        new.end()
    thread.join(30)
    assert not old.told()
    if anew:
        assert storage.error == ""
        assert storage.copied() == [CopyStatus.COPYING, CopyStatus.DONE]
        assert new.told() == "done"
    else:
        assert storage.error == "the client's run of ext: FAILED at PRE: interrupted"
        assert storage.copied() == []


def test_a_client_that_fails_before_it_is_copied_and_goes_on(
    tmp_path: Path, client: Client
) -> None:
    storage = Storage(tmp_path, client)
    report = client.report().write("PRE").keep_alive()
    thread = storage.start()
    wait_until(lambda: storage.seen(Step.PRE))
    report.write("COPYING", "FAILED", copy="FAILED", error="backup-2 did not pull it")
    wait_until(lambda: storage.last_client()[1] is Status.FAILED)
    report.write("COPYING", "OK", copy="COPYING")
    report.end()
    thread.join(30)
    assert storage.error == ""
    assert storage.copied() == [CopyStatus.COPYING, CopyStatus.DONE]
    relayed = [each.client for each in storage.worker.of(Relayed) if isinstance(each, Relayed)]
    assert [each.status for each in relayed].count(Status.FAILED) == 1


@pytest.mark.parametrize("after", [0.0, 2.0])
def test_a_client_that_died_while_it_was_copied(
    tmp_path: Path, client: Client, after: float
) -> None:
    """Also one that lived through most of the copy: never DONE, never .done."""
    large(client, 4)
    storage = Storage(tmp_path, client)
    report = client.report().copying().keep_alive()
    thread = storage.start()
    wait_until(lambda: CopyStatus.COPYING in storage.copied())
    time.sleep(after)
    report.kill()
    thread.join(30)
    assert storage.copied() == [CopyStatus.COPYING, CopyStatus.FAILED]
    assert storage.moved()[-1] == (Step.COPYING, Status.FAILED)
    assert storage.worker.of(Closed)
    assert report.told() == "error"
    assert storage.last_client() == (Step.COPYING, Status.FAILED, True)


def test_a_report_by_others_is_believed_while_it_is_not_stale(
    tmp_path: Path, client: Client
) -> None:
    storage = Storage(tmp_path, client)
    storage.timeouts = Timeouts(silence=60)
    report = client.report(modern=False, alive=utc(time.time())).copying()
    thread = storage.start()
    report.end()
    thread.join(30)
    assert storage.copied()[-1] is CopyStatus.DONE


def test_a_dead_client_of_which_others_tell_late(tmp_path: Path, client: Client) -> None:
    """What it had said earlier is no new sign of life."""
    storage = Storage(tmp_path, client)
    report = client.report().copying()
    thread = storage.start()
    said = time.time()
    while thread.is_alive():
        said -= 1
        report.path.write_text(report.text({**report.run, "alive": utc(said), "transition": "9"}))
        time.sleep(0.4)
    assert storage.copied() == [CopyStatus.COPYING, CopyStatus.FAILED]
    assert report.told() == "error"


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_client_that_is_about_to_go_on(tmp_path: Path, client: Client, goes_on: bool) -> None:
    """With --copy it offers nothing for a moment; one that stays so has given up."""
    large(client, 1)
    storage = Storage(tmp_path, client)
    report = client.report().copying().keep_alive()
    thread = storage.start()
    wait_until(lambda: (tmp_path / "local").exists())
    report.write(copy="FAILED")
    time.sleep(2.5)
    assert CopyStatus.FAILED not in storage.copied()
    if goes_on:
        report.write(copy="COPYING").end()
    thread.join(30)
    assert storage.copied()[-1] is (CopyStatus.DONE if goes_on else CopyStatus.FAILED)
    assert report.told() == ("done" if goes_on else "")


@pytest.mark.parametrize("modern", [True, False])
def test_a_client_that_did_not_hear_is_told_again(
    tmp_path: Path, client: Client, modern: bool
) -> None:
    """Not so an older program: it removes what it was told because it has heard it."""
    storage = Storage(tmp_path, client)
    report = client.report(modern=modern).copying().keep_alive()
    thread = storage.start()
    wait_until(report.told)
    report.notification().unlink()
    if modern:
        report.end()
    thread.join(30)
    assert storage.moved()[-1] == (Step.DONE, Status.OK)
    assert report.told() == ("done" if modern else "")


def test_a_client_that_goes_on_after_an_error_waits_for_a_new_pull(
    tmp_path: Path, client: Client
) -> None:
    storage = Storage(tmp_path, client, include="backup/missing")
    report = client.report().copying().keep_alive()
    thread = storage.start()
    wait_until(report.told)
    assert report.told() == "error"
    report.notification("error").unlink()
    thread.join(30)
    assert storage.moved()[-1] == (Step.COPYING, Status.FAILED)
    assert report.told() == ""


def test_a_client_that_dies_in_post(tmp_path: Path, client: Client) -> None:
    storage = Storage(tmp_path, client)
    storage.timeouts = IMPATIENT._replace(ending=30)
    report = client.report().copying().keep_alive()
    thread = storage.start()
    wait_until(report.told)
    report.write("POST", copy="DONE")
    wait_until(lambda: storage.seen(Step.POST))
    report.kill()
    thread.join(30)
    assert storage.moved()[-1] == (Step.DONE, Status.WARNING)
    assert storage.copied()[-1] is CopyStatus.DONE
    assert storage.last_client() == (Step.POST, Status.FAILED, True)


def test_a_client_that_waits_for_others_still_is_not_waited_for(
    tmp_path: Path, client: Client
) -> None:
    storage = Storage(tmp_path, client)
    report = client.report().copying().keep_alive()
    began = time.monotonic()
    storage.run()
    assert time.monotonic() - began < 15
    assert storage.moved()[-1] == (Step.DONE, Status.OK)
    assert report.told() == "done"


def test_a_daemon_that_goes_while_the_client_prepares(tmp_path: Path, client: Client) -> None:
    storage = Storage(tmp_path, client)
    client.report().write("PRE").keep_alive()
    thread = storage.start()
    wait_until(lambda: storage.seen(Step.PRE))
    client.daemon.stop()
    thread.join(30)
    assert "cannot be looked at any more: connection refused by 127.0.0.1" in storage.error
    assert storage.last_client() == (Step.PRE, Status.FAILED, True)


class Skewed(Report):
    """A report of a host whose clock is wrong by ten years."""

    def text(self, keys: dict[str, str]) -> str:  # type: ignore[override]
        wrong = {key: each.replace("2026-", "2036-") for key, each in keys.items()}
        return super().text({**keys, "alive": wrong["alive"]})


def test_a_clock_that_is_wrong_does_not_matter(tmp_path: Path, client: Client) -> None:
    storage = Storage(tmp_path, client)
    report = Skewed(client.reports)
    client.written.append(report)
    report.copying()
    report.keep_alive()
    thread = storage.start()
    report.end()
    thread.join(30)
    assert storage.moved()[-1] == (Step.DONE, Status.OK)
