"""What is recorded and what begins: in one commit, or nothing of it while the journal fails."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.config import loader
from b1000.errors import JournalFailed
from b1000.identity import myself
from b1000.runs.events import Resolved, RunMoved
from b1000.runs.lifecycle import Change, changed
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import Status, Step
from b1000.state.journal import Journal
from b1000.state.queries import Reader
from b1000.supervise.recorder import Recorder
from b1000.supervise.records import Records
from tests.support import build
from tests.support.world import open_sqlite

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    recorder = Recorder(path, lambda: NOW, lambda: False)
    recorder.shorten_timeout()
    yield recorder
    recorder.let_go()


def begin(journal: Journal, instance: str) -> Run:
    return journal.begin_run(
        "etc", instance, "client", direction="push", kind="full", reports=(), supervisor=myself()
    )


def refused(run: Run) -> Change:
    return changed(run, RunMoved(NOW + 1, Step.INIT, Status.FAILED, "refused"))


def known(path: Path) -> dict[str, Status]:
    with Reader(path) as reader:
        return {run.instance: run.status for run in reader.last_runs()}


def test_what_ends_is_recorded_with_what_begins(path: Path, recorder: Recorder) -> None:
    with recorder.transaction() as journal:
        first = begin(journal, "a")
    recorder.keep([refused(first)])
    assert known(path) == {"a": Status.OK}
    with recorder.transaction() as journal:
        begin(journal, "b")
        assert known(path) == {"a": Status.OK}
    assert known(path) == {"a": Status.FAILED, "b": Status.OK}
    assert not recorder.unwritten
    assert not recorder.write()


def test_neither_is_while_the_journal_fails_and_the_end_is_not_lost(
    path: Path, recorder: Recorder
) -> None:
    with recorder.transaction() as journal:
        first = begin(journal, "a")
    recorder.keep([refused(first)])
    with open_sqlite(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFailed), recorder.transaction() as journal:
            begin(journal, "b")
        assert recorder.failing
        assert not recorder.write()
        other.rollback()
    assert len(recorder.unwritten) == 1
    assert recorder.write()
    assert known(path) == {"a": Status.FAILED}


def test_what_cannot_begin_takes_nothing_with_it(path: Path, recorder: Recorder) -> None:
    with recorder.transaction() as journal:
        first = begin(journal, "a")
    recorder.keep([refused(first)])
    with contextlib.suppress(ValueError), recorder.transaction() as journal:
        begin(journal, "b")
        raise ValueError
    assert known(path) == {"a": Status.OK}
    assert recorder.write()
    assert known(path) == {"a": Status.FAILED}


def test_what_is_written_last_of_all_has_its_status_file(tmp_path: Path) -> None:
    """The journal could not be written when all was tidied up, and can be before it is closed."""
    path = tmp_path / "b1000.cfg"
    path.write_text(
        f"[global]\nstatus_dir = {tmp_path / 'status'}\n"
        f"[dest:store]\ntype = active\npath = {tmp_path / 'store'}\n"
        f"[job:etc]\ndirection = push\ntype = full\ndest = store\ninclude = {tmp_path}\n"
    )
    config = loader.load(str(path))
    records = Records(config, lambda: NOW, lambda: False)
    records.recorder.shorten_timeout()
    with records.recorder.transaction() as journal:
        run = begin(journal, "")
        copying = Copy("store", str(tmp_path / "store" / "etc"))
        run = build.record(journal, run, Resolved(NOW, Snapshot(), (copying,)))
        for step in (Step.PRE, Step.COPYING):
            run = build.record(journal, run, RunMoved(NOW, step, Status.OK))
    with open_sqlite(Path(config.settings.journal)) as other:
        other.execute("BEGIN IMMEDIATE")
        failed = changed(run, RunMoved(NOW, Step.COPYING, Status.FAILED, "no route"))
        assert not records.recorder.write([failed])
        records.tidy()
        other.execute("ROLLBACK")
    assert records.recorder.write([])
    records.close()
    assert [*(tmp_path / "status").glob("*-etc--*.json")]
