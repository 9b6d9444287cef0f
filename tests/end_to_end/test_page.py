"""The page of ``b1000 monitor --html`` in a real browser, opened as a file."""

import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

import b1000
from b1000.monitor.days import Days
from b1000.monitor.history import DAY, PastRun, Subject
from b1000.monitor.page import page
from b1000.monitor.survey import SHOWN_DAYS, Survey
from b1000.monitor.verdicts import judge
from tests.support.browser import Browser, missing
from tests.support.rows import HOUR, Rows
from tests.support.world import World, wait_until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

TEMPLATE = (Path(b1000.__file__).parent / "monitor" / "page.html").read_text()
AXE = Path(sys.executable).parent / "axe.min.js"
EVIL = '<script>document.title="evil"</script><img src=x onerror=\'document.title="evil"\'>"&amp;'
ROWS = "return [...document.querySelectorAll('.subject')].map(each => each.textContent)"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Starts a browser that ends with the test."""
    started: list[Browser] = []

    def start(**options: bool | int) -> Browser:
        started.append(Browser(tmp_path / f"browser{len(started)}", **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def file(world: World) -> Path:
    """The page of a small fleet, written by the program."""
    rows = Rows(world.root / "central.sqlite3")
    world.write({"report:central": rows.section})
    rows.daily("db1", "mysql", "payments", 9)
    rows.daily("db1", "mysql", "orders", 9, 5 * DAY)
    rows.run("web1", "www", "", HOUR, "near:DONE far:FAILED")
    rows.run(EVIL[:120], "x\"onclick='alert(1)'", "</script>", HOUR)
    proven = ("'2026-11-22 01:00:00'",) * 2
    for number, times in enumerate([("NULL", "NULL"), proven]):
        instance = ("orders", "payments")[number]
        rows.do(
            "INSERT INTO stored (storage, path, host, name, instance, destination, type, state, "
            f"read_utc, drilled_utc, recovery_time) VALUES ('s', '{number}', 'db1', 'mysql', "
            f"'{instance}', 'kept', 'full', 'complete', {times[0]}, {times[1]}, 184)"
        )
    path = world.root / "backups.html"
    assert world.b1000("monitor", "--html", str(path)).returncode == 2
    return path


def test_it_shows_all_and_asks_nobody(file: Path, browser: Callable[..., Browser]) -> None:
    shown = browser()
    shown.requests()
    shown.open(file)
    lines = shown.run(ROWS)
    assert len(lines) == 4
    assert "CRITICAL" in lines[0]
    assert "orders" in lines[0]
    assert shown.run("return document.title") == "✕ CRITICAL - backups"
    assert "as of" in shown.run("return document.getElementById('made').textContent")
    assert shown.run("return document.getElementById('stale').hidden")
    shown.run("document.querySelectorAll('.subject').forEach(each => each.click())")
    asked = [
        each
        for each in shown.requests()
        if not each.startswith(("chrome:", "chrome-untrusted:", "data:"))
    ]
    assert set(asked) == {file.as_uri()}
    assert shown.complaints() == []


def test_hostile_names_are_text(file: Path, browser: Callable[..., Browser]) -> None:
    shown = browser()
    shown.open(file)
    assert any(EVIL[:60] in line for line in shown.run(ROWS))
    place = (
        "[...document.querySelectorAll('.subject')].find(each => each.textContent.includes('<'))"
    )
    shown.run(f"{place}.click()")
    assert EVIL[:60] in shown.run("return document.getElementById('detail').textContent")
    assert shown.run("return document.title") == "✕ CRITICAL - backups"
    assert shown.run("return document.querySelectorAll('img, iframe').length") == 0
    assert shown.run("return document.scripts.length") == 2


def test_searching_filtering_and_reasons(file: Path, browser: Callable[..., Browser]) -> None:
    shown = browser()
    shown.open(file)
    search = (
        "const s = document.getElementById('search'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'));" + ROWS
    )
    assert len(shown.run(search, "db1")) == 2
    (line,) = shown.run(search, "MYSQL pay")
    assert "payments" in line
    assert shown.run(search, "nowhere") == []
    assert not shown.run("return document.getElementById('empty').hidden")
    assert len(shown.run(search, "")) == 4
    (line,) = shown.run("document.querySelector('#filters .warning').click();" + ROWS)
    assert "web1" in line
    shown.run("document.querySelector('.subject').click()")
    detail = shown.run("return document.getElementById('detail').textContent")
    assert "1 of 2 copies of the last good backup is missing: far (connection refused)" in detail
    shown.run("dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert shown.run("return document.getElementById('detail').hidden")


def test_what_was_read_and_restored_is_told(file: Path, browser: Callable[..., Browser]) -> None:
    shown = browser()
    shown.open(file)

    def told(name: str) -> dict[str, str]:
        found: dict[str, str] = shown.run(
            "[...document.querySelectorAll('.subject')]"
            ".find(each => each.textContent.includes(arguments[0])).click();"
            "return Object.fromEntries([...document.querySelectorAll('#detail dt')]"
            ".map(each => [each.textContent, each.nextSibling.textContent]))",
            name,
        )
        return found

    payments = told("payments")
    assert (payments["Kept"], payments["Recovery time"]) == ("1 backup", "3 min in that drill")
    assert all(payments[each].endswith(" ago") for each in ("Last read", "Last restored"))
    orders = told("orders")
    assert (orders["Last read"], orders["Last restored"]) == (
        "none as it is now",
        "never by a drill",
    )
    assert "Recovery time" not in orders
    assert "Kept" not in told("www")


def test_views_keys_and_the_address(file: Path, browser: Callable[..., Browser]) -> None:
    shown = browser()
    shown.open(file)

    def click(text: str, within: str = "header") -> None:
        shown.run(
            f"[...document.querySelectorAll('{within} button')]"
            f".find(each => each.textContent.includes('{text}')).click()"
        )

    lines = "return [...document.querySelectorAll('#groups tbody tr')].map(e => e.textContent)"
    address = "return decodeURIComponent(location.hash)"
    click("Hosts")
    assert shown.run(address) == "#view=host"
    assert any("db1" in line and "CRITICAL" in line for line in shown.run(lines))
    click("db1", "#groups")
    assert shown.run(address) == "#host=db1"
    assert len(shown.run(ROWS)) == 2
    told = "return document.getElementById('found').textContent"
    assert shown.run(told) == "2 of 4 found of host db1"
    click("Storages")
    (far,) = (line for line in shown.run(lines) if "far" in line)
    assert re.match(r"✓ OKfar.* ago9\d\.\d %", far)
    click("far", "#groups")
    assert shown.run(address) == "#storage=far"
    shown.run("location.hash = '#q=payments'")
    wait_until(lambda: shown.run(told) == "1 of 4 found")
    shown.run("location.hash = ''")
    wait_until(lambda: shown.run(told) == "4 subjects")
    # By keyboard alone; what is opened has the focus, and gives it back.
    press = (
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
    )
    focus = "return document.activeElement.getAttribute('aria-label')"
    shown.run("document.getElementById('list').focus()")
    shown.run(press, "ArrowDown")
    shown.run(press, "ArrowDown")
    second = shown.run(focus)
    assert second.split(";")[0] in ("CRITICAL", "WARNING")
    shown.run(press, "Enter")
    assert shown.run(focus) == "Close"
    shown.run(press, "Escape")
    assert shown.run(focus) == second
    shown.run(press, "End")
    assert shown.run(focus).startswith("OK; ")
    # The whole reason is there without a click.
    reason = shown.run("return document.querySelector('.subject .reason').textContent")
    assert reason.startswith("missed: expected by ") or "old" in reason
    tall = (
        "return [...document.querySelectorAll('.subject')]"
        ".every(each => each.scrollHeight <= each.clientHeight + 1)"
    )
    assert shown.run(tall)
    assert shown.complaints() == []


@pytest.mark.skipif(not AXE.exists(), reason="no axe: make test-tools takes it from npm")
@pytest.mark.parametrize(("width", "dark"), [(0, False), (0, True), (390, False)])
def test_axe_finds_nothing(
    file: Path, browser: Callable[..., Browser], width: int, dark: bool
) -> None:
    shown = browser(width=width, dark=dark)
    shown.open(file)
    shown.run(AXE.read_text() + "; window.axe = axe;")
    shown.run("axe.run().then(found => { window.found = found.violations; })")
    wait_until(lambda: shown.run("return Boolean(window.found)"))
    assert shown.run("return found.map(each => each.id + ': ' + each.nodes[0].html)") == []


def test_an_old_page_says_so(file: Path, browser: Callable[..., Browser]) -> None:
    text = file.read_text()
    when = float(text.partition('"when":')[2].partition(",")[0])
    file.write_text(text.replace(f'"when":{when}', f'"when":{when - 3 * HOUR}'))
    shown = browser()
    shown.open(file)
    assert "This page is 3 h old" in shown.run(
        "return document.getElementById('stale').textContent"
    )


@pytest.mark.parametrize(("width", "dark"), [(0, False), (0, True), (390, False), (320, True)])
def test_it_fits(
    file: Path, browser: Callable[..., Browser], width: int, dark: bool, tmp_path: Path
) -> None:
    """No sideways scrolling; B1000_SCREENSHOTS names a directory for pictures to look at."""
    shown = browser(width=width, dark=dark)
    shown.open(file)
    body = "document.documentElement"
    assert shown.run(f"return {body}.scrollWidth <= {body}.clientWidth")
    overflowing = (
        "return [...document.querySelectorAll('header *, .subject > *, footer *')].filter("
        "each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML)"
    )
    assert shown.run(overflowing) == []
    ground = shown.run("return getComputedStyle(document.querySelector('header')).backgroundColor")
    assert ground == ("rgb(27, 31, 36)" if dark else "rgb(255, 255, 255)")
    pictures = Path(os.environ.get("B1000_SCREENSHOTS", tmp_path))
    shown.screenshot(pictures / f"page-{width or 1400}-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("width", [0, 390])
def test_of_a_long_name_something_of_each_part_is_seen(
    world: World, browser: Callable[..., Browser], width: int
) -> None:
    rows = Rows(world.root / "central.sqlite3")
    world.write({"report:central": rows.section})
    long = "a-host-with-a-very-long-name.of-a-customer.example.org", "a-job-with-a-long-name"
    for instance in ("orders-of-the-customer", "payments-of-the-customer"):
        rows.daily(*long, instance, 5)
    rows.daily("db1", "mysql", "", 5)
    path = world.root / "backups.html"
    world.b1000("monitor", "--html", str(path))
    shown = browser(width=width)
    shown.open(path)
    parts = shown.run(
        "return [...document.querySelectorAll('.subject .name')].map(name => "
        "[name.title, ...[...name.children].map(each => Math.round(each.clientWidth))])"
    )
    assert [each[0] for each in parts if len(each) == 4] == [
        f"{long[0]} {long[1]} / {instance}"
        for instance in ("orders-of-the-customer", "payments-of-the-customer")
    ]
    assert all(min(each[1:]) > 25 for each in parts)
    # A short one stands together.
    (short,) = (each for each in parts if len(each) == 3)
    assert sum(short[1:]) < 110


def test_without_script_it_says_of_when_it_is(file: Path) -> None:
    when = re.search(r'<small id="made">as of (.*)</small>', file.read_text())
    assert when
    assert abs(datetime.strptime(when[1], "%Y-%m-%d %H:%M %z").timestamp() - time.time()) < 600


def test_every_mark_and_verdict_has_a_shape_of_its_own(
    file: Path, browser: Callable[..., Browser]
) -> None:
    shown = browser()
    shown.open(file)
    marks = "return [...document.querySelectorAll('#legend i')].map(each => each.textContent)"
    assert len(set(shown.run(marks))) == 6
    badges = shown.run("return [...document.querySelectorAll('.verdict')].map(e => e.textContent)")
    assert {each.split()[0] for each in badges} == {"✓", "▲", "✕"}


def test_ten_thousand_subjects_open_and_search_without_delay(
    tmp_path: Path, browser: Callable[..., Browser]
) -> None:
    now = 1795435200.0
    randomness = random.Random(1)
    judgements, days = [], {}
    for number in range(10_000):
        subject = Subject(f"host{number // 10}.example.org", "mysql", str(3300 + number % 10))
        history = [PastRun(now - randomness.random() * 4 * DAY, done=1, total=1, bytes=number)]
        judgements.append(judge(subject, history, None, now))
        runs = [randomness.choice([0, 1, 2, 2, None]) for _ in range(SHOWN_DAYS)]
        days[subject] = Days(runs, [None if run is None else number for run in runs])
    file = tmp_path / "large.html"
    file.write_text(page(Survey(now, "central", judgements, [], days), TEMPLATE))
    assert file.stat().st_size < 5_000_000
    shown = browser()
    shown.open(file)
    loaded = shown.run(
        "const [n] = performance.getEntriesByType('navigation'); return n.domComplete"
    )
    assert loaded < 5000, "milliseconds"
    assert len(shown.run(ROWS)) < 100
    taken = shown.run(
        "const began = performance.now(); const s = document.getElementById('search');"
        "for (const text of ['h', 'host77', 'host777 3305', '']) {"
        "  s.value = text; s.dispatchEvent(new Event('input')); document.body.offsetHeight; }"
        "return (performance.now() - began) / 4"
    )
    assert taken < 300, "milliseconds"
    shown.run("document.getElementById('list').scrollTop = 1e9")
    last = "return document.querySelector('.subject:last-child').getBoundingClientRect().bottom"
    wait_until(lambda: shown.run(last) < 900)
    assert len(shown.run(ROWS)) < 100
    # Who walks upwards by keyboard comes to what stands above.
    tops = "return [...document.querySelectorAll('.subject')].map(e => parseFloat(e.style.top))"
    before = shown.run(tops)
    shown.run("document.getElementById('list').scrollTop -= 200")
    wait_until(lambda: shown.run(tops) != before)
    after = shown.run(tops)
    assert after == sorted(after)
