"""A mark is read as it was written; what does not fit is refused as a whole."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.b1k import claim, form, mark
from b1000.b1k.mark import Counts, Mark
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.errors import BadValue
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.chance import examples
from tests.unit.test_report_file import HOSTS, LINES, NAMES

NUMBERS = st.one_of(st.none(), st.integers(0, 10**15 - 1))
SECONDS = st.integers(950_000_000, 4_000_000_000).map(float)


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    complete = draw(st.booleans())
    done = st.sampled_from([CopyStatus.DONE, CopyStatus.WARNING])
    when = draw(st.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30)))
    zone = timedelta(minutes=15 * draw(st.integers(-48, 56)))
    report = ReportFile(
        draw(HOSTS),
        draw(NAMES),
        draw(st.one_of(st.just(""), NAMES)),
        draw(st.sampled_from(["push", "pull"])),
        f"{when:%Y-%m-%d-%H-%M-%S}",
        Step.COPYING,
        draw(st.sampled_from(Status)),
        (
            DestinationSection(
                draw(NAMES), "active", draw(LINES), draw(done) if complete else CopyStatus.INIT
            ),
        ),
        draw(st.one_of(st.just(""), HOSTS)),
        draw(st.one_of(st.just(""), HOSTS)),
    )
    return Mark(
        report,
        "0f" * 16,
        draw(st.sampled_from(["full", "sync"])),
        mark.COMPLETE if complete else mark.WRITING,
        (when.replace(tzinfo=UTC, microsecond=0) - zone).timestamp(),
        draw(st.one_of(st.none(), SECONDS)),
        Counts(*(draw(NUMBERS) for _ in Counts._fields)),
        draw(st.booleans()),
        draw(st.sampled_from(["", "../2026-11-22-Sunday/host-1-2026-11-22-Sun-10:11:12"])),
        tuple(draw(st.lists(st.sampled_from(mark.OPTIONS), unique=True))),
        draw(st.booleans()),
        draw(LINES),
    )


@given(marks())
@settings(max_examples=examples(300))
def test_what_is_written_is_read(written: Mark) -> None:
    text = mark.render(written)
    read = mark.parse(text.encode(), written.directory)
    assert read._replace(include="") == written._replace(include="")
    assert read.include.isprintable()
    assert mark.render(read) == text


def plain() -> Mark:
    start = datetime(2026, 11, 22, 10, 11, 12)
    return Mark(
        ReportFile(
            "web1",
            "etc",
            "",
            "push",
            f"{start:%Y-%m-%d-%H-%M-%S}",
            Step.COPYING,
            Status.OK,
            (DestinationSection("atm", "active", "rsync://s/b", CopyStatus.DONE),),
        ),
        "0f" * 16,
        "full",
        mark.COMPLETE,
        start.replace(tzinfo=UTC).timestamp(),
    )


PLACE = "etc/2026-11-22-Sunday/web1-2026-11-22-Sun-10:11:12"


def test_a_mark_lies_beside_its_backup() -> None:
    assert plain().directory == PLACE
    assert plain()._replace(type="sync").directory == "etc/web1"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format"),
        ("type = full", "type = half", "type"),
        ("type = full", "type = sync", "does not lie beside"),
        ("state = complete", "state = done", "state"),
        ("status = DONE", "status = COPYING", "the copy COPYING"),
        ("host = web1", "host = web2", "does not lie beside"),
        ("host = web1", "host = ../web1", "host"),
        ("run = 0f", "run = /0f", "no id"),
        ("files =", "files = -1", "number"),
        ("base =", "base = ../../x", "base"),
        ("options =", "options = setuid", "setuid"),
        ("started = 2026", "started = 2126", "year"),
        ("started = 2026", "started = 2036", "not the same time in any time zone"),
        ("started = 2026", "started = 2006", "not the same time in any time zone"),
        ("[backup]", "[backups]", "line"),
        ("relative = no", "relative = no\nrelative = no", "twice"),
        ("[dest:atm]", "[dest:b]\ntype = a\npath = p\nstatus = DONE\n[dest:atm]", "destinations"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, words: str) -> None:
    text = mark.render(plain())
    assert old in text
    with pytest.raises(BadValue, match=words.replace("[", r"\[")):
        mark.parse(text.replace(old, new).encode(), PLACE)


@pytest.mark.parametrize(
    ("started", "fits"),
    [
        ("2026-11-21T20:11:12Z", True),  # on the Line Islands, 14 hours ahead
        ("2026-11-22T22:11:12Z", True),  # on Baker Island, 12 hours behind
        ("2026-11-21T19:11:11Z", False),
        ("2026-11-22T23:11:13Z", False),
    ],
)
@pytest.mark.parametrize("kind", ["full", "sync"])
def test_when_it_began_is_its_start_time_in_some_zone(started: str, fits: bool, kind: str) -> None:
    """A claim of another year would be the newest for ever, or never."""
    written = plain()._replace(type=kind)
    text = mark.render(written).replace("2026-11-22T10:11:12Z", started).encode()
    quickly = claim.quickly(text, written.directory)
    assert (quickly is not None) == fits
    if fits:
        assert claim.of(mark.parse(text, written.directory)) == quickly
    else:
        with pytest.raises(BadValue, match="not the same time in any time zone"):
            mark.parse(text, written.directory)


def test_a_mark_is_never_too_long_to_be_read() -> None:
    long = plain()._replace(include="/a " * 40_000)
    text = mark.render(long)
    assert len(text.encode()) <= form.LARGEST
    assert mark.parse(text.encode(), PLACE).include == ""


PIECES = st.one_of(
    st.sampled_from(["\n", " ", "=", ":", "[", "]", "#", "\t", "", "\x00", "\x1c", "é", "-", "0"]),
    st.sampled_from(["[backup]\n", "run = x\n", "start_time = 2026-02-30 00:00:00\n", "\n\n"]),
    st.sampled_from(["include =  x\n", "started = 2026-11-22T25:00:00Z\n", "base = ../x\n"]),
    st.text(max_size=3),
)


@given(marks(), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), max_size=3))
@settings(max_examples=examples(500))
def test_the_quick_way_reads_what_the_other_reads(
    written: Mark, changes: list[tuple[float, int, str]]
) -> None:
    text = mark.render(written)
    for where, length, piece in changes:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    data = text.encode("utf-8", "surrogatepass")
    quickly = claim.quickly(data, written.directory)
    if quickly is not None:
        assert quickly == claim.of(mark.parse(data, written.directory))


@pytest.mark.parametrize("counts", [Counts(), Counts(1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize("ended", [None, 1.8e9])
@pytest.mark.parametrize("age", [None, 0.0, 12.5])
def test_what_is_written_is_read_the_quick_way(
    counts: Counts, ended: float | None, age: float | None
) -> None:
    (target,) = plain().report.targets
    at = target._replace(path=f"/srv/back up/{PLACE}")
    report = plain().report._replace(targets=(at,), data_age=age, master_host="m1")
    written = plain()._replace(report=report, counts=counts, ended=ended, include="/etc/ /var/")
    place = written.directory
    assert claim.quickly(mark.render(written).encode(), place) == claim.of(written)
    based = written._replace(base="../2026-11-21-Saturday/web1-2026-11-21-Sat-10:11:12")
    assert claim.quickly(mark.render(based).encode(), place) == claim.of(based)


def test_marks_of_many_hosts_are_read_once_for_what_they_have_in_common() -> None:
    claim._alike.cache_clear()
    for number in range(30):
        when = f"2026-11-{1 + number:02}-10-11-12"
        report = plain().report._replace(host=f"web{number}", start_time=when)
        began = datetime(2026, 11, 1 + number, 10, 11, 12, tzinfo=UTC).timestamp()
        written = plain()._replace(report=report, run=f"{number:032x}", started=began)
        at = report.targets[0]._replace(path=f"/srv/{written.directory}")
        written = written._replace(report=report._replace(targets=(at,), data_age=1.5 * number))
        assert claim.read(mark.render(written).encode(), written.directory) == claim.of(written)
    assert claim._alike.cache_info().misses == 1


def test_a_mark_that_lies_elsewhere_is_refused_the_quick_way_too() -> None:
    data = mark.render(plain()).encode()
    for place in (PLACE.replace("web1", "web2"), "etc/web1", PLACE.replace(":12", ":13")):
        assert claim.quickly(data, place) is None
        with pytest.raises(BadValue, match="does not lie beside"):
            claim.read(data, place)
