"""The log's words for what is no failure of a step itself."""

import errno

import pytest

from b1000.logstyle import ERROR, INFO, WARNING
from b1000.runs.events import CopyMoved, Died, RunEvent, RunMoved
from b1000.runs.lifecycle import changed
from b1000.runs.run import Copy, ProcessIdentity, Run
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.status.row import StatusRow
from b1000.supervise import narrative
from b1000.work import claiming
from b1000.work.attempt import spoilt

RUN = Run(
    *(1, "uid", "db", "a", "client", "push", "full", 1000.0, "2026-11-22-10-11-12"),
    ProcessIdentity(1, "boot", 1),
    began=999.0,
)


def line(event: RunEvent, run: Run) -> tuple[int, str] | None:
    return narrative.line(changed(run, event))


@pytest.mark.parametrize("step", Step)
def test_a_death_names_its_step_and_what_can_be_done(step: Step) -> None:
    died = Died(0.0, "its worker was killed by SIGKILL; out of memory?", Ending.INTERRUPTED)
    spoken = line(died, RUN._replace(step=step))
    assert spoken
    level, text = spoken
    assert level == ERROR
    assert text.startswith(f"FAILED at {step}: its worker was killed by SIGKILL")
    ways = "; retry with b1000 --copy db/a, or give it up with b1000 forget db/a"
    assert text.endswith(ways) == (step in (Step.COPYING, Step.POST))
    told = narrative.line(changed(RUN._replace(step=step), died), config_path="/srv/b.cfg")
    assert told
    ways = "; retry with b1000 --copy db/a -f /srv/b.cfg, or give it up with b1000 forget db/a"
    assert told[1].endswith(f"{ways} -f /srv/b.cfg") == (step in (Step.COPYING, Step.POST))


TAKEN = claiming.taken("/x")


@pytest.mark.parametrize(
    ("copies", "only_given_up"),
    [
        (((CopyStatus.FAILED, spoilt("a")),), True),
        (((CopyStatus.FAILED, TAKEN),), True),
        (((CopyStatus.DONE, ""), (CopyStatus.FAILED, spoilt("found before"))), True),
        (((CopyStatus.FAILED, TAKEN), (CopyStatus.FAILED, "connection refused")), False),
        (((CopyStatus.FAILED, TAKEN), (CopyStatus.INIT, "")), False),
        (((CopyStatus.FAILED, "connection refused"),), False),
        (((CopyStatus.FAILED, f"{spoilt('a')} (rsync exit 23)"),), False),
        (((CopyStatus.DONE, ""),), False),
        ((), False),
    ],
)
def test_no_retry_is_offered_for_what_none_can_mend(
    copies: tuple[tuple[CopyStatus, str], ...], only_given_up: bool
) -> None:
    made = [Copy(str(number), "/x", status=status, error=error)
            for number, (status, error) in enumerate(copies)]  # fmt: skip
    run = RUN._replace(step=Step.COPYING, copies=tuple(made))
    spoken = line(RunMoved(1.0, Step.COPYING, Status.FAILED, "why"), run)
    assert spoken
    assert spoken[1].endswith("give it up with b1000 forget db/a")
    assert ("--copy" in spoken[1]) is not only_given_up
    failed = run._replace(status=Status.FAILED, ending=Ending.FINISHED)
    row = StatusRow("db", "a", "push", "full", "client", failed)
    word = "b1000 forget db/a gives it up" if only_given_up else "b1000 --copy db/a resumes it"
    assert (row.resumable, row.way_out) == (True, word)


@pytest.mark.parametrize(
    ("sent", "seconds", "told"),
    [
        (2 * 2**20, 4, "store: DONE (3 files, 4.0 MiB; 2.0 MiB sent in 4.0 s, 512.0 KiB/s)"),
        (2**20, 0, "store: DONE (3 files, 4.0 MiB; 1.0 MiB sent in 0.0 s)"),
        (None, 3700, "store: DONE (3 files, 4.0 MiB in 1:01:40)"),
    ],
)
def test_a_copy_tells_its_size_its_time_and_its_rate(
    sent: int | None, seconds: float, told: str
) -> None:
    # It began an hour ago; of that only the attempt that sent all this counts.
    copy = Copy("store", "/x", status=CopyStatus.COPYING, started=100.0)
    done = CopyMoved(3700.0, "store", CopyStatus.DONE, "", 4 * 2**20, 3, sent, 0, seconds=seconds)
    assert line(done, RUN._replace(copies=(copy,))) == (INFO, told)


def test_a_run_tells_how_long_it_took() -> None:
    done = RunMoved(RUN.began + 75, Step.DONE, Status.OK)
    assert line(done, RUN._replace(step=Step.COPYING)) == (INFO, "DONE in 0:01:15")
    warned = done._replace(status=Status.WARNING, error="files vanished")
    assert line(warned, RUN._replace(step=Step.COPYING)) == (
        WARNING,
        "DONE in 0:01:15 with a WARNING: files vanished",
    )


@pytest.mark.parametrize(
    ("number", "limit"),
    [
        (errno.EAGAIN, "limit of processes"),
        (errno.ENOMEM, "not enough memory"),
        (errno.EMFILE, "limit of open files"),
        (errno.ENFILE, "fs.file-max"),
    ],
)
def test_what_cannot_be_forked_names_the_limit(number: int, limit: str) -> None:
    text = narrative.no_worker(OSError(number, "some words of the system"))
    assert text.startswith("no worker can be started: some words of the system: ")
    assert limit in text
    assert "lower workers" in text


def test_what_is_not_known_to_be_a_limit_is_told_as_it_is() -> None:
    assert narrative.no_worker(OSError(errno.EIO, "I/O error")) == (
        "no worker can be started: I/O error"
    )
