"""Days on which nobody works: what weekday jobs miss together has not been lost by each."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b1000.monitor.causes import causes
from b1000.monitor.history import PastRun, PlanRow, Subject
from b1000.monitor.holidays import days_off, settled, softened
from b1000.monitor.severity import Verdict
from b1000.monitor.verdicts import Judgement, judge

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL
# A Thursday and a Friday; it goes on on Monday.
CHRISTMAS = {date(2025, 12, 25), date(2025, 12, 26)}
SATURDAY = datetime(2025, 12, 27, 12)
WARSAW, CHICAGO = ZoneInfo("Europe/Warsaw"), ZoneInfo("America/Chicago")
STOPPED = {*CHRISTMAS, date(2025, 12, 27)}
FAILED: dict[str, Any] = {"step": "COPYING", "status": "FAILED", "done": 0, "bytes": None}


def made(host: str, now: datetime, **how: Any) -> Judgement:
    """One that runs at 2:30 on weekdays, or daily, or at ``hours``; ``off``: days without a run,
    and without one that ``failed``; ``zone``: its clock, which ``now`` is by in Warsaw."""
    zone, off = how.get("zone", WARSAW), how.get("off", CHRISTMAS)
    when = now.replace(tzinfo=WARSAW).timestamp()
    runs = []
    for number in range(how.get("days", 60), -1, -1):
        day = now.date() - timedelta(days=number)
        if (day.weekday() > 4 and not how.get("daily")) or day in off:
            continue
        for hour in how.get("hours", (2,)):
            moment = datetime(day.year, day.month, day.day, hour, 30, tzinfo=zone)
            if moment.timestamp() > when:
                continue
            began, offset = moment.timestamp(), (moment.utcoffset() or timedelta()).total_seconds()
            good = PastRun(began, done=1, total=1, bytes=9, made_on=host, offset=offset)
            runs.append(good._replace(**FAILED) if day in how.get("failed", ()) else good)
    return judge(Subject(host, "etc", ""), runs, how.get("plan"), when)


def weekdays(now: datetime, count: int = 10, name: str = "web", **how: Any) -> list[Judgement]:
    return [made(f"{name}{number}", now, **how) for number in range(count)]


def others(now: datetime, count: int = 4, **how: Any) -> list[Judgement]:
    """Those that run daily, and on holidays too."""
    return [made(f"db{n}", now, **{"daily": True, "off": (), **how}) for n in range(count)]


def verdicts(some: list[Judgement], now: datetime) -> dict[str, Verdict]:
    moment = now.replace(tzinfo=WARSAW).timestamp()
    found = softened(some, days_off(some, moment))
    return {each.subject.host: each.verdict for each in found}


def test_by_itself_each_would_be_lost() -> None:
    assert {each.verdict for each in weekdays(SATURDAY)} == {CRITICAL}
    assert {each.verdict for each in others(SATURDAY)} == {OK}


@pytest.mark.parametrize("hours", range(0, 5 * 24, 3))
def test_two_holidays_before_a_weekend_are_no_loss(hours: int) -> None:
    now = datetime(2025, 12, 25) + timedelta(hours=hours)
    found = verdicts([*weekdays(now), *others(now)], now)
    assert CRITICAL not in found.values()
    if now.date() > date(2025, 12, 29):
        assert set(found.values()) == {OK}


@pytest.mark.parametrize("hours", range(0, 6 * 24, 3))
def test_what_has_run_several_times_since_rested_too(hours: int) -> None:
    """One that runs in the evening is not lost because the office is back at work."""
    now = datetime(2025, 12, 25) + timedelta(hours=hours)
    office = weekdays(now, 8, "office", hours=range(8, 18))
    some = [*office, *weekdays(now, 4, hours=(22,)), *others(now)]
    assert CRITICAL not in verdicts(some, now).values()


def test_they_are_one_line() -> None:
    moment = SATURDAY.replace(tzinfo=WARSAW).timestamp()
    some = [*weekdays(SATURDAY), *others(SATURDAY)]
    off = days_off(some, moment)
    (cause,) = causes(softened(some, off), moment, (), off)
    assert (cause.kind, cause.name, len(cause.subjects)) == ("day", "2025-12-25", 10)
    assert cause.verdict is WARNING
    assert cause.text == (
        "day Thu 2025-12-25: 10 subjects of weekdays did not run: a public holiday?"
    )


def test_what_is_told_of_each_is_that_it_is_missed() -> None:
    some = [*weekdays(SATURDAY), *others(SATURDAY)]
    off = days_off(some, SATURDAY.replace(tzinfo=WARSAW).timestamp())
    for each in softened(some, off):
        assert each.codes == (frozenset({"missed"}) if each.rests else frozenset())


WEDNESDAY = {date(2025, 12, 24), *CHRISTMAS}
NOT_OFF: dict[str, tuple[list[Judgement], set[str]]] = {
    # a fleet on Saturday, and the hosts of which the backup is lost all the same
    "all": ([*weekdays(SATURDAY), *others(SATURDAY)], set()),
    "hardly any": (
        [*weekdays(SATURDAY, 2), *others(SATURDAY)],
        {"web0", "web1"},
    ),
    "half of them run": (
        [*weekdays(SATURDAY, 3), *weekdays(SATURDAY, 3, "app", off=()), *others(SATURDAY)],
        {"web0", "web1", "web2"},
    ),
    "one of many runs": (
        [*weekdays(SATURDAY), *weekdays(SATURDAY, 1, "app", off=()), *others(SATURDAY)],
        set(),
    ),
    "one has not run since the day before": (
        [*weekdays(SATURDAY), *weekdays(SATURDAY, 1, "app", off=WEDNESDAY), *others(SATURDAY)],
        {"app0"},
    ),
    "one has failed": (
        [*weekdays(SATURDAY), made("app0", SATURDAY, off=(), failed=CHRISTMAS), *others(SATURDAY)],
        {"app0"},
    ),
    "one is planned": (
        [
            *weekdays(SATURDAY),
            made("app0", SATURDAY, plan=PlanRow(max_backup_age=86400)),
            *others(SATURDAY),
        ],
        {"app0"},
    ),
    "nothing runs at all": (
        [*weekdays(SATURDAY, 3), *others(SATURDAY, off=STOPPED)],
        {"web0", "web1", "web2", "db0", "db1", "db2", "db3"},
    ),
    "nothing else is there": (weekdays(SATURDAY, 3), {"web0", "web1", "web2"}),
    "all fail": (
        [*weekdays(SATURDAY, 3, off=(), failed=CHRISTMAS), *others(SATURDAY)],
        {"web0", "web1", "web2"},
    ),
    "all of one host": (
        [
            *(
                made("web0", SATURDAY)._replace(subject=Subject("web0", "etc", str(number)))
                for number in range(9)
            ),
            *others(SATURDAY),
        ],
        {"web0"},
    ),
    "in another zone they are at work": (
        [
            *weekdays(SATURDAY, zone=WARSAW, off=()),
            *weekdays(SATURDAY, 5, "us", zone=CHICAGO),
            *others(SATURDAY, zone=CHICAGO),
        ],
        set(),
    ),
    "a daily one is lost": (
        [*weekdays(SATURDAY), *others(SATURDAY), made("db9", SATURDAY, daily=True, off=STOPPED)],
        {"db9"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_OFF)
def test_a_day_off_is_one_of_all_and_of_nothing_else(case: str) -> None:
    some, lost = NOT_OFF[case]
    found = verdicts(some, SATURDAY)
    assert {host for host, said in found.items() if said is CRITICAL} == lost


def test_a_week_is_no_holiday() -> None:
    now = datetime(2025, 12, 31, 12)
    gone = {date(2025, 12, 25) + timedelta(days=number) for number in range(7)}
    found = verdicts([*weekdays(now, off=gone), *others(now)], now)
    assert {said for host, said in found.items() if host.startswith("web")} == {CRITICAL}


def test_a_bad_copy_is_not_explained_by_a_holiday() -> None:
    first, *rest = weekdays(SATURDAY)
    bad = first._replace(reasons=(*first.reasons, first.reasons[0]._replace(code="bad")))
    found = verdicts([bad, *rest, *others(SATURDAY)], SATURDAY)
    assert found["web0"] is CRITICAL
    assert set(found.values()) == {CRITICAL, WARNING, OK}


# --- who is new, and has its first weekend

SUNDAY = datetime(2025, 12, 14, 12)


def of_newcomer(*fleet: Judgement, now: datetime = SUNDAY, **how: Any) -> Judgement:
    """What is said of one that runs since Monday, among others."""
    newcomer = made("new", now, **{"days": 6, "off": (), **how})
    (found,) = settled([newcomer], [newcomer, *fleet])
    return found


def test_a_newcomer_rests_with_the_others_of_its_job() -> None:
    known = weekdays(SUNDAY, 4, off=())
    found = of_newcomer(*known)
    assert (found.verdict, found.codes) == (OK, frozenset())
    assert found.reason == "2 d 9 h old; 4 others of job etc rest, too"
    # At noon on Monday those have run again, and it has not.
    monday = datetime(2025, 12, 15, 12)
    late = of_newcomer(*weekdays(monday, 4, off=()), now=monday, days=7, off={monday.date()})
    assert late.verdict is WARNING


def test_a_newcomer_is_missed_where_nobody_else_rests() -> None:
    assert of_newcomer().verdict is WARNING
    assert of_newcomer(*weekdays(SUNDAY, 1, off=())).verdict is WARNING
    daily = [made(f"db{number}", SUNDAY, daily=True, off=()) for number in range(4)]
    assert of_newcomer(*daily).verdict is WARNING
    other = [each._replace(subject=each.subject._replace(job="home")) for each in weekdays(SUNDAY)]
    assert of_newcomer(*other).verdict is WARNING
    # What failed did not rest, and what missed a Friday did not either.
    assert of_newcomer(*weekdays(SUNDAY, 4, off=()), off={date(2025, 12, 12)}).verdict is not OK
    failed = {date(2025, 12, 12)}
    assert of_newcomer(*weekdays(SUNDAY, 4, off=()), failed=failed).verdict is not OK
