"""Names of runs are kept apart among all programs of a machine, whatever journal they have."""

import multiprocessing
import socket
import subprocess
import sys
from pathlib import Path

from b1000.jobs import Destination, Job
from b1000.runs.task import Task, TaskKind
from b1000.supervise.naming import Reservations


def task(job: str, instance: str = "") -> Task:
    store = Destination("store", "rsync://backup/b1000")
    return Task(TaskKind.RUN, Job(job, "push", "full", (), (), {"store": store}), instance)


def test_a_second_is_given_once(tmp_path: Path) -> None:
    place = str(tmp_path / "names")
    one, two = Reservations("web", place), Reservations("web", place)
    assert one.reserve(task("etc"), 1000) == 1000
    assert two.reserve(task("etc"), 1000) == 1001
    assert two.reserve(task("etc"), 1001) == 1001
    assert one.reserve(task("etc"), 1000) == 1002
    assert two.reserve(task("etc", "a"), 1000) == 1000
    other = Reservations("db", place)
    assert other.reserve(task("etc"), 1000) == 1000
    # What a clock that was set back left ahead stands in no way.
    assert one.reserve(task("etc"), 900) == 900
    for each in (one, two, other):
        each.close()


def test_it_stays_given_when_its_holder_has_ended(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.edges.test_naming import Reservations, task; "
        "print(Reservations('web', sys.argv[1]).reserve(task('etc'), 2000))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "names")],
            capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert told == ["2000\n", "2001\n"]


def take(place: str) -> int:
    """As a program would: it waits for what it is told."""
    names, second = Reservations("web", place), 3000
    while (free := names.reserve(task("etc"), second)) != second:
        second = free
    names.close()
    return second


def test_many_at_once_get_a_second_each(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        taken = pool.map(take, [str(tmp_path / "names")] * 40)
    assert sorted(taken) == list(range(3000, 3040))


def test_where_nothing_can_be_noted_runs_go_on_and_claim(tmp_path: Path) -> None:
    names = Reservations(socket.gethostname(), str(tmp_path / "no" / "such" / "place"))
    assert names.reserve(task("etc"), 1000) == 1000
    assert not names.are_of_machine
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    names = Reservations(socket.gethostname(), str(tmp_path / "link"))
    assert not names.are_of_machine
    assert not (tmp_path / "victim").exists()


def test_local_directories_and_other_daemons_are_apart(tmp_path: Path) -> None:
    names = Reservations("web", str(tmp_path / "names"))
    near = Destination("near", str(tmp_path))
    local = Task(TaskKind.RUN, Job("etc", "push", "full", (), (), {"near": near}))
    assert [names.reserve(local, 1000) for _ in range(3)] == [1000] * 3
    other = Destination("store", "rsync://elsewhere/b1000")
    far = Task(TaskKind.RUN, Job("etc", "push", "full", (), (), {"store": other, "near": near}))
    assert names.reserve(task("etc"), 1000) == 1000
    assert names.reserve(far, 1000) == 1000
    assert names.reserve(far, 1000) == 1001
    names.close()


def test_only_the_machines_own_name_is_its_own(tmp_path: Path) -> None:
    own, other = (
        Reservations(name, str(tmp_path / "n")) for name in (socket.gethostname(), "client")
    )
    assert own.are_of_machine
    assert not other.are_of_machine
    own.close()
    other.close()
