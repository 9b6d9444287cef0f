"""When a report that cannot be delivered is told of."""

from b1000.logstyle import DEBUG, WARNING
from b1000.reports.trouble import Trouble

START = 1_800_000_000.0


def levels(trouble: Trouble, times: list[float]) -> list[int]:
    return [trouble.complaint("refused", START + each)[0] for each in times]


def test_it_is_told_once_then_every_ten_minutes() -> None:
    warning, debug = WARNING, DEBUG
    trouble = Trouble()
    assert levels(trouble, [0, 1, 30, 599]) == [warning, debug, debug, debug]
    assert levels(trouble, [600, 601, 1199, 1230]) == [warning, debug, debug, warning]
    assert trouble.over()
    assert not trouble.over()
    assert levels(trouble, [1231, 1232]) == [warning, debug]


def test_it_says_what_and_since_when() -> None:
    trouble = Trouble()
    assert trouble.complaint("refused", START)[1] == (
        "refused; it is tried again, and nothing is lost"
    )
    assert trouble.complaint("away", START + 700)[1].startswith("away; not delivered since ")


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    trouble = Trouble()
    assert levels(trouble, [0, -4000]) == [WARNING] * 2
