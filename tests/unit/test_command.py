"""The arguments of one rsync."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.jobs import PLAIN, Destination, Limits, Pull, Transfer
from b1000.rsync import command, fetching, surveys
from b1000.rsync.source import Source

LOCAL = Destination("store", "/srv/b1000")
REMOTE = Destination("atm", "rsync://backup-2/b1000")
ANY_PATH = st.text(st.characters(exclude_characters="\0"), min_size=1).map(lambda text: f"/{text}")


def copy(
    destination: Destination = LOCAL,
    sources: tuple[str, ...] = ("/etc/",),
    exclude: tuple[str, ...] = (),
    transfer: Transfer = Transfer(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> list[str]:
    source = Source(sources, exclude, transfer)
    return command.copy(source, f"{destination.path}/j/h", destination, limits)


def test_what_every_copy_has() -> None:
    argv = copy()
    assert argv[0] == "rsync"
    for option in ("--archive", "--numeric-ids", "--modify-window=-1", "--mkpath"):
        assert option in argv
    assert any(option.startswith("--partial-dir=") for option in argv)
    assert argv[-3:] == ["--", "/etc/", "/srv/b1000/j/h/"]


def test_what_no_copy_has() -> None:
    everything = Transfer(True, True, True, True, True, True)
    busy = Destination(
        "x", "rsync://h/m", ("*.o",), 3, True, "10m", 2, None, "/etc/pw", ("--fuzzy",)
    )
    for argv in (copy(), copy(busy, transfer=everything)):
        for option in ("--fsync", "--inplace", "--append", "--delete-excluded", "--ignore-errors"):
            assert option not in argv


@pytest.mark.parametrize(
    ("transfer", "option"),
    [
        (Transfer(delete=True), "--delete"),
        (Transfer(relative=True), "--relative"),
        (Transfer(hard_links=True), "--hard-links"),
        (Transfer(acls=True), "--acls"),
        (Transfer(xattrs=True), "--xattrs"),
        (Transfer(sparse=True), "--sparse"),
    ],
)
def test_what_only_the_job_asks_for(transfer: Transfer, option: str) -> None:
    assert set(copy(transfer=transfer)) - set(copy()) == {option}


@pytest.mark.parametrize(
    ("destination", "options"),
    [
        (Destination("x", "/srv/b1000", compress=True), {"--compress"}),
        (Destination("x", "/srv/b1000", bwlimit="10m"), {"--bwlimit=10m"}),
        (Destination("x", "/srv/b1000", exclude=("-a", "b c")), {"--exclude=-a", "--exclude=b c"}),
        (Destination("x", "/srv/b1000", rsync_options=("--fuzzy",)), {"--fuzzy"}),
        (Destination("x", "/srv/b1000", verbosity=2), {"--out-format=%n%L"}),
        (Destination("x", "/srv/b1000", verbosity=3), {"--out-format=%i %n%L"}),
    ],
)  # fmt: skip
def test_what_only_the_destination_asks_for(destination: Destination, options: set[str]) -> None:
    assert set(copy(destination)) - set(copy()) == options


def test_no_option_of_the_user_changes_the_form_of_numbers() -> None:
    argv = copy(Destination("x", "/srv/b1000", rsync_options=("-h", "--human-readable")))
    assert argv.index("--no-human-readable") > argv.index("--human-readable")


def test_connection_options_are_for_daemons_only() -> None:
    limits = Limits(io_timeout=300, connect_timeout=20)
    assert "--timeout=300" in copy(limits=limits)
    assert not [option for option in copy(limits=limits) if "contimeout" in option]
    assert not [option for option in copy(limits=limits) if "sockopts" in option]
    remote = copy(REMOTE, limits=limits)
    assert {"--timeout=300", "--contimeout=20", "--sockopts=TCP_NODELAY"} <= set(remote)


def test_no_time_limit_is_no_option() -> None:
    argv = copy(REMOTE, limits=Limits(io_timeout=0, connect_timeout=0))
    assert not [option for option in argv if "timeout" in option]


def test_only_the_password_file_is_named_never_the_password() -> None:
    argv = copy(Destination("x", "rsync://u@h/m", password_file="/etc/b1000/pw"))
    assert "--password-file=/etc/b1000/pw" in argv


def test_excludes_of_the_job_come_before_those_of_the_destination() -> None:
    argv = copy(Destination("x", "/d", exclude=("of-dest",)), exclude=("of-job",))
    assert [option for option in argv if option.startswith("--exclude")] == [
        "--exclude=.b1000*",
        "--exclude=of-job",
        "--exclude=of-dest",
    ]


@given(st.lists(ANY_PATH, min_size=1), st.lists(st.text(st.characters(exclude_characters="\0"))))
def test_no_path_and_no_pattern_becomes_an_option(sources: list[str], exclude: list[str]) -> None:
    argv = copy(sources=tuple(sources), exclude=tuple(exclude))
    end = argv.index("--")
    assert argv[end + 1 : -1] == sources
    for pattern in exclude:
        assert f"--exclude={pattern}" in argv[:end]
    assert argv[:end].count("--delete") == 0
    assert all(option.startswith("--") for option in argv[1:end])


def test_names_of_our_own_are_left_out_before_any_other_rule() -> None:
    own = Destination("x", "/d", exclude=("a",), rsync_options=("--include=.b1000-x",))
    part = command.Part(("--include=*", "--exclude=/b"), 2)
    whole, stream = copy(own), command.copy(Source(()), "/d", own, Limits(), part=part)
    empty = surveys.whole(Source(()), "/empty", own, Limits())
    for argv in (whole, stream, empty):
        rules = [each for each in argv if each.startswith(("--include", "--exclude", "--filter"))]
        assert rules[0] == "--exclude=.b1000*"
    # Of a client's daemon rsync hears nothing of the kind; streams would say it twice.
    assert [("--debug=FILTER" in argv) for argv in (whole, stream, pulled())] == [
        True,
        False,
        False,
    ]


def test_what_is_only_compared_changes_nothing() -> None:
    transfer = Transfer(delete=True, hard_links=True)
    own = Destination("x", "rsync://h/m", verbosity=3, bwlimit="10")
    argv = command.compared(Source(("/etc/",), ("a",), transfer), "rsync://h/m/d", own, Limits())
    assert {"--dry-run", "--checksum", "--exclude=a", "--hard-links"} <= set(argv)
    assert "--delete" not in argv


def test_a_probe_changes_nothing() -> None:
    argv = command.probe("/tmp/empty", "rsync://backup-2/b1000/x", REMOTE, Limits(), "--delete")
    assert {"--dry-run", "--delete"} <= set(argv)
    assert argv[-3:] == ["--", "/tmp/empty/", "rsync://backup-2/b1000/x/"]


PULL = Pull("rsync://ext/reports", "ext", 3, 3, password_file="/etc/pw")


def fetch(module: str) -> list[str]:
    return fetching.fetch(
        module,
        "/names",
        "/into",
        largest=65536,
        password_file=None,
        limits=Limits(),
        way=PLAIN,
    )


def pulled(destination: Destination = LOCAL) -> list[str]:
    sources = ("rsync://ext/backup",)
    return command.copy(Source(sources, pull=PULL), "/srv/b1000/j/h", destination, Limits())


def test_from_a_client_come_no_devices_whatever_the_options_say() -> None:
    argv = pulled(Destination("x", "/srv", rsync_options=("--devices", "-D")))
    last = max(argv.index("--devices"), argv.index("-D"), argv.index("--archive"))
    assert argv.index("--no-devices") > last
    assert argv.index("--no-specials") > last
    assert "--no-devices" not in copy()


def test_a_client_is_reached_as_a_daemon() -> None:
    for option in ("--contimeout=20", "--sockopts=TCP_NODELAY", "--timeout=300", "--no-motd"):
        assert option in pulled()
    assert "--contimeout=20" not in copy()


def test_the_password_of_the_job_or_else_of_the_destination() -> None:
    own = Destination("x", "/srv", password_file="/etc/other")
    assert "--password-file=/etc/pw" in pulled(own)
    plain = Pull("rsync://ext/reports", "ext", 3, 3)
    assert "--password-file=/etc/other" in command.connection(own, Limits(), plain)


@given(ANY_PATH)
def test_looks_take_nothing_for_an_option(path: str) -> None:
    for argv in (
        surveys.address(path, None, Limits()),
        fetch(path),
        command.deliver(path, PULL, Limits()),
    ):
        assert any(argument.rstrip("/") == path.rstrip("/") for argument in argv)
        assert all(argument.startswith("-") for argument in argv[1 : argv.index("--")])


def test_a_look_fetches_content_and_nothing_else() -> None:
    argv = fetch("rsync://ext/reports")
    for option in ("--no-links", "--no-devices", "--no-specials", "--max-size=65536", "--no-dirs"):
        assert option in argv
    for option in ("--archive", "--perms", "--owner", "--recursive"):
        assert option not in argv
