"""Which files of a file report go."""

import pytest

from b1000.reports.outdated import outdated

LATEST = "2026-12-01-00-00-00"
ONE, TWO, THREE = (f"2026-11-28-0{hour}-00-00" for hour in (1, 2, 3))
AHEAD = "2027-01-01-00-00-00"


@pytest.mark.parametrize(
    ("runs", "unknown", "keep", "gone"),
    [
        ({ONE: 1, TWO: 2, THREE: 3}, [], 3, []),
        ({ONE: 1, TWO: 2, THREE: 3}, [], 1, [TWO, ONE]),
        ({THREE: 1, ONE: 2, TWO: 3}, [], 1, [ONE, THREE]),
        ({AHEAD: 1, ONE: 2, TWO: 3}, [], 2, [AHEAD]),
        # What is at work or can be retried stays, and takes nobody's place.
        ({ONE: None, TWO: 2, THREE: 3}, [], 1, [TWO]),
        ({ONE: 1, TWO: None, THREE: None}, [], 1, []),
        # The journal knows nothing, or not all.
        ({}, [ONE, TWO, THREE], 1, [TWO, ONE]),
        ({THREE: 1}, [ONE, TWO], 2, [ONE]),
        ({ONE: 1, THREE: 2}, [TWO], 2, [ONE]),
        ({ONE: 1, THREE: 2}, [TWO], 1, [TWO, ONE]),
        ({ONE: 7, TWO: 8}, [AHEAD], 2, [AHEAD]),
        ({}, [ONE, AHEAD], 1, [AHEAD]),
        # Between others it has the place of its name; what is known has that of its run.
        ({THREE: 1, ONE: 2}, [TWO], 2, [THREE]),
    ],
)
def test_the_last_runs_keep_their_files(
    runs: dict[str, int | None], unknown: list[str], keep: int, gone: list[str]
) -> None:
    assert outdated([*runs, *unknown], runs, keep, LATEST) == gone
    assert outdated([*unknown, *reversed(runs)], runs, keep, LATEST) == gone
