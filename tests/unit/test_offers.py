"""What a client's report offers, and what is refused of it; fuzzed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.b1k import names
from b1000.errors import BadValue
from b1000.exchange import offers
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.chance import examples

FILE = "ext--2026-11-23-04-29-00.b1k"
OLD = """\
[jobstatus:ext]
host = ext.example
name = ext
instance =
master_host = db1
master_instance = 3307
direction = passive
start_time = 2026-11-23 04:29:00
step = COPYING
status = OK
data_age = 12.5

[dest:atm]
type = passive
path = pull://backup-2
status = COPYING
"""
NEW = OLD.replace(
    "data_age = 12.5\n",
    "data_age =\nalive = 2026-11-23T04:29:40Z\nstarted = 2026-11-23T03:29:00Z\n"
    "transition = 17\nerror = pre: ended with exit code 7\n",
)


def parsed(text: str, host: str = "backup-2", file: str = FILE) -> Client:
    return offers.parse(text.encode("utf-8", "surrogateescape"), file, host)


def test_a_report_of_an_old_program() -> None:
    assert parsed(OLD) == Client(
        FILE,
        "ext.example",
        "ext",
        "",
        "2026-11-23-04-29-00",
        Step.COPYING,
        Status.OK,
        "atm",
        "backup-2",
        CopyStatus.COPYING,
        "db1",
        "3307",
        12.5,
    )


def test_the_keys_of_this_program() -> None:
    client = parsed(NEW)
    assert client.alive == "2026-11-23T04:29:40Z"
    assert client.started == datetime(2026, 11, 23, 3, 29, tzinfo=UTC).timestamp()
    assert (client.transition, client.data_age) == (17, None)
    assert client.error == "pre: ended with exit code 7"
    assert offers.is_offered(client)
    assert not offers.is_finished(client)


def test_an_instance() -> None:
    text = OLD.replace("instance =\n", "instance = a-1\n", 1)
    assert parsed(text, file="ext-a-1-2026-11-23-04-29-00.b1k").instance == "a-1"
    with pytest.raises(BadValue, match="not the file's"):
        parsed(text)


def test_what_would_change_how_a_line_looks_is_shown() -> None:
    text = NEW.replace("exit code 7", "exit \u202ecode 7")
    assert parsed(text).error == "pre: ended with exit \\u202ecode 7"


@pytest.mark.parametrize(
    ("written", "host", "same"),
    [
        ("backup-2", "backup-2", True),
        ("backup-2", "backup-2.example.com", True),
        ("backup-2.example.com", "backup-2", True),
        ("backup-2.example.com", "backup-2.example.org", False),
        ("backup-2.example", "backup-2.example.com", False),
        ("backup-2", "backup-22.example", False),
        ("backup-2", "Backup-2", False),
        ("backup-20", "backup-2", False),
    ],
)
def test_hosts_are_compared_as_written(written: str, host: str, same: bool) -> None:
    client = parsed(OLD.replace("backup-2", written), host)
    assert bool(client.destination) == same
    assert client.pull_host == (written if same else "")


def test_of_another_direction_nothing_is_ours() -> None:
    assert parsed(OLD.replace("passive\nstart", "push\nstart")).destination == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("COPYING\nstatus", "RUNNING\nstatus", "step is 'RUNNING'"),
        ("status = OK", "status = FINE", "status is 'FINE'"),
        ("status = COPYING", "status = OK", "status is 'OK'"),
        ("host = ext.example", "host = ../../etc", "host has '.' at position 1"),
        ("host = ext.example", "host = a..b", "'..'"),
        ("host = ext.example", "host = -a", "host has '-'"),
        ("host = ext.example", "host = a/b", "host has '/'"),
        ("host = ext.example", "host = $(id)", r"host has '\$'"),
        ("host = ext.example", "host = " + "a" * 70, "70 characters"),
        ("host = ext.example", "host =", "host is empty"),
        ("host = ext.example\n", "", "it has no host"),
        ("instance =\n", "instance = ../x\n", "instance has '.'"),
        ("instance =\n", "instance = b\n", "not the file's"),
        ("master_host = db1", "master_host = a/../b", "master_host has '/'"),
        ("master_instance = 3307", "master_instance = ;id", "master_instance has ';'"),
        ("name = ext", "name = other", "another name"),
        ("[jobstatus:ext]", "[jobstatus:../ext]", "the name on line 1"),
        ("[dest:atm]", "[dest:a b]", "has ' '"),
        ("[dest:atm]", "[global]", "line 13 is no"),
        ("[dest:atm]", "[DEFAULT]", "line 13 is no"),
        ("[dest:atm]", "[jobstatus:other]", "2 sections"),
        ("start_time = 2026", "start_time = 0001", "the year 1"),
        ("start_time = 2026", "start_time = 9999", "the year 9999"),
        ("start_time = 2026-11-23", "start_time = 2026-13-23", "no date"),
        ("04:29:00", "04:29:01", "not the file's"),
        ("04:29:00", "4:29", "no date"),
        ("data_age = 12.5", "data_age = -1", "data_age has '-'"),
        ("data_age = 12.5", "data_age = nan", "data_age has 'n'"),
        ("data_age = 12.5", "data_age = 1\nalive = now", "alive is no time"),
        ("data_age = 12.5", "data_age = 1\nalive = 0001-01-01T00:00:00Z", "the year 1"),
        ("data_age = 12.5", "data_age = 1\ntransition = -1", "no number"),
        ("data_age = 12.5", "data_age = 1\nerror = " + "x" * 1001, "1001 characters"),
        ("data_age = 12.5", "data_age = 1\nerror = a\x1b[2Jb", r"U\+001B|'\\x1b'"),
        ("data_age = 12.5", "data_age = 1\nerror = a\0b", r"U\+0000"),
        ("data_age = 12.5", "data_age = 1\nerror = a\x85b", r"U\+0085"),
        ("data_age = 12.5", "data_age = 1\nerror = \udcff", "0xff"),
        ("data_age = 12.5", "data_age = 1\ndata_age = 2", "stands twice"),
        ("data_age = 12.5", "data_age = 1\n more", "line 12 is no KEY"),
        ("data_age = 12.5", "data_age = 1\r", r"U\+000D"),
        ("passive\nstart", "sideways\nstart", "direction is 'sideways'"),
        ("pull://backup-2", "pull://../x", "the host in path of"),
        ("[dest:atm]", "[dest:b]\ntype=\npath=pull://backup-2\nstatus=INIT\n[dest:atm]", "meant"),
    ],
)
def test_what_does_not_fit_is_refused_as_a_whole(old: str, new: str, words: str) -> None:
    assert old in OLD
    with pytest.raises(BadValue, match=words):
        parsed(OLD.replace(old, new, 1))


def test_too_large() -> None:
    with pytest.raises(BadValue, match="more than 65536 bytes"):
        offers.parse(b"x" * 65537, FILE, "backup-2")
    with pytest.raises(BadValue, match="lines"):
        offers.parse(b"\n" * 65000 + b"x", FILE, "backup-2")


@pytest.mark.parametrize(
    "file",
    [
        "../ext--2026-11-23-04-29-00.b1k",
        "-ext--2026-11-23-04-29-00.b1k",
        "ext--2026-11-23-04-29-00.b1k.backup-2.done",
        "ext--2026-11-23-04-29-00.b1k\n",
        "ext\\#012--2026-11-23-04-29-00.b1k",
        "ext;id-2026-11-23-04-29-00.b1k",
        "ext--0001-11-23-04-29-00.b1k",
        "ext--9999-11-23-04-29-00.b1k",
        "ext--2026-02-30-04-29-00.b1k",
        "ext--\u0662026-11-23-04-29-00.b1k",
        "e" * 300 + "--2026-11-23-04-29-00.b1k",
        ".b1k",
        "",
    ],
)
def test_names_that_are_no_reports(file: str) -> None:
    assert names.report_name(file) is None


# --- fuzz: whatever the bytes, a client or a BadValue, and soon

LINES = st.one_of(
    st.sampled_from(NEW.splitlines()),
    st.sampled_from(["[dest:b]", "path = pull://backup-2", "status =", "=", "[", "a = b"]),
    st.text(max_size=40),
)


@given(st.one_of(st.binary(max_size=3000), st.text(max_size=3000).map(lambda text: text.encode())))
@settings(max_examples=examples(300))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(BadValue):
        offers.parse(data, FILE, "backup-2")


@given(st.lists(LINES, max_size=40), st.sampled_from(["backup-2", "b", "backup-2.example"]))
@settings(max_examples=examples(500))
def test_any_lines(lines: list[str], host: str) -> None:
    refused_or_sound("\n".join(lines).encode("utf-8", "surrogatepass"), host)


@given(st.integers(0, len(NEW) - 1), st.integers(0, 40), st.binary(max_size=20))
@settings(max_examples=examples(500))
def test_a_report_with_anything_in_it(at: int, gone: int, data: bytes) -> None:
    whole = NEW.encode()
    refused_or_sound(whole[:at] + data + whole[at + gone :], "backup-2")


def refused_or_sound(data: bytes, host: str) -> None:
    try:
        client = offers.parse(data, FILE, host)
    except BadValue as error:
        told = str(error)
    else:
        sound(client)
        told = client.error
    assert told.isprintable()


def sound(client: Client) -> None:
    words = [client.host, client.job, client.instance, client.destination, client.pull_host]
    words += [client.master_host, client.master_instance, client.alive]
    for each in words:
        assert not set(each) - set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-"
        )
        assert ".." not in each or each in (client.job, client.instance, client.destination)


@given(st.sampled_from([b"[", b"=", b"a=b\n", b"[dest:a]\n", b"\x00", b"-", b" ", b"[dest:"]))
@settings(max_examples=examples(8), deadline=5000)
def test_long_ones_are_refused_quickly(piece: bytes) -> None:
    with pytest.raises(BadValue):
        offers.parse((piece * 65536)[:65536], FILE, "backup-2")
