"""The crash matrix of two hosts: either is struck at its commits, the other goes on.

Then the one that was struck goes on with ``--copy``, both end in bounded time,
and the next round works.
"""

import contextlib
from functools import partial
from pathlib import Path

import pytest

from b1000.runs.run import Run
from b1000.runs.states import CopyStatus, Ending, Step
from b1000.state.queries import Reader
from tests.crash.test_matrix import (
    BEYOND,
    EVERY,
    all_runs,
    no_process_left,
    points,
    run_struck,
)
from tests.support.daemon import Daemon
from tests.support.hosts import WHOLE, ClientHost, StorageHost
from tests.support.world import World, tree

SIDES = ["client", "storage"]
PATIENCE = 90  # seconds that a side may take to end, whatever became of the other


def survive(root: Path, side: str, number: int) -> bool:
    """One point of the matrix; False where it lies beyond the program's last commit."""
    place = root / f"point{number}"
    place.mkdir()
    daemon = Daemon(place / "daemon", {"reports": "", "backup": "read only = yes"}).start()
    with contextlib.ExitStack() as stack:
        stack.callback(daemon.stop)
        client = ClientHost(place / "client", "ext", daemon).passive(timeout=15)
        storage = StorageHost(place / "storage", "backup-2")
        storage.pulls(client, report_poll_retries=12)
        struck, other = (client, storage) if side == "client" else (storage, client)
        running = other.start()
        code = run_struck(struck, "supervisor", number, "after")
        point = f"{side}, after commit {number}"
        if code != BEYOND:
            again = struck.b1000("--copy", timeout=PATIENCE)
            assert again.returncode in (0, 1), f"{point}: {again.stdout}{again.stderr}"
            assert "Traceback" not in again.stderr, f"{point}: {again.stderr}"
        out, errors = running.communicate(timeout=PATIENCE)
        assert running.returncode in (0, 1), f"{point}: {out}{errors}"
        try:
            check(client, storage)
            next_round(client, storage)
        except AssertionError as error:
            raise AssertionError(f"{point}: {error}") from error
    return code != BEYOND


def check(client: World, storage: World) -> None:
    """What both say is true, whatever happened."""
    pulled = all_runs(storage) if journal(storage).exists() else []
    complete = {
        taken.start_time
        for run in pulled
        for taken in run.clients
        if run.copies and all(copy.status is CopyStatus.DONE for copy in run.copies)
    }
    for run in pulled:
        assert run.ending is not None, "no unfinished run without a live worker"
        for copy in run.copies:
            if copy.status is CopyStatus.DONE:
                assert tree(Path(copy.path)) == WHOLE
    for run in all_runs(client) if journal(client).exists() else []:
        assert run.ending is not None, "no unfinished run without a live worker"
        if run.step is Step.DONE:
            assert run.start_time in complete, "no backup is told that there is not"


def next_round(client: ClientHost, storage: StorageHost) -> None:
    """Both run again, and nothing that is left is in their way."""
    sides = [client.start(), storage.start()]
    for side in sides:
        out, errors = side.communicate(timeout=PATIENCE)
        assert side.returncode == 0, out + errors
    for world in (client, storage):
        last = max(all_runs(world), key=_number)
        assert (last.step, last.ending) == (Step.DONE, Ending.FINISHED)
        with Reader(journal(world)) as reader:
            assert reader.pending_by_report() == {}
        no_process_left(world)
    assert storage.copied()[-1] == WHOLE


def _number(run: Run) -> int:
    return run.run_id


def journal(world: World) -> Path:
    return world.status_dir / "journal.sqlite3"


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("side", SIDES)
def test_every_point_of_two_hosts_is_survived(tmp_path: Path, side: str, every: int) -> None:
    first = 1 + SIDES.index(side) % every
    survived = points(partial(survive, tmp_path, side), first, every)
    print(f"{side}, after each commit: {survived} points tried, all survived")
    assert survived >= 5 // every
