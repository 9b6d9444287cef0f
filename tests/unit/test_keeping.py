"""When an attempt at a full at a daemon leaves alone what is there."""

import pytest

from b1000.rsync import outcome
from b1000.work import keeping


@pytest.mark.parametrize(
    ("linking", "continued", "in_doubt", "keeps"),
    [
        (False, False, False, True),  # what is there its own streams have made
        (False, True, False, False),
        (False, False, True, False),
        (False, True, True, False),
        (True, True, True, True),  # what is there may be an older backup's too
        (True, False, False, True),
    ],
)
def test_what_stays_as_it_is(linking: bool, continued: bool, in_doubt: bool, keeps: bool) -> None:
    assert keeping.keeps(linking, continued, in_doubt) == keeps


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("b1000-gate: this backup has files already; a retry needs --ignore-existing", True),
        ("b1000-gate: another session writes into this backup; try again later", True),
        ("b1000-gate: this backup is complete", False),
        ("rsync: mkdir of b1000-gate: this backup has files already", False),
    ],
)
def test_which_refusals_mean_it(said: str, kept: bool) -> None:
    lines = ["pre-xfer exec returned failure (256):", said]
    assert outcome.is_kept(outcome.judge(4, lines, "backup-3")) == kept
