"""Of which processes of a run the journal is told, and when."""

from pathlib import Path

import pytest

from b1000.identity import myself
from b1000.jobs import Limits
from b1000.runs.events import ProcessBegan, ProcessEnded
from b1000.work import assignment, tree
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.process import Command
from tests.support.worker import Supervised


def told_of(directory: Path, seconds: float, kind: str) -> Supervised:
    """A process that lasts for some seconds."""
    supervised = Supervised(directory, Limits())

    async def sleep(assigned: Assignment) -> None:
        command = Command(["/bin/sleep", str(seconds)], {}, {}, Tail().sink(), Tail().sink())
        await assigned.run("rest", command, kind=kind)

    supervised.run(sleep)
    return supervised


@pytest.mark.parametrize(("seconds", "kind"), [(0, ""), (0.5, ""), (0.5, tree.RSYNC)])
def test_a_script_is_noted_and_an_rsync_that_lasts(
    tmp_path: Path, seconds: float, kind: str
) -> None:
    began, ended = told_of(tmp_path, seconds, kind).told
    assert isinstance(began, ProcessBegan)
    assert isinstance(ended, ProcessEnded)
    assert began.purpose == "rest"
    assert began.process.boot == myself().boot
    assert began.command == ended.command
    assert ended.time >= began.time + seconds


def test_an_rsync_that_soon_ends_is_known_by_its_marks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "_LASTING", 60.0)
    assert told_of(tmp_path, 0, tree.RSYNC).told == []


def test_what_cannot_be_started_is_not_noted(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, Limits())

    async def start(assigned: Assignment) -> None:
        command = Command(["/nonexistent"], {}, {}, Tail().sink(), Tail().sink())
        with pytest.raises(FileNotFoundError):
            await assigned.run("none", command)

    supervised.run(start)
    assert supervised.told == []
