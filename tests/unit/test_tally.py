"""The last line of a program, and its exit code."""

import pytest

from b1000.runs.states import Status
from b1000.supervise.tally import Tally


@pytest.mark.parametrize(
    ("missing", "line", "code"),
    [
        (False, "ended in 1.0 s: 1 OK", 0),
        (True, "ended in 1.0 s: 1 OK; a section of the configuration is not known", 1),
    ],
)
def test_the_last_line_tells_what_the_exit_code_counts(missing: bool, line: str, code: int) -> None:
    tally = Tally()
    assert tally.closing(1.0, missing) == ""
    tally.count(Status.OK)
    assert (tally.closing(1.0, missing), tally.exit_code(None, missing)) == (line, code)
