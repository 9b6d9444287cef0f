"""The option table: what each kind of option takes, and what it refuses."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from b1000.config import allowed
from b1000.config.options import OPTIONS, TABLE
from b1000.errors import BadValue
from b1000.jobs import FreeSpace


def parse(section: str, option: str, text: str) -> Any:
    return TABLE[section][option].kind.parse(text)


def refusal(section: str, option: str, text: str) -> str:
    with pytest.raises(BadValue) as error:
        parse(section, option, text)
    says = error.value.hint or error.value.what.startswith("must be ")
    assert says, "an error says what would be right"
    return str(error.value)


# --- the table


@pytest.mark.parametrize(
    ("section", "names"),
    [
        (
            "global",
            "backup_dir connect_timeout copy_retries copy_retry_min_sleep copy_timeout "
            "dynamic_timeout host io_timeout journal journal_keep log_file log_format log_level "
            "on_failure report_wait_end script_timeout scripts_dir status_dir workers",
        ),
        (
            "job",
            "acls allow_no_instances connect_timeout copy_timeout data_age delete dest direction "
            "dynamic_timeout exclude hard_links include instances io_timeout master_host "
            "master_instance on_failure post pre relative report script_timeout sparse type xattrs",
        ),
        (
            "dest",
            "bwlimit compress exclude max_copies min_free password_file path rsync_options type "
            "verbosity",
        ),
        ("report", "db keep password password_file path port server ssl_ca type user"),
    ],
)
def test_the_options_of_push_jobs_are_all_there(section: str, names: str) -> None:
    assert set(names.split()) <= set(TABLE[section])


def test_a_row_is_not_written_twice() -> None:
    rows = [(section, option.name) for option in OPTIONS for section in option.sections]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    "option", OPTIONS, ids=lambda option: f"{option.sections[0]}.{option.name}"
)
def test_every_row_says_what_it_is_and_its_default_fits(option: Any) -> None:
    assert option.help.endswith(".")
    assert option.kind.description
    assert not (option.required and option.default is not None)
    if option.default is not None:
        option.kind.parse(option.default.replace("$status_dir", "/var/lib/b1000"))


@pytest.mark.parametrize(
    ("section", "required"),
    [
        ("global", set()),
        (
            "job",
            {"direction", "type", "dest", "report", "include"}
            | {"report_source", "report_poll_wait", "report_poll_retries"},
        ),
        ("dest", {"type", "path", "host", "timeout"}),
        ("report", {"type", "path", "server", "db", "user", "password"}),
    ],
)
def test_what_is_required(section: str, required: set[str]) -> None:
    assert {name for name, option in TABLE[section].items() if option.required} == required


def test_what_may_be_dynamic() -> None:
    dynamic = {option.name for option in OPTIONS if option.dynamic}
    assert dynamic == {"instances", "data_age", "master_host", "master_instance"}


# --- numbers, answers, choices


@pytest.mark.parametrize("text", ["-1", "1.5", "", "ten", "1 0", "0x10", "1_0", "+1", "\u0663"])
def test_seconds_are_whole_numbers(text: str) -> None:
    assert "must be an integer >= 0, not " in refusal("global", "copy_timeout", text)


@pytest.mark.parametrize("text", ["9" * 30, "1" + "0" * 30, "2147483649"])
def test_who_writes_too_many_seconds_is_told_how_many_there_may_be(text: str) -> None:
    said = f"must be an integer from 0 to 2147483648, not '{text}'"
    assert said in refusal("global", "copy_timeout", text)


@pytest.mark.parametrize(
    ("section", "option", "bad", "good"),
    [
        ("global", "workers", "0", "1"),
        ("global", "workers", "1001", "1000"),
        ("global", "journal_keep", "0", "1"),
        ("dest", "verbosity", "0", "1"),
        ("dest", "verbosity", "4", "3"),
        ("report", "keep", "0", "1"),
    ],
)
def test_the_bounds_of_numbers(section: str, option: str, bad: str, good: str) -> None:
    assert parse(section, option, good) == int(good)
    assert repr(bad) in refusal(section, option, bad)


@pytest.mark.parametrize(
    ("text", "answer"), [("yes", True), ("no", False), ("Yes", True), ("NO", False)]
)
def test_yes_and_no(text: str, answer: bool) -> None:
    assert parse("job", "delete", text) is answer


@pytest.mark.parametrize("text", ["", "y", "2", "maybe", "yes no", "yes\nno"])
def test_neither_yes_nor_no(text: str) -> None:
    assert "yes or no" in refusal("job", "delete", text)


@pytest.mark.parametrize(
    ("section", "option", "text", "known"),
    [
        ("job", "direction", "pall", "push, passive, pull"),
        ("job", "type", "incremental", "full, sync"),
        ("dest", "type", "idle", "active, passive"),
        ("report", "type", "postgres", "file, mysql, sqlite"),
        ("global", "log_level", "LOUD", "DEBUG, INFO, WARNING, ERROR, FATAL"),
    ],
)
def test_a_choice_names_what_there_is(section: str, option: str, text: str, known: str) -> None:
    said = refusal(section, option, text)
    assert repr(text) in said
    assert f"one of: {known}" in said


# --- space and rates


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("0", FreeSpace(0)),
        ("1024", FreeSpace(1024)),
        ("20g", FreeSpace(20 * 2**30)),
        ("1.5M", FreeSpace(1.5 * 2**20)),
        ("2T", FreeSpace(2 * 2**40)),
        ("5%", FreeSpace(5, percent=True)),
        ("0.5 %", FreeSpace(0.5, percent=True)),
    ],
)
def test_amounts_of_free_space(text: str, space: FreeSpace) -> None:
    assert parse("dest", "min_free", text) == space


@pytest.mark.parametrize("text", ["", "g", "-1", "20x", "20gb", "100%", "5%%", "5% 6%", "1e9"])
def test_what_is_no_amount_of_space(text: str) -> None:
    assert "20g, or 5%" in refusal("dest", "min_free", text)


def rsync_takes(option: str) -> bool:
    """Whether the real rsync knows what it means."""
    done = subprocess.run(
        ["rsync", option, "--list-only", "/etc/passwd"], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("text", ["0", "1", "0.5", "5000", "10m", "1.5g", "512K"])
def test_rates_that_rsync_takes_too(text: str) -> None:
    assert parse("dest", "bwlimit", text) == text
    assert rsync_takes(f"--bwlimit={text}")


@pytest.mark.parametrize("text", ["", "fast", "-1", "0.1", "0.3k", "10 m", "10m/s", "1,5", "ten"])
def test_rates_that_rsync_does_not_take_either(text: str) -> None:
    refusal("dest", "bwlimit", text)
    assert text == "" or not rsync_takes(f"--bwlimit={text}")


# --- directories and addresses


@pytest.mark.parametrize(
    ("text", "path"), [("/srv/b1000", "/srv/b1000"), ("/srv/b1000//", "/srv/b1000"), ("/", "/")]
)
def test_directories(text: str, path: str) -> None:
    assert parse("global", "status_dir", text) == path
    assert parse("dest", "path", text) == path


@pytest.mark.parametrize("text", ["", "srv", "./srv", "~/srv", "../srv", "-e", "/a\n/b"])
def test_a_directory_is_absolute_and_one_line(text: str) -> None:
    refusal("global", "status_dir", text)
    refusal("dest", "path", text)


@pytest.mark.parametrize(
    "text",
    [
        "rsync://backup-1/b1000",
        "rsync://backup-1/b1000/a b/c",
        "rsync://backup-1.example.com:8730/b1000",
        "rsync://client@backup-1/b1000",
        "rsync://10.0.0.7/m",
        "rsync://[::1]:873/m",
    ],
)
def test_rsync_addresses(text: str) -> None:
    assert parse("dest", "path", text) == text
    assert parse("dest", "path", f"{text}/") == text


@pytest.mark.parametrize(
    "text",
    [
        "rsync://", "rsync:///m", "rsync://h", "rsync://h/", "rsync://h//m", "rsync:/h/m",
        "rsync://h:x/m", "rsync://h:0/m", "rsync://h:65536/m", "rsync://h:\u0663/m",
        "rsync://-h/m", "rsync://h h/m", "rsync://$(reboot)/m", "rsync://h;x/m", "rsync://h/-m",
        "rsync://h/ m", "rsync://[::1/m", "rsync://@h/m", "rsync://a@b@h/m",
        "h::m", "h:/m", "user@h:/m", "ssh://h/m", "RSYNC://h/m", "rsync://h/m\nrsync://i/n",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    refusal("dest", "path", text)


@pytest.mark.parametrize(
    "address",
    [
        "rsync://client:PASS@backup-1/b1000",
        "rsync://client:PASS@backup-1:873/b1000",
        "rsync://client:a@PASS@backup-1/b1000",
        "rsync://client:a/PASS@backup-1/b1000",
        "rsync://:PASS@backup-1/b1000",
        "client:PASS@backup-1::b1000",
        "client:PASS@backup-1:/b1000",
        "http://client:PASS@backup-1/b1000",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    said = refusal("dest", "path", address.replace("PASS", "hunter2"))
    assert "hunter2" not in said


def test_a_password_in_an_address_is_told_where_to_write_it() -> None:
    assert "password_file" in refusal("dest", "path", "rsync://client:hunter2@backup-1/b1000")


def test_a_password_written_for_its_file_is_not_repeated() -> None:
    assert parse("dest", "password_file", "/etc/b1000/password") == "/etc/b1000/password"
    for text in ("hunter2", "/hunter2\nhunter2"):
        said = refusal("dest", "password_file", text)
        assert "hunter2" not in said
        assert "file" in said


# --- options for rsync


REFUSED = [
    "--inplace", "--append", "--append-verify", "--del", "--delete", "--delete-before",
    "--delete-during", "--delete-delay", "--delete-after", "--delete-excluded",
    "--delete-missing-args", "--rsh=ssh", "--rsh", "-e", "-essh", "-ne", "-zne", "-ve", "-rvze",
    "--files-from=/etc/passwd", "--files-from", "--link-dest=../x", "--daemon", "--dry-run", "-n",
    "-vn", "--list-only", "--write-batch=x", "--only-write-batch=x", "--read-batch=x",
    "--remove-source-files", "--remove-sent-files", "--version", "-V", "-vV", "--help", "--", "-",
    "-M--inplace", "-zM--delete", "-M-ze", "--remote-option=--append", "--remote-option=-M-e",
    # What leaves data out, keeps what is old, or is B1000's own to say.
    "--compare-dest=/x", "--copy-dest=/x", "--max-size=1000", "--min-size=1", "--update", "-u",
    "-avu", "--size-only", "--existing", "--ignore-non-existing", "--ignore-existing",
    "--exclude=!", "--exclude-from=/x", "--include=!", "--include-from=/x", "--filter=-_x",
    "-M--exclude=x", "--remote-option=--include=x",
    "-f-_x", "-zf-_x", "-F", "-C", "--cvs-exclude", "--no-links", "--no-l", "--no-recursive",
    "--no-r", "--dirs", "-d", "--old-dirs", "--stop-after=1", "--stop-at=23:59", "--time-limit=1",
    "--password-file=/x", "--trust-sender", "--write-devices", "--backup", "-b",
    "--backup-dir=x", "--suffix=.old", "--temp-dir='/srv/my tmp'", "-T/tmp", "-aTone",
    "--partial-dir=x", "--config=/x", "--safe-links", "--prune-empty-dirs", "-m",
    "--modify-window=1", "-@1", "--ignore-missing-args", "--ignore-errors", "--insecure-links",
    "--keep-dirlinks", "-K", "--old-args", "--no-s", "--relative", "-R", "--no-mkpath",
    "--info=progress0", "--debug=help", "--stderr=all", "--quiet", "-P", "--timeout=0",
    "--contimeout=0", "--rsync-path=x", "-M-u", "--server", "--sender",
]  # fmt: skip


@pytest.mark.parametrize("option", REFUSED)
def test_options_of_rsync_that_would_break_a_promise(option: str) -> None:
    (word,) = shlex.split(option)
    for text in (option, f"--fuzzy {option}", f"-B 8192 {option}"):
        assert repr(word) in refusal("dest", "rsync_options", text)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("-zne ssh --fuzzy", ["-n in '-zne'", "-e in '-zne'"]),
        ("--exclude ! --fuzzy --inplace", ["'--exclude'", "'--inplace'"]),
        ("--max-size 1g --block-size --delete -T /tmp", ["'--max-size'", "'-T'"]),
        ("-M --inplace --remote-option -u", ["'-M': '--inplace'", "'--remote-option': '-u'"]),
        ("--fuzy --recurs --fuzzy=3", ["'--fuzzy'?", "'--recurs' is no", "--fuzzy takes no value"]),
        ("-Q --block-size", ["'-Q' is no option", "--block-size takes a value, and none follows"]),
        ("fuzzy -- -", ["'fuzzy' is no option", "'--' is no option", "'-' is no option"]),
    ],
)
def test_all_refused_options_of_rsync_are_told(text: str, refused: list[str]) -> None:
    with pytest.raises(BadValue) as error:
        parse("dest", "rsync_options", text)
    told = list(map(str, error.value.each))
    assert len(told) == len(refused)
    assert all(part in line for part, line in zip(refused, told, strict=True))


def test_every_option_of_the_installed_rsync_is_allowed_or_refused_and_takes_what_it_says() -> None:
    """What its --help lists; a new rsync whose options nobody has judged fails here."""
    told = subprocess.run(["rsync", "--help"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^(-\S+?)(=\S+)?(?:, (-\S+))?(?: \(\*\))? {2,}(.*)", told, re.MULTILINE)
    listed = {
        spelling: bool(value)
        for first, value, second, words in lines
        for spelling in (first, second, *re.findall(r"\(aka (--\w+)\)", words))
        if spelling and spelling != "--no-OPTION"
    }
    assert len(listed) > 180
    unjudged = listed.keys() - allowed.RULES.keys()
    assert not unjudged, "say in config/allowed.py whether a destination may add them, or why not"
    assert listed == {each: allowed.RULES[each].takes_value for each in listed}


@pytest.mark.slow
def test_rsync_reads_the_values_of_options_as_the_table_says(tmp_path: Path) -> None:
    """popt says of each spelling whether it knows it and whether it takes a value."""
    for spelling, rule in allowed.RULES.items():
        if spelling in ("--daemon", "--detach", "--no-detach", "--help", "--no-stats", "-@"):
            continue
        if spelling.startswith("--"):
            done = subprocess.run(
                ["rsync", f"{spelling}=x"],
                capture_output=True,
                text=True,
                check=False,
                cwd=tmp_path,
            )
            refused = "does not take an argument" in done.stderr
            assert not (refused and rule.takes_value), (spelling, done.stderr)
            assert refused or rule.takes_value or "unknown option" in done.stderr, spelling
        done = subprocess.run(["rsync", spelling], capture_output=True, text=True, check=False)
        missing = "missing argument" in done.stderr
        assert missing == rule.takes_value or "unknown option" in done.stderr, spelling
        # One that is older need not know them all.
        assert "unknown option" not in done.stderr or "3.5." not in done.stderr, spelling


@pytest.mark.parametrize("option", ["'-e'", '"--inplace"', r"\-e", r"--del\ete", "'--del'ete"])
def test_quotes_hide_no_option(option: str) -> None:
    refusal("dest", "rsync_options", f"--fuzzy {option}")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("--fuzzy", ("--fuzzy",)),
        ("--exclude='my files' --include *.c", ("--exclude=my files", "--include=*.c")),
        ("--chmod=D755,F644 -y", ("--chmod=D755,F644", "-y")),
        ("--early-input='/srv/my key'", ("--early-input=/srv/my key",)),
        ("--delay-updates", ("--delay-updates",)),
        ("-aB8192 -B=700 -zB 900", ("-aB8192", "-B=700", "-zB900")),
        ("--port 8730 --iconv -u", ("--port=8730", "--iconv=-u")),
        ("-M--fake-super --remote-option=-c", ("-M--fake-super", "--remote-option=-c")),
        ("--no-inc-recursive\n--one-file-system", ("--no-inc-recursive", "--one-file-system")),
        ("-xHS", ("-xHS",)),
        (
            "--compress-choice=zstd --no-whole-file",
            ("--compress-choice=zstd", "--no-whole-file"),
        ),
    ],
)
def test_options_of_rsync_that_pass(text: str, options: tuple[str, ...]) -> None:
    assert parse("dest", "rsync_options", text) == options


@pytest.mark.parametrize("text", ["", " ", "fuzzy", "/etc", "''", "'--fuzzy"])
def test_what_are_no_options_of_rsync(text: str) -> None:
    refusal("dest", "rsync_options", text)


@given(st.text("avzrHSxyn" + "eV", min_size=1, max_size=6))
def test_no_cluster_hides_a_shell_or_a_dry_run(letters: str) -> None:
    if set(letters) & set("enV"):
        refusal("dest", "rsync_options", f"-{letters}")
    else:
        assert parse("dest", "rsync_options", f"-{letters}") == (f"-{letters}",)


# --- includes, excludes, commands, texts


@pytest.mark.parametrize("text", ["/etc", "/etc /var/spool/cron", "'/my files'", "/var/log/*.log"])
def test_includes(text: str) -> None:
    assert parse("job", "include", text) == text


@pytest.mark.parametrize(
    "text", ["etc", "/etc var", "-e", "~/x", "''", "", " ", "'/etc", "/etc --x"]
)
def test_an_include_is_absolute(text: str) -> None:
    refusal("job", "include", text)


def test_excludes_are_split_as_a_shell_would() -> None:
    assert parse("dest", "exclude", "*.tmp *~ 'my files'") == ("*.tmp", "*~", "my files")
    assert parse("job", "exclude", "*.tmp *~") == "*.tmp *~"


@pytest.mark.parametrize("section", ["job", "dest"])
@pytest.mark.parametrize("text", ["", " ", "'*.tmp", "*.tmp !"])
def test_excludes_that_do_not_fit(section: str, text: str) -> None:
    refusal(section, "exclude", text)


@given(st.text())
@example("!0")
def test_a_command_is_taken_as_it_is(text: str) -> None:
    if text.strip() and not re.match(r"!\S", text):
        assert parse("job", "pre", text) == text
    else:
        refusal("job", "pre", text)


def test_the_format_of_the_log() -> None:
    assert parse("global", "log_format", "%(asctime)s %(message)s") == "%(asctime)s %(message)s"
    for text in ("%(nothing)s", "%(message)d", "no attribute", "%(message)s\n"):
        refusal("global", "log_format", text)


@pytest.mark.parametrize("option", ["host", "master_host", "master_instance"])
@pytest.mark.parametrize("text", ["$(reboot)", "a b", "a\nb", "../..", "-e", "a..b", "a/b"])
def test_hosts_and_masters_hold_nothing_that_means_anything(option: str, text: str) -> None:
    said = refusal("global" if option == "host" else "job", option, text)
    assert re.search(r"at position \d", said)


# --- report databases


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("db-b1000", "db-b1000"),
        ("10.0.0.1", "10.0.0.1"),
        ("[fe80::1]", "fe80::1"),
        ("fe80::1", "fe80::1"),
        ("/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock"),
    ],
)
def test_a_server_is_a_host_an_address_or_a_socket(text: str, server: str) -> None:
    assert parse("report", "server", text) == server


@pytest.mark.parametrize("text", ["db:3307", "db b", "mysql://db", "-h", "run/mysqld.sock"])
def test_what_cannot_be_a_server(text: str) -> None:
    refusal("report", "server", text)


@pytest.mark.parametrize("text", ["0", "65536", "mysql"])
def test_what_cannot_be_a_port(text: str) -> None:
    refusal("report", "port", text)
