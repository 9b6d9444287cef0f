"""The log's words for what is no failure of a step itself."""

import errno
import logging

import pytest

from b1000.model import Died
from b1000.steps import Ending, Step
from b1000.supervise import narrative


@pytest.mark.parametrize("step", Step)
def test_a_death_names_its_step_and_what_goes_on_with_it(step: Step) -> None:
    died = Died(0.0, "its worker was killed by SIGKILL; out of memory?", Ending.INTERRUPTED)
    spoken = narrative.line(died, step)
    assert spoken
    level, text = spoken
    assert level == logging.ERROR
    assert text.startswith(f"FAILED at {step}: its worker was killed by SIGKILL")
    assert ("b1000 --copy goes on with it" in text) == (step in (Step.COPYING, Step.POST))


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
