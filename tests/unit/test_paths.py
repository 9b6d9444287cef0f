"""The directory at the destination, and how error texts call a destination."""

import subprocess
import sys
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.errors import BadValue
from b1000.rsync import paths
from tests.support.chance import words

NAMES = words("._-", 21)
HOSTS = words("._:-", 21)
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@pytest.mark.parametrize(
    ("path", "kind", "whose", "expected"),
    [
        (
            "/srv/b1000",
            "full",
            ("db1", "3306", "m", "3307"),
            "/srv/b1000/mysql/2026-11-22-Sunday/db1-3306-m-3307-2026-11-22-Sun-10:11:12",
        ),
        (
            "rsync://backup-1/b1000",
            "full",
            ("db1", "", "", ""),
            "rsync://backup-1/b1000/mysql/2026-11-22-Sunday/db1-2026-11-22-Sun-10:11:12",
        ),
        ("/srv/b1000", "sync", ("db1", "3306", "", ""), "/srv/b1000/mysql/db1-3306"),
        ("/srv/b1000/", "sync", ("db1", "", "m", ""), "/srv/b1000/mysql/db1-m"),
        ("/", "sync", ("db1", "", "", "3307"), "/mysql/db1-3307"),
        ("rsync://h:8730/m/a/b", "sync", ("db1", "i", "m", ""), "rsync://h:8730/m/a/b/mysql/db1-i-m"),
    ],
)  # fmt: skip
def test_the_directory_is_exactly_that_of_the_manual(
    path: str, kind: str, whose: tuple[str, str, str, str], expected: str
) -> None:
    subject = paths.subject(*whose)
    assert paths.directory(path, "mysql", kind, subject, "2026-11-22-10-11-12") == expected


@pytest.mark.parametrize(("day", "name"), list(enumerate(DAYS, start=23)))
def test_each_day_has_its_english_name(day: int, name: str) -> None:
    made = paths.directory("/d", "j", "full", "h", f"2026-11-{day}-00-00-00")
    day_directory, leaf = made.split("/")[3:]
    assert day_directory == f"2026-11-{day}-{name}"
    assert leaf == f"h-2026-11-{day}-{name[:3]}-00:00:00"


def test_day_names_are_english_whatever_the_locale() -> None:
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    others = [name for name in listed.stdout.split() if not name.startswith(("C", "POSIX", "en"))]
    if not others:
        pytest.skip("no locale but C and English ones is installed here")
    code = (
        "import locale, sys; locale.setlocale(locale.LC_ALL, sys.argv[1])\n"
        "from b1000.rsync import paths\n"
        "print(paths.directory('/d', 'j', 'full', 'h', '2026-11-22-10-11-12'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, others[0]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "/d/j/2026-11-22-Sunday/h-2026-11-22-Sun-10:11:12"


@given(
    NAMES,
    HOSTS,
    st.one_of(st.just(""), NAMES),
    st.one_of(st.just(""), HOSTS),
    st.one_of(st.just(""), HOSTS),
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),
)
def test_full_directories(
    job: str, host: str, instance: str, master: str, master_instance: str, when: datetime
) -> None:
    subject = paths.subject(host, instance, master, master_instance)
    made = paths.directory("/srv", job, "full", subject, when.strftime(paths.START_TIME))
    day = DAYS[when.weekday()]
    date = f"{when.year:04}-{when.month:02}-{when.day:02}"
    clock = f"{when.hour:02}:{when.minute:02}:{when.second:02}"
    whose = host
    for part in (instance, master, master_instance):
        whose += f"-{part}" if part else ""
    assert made == f"/srv/{job}/{date}-{day}/{whose}-{date}-{day[:3]}-{clock}"


