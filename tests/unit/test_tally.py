"""The last line of a program, and its exit code."""

from collections.abc import Sequence

import pytest

from b1000.runs.states import Status
from b1000.supervise.tally import Tally


@pytest.mark.parametrize(
    ("wrong", "line", "code"),
    [
        ((), "ended in 1.0 s: 1 OK", 0),
        (("[job:a b]", "[x]"), "ended in 1.0 s: 1 OK; not run: [job:a b], [x]", 1),
    ],
)
def test_the_last_line_tells_what_the_exit_code_counts(
    wrong: Sequence[str], line: str, code: int
) -> None:
    tally = Tally()
    assert tally.closing(1.0, wrong) == ""
    tally.count(Status.OK)
    assert (tally.closing(1.0, wrong), tally.exit_code(None, wrong)) == (line, code)