@given(NAMES, HOSTS, NAMES)
def test_sync_directories_have_no_time(job: str, host: str, instance: str) -> None:
    subject = paths.subject(host, instance, "", "")
    one = paths.directory("/srv", job, "sync", subject, "2026-11-22-10-11-12")
    assert one == f"/srv/{job}/{host}-{instance}"
    assert one == paths.directory("/srv", job, "sync", subject, "1999-01-01-00-00-00")


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    longest = "h" * 255
    assert paths.directory("/d", "j", "sync", longest, "2026-11-22-10-11-12").endswith(longest)
    for kind, subject in (("sync", longest + "h"), ("full", longest)):
        with pytest.raises(BadValue, match="at most 255"):
            paths.directory("/d", "j", kind, subject, "2026-11-22-10-11-12")
    with pytest.raises(BadValue, match="at most 255"):
        paths.directory("/d", "j" * 256, "sync", "h", "2026-11-22-10-11-12")


@pytest.mark.parametrize("start", ["/", "rsync://backup-1/b1000/", "/\u00fc"])
def test_a_path_that_no_report_keeps_is_refused(start: str) -> None:
    """Before anything runs, instead of a state that no database takes."""
    path = start + "d" * (paths.LONGEST - len(f"{start}/etc/client".encode()))
    whole = paths.directory(path, "etc", "sync", "client", "2026-11-22-10-11-12")
    assert len(whole.encode()) == paths.LONGEST
    with pytest.raises(BadValue, match="at most 4095; shorten the path of the destination"):
        paths.directory(path + "d", "etc", "sync", "client", "2026-11-22-10-11-12")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/b1000", "/srv/b1000"),
        ("rsync://backup-3/b1000", "backup-3"),
        ("rsync://backup-3:8730/b1000/a:b@c", "backup-3"),
        ("rsync://user@backup-3.example.org:8730/b1000", "backup-3.example.org"),
        ("rsync://127.0.0.1:873/m", "127.0.0.1"),
        ("rsync://[::1]:8730/m", "::1"),
        ("rsync://u@[fe80::1%eth0]/m", "fe80::1%eth0"),
    ],
)
def test_a_place_is_a_host_or_a_directory(path: str, expected: str) -> None:
    assert paths.host_or_path(path) == expected


@pytest.mark.parametrize(
    ("other", "way"),
    [
        ("/store/etc/2026-11-22-Sunday/b", "../b"),
        ("/store/etc/2026-11-21-Saturday/b", "../../2026-11-21-Saturday/b"),
        ("/store/etc/2026-11-22-Sunday/a", None),
        ("/elsewhere/etc/2026-11-22-Sunday/b", None),
        ("/store/www/2026-11-22-Sunday/b", None),
        ("rsync://host/store/etc/2026-11-22-Sunday/b", None),
    ],
)
def test_the_way_to_another_full(other: str, way: str | None) -> None:
    assert paths.between("/store/etc/2026-11-22-Sunday/a", other) == way


@pytest.mark.parametrize(
    ("full", "other", "told"),
    [
        ("/store/j/day/a", "/store/j/day/b", "../b"),
        ("rsync://h/m/j/day/a", "rsync://h/m/j/day/b", "../b"),
        ("rsync://u@h:8730/m/x/j/day/a", "rsync://u@h:8730/m/x/j/eve/b", "../../eve/b"),
        ("rsync://h/m/my files/j/day/a", "rsync://h/m/my files/j/eve/b", "../../eve/b"),
        ("rsync://h/m/j/day/a", "rsync://h/m/j/day/a", None),
        ("rsync://h/m/j/day/a", "rsync://other/m/j/day/b", None),
    ],
)
def test_to_what_a_full_is_linked(full: str, other: str, told: str | None) -> None:
    assert paths.between(full, other) == told


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rsync://ext/reports", ("rsync://ext/reports", "")),
        ("rsync://ext/reports/", ("rsync://ext/reports", "")),
        ("rsync://b@[::1]:873/all/of//ext", ("rsync://b@[::1]:873/all", "of/ext/")),
    ],
)
def test_a_module_and_what_is_below(address: str, expected: tuple[str, str]) -> None:
    assert paths.parted(address) == expected
