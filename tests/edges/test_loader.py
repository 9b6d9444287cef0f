"""Configuration files on disk: what is read, and how every mistake is told."""

import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from b1000.config import references
from b1000.config.loader import Config, ConfigUnreadable, load
from b1000.config.options import TABLE
from b1000.jobs import (
    BrokenJob,
    Destination,
    DestinationChoice,
    FreeSpace,
    Job,
    Limits,
    Pull,
    Report,
    Transfer,
)
from b1000.templates import Reference, ScriptTemplate, Template

Read = Callable[[str], Config]
Refuse = Callable[[str | bytes], list[str]]

COMMON = """\
[global]
host = client
[dest:store]
type = active
path = /srv/store
[report:main]
type = file
path = /srv/reports
"""
PUSH = "direction = push\ntype = full\ndest = store\nreport = main\n"
JOB = f"[job:etc]\n{PUSH}include = /etc\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The configuration that a text makes."""
    file = tmp_path / "b1000.cfg"

    def make(text: str) -> Config:
        file.write_text(text, encoding="utf-8")
        return load(str(file))

    return make


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """The errors of a text of which nothing can be run, without the file's name."""
    file = tmp_path / "b1000.cfg"

    def make(text: str | bytes) -> list[str]:
        file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        with pytest.raises(ConfigUnreadable) as error:
            load(str(file))
        assert str(error.value) == "\n".join(error.value.lines)
        assert all(line.startswith(f"{file}:") for line in error.value.lines)
        return [line.removeprefix(f"{file}:") for line in error.value.lines]

    return make


def told(config: Config) -> list[str]:
    """All problems as the operator sees them, without the file's name."""
    return [problem.shown("")[1:] for problem in config.problems]


def job(config: Config, name: str = "etc") -> Job:
    found = config.jobs[name]
    assert isinstance(found, Job), told(config)
    return found


def deferred(config: Config, option: str, name: str = "etc") -> Template:
    """The value of an option that a run settles."""
    found = job(config, name).deferred[option]
    assert not isinstance(found, ScriptTemplate)
    return found


def broken(config: Config, name: str = "etc") -> BrokenJob:
    found = config.jobs[name]
    assert isinstance(found, BrokenJob)
    return found


def only_problem(config: Config) -> str:
    (problem,) = told(config)
    return problem


# --- what a good file gives


def test_a_plain_job(read: Read) -> None:
    config = read(COMMON + JOB)
    assert told(config) == []
    etc = job(config)
    assert (etc.direction, etc.type, etc.reports) == ("push", "full", ("main",))
    assert etc.dest == ((DestinationChoice("store"),),)
    assert etc.destinations["store"].path == "/srv/store"
    assert config.reports["main"].path == "/srv/reports"
    assert etc.instances is None
    assert etc.deferred == {"include": ("/etc",)}


def test_the_default_values(read: Read) -> None:
    config = read(
        "[dest:store]\ntype = active\npath = /s\n[report:main]\ntype=file\npath=/r\n" + JOB
    )
    settings = config.settings
    assert settings.host == os.uname().nodename
    assert settings.status_dir == "/var/lib/b1000"
    assert settings.journal == "/var/lib/b1000/journal.sqlite3"
    assert settings.log_file == "/dev/stdout"
    assert settings.log_level == "INFO"
    assert settings.log_format == (
        "%(asctime)s%(offset)s %(levelname)-7s %(run)5s [%(threadName)-10s] %(message)s"
    )
    assert settings.log_style == "text"
    assert (settings.workers, settings.journal_keep, settings.report_wait_end) == (4, 400, 10)
    assert job(config).limits == Limits(
        dynamic_timeout=60,
        script_timeout=0,
        copy_timeout=0,
        io_timeout=300,
        connect_timeout=20,
        copy_retries=3,
        copy_retry_min_sleep=60,
    )
    assert job(config).transfer == Transfer(False, False, False, False, False, False)
    assert not job(config).allow_no_instances
    store = config.destinations["store"]
    assert (store.verbosity, store.compress, store.bwlimit, store.max_copies) == (1, False, None, 0)
    assert (store.min_free, store.password_file, store.rsync_options) == (None, None, ())
    assert config.reports["main"].keep == 30


def test_the_journal_lies_below_the_status_directory(read: Read) -> None:
    config = read("[global]\nstatus_dir = /srv/b1000/statuses/\n")
    assert config.settings.status_dir == "/srv/b1000/statuses"
    assert os.path.normpath(config.settings.journal) == "/srv/b1000/statuses/journal.sqlite3"


def test_every_option_reaches_its_value(read: Read) -> None:
    config = read(
        COMMON
        + JOB.replace("full", "sync")
        + "instances = 3306, 3307\nallow_no_instances = yes\nexclude = *.tmp '*.my log'\n"
        + "delete = yes\nrelative = yes\nhard_links = yes\nacls = yes\nxattrs = yes\nsparse = yes\n"
        + "io_timeout = 1\nconnect_timeout = 2\ncopy_timeout = 3\nscript_timeout = 4\n"
        + "dynamic_timeout = 5\ndata_age = 7\nmaster_host = db1\nmaster_instance = 3308\n"
        + "[dest:more]\ntype = active\npath = rsync://b/m\ncompress = yes\nbwlimit = 10m\n"
        + "verbosity = 3\nmax_copies = 2\npassword_file = /pw\nrsync_options = --fuzzy -y\n"
        + "exclude = *.o\n[dest:free]\ntype = active\npath = /f\nmin_free = 5%\n"
    )
    assert told(config) == []
    etc = job(config)
    assert etc.instances == ("3306", "3307")
    assert etc.allow_no_instances
    assert etc.transfer == Transfer(True, True, True, True, True, True)
    assert etc.limits == Limits(5, 4, 3, 1, 2, 3, 60)
    assert etc.deferred["data_age"] == ("7",)
    assert etc.deferred["exclude"] == ("*.tmp '*.my log'",)
    more = config.destinations["more"]
    assert (more.compress, more.bwlimit, more.verbosity, more.max_copies) == (True, "10m", 3, 2)
    assert (more.password_file, more.rsync_options) == ("/pw", ("--fuzzy", "-y"))
    assert more.exclude == ("*.o",)
    assert config.destinations["free"].min_free == FreeSpace(5, percent=True)


def test_a_job_overrides_the_limits_of_global(read: Read) -> None:
    text = COMMON.replace("host = client", "host = client\nio_timeout = 7\ncopy_timeout = 8")
    config = read(f"{text}{JOB}io_timeout = 9\n")
    assert (job(config).limits.io_timeout, job(config).limits.copy_timeout) == (9, 8)


# --- the syntax of the file


def test_a_value_goes_on_where_lines_are_indented(read: Read) -> None:
    config = read(f"{COMMON}{JOB}exclude = *.tmp\n  *~\n\t*.log\npre = one &&\n  two\n")
    assert deferred(config, "exclude") == ("*.tmp\n*~\n*.log",)
    assert deferred(config, "pre") == ("one &&\ntwo",)


def test_a_value_may_begin_below_its_option(read: Read) -> None:
    config = read(f"{COMMON}{JOB}master_host =\n  /usr/bin/master\n  -v\ninstances =\n  1\n  2\n")
    job = config.jobs["etc"]
    assert isinstance(job, Job)
    assert job.deferred["master_host"] == ScriptTemplate(("/usr/bin/master\n-v",))
    assert job.instances == ("1", "2")
    told_at = read(f"{COMMON}{JOB}workers =\n  3\n")
    assert only_problem(told_at).startswith("15: [job:etc] workers: ")


def test_comments_of_the_shell_are_its_own(read: Read) -> None:
    config = read(
        f"{COMMON}{JOB}post = a; b # c ; d\npre = echo ;\nmaster_host = !a ; b # c\n"
        "master_instance = $scripts_dir/x # y\n"
    )
    assert told(config) == []
    assert deferred(config, "post") == ("a; b # c ; d",)
    assert deferred(config, "pre") == ("echo ;",)
    assert job(config).deferred["master_host"] == ScriptTemplate(("a ; b # c",))
    command = job(config).deferred["master_instance"]
    assert command == ScriptTemplate(("/usr/local/lib/b1000/scripts/x # y",))


def test_what_a_dynamic_option_refers_to_may_be_no_command(read: Read) -> None:
    config = read(f"{COMMON}{JOB}instances = $type # all\n")
    assert "comments have lines of their own" in only_problem(config)


def test_lines_of_comment_are_left_out(read: Read) -> None:
    config = read(f"# one\n; two\n{COMMON}{JOB}  # three\npost = x\n#post = y\n")
    assert told(config) == []
    assert deferred(config, "post") == ("x",)


def test_only_the_first_equals_sign_divides(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre=a=b: c = d\n")
    assert deferred(config, "pre") == ("a=b: c = d",)


def test_a_colon_does_not_divide(refuse: Refuse) -> None:
    assert refuse(f"{COMMON}{JOB}pre: x\n") == [
        "15: a value stands behind =, not behind a colon: option = value"
    ]


def test_colons_in_the_place_of_equals_signs_are_told_once(refuse: Refuse) -> None:
    text = (COMMON + JOB).replace(" = ", ": ").replace("full", "fool").replace("main\n", "m\n")
    lines = refuse(text.replace("include: /etc", "include:/etc"))
    assert lines == [
        "2: a value stands behind =, not behind a colon: option = value "
        "(lines 2, 4, 5, 7, 8, 10, 11, 12, 13 and 14)",
        "11: [job:etc] type: 'fool' is not known; one of: full, sync",
        "13: [job:etc] report: there is no [report:m]; there are: main",
    ]


# --- comments that are none


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("global", "log_file", "/var/log/x # the log"),
        ("global", "status_dir", "/s ; the state"),
        ("global", "host", "a # b"),
        ("job:etc", "dest", "store # only one"),
        ("job:etc", "report", "main ; the only one"),
        ("job:etc", "instances", "1 2 # two"),
        ("job:etc", "master_host", "db1 # master"),
        ("job:etc", "data_age", "5 ; seconds"),
        ("job:etc", "include", "/etc # all of it"),
        ("job:etc", "exclude", "*.tmp # temp files"),
        ("job:etc", "exclude", "'*.tmp' ;temp files; don't"),
        ("job:etc", "delete", "no # never"),
        ("job:etc", "io_timeout", "5\t# seconds"),
        ("dest:store", "path", "/store ; the disk"),
        ("dest:store", "exclude", "*.o # objects"),
        ("dest:store", "rsync_options", "--fuzzy # quick"),
        ("dest:store", "min_free", "5% # enough"),
        ("report:main", "path", "/r # reports"),
    ],
)
def test_a_comment_behind_a_value_is_an_error(
    tmp_path: Path, section: str, option: str, value: str
) -> None:
    before, heading, body = (COMMON + JOB).partition(f"[{section}]\n")
    own, bracket, others = body.partition("[")
    own = re.sub(rf"(?m)^{option} = .*\n", "", own) + f"{option} = {value}\n"
    text = before + heading + own + bracket + others
    file = tmp_path / "b1000.cfg"
    file.write_text(text)
    try:
        lines = told(load(str(file)))
    except ConfigUnreadable as error:
        lines = [line.removeprefix(f"{file}:") for line in error.lines]
    (line,) = [line for line in lines if "is wrong, see line" not in line]
    where = text[: text.index(value)].count("\n") + 1
    assert line.startswith(f"{where}: [{section}] {option}: '")
    assert "begins no comment here; comments have lines of their own" in line


def test_quotes_keep_what_looks_like_a_comment(read: Read) -> None:
    config = read(
        COMMON.replace("path = /srv/store", "path = /srv/store\nexclude = '#*#' \\;x a#b a;b")
        + JOB.replace("/etc", "'/srv/a # b' /srv/c\\ \\;d \"/e ; f\"")
    )
    assert told(config) == []
    assert config.destinations["store"].exclude == ("#*#", ";x", "a#b", "a;b")


def test_a_pattern_that_begins_as_a_comment_is_told_of_quotes(read: Read) -> None:
    (problem, empty) = told(read(f"{COMMON}{JOB}exclude = #*#\n"))
    assert "'#' begins no comment here" in problem
    assert "in quotes it is part of the value" in problem
    assert "it is empty" in empty


def test_each_comment_of_a_value_is_told_with_its_line(read: Read) -> None:
    config = read(f"{COMMON}{JOB}exclude = *.tmp # temp\n  # fine\n  *.log ; logs\n  *~\n")
    assert [line.partition(":")[0] for line in told(config)] == ["15", "17"]
    assert all("comments have lines of their own" in line for line in told(config))


def test_comments_between_the_lines_of_a_value_are_left_out(read: Read) -> None:
    config = read(f"{COMMON}{JOB}exclude = *.tmp\n  # logs\n  *.log\n  ; backups\n  *~\n")
    assert told(config) == []
    assert deferred(config, "exclude") == ("*.tmp\n*.log\n*~",)


def test_a_line_of_a_command_that_begins_with_a_semicolon_is_warned_of(read: Read) -> None:
    config = read(
        f"{COMMON}{JOB}pre = one\n  ; two\n  three\npost = x\n  # fine\n  y\n  ; z\n\n; fine\n"
    )
    assert config.errors == ()
    assert [line.partition(": warning: ")[0] for line in told(config)] == [
        "16: [job:etc] pre",
        "21: [job:etc] post",
    ]
    assert all(
        line.endswith(
            "a line that begins with ';' is a comment, and no part of the value; "
            "end the line above in ';' instead"
        )
        for line in told(config)
    )


def test_a_word_of_a_list_may_be_as_long_as_a_file(read: Read) -> None:
    long = "/" + "x" * 500_000
    config = read(f"{COMMON}{JOB}exclude = {long}\n")
    assert deferred(config, "exclude") == (long,)
    assert told(config) == []


def test_commas_in_lists_of_patterns_are_warned_of(read: Read) -> None:
    config = read(
        COMMON.replace("/srv/store", "/srv/store\nexclude = a,*.o")
        + JOB.replace("/etc", "/etc, /home")
        + "exclude = *.tmp, *.log,/x {a,b} 'x, ' c\\,\n"
    )
    assert config.errors == ()
    assert [re.sub(r"; .*|:.*comma in", "", line) for line in told(config)] == [
        "6 'a,*.o' is a part of it: what is listed is divided by blanks",
        "15 '/etc,' is a part of it: what is listed is divided by blanks",
        "16 '*.tmp,' is a part of it: what is listed is divided by blanks",
        "16 '*.log,/x' is a part of it: what is listed is divided by blanks",
    ]


# --- options that are indented


def test_an_indented_option_is_told_with_both_lines(read: Read) -> None:
    config = read(COMMON + JOB.replace("report", "  report") + "pre = x\n  post = y\n   && z\n")
    assert told(config) == [
        "13: [job:etc] dest: this line, report = ..., is indented more than line 12, and so it "
        "continues that; begin both in the same column",
        "16: [job:etc] pre: this line, post = ..., is indented more than line 15, and so it "
        "continues that; begin both in the same column",
    ]


def test_what_a_shell_calls_a_variable_is_no_indented_option(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre =\n  type=full\n  path=/x; export path\n  x = y\n")
    assert told(config) == []
    assert deferred(config, "pre") == ("type=full\npath=/x; export path\nx = y",)


def test_an_indented_file_as_pasted_from_a_page(read: Read) -> None:
    config = read(textwrap.indent(COMMON + "\n\n" + JOB + "pre = $backup_dir/x\n", "    ").replace(
        "host = client", "host = client\n    backup_dir = /b"
    ))  # fmt: skip
    assert told(config) == []
    assert deferred(config, "pre") == ("/b/x",)


@pytest.mark.parametrize("option", ["pre", "post", "on_failure"])
def test_a_command_takes_no_mark_of_dynamic_options(read: Read, option: str) -> None:
    text = only_problem(read(COMMON + JOB + f"{option} = !/usr/local/bin/dump.sh\n"))
    assert f"[job:etc] {option}: it begins with '!', and is a command anyway; " in text
    assert told(read(COMMON + JOB + f"{option} = ! grep -q x /etc/hosts\n")) == []


@pytest.mark.parametrize("blank", ["", "\n", "\n    \n"])
def test_an_indented_job_below_an_option_that_is_not(read: Read, blank: str) -> None:
    other = JOB.replace("job:etc", "job:other")
    config = read(f"{COMMON}{JOB}post = true\n{blank}{textwrap.indent(other, '    ')}")
    assert told(config) == []
    assert deferred(config, "post") == ("true",)
    assert deferred(config, "include", "other") == ("/etc",)


def test_percent_signs_are_only_text(read: Read) -> None:
    config = read(
        COMMON.replace("host = client", "log_format = %(asctime)s %(message)s")
        + f"{JOB}pre = date +%Y-%m-%d%%; printf '%(x)s'\n"
    )
    assert config.settings.log_format == "%(asctime)s %(message)s"
    assert deferred(config, "pre") == ("date +%Y-%m-%d%%; printf '%(x)s'",)


def test_a_job_whose_name_is_too_long_is_told_and_cannot_be_run(read: Read) -> None:
    """No report could tell of its runs: neither the name of a file nor a column has room."""
    longest, longer = "n" * 80, "n" * 81
    config = read(COMMON + "".join(JOB.replace("job:etc", f"job:{n}") for n in (longest, longer)))
    assert list(config.jobs) == [longest]
    assert "the name has a name of 81 characters" in only_problem(config)
    assert config.stray


def test_default_is_no_special_section(read: Read) -> None:
    config = read(f"[DEFAULT]\ncompress = yes\n{COMMON}{JOB}")
    assert not config.destinations["store"].compress
    assert "1: [DEFAULT]: no such section" in only_problem(config)
    assert config.stray


def test_option_names_are_in_lower_case(read: Read) -> None:
    config = read(f"{COMMON}{JOB}Exclude = *.tmp\n")
    assert "did you mean 'exclude'?" in only_problem(config)
    assert broken(config)


def test_a_byte_order_mark_and_dos_lines_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "b1000.cfg"
    file.write_bytes(b"\xef\xbb\xbf" + (COMMON + JOB).replace("\n", "\r\n").encode())
    config = load(str(file))
    assert told(config) == []
    assert deferred(config, "include") == ("/etc",)


def test_text_may_be_of_any_language(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre = echo 'zażółć 日本 \u2028 \u00a0x'\n")
    assert deferred(config, "pre") == ("echo 'zażółć 日本 \u2028 \u00a0x'",)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"\xff", "the byte 0xff is not UTF-8, which it must be"),
        (b"\xe4", "the byte 0xe4 is not UTF-8, which it must be"),
        (b"\xed\xb3\xbf", "the byte 0xed is not UTF-8, which it must be"),
        (b"\0", "the control character U+0000 is not text"),
        (b"\x1b[31m", "the control character U+001B is not text"),
        (b"\x7f", "the control character U+007F is not text"),
        (b"a\rb", "the control character U+000D is not text"),
        ("\u0085".encode(), "the control character U+0085 is not text"),
    ],
)
def test_what_is_no_text_is_refused(refuse: Refuse, bad: bytes, said: str) -> None:
    first = b"[global]\nhost = x" + bad + b"y\n"
    second = b"[job:etc]\npre = " + bad + b"\n"
    assert refuse(first + second) == [f"2: {said}", f"4: {said}"]


def test_a_file_of_another_encoding_is_refused_in_one_line(refuse: Refuse) -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        told = refuse(mark + (COMMON + JOB).encode(encoding))
        assert told == [" it is UTF-16, and must be UTF-8; iconv -f UTF-16 -t UTF-8 makes it"]


def test_a_file_that_is_no_text_at_all_is_refused_in_few_lines(refuse: Refuse) -> None:
    lines = refuse(b"\0\n" * 1000)
    assert len(lines) == 11
    assert lines[-1] == "11: and so on; is it a configuration?"


@pytest.mark.parametrize(
    ("name", "said"), [("none", "No such file or directory"), ("", "is a directory, not a file")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, said: str) -> None:
    file = str(tmp_path / name)
    with pytest.raises(ConfigUnreadable) as error:
        load(file)
    assert error.value.lines == (f"{file}: cannot be read: {said}; -f names another file",)


@pytest.mark.parametrize("kind", ["active", "store"])
def test_no_destination_is_the_root_itself(read: Read, kind: str) -> None:
    config = read(f"[dest:all]\ntype = {kind}\npath = //\n")
    assert only_problem(config).endswith(
        "[dest:all] path: it is / itself; a directory of its own, such as /srv/backup"
    )


def test_an_empty_file_has_no_jobs(read: Read) -> None:
    assert read("").jobs == {}


def test_options_before_a_section(refuse: Refuse) -> None:
    assert refuse(f"\nhost = x\n{COMMON}") == ["2: a section such as [global] must come first"]


def test_lines_that_are_nothing_are_all_told_with_the_other_mistakes(refuse: Refuse) -> None:
    lines = refuse(f"{COMMON}nonsense\n{JOB}= x\n[job:open\ntpye = full\n")
    assert [line.partition(" ")[0] for line in lines] == ["9:", "16:", "17:", "18:"]
    assert "this is neither a [section] nor an option = value" in lines[0]
    assert "did you mean 'type'?" in lines[3]


def test_nothing_may_follow_a_heading(read: Read) -> None:
    for behind in ("pre = x", "# the job", "; etc", "]"):
        config = read(f"{COMMON}[job:etc] {behind}\n{PUSH}include = /etc\n")
        assert only_problem(config) == (
            "9: [job:etc]: nothing stands behind ]: options and comments have lines of their own"
        )
        assert broken(config)


# --- mistakes, all at once


def test_all_mistakes_are_told_at_once_with_their_lines(read: Read) -> None:
    config = read(
        f"{COMMON}"  # 8 lines
        "[job:one]\n"
        "direction = push\n"
        "tpye = full\n"
        "dest = store/stroe\n"
        "report = main, mian\n"
        "include = etc\n"
        "delete = perhaps\n"
        "pre = $typo\n"
        "[job:two]\n"
        "include = /etc /srv/etc\n"
        f"{PUSH}"
        "[dest:big disk]\n"
        "[dset:x]\n"
    )
    assert told(config) == [
        "11: [job:one] tpye: no such option here; did you mean 'type'?",
        "12: [job:one] dest: there is no [dest:stroe]; did you mean 'store'?",
        "13: [job:one] report: there is no [report:mian]; did you mean 'main'?",
        "14: [job:one] include: 'etc' is not absolute; a path from / on",
        "15: [job:one] delete: must be yes or no, not 'perhaps'",
        "16: [job:one] pre: $typo is not an option that has a value here; did you mean 'type'?; "
        "write $$ for a $ that the shell is to see",
        "18: [job:two] include: /etc and /srv/etc would become one at the destination; "
        "relative = yes keeps their full paths",
        "23: [dest:big disk]: the name has ' ' at position 4; "
        "a name is a letter or digit, then letters, digits, '.', '_' and '-'",
        "23: [dest:big disk] type: it is missing; it takes active or passive or store",
        "24: [dset:x]: no such section; did you mean 'dest'?; "
        "there are [global], [job:NAME], [dest:NAME] and [report:NAME]",
    ]
    assert config.problems == config.errors
    assert len(broken(config, "one").reasons) == 6
    assert all(
        re.match(r"/.*/b1000\.cfg:\d+: \[job:one\] ", each)
        for each in broken(config, "one").reasons
    )


@pytest.mark.parametrize(
    ("lines", "told_of"),
    [
        ("pre = echo $aaa $bbb ${ccc:-x} $aaa\n", ["'${ccc:-x} $a'", "$aaa is", "$bbb is"]),
        ("include = etc ~/x h::m /fine\n", ["'etc' is not", "~ is the shell's", "HOST::MODULE"]),
        ("dest = one two store! a&&\n", ["'!' at position 14", "'&' at position 18"]),
        ("dest = one two/three\n", ["[dest:one]", "[dest:two]", "[dest:three]"]),
        ("report = on! tw? main main main\n", ["'!' at", "'?' at", "'main' twice"]),
        ("instances = -a b/c d,d\n", ["'-' at position 1", "'/' at position 5", "'d' twice"]),
        ("instances = !x $instance $start_time\n", ["$instance is not", "$start_time is not"]),
        ("io_timeout = $instance$start_time\n", ["$instance is known", "$start_time is known"]),
        ("include = $a/x etc /fine ~/x\n", ["$a is not", "'etc' is not", "~ is the shell's"]),
        ("dest = $a sto!re/x\n", ["$a is not", "'!' at position 4"]),
        ("exclude = $a 'it is\n", ["$a is not"]),
        ("instances = !list $a b/c\n", ["$a is not"]),
        ("report = $a\n", ["$a is not"]),
        ("include = /a/x /b/x /c/y /d/y\n", ["/a/x and /b/x", "/c/y and /d/y"]),
        ("instances = " + "n" * 81 + " " + "m" * 82 + "\n", ["81 char", "82 char"]),
    ],
)
def test_all_mistakes_of_one_value_are_told(read: Read, lines: str, told_of: list[str]) -> None:
    option = lines.partition(" ")[0]
    config = read(COMMON + re.sub(f"(?m)^{option} = .*\n", "", JOB) + lines)
    found = told(config)
    assert len(found) == len(told_of), found
    assert all(said in line for said, line in zip(told_of, found, strict=True)), found
    assert len(broken(config).reasons) == len(told_of)


def test_all_options_of_rsync_that_are_refused_are_told(read: Read) -> None:
    config = read(
        COMMON.replace("/srv/store", "/srv/store\nrsync_options = --inplace -e ssh --fuzy")
    )
    assert [line.partition("rsync_options: ")[2][:12] for line in told(config)] == [
        "'--inplace' ", "'-e' cannot ", "'--fuzy' is ",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "suggestion"),
    [
        ("[jbo:x]", "'job'"),
        ("[JOB:x]", "'job'"),
        ("[job]", "'job'"),
        ("[ report:x]", "'report'"),
        ("[x]", ""),
    ],
)
def test_a_section_that_nobody_knows(read: Read, heading: str, suggestion: str) -> None:
    config = read(f"{COMMON}{JOB}{heading}\nanything = x\n")
    problem = only_problem(config)
    assert problem.startswith(f"15: {heading}: no such section")
    assert f"did you mean {suggestion}" in problem if suggestion else "did you" not in problem
    assert config.stray == (heading,)
    assert job(config)


@pytest.mark.parametrize(
    "heading", ["[Global]", "[globl]", "[global:x]", "[global] # all", "[global ]"]
)
def test_a_misspelt_global_is_an_error_of_global(refuse: Refuse, heading: str) -> None:
    lines = refuse(COMMON.replace("[global]", heading) + JOB)
    assert "1: [global" in lines[0].lower() or "did you mean 'global'" in lines[0]


@pytest.mark.parametrize("option", ["direction", "type", "dest", "report", "include"])
def test_a_misspelt_option_is_one_mistake(read: Read, option: str) -> None:
    config = read(COMMON + re.sub(f"(?m)^{option} = ", f"{option[:-1]} = ", JOB))
    text = only_problem(config)
    assert f"{option[:-1]}: no such option here; did you mean {option!r}?" in text
    assert broken(config)


@pytest.mark.parametrize("option", ["direction", "type", "dest", "report", "include"])
def test_what_a_job_must_have(read: Read, option: str) -> None:
    config = read(COMMON + re.sub(f"(?m)^{option} = .*\n", "", JOB))
    assert only_problem(config).startswith(f"9: [job:etc] {option}: it is missing; it takes ")
    assert broken(config)


@pytest.mark.parametrize("option", ["direction", "type", "dest", "report", "include"])
def test_what_must_be_there_must_not_be_empty(read: Read, option: str) -> None:
    config = read(COMMON + re.sub(f"(?m)^{option} = .*$", f"{option} =", JOB))
    assert re.match(rf"1\d: \[job:etc\] {option}: it is empty", only_problem(config))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type = active\n", "", "3: [dest:store] type: it is missing"),
        ("path = /srv/store\n", "", "3: [dest:store] path: it is missing"),
        ("type = file\n", "", "6: [report:main] type: it is missing"),
        ("path = /srv/reports\n", "", "6: [report:main] path: it is missing"),
    ],
)
def test_what_destinations_and_reports_must_have(read: Read, old: str, new: str, said: str) -> None:
    config = read(COMMON.replace(old, new) + JOB)
    assert told(config)[0].startswith(said)
    assert broken(config)


def test_an_option_of_another_section_is_told_where_it_belongs(read: Read) -> None:
    config = read(f"{COMMON}{JOB}workers = 3\n")
    assert only_problem(config) == (
        "15: [job:etc] workers: no such option here; it belongs in [global]"
    )
    # Also where there is one here with a name that is like it, which may have been meant.
    config = read(f"{COMMON}{JOB}copy_retries = 3\n")
    said = "no such option here; it belongs in [global]; did you mean 'copy_timeout'?"
    assert only_problem(config).endswith(said)


def test_an_option_twice_the_last_wins_with_a_warning(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre = one\npost = x\npre = two\n")
    problem = only_problem(config)
    assert problem.startswith("17: [job:etc] pre: warning: ")
    assert "line 15" in problem
    assert config.errors == ()
    assert deferred(config, "pre") == ("two",)


@pytest.mark.parametrize("section", ["dest:store", "report:main", "job:etc"])
def test_a_section_twice_is_an_error_that_names_both(read: Read, section: str) -> None:
    text = COMMON + JOB
    first = text[: text.index(f"[{section}]")].count("\n") + 1
    body = text[text.index(f"[{section}]") :].split("\n[")[0]
    again = f"{JOB.replace('job:etc', 'job:other')}{body}\n"
    config = read(text + again)
    line = (text + JOB).count("\n") + 1
    assert (
        f"{line}: [{section}]: stands on lines {first} and {line}; merge them into one section"
        in told(config)
    )
    assert broken(config)
    assert isinstance(config.jobs["other"], Job) == (section == "job:etc")
    assert not config.stray


@pytest.mark.parametrize("section", ["dest:store", "report:main", "job:etc"])
def test_what_a_section_that_stands_twice_lacks_is_not_told(read: Read, section: str) -> None:
    problems = told(read(f"{COMMON}{JOB}[{section}]\nbogus = 1\n"))
    of_it = [problem for problem in problems if f"[{section}]" in problem.split(": ")[1]]
    assert len(of_it) == 2
    assert "merge them into one section" in of_it[0]
    assert "bogus: no such option" in of_it[1]


def test_global_twice_is_an_error_of_global(refuse: Refuse) -> None:
    (line,) = refuse(f"{COMMON}[global]\nworkers = 3\n{JOB}")
    assert line == "9: [global]: stands on lines 1 and 9; merge them into one section"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is empty"),
        ("a b", "' ' at position 2"),
        ("../x", "'.' at position 1"),
        ("-e", "'-'"),
        ("a/b", "'/'"),
        ("$(x)", "'$'"),
    ],
)
def test_names_of_sections(read: Read, name: str, said: str) -> None:
    config = read(COMMON + JOB + JOB.replace("job:etc", f"job:{name}"))
    assert said in only_problem(config)
    assert list(config.jobs) == ["etc"]
    assert config.stray == (f"[job:{name}]",)


@pytest.mark.parametrize("name", ["3306", "a", "my-db_2.old", "status", "Z"])
def test_names_that_are_wider_than_those_of_the_manual(read: Read, name: str) -> None:
    assert job(read(COMMON + JOB.replace("job:etc", f"job:{name}")), name).name == name


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("dest", "store&&", "the list has '&' at position 7"),
        ("dest", "store store", "'store' twice"),
        ("dest", "store; rm", "the list has ';' at position 6"),
        ("report", "main;", "the list has ';' at position 5"),
        ("report", ",", "is empty"),
        ("instances", "3306 33/07", "the list has '/' at position 8"),
        ("instances", "a a", "'a' twice"),
        ("instances", ",", "is empty"),
        ("master_host", "$(hostname)", "'$' at position 1"),
        ("master_host", "a..b", "'..' at position 2"),
        ("master_instance", "a b", "' ' at position 2"),
        ("data_age", "-1", "'-' at position 1"),
        ("direction", "pul", "one of: push, passive, pull"),
        ("include", "/etc '/var", "not closed"),
        ("io_timeout", "5m", "must be an integer >= 0, not '5m'"),
        ("on_failure", "", "it is empty"),
        ("delete", "yes", "it is for type = sync"),
    ],
)
def test_a_wrong_value_breaks_its_job(read: Read, option: str, value: str, said: str) -> None:
    config = read(COMMON + re.sub(f"(?m)^{option} = .*\n", "", JOB) + f"{option} = {value}\n")
    problem = only_problem(config)
    assert re.match(rf"1\d: \[job:etc\] {option}: ", problem)
    assert said in problem
    assert broken(config)


@pytest.mark.parametrize(
    ("path", "option", "said"),
    [
        ("srv", "", "neither a path from / on nor an rsync address"),
        ("rsync://b/m", "min_free = 5%", "local paths"),
        ("/srv", "rsync_options = --inplace", "'--inplace' cannot be used here"),
        ("/srv", "bwlimit = fast", "'fast' is not a rate"),
        ("/srv", "verbosity = 4", "must be an integer from 1 to 3, not '4'"),
    ],
)
def test_a_wrong_destination(read: Read, path: str, option: str, said: str) -> None:
    config = read(COMMON.replace("path = /srv/store", f"path = {path}\n{option}") + JOB)
    first, second = told(config)
    line = 5 + bool(option)
    assert first.startswith(f"{line}: [dest:store] ")
    assert said in first
    assert second.endswith(f"[job:etc] dest: [dest:store] is wrong, see line {line}")
    (reason,) = broken(config).reasons
    assert reason.endswith(f"see line {line}: {first.partition(': [dest:store] ')[2]}")


def test_two_destinations_with_one_path(read: Read) -> None:
    two = "[dest:two]\ntype = active\npath = /srv/store/\n"
    config = read(COMMON + two + JOB.replace("dest = store", "dest = store two"))
    assert "store and two have the same path" in only_problem(config)
    assert broken(config)


def test_a_report_into_the_journal(read: Read) -> None:
    """Which has a table of the same name."""
    report = "[report:db]\ntype = sqlite\npath = $status_dir/journal.sqlite3\n"
    assert "is the journal" in only_problem(read(f"{COMMON}{report}{JOB}"))


# --- secrets


@pytest.mark.parametrize(
    "option",
    [
        "path = rsync://u:hunter2@h/m",
        "path = u:hunter2@h::m",
        "password_file = hunter2",
        "password = hunter2",
    ],
)
def test_no_error_repeats_a_password(read: Read, option: str) -> None:
    path = "" if option.startswith("path =") else "path = rsync://h/m\n"
    config = read(f"{COMMON}[dest:far]\ntype = active\n{path}{option}\n{JOB}")
    assert "[dest:far] " in only_problem(config)
    assert "hunter2" not in "".join(told(config))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("password = hunter2\ndb = $password\n", "$password would put it where it is shown"),
        ("password = hunter2\nuser = x${password}\n", "nothing can refer to it"),
        ("password = hunter2\n  hunter3\n", "it has more than one line"),
        ("password =\n  hunter2\n  hunter3 = hunter4\n", "it has more than one line"),
        ("password = hunter2\nhunter3 = hunter4\n", "no such option here"),
        ("password = hunter2\n\nhunter3 = hunter4\n", "no such option here"),
        ("password = hunter2\nhunter3 = x\nhunter4 = y\n", "no such option here"),
        ("password = hunter2\nhunter3 hunter4\n", "neither a [section] nor an option"),
        ("password = hunter2\nhunter3: hunter4\n", "behind =, not behind a colon"),
        ("password hunter2 = hunter3\n", "no such option here; did you mean 'password"),
        ("password = hunter2\n[hunter3]\n", "no such section"),
        ("password = hunter2\n[hunter3] = x\n", "no such section"),
        ("password: hunter2\n", "behind =, not behind a colon"),
        ("password:hunter2=hunter3\n", "behind =, not behind a colon"),
        ("password hunter2\n", "neither a [section] nor an option"),
        ("password\n  hunter2 = hunter3\n", "neither a [section] nor an option"),
        ("pasword = hunter2\npassword = x\n", "pasword: no such option here"),
        ("password = hunter2\npassword = hunter3 ; hunter4\n", "stands on line 14 too"),
        ("password = hunter2 # $hunter3\n", "part of it"),
        ("db = x\n  password = hunter2\n", "this line, password = ..., is indented"),
        ("password = hunter2\n  port = hunter3\n", "this line, port = ..., is indented"),
        ("password = hunter2\npassword_file = hunter3\n", "it is not absolute"),
        ("password = hunter2\nport = $password\n", "nothing can refer to it"),
    ],
)
def test_no_error_shows_any_part_of_a_password(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "b1000.cfg"
    file.write_text(f"{COMMON}{MYSQL}{lines}{JOB.replace('main', 'db')}")
    try:
        config = load(str(file))
        shown = told(config)
        shown += broken(config).reasons if config.errors else []
    except ConfigUnreadable as error:
        shown = list(error.lines)
    assert said in "\n".join(shown)
    # The option below it has a value of its own, which its own error shows.
    own = "port: must be an integer from 1 to 65535, not 'hunter3'"
    assert not re.search(r"hunter\d", "\n".join(shown).replace(own, ""))


def test_an_option_below_a_password_is_told_by_its_name_where_that_is_one(read: Read) -> None:
    config = read(f"{COMMON}{MYSQL}password = x\ntimeout = 5\n")
    assert "timeout: no such option here; it belongs in [dest]" in only_problem(config)
    config = read(f"{COMMON}{MYSQL}password = x\nprot = 5\n")
    assert only_problem(config) == (
        "15: [report:db]: no such option here; did you mean 'port'?; "
        "it may be part of a password, and is not shown"
    )


def test_what_refers_to_a_password_is_no_value(read: Read) -> None:
    text = f"{COMMON}{MYSQL}password = hunter2\ndb = $password\n"
    config = read(text + JOB.replace("main", "db"))
    assert "db" not in config.reports
    assert broken(config)


# --- backup first


def test_a_broken_job_takes_no_other_with_it(read: Read) -> None:
    config = read(f"{COMMON}{JOB}[job:bad]\n{PUSH}tpye = 1\n")
    assert job(config)
    bad = broken(config, "bad")
    assert bad.reports == ("main",)
    assert sorted(each.partition("[job:bad] ")[2] for each in bad.reasons) == [
        "include: it is missing; it takes paths, split as a shell would",
        "tpye: no such option here; did you mean 'type'?",
    ]


@pytest.mark.parametrize("section", ["dest", "report"])
def test_a_broken_section_takes_only_the_jobs_that_need_it(read: Read, section: str) -> None:
    other = JOB.replace("job:etc", "job:other").replace(f"{section} = ", f"{section} = second ")
    config = read(f"{COMMON}{JOB}{other}[{section}:second]\ntype = nothing\n")
    assert job(config)
    (reason,) = broken(config, "other").reasons
    told_once = f"[job:other] {section}: [{section}:second] is wrong, see line 22"
    assert f"{told_once}: type: 'nothing' is not known; " in reason
    assert any(line.endswith(told_once) for line in told(config))
    # What a wrong report was not told is owed, until its section has been mended.
    owed = {"dest": ("main",), "report": ("second", "main")}
    assert broken(config, "other").reports == owed[section]


def test_a_broken_section_that_nobody_needs(read: Read) -> None:
    config = read(f"{COMMON}{JOB}[dest:other]\ntype = active\n")
    assert only_problem(config).startswith("15: [dest:other] path: it is missing")
    assert job(config)
    assert set(config.destinations) == {"store"}


def test_a_broken_job_keeps_its_on_failure(read: Read) -> None:
    config = read(f"{COMMON}{JOB}on_failure = mail $instance\ndelete = x\ncopy_timeout = 5\n")
    assert broken(config).on_failure == ("mail ", Reference("instance"))
    assert broken(config).limits.copy_timeout == 5


@pytest.mark.parametrize(
    "option",
    [
        "workers = many",
        "wrokers = 3",
        "io_timeout = x",
        "host = a b",
        "host = ../..",
        "status_dir = x",
        "log_format = %(x)s",
        "on_failure = $typo",
    ],
)
def test_an_error_in_global_ends_it_and_is_told_once(refuse: Refuse, option: str) -> None:
    (line,) = refuse(COMMON.replace("host = client", option) + JOB)
    assert line.startswith(f"2: [global] {option.partition(' ')[0]}: ")


def test_an_error_in_global_tells_all_others_too(refuse: Refuse) -> None:
    lines = refuse(f"{COMMON.replace('host = client', 'workers = x')}{JOB}tpye = x\n")
    assert [line.partition(":")[0] for line in lines] == ["2", "15"]


def test_an_error_in_global_still_tells_the_log_file(tmp_path: Path) -> None:
    file = tmp_path / "b1000.cfg"
    file.write_text("[global]\nlog_file = /var/log/b1000.log\nworkers = x\n")
    with pytest.raises(ConfigUnreadable) as error:
        load(str(file))
    assert error.value.log_file == "/var/log/b1000.log"


# --- references


def test_references_are_looked_up_in_the_section_then_in_global(read: Read) -> None:
    text = COMMON.replace("host = client", "host = client\nscripts_dir = /s/$host\nio_timeout = 7")
    config = read(
        f"{text}{JOB}pre = $scripts_dir/x $type ${{io_timeout}} $host $journal_keep\n"
        "io_timeout = 8\npost = $pre\n"
    )
    assert deferred(config, "pre") == ("/s/client/x full 8 client 400",)
    assert deferred(config, "post") == deferred(config, "pre")


def test_what_only_a_run_knows_stays_open(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre = x $instance ${{start_time}} $host\n")
    assert deferred(config, "pre") == (
        "x ", Reference("instance"), " ", Reference("start_time"), " client",
    )  # fmt: skip


def test_references_in_destinations_and_reports(read: Read) -> None:
    config = read(
        COMMON.replace("/srv/store", "rsync://backup-1/b1000/$host/$verbosity").replace(
            "/srv/reports", "$status_dir/reports"
        )
    )
    assert config.destinations["store"].path == "rsync://backup-1/b1000/client/1"
    assert config.reports["main"].path == "/var/lib/b1000/reports"


def test_host_is_known_where_nobody_wrote_it(read: Read) -> None:
    config = read("[dest:store]\ntype = active\npath = /srv/$host\n")
    assert config.destinations["store"].path == f"/srv/{os.uname().nodename}"


def test_a_reference_to_what_is_not_set_is_no_misspelling(read: Read) -> None:
    text = "is not an option that has a value here"
    config = read(COMMON.replace("/srv/store", "$backup_dir/store"))
    assert f"$backup_dir {text}; set it in [global]; write $$" in only_problem(config)
    config = read(f"{COMMON}[job:etc]\n{PUSH}include = /etc\npre = $post\n")
    assert f"$post {text}; " in told(config)[0]
    assert "'post'" not in told(config)[0]
    config = read(COMMON.replace("/srv/store", "/srv/$start_time"))
    assert f"$start_time {text}; only a job has it; write $$" in only_problem(config)


@pytest.mark.parametrize("reference", ["$instance", "$start_time", "$include", "$backup_dir"])
def test_destinations_know_no_runs(read: Read, reference: str) -> None:
    config = read(COMMON.replace("/srv/store", f"/srv/{reference}"))
    assert f"{reference} is not an option that has a value here" in only_problem(config)


def test_references_are_inserted_before_lists_are_read(read: Read) -> None:
    text = COMMON.replace("host = client", "host = client\nbackup_dir = /a /b")
    config = read(f"{text}{JOB}exclude = $dest/$report\n")
    assert deferred(config, "exclude") == ("store/main",)
    config = read(f"{COMMON}{JOB}instances = $dest, $report\n")
    assert job(config).instances == ("store", "main")


def test_dollars_of_the_shell_stay(read: Read) -> None:
    line = "f() { echo $1 $? $(date) $((1+1)); }; awk '{print $1}' \"$$HOME\" $$$$"
    config = read(f"{COMMON}{JOB}pre = {line}\n")
    assert deferred(config, "pre") == (
        "f() { echo $1 $? $(date) $((1+1)); }; awk '{print $1}' \"$HOME\" $$",
    )


@pytest.mark.parametrize("text", ["$typo", "${typo}", "x$HOME", "${HOME:-x}", "${"])
def test_an_unknown_reference_tells_of_two_dollars(read: Read, text: str) -> None:
    config = read(f"{COMMON}{JOB}pre = echo {text}\n")
    assert only_problem(config).startswith("15: [job:etc] pre: ")
    assert "write $$ for a $ that the shell is to see" in only_problem(config)
    assert broken(config)


def test_an_unknown_reference_suggests_the_near_one(read: Read) -> None:
    config = read(f"{COMMON}{JOB}pre = echo $instnace\n")
    assert "$instnace is not" in only_problem(config)
    assert "did you mean 'instance'?" in only_problem(config)


@pytest.mark.parametrize(
    ("lines", "circle"),
    [
        ("pre = $pre\n", "$pre → $pre"),
        ("pre = $post\npost = x ${pre}\n", "$pre → $post → $pre"),
        ("pre = $post\npost = $include\nexclude = $pre\n", ""),
    ],
)
def test_circles_are_told(read: Read, lines: str, circle: str) -> None:
    config = read(f"{COMMON}{JOB}{lines}")
    problems = "\n".join(told(config))
    if circle:
        assert f"it refers to itself: {circle}; " in problems
        assert "$$" in problems
        assert broken(config)
    else:
        assert problems == ""


def test_a_circle_through_global_ends_it(refuse: Refuse) -> None:
    lines = refuse("[global]\nbackup_dir = $scripts_dir/x\nscripts_dir = $backup_dir/y\n")
    assert len(lines) == 2
    assert all("it refers to itself" in line for line in lines)


def test_a_job_may_refer_to_an_option_of_global_with_the_same_reference_twice(read: Read) -> None:
    text = COMMON.replace("host = client", "host = client\nbackup_dir = /b")
    config = read(f"{text}{JOB}pre = $backup_dir $backup_dir\n")
    assert deferred(config, "pre") == ("/b /b",)


def test_what_global_says_for_all_jobs_sees_the_run_and_the_job(read: Read) -> None:
    text = COMMON.replace(
        "host = client", "host = client\non_failure = mail $instance $io_timeout\nio_timeout = 7"
    )
    config = read(f"{text}{JOB}io_timeout = 8\n")
    assert deferred(config, "on_failure") == ("mail ", Reference("instance"), " 8")


def test_log_format_is_literal(read: Read) -> None:
    config = read("[global]\nlog_format = $typo $$ %(message)s\n")
    assert config.settings.log_format == "$typo $$ %(message)s"
    assert {name for table in TABLE.values() for name in table if table[name].literal} >= {
        "log_format"
    }


# --- dynamic options


@pytest.mark.parametrize(
    "value",
    [
        "!/s/m.sh $instance",
        "! /s/m.sh $instance",
        "/s/m.sh $instance",
        "$scripts_dir/m.sh $instance",
        "!$scripts_dir/m.sh $instance",
    ],
)
@pytest.mark.parametrize("option", ["data_age", "master_host", "master_instance"])
def test_a_command_begins_with_an_exclamation_mark_or_a_slash(
    read: Read, option: str, value: str
) -> None:
    text = COMMON.replace("host = client", "host = client\nscripts_dir = /s")
    command = job(read(f"{text}{JOB}{option} = {value}\n")).deferred[option]
    assert isinstance(command, ScriptTemplate)
    filled = references.fill(command.template, {"instance": "3306"})
    assert filled.strip() == "/s/m.sh 3306"


def test_the_command_for_instances(read: Read) -> None:
    config = read(f"{COMMON}{JOB}instances = !mysql -e 'show x' | awk '{{print $1}}'\n")
    assert job(config).instances == ScriptTemplate(("mysql -e 'show x' | awk '{print $1}'",))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("instances = !\n", "no command follows the !"),
        ("master_host = ! \n", "no command follows the !"),
        ("instances = !list $instance\n", "$instance is not known before the list is"),
        ("instances = !list $start_time\n", "$start_time is not known before the list is"),
        ("instances = a-$instance\n", "$instance is known only when a run has begun"),
        ("instances = !list\npre = x $instances\n", "use $instance"),
        ("io_timeout = !echo 3\n", "must be an integer >= "),
        ("type = !echo full\n", "is not known"),
    ],
)
def test_dynamic_options_that_cannot_be(read: Read, lines: str, said: str) -> None:
    base = JOB.replace("type = full\n", "") if lines.startswith("type") else JOB
    config = read(f"{COMMON}{base}{lines}")
    assert said in only_problem(config)
    assert broken(config)


def test_a_reference_to_a_dynamic_option_waits_for_the_run(read: Read) -> None:
    config = read(
        f"{COMMON}{JOB}master_host = !m.sh\nmaster_instance = $master_host\n"
        "data_age = 5\npre = x $master_host $data_age\n"
    )
    assert deferred(config, "master_instance") == (Reference("master_host"),)
    assert deferred(config, "pre") == ("x ", Reference("master_host"), " 5")


def test_includes_that_differ_only_in_the_run_do_not_merge(read: Read) -> None:
    text = "include = /a/$master_host /b/$master_instance /c/instance /d/$instance\n"
    config = read(
        f"{COMMON}[job:etc]\n{PUSH}{text}master_host = !a\nmaster_instance = !b\ninstances = x\n"
    )
    assert told(config) == []
    config = read(f"{COMMON}[job:etc]\n{PUSH}include = /a/$instance /b/$instance\ninstances = x\n")
    assert "/a/$instance and /b/$instance would become one" in only_problem(config)


# --- options of others, and what nobody has


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{JOB}report_source = rsync://ext/reports\n",
            "report_source: it is for direction = pull; this is push",
        ),
        (
            f"{JOB}report_poll_wait = 3\n",
            "report_poll_wait: it is for direction = pull; this is push",
        ),
        (f"{JOB}streams = 2\n", "streams: no such option here"),
        (f"{JOB}nothing_like_it = 2\n", "nothing_like_it: no such option here"),
    ],
)
def test_options_of_jobs_that_are_not_known(read: Read, text: str, said: str) -> None:
    config = read(COMMON + text)
    assert said in only_problem(config)
    assert broken(config)


@pytest.mark.parametrize(
    ("section", "lines", "said"),
    [
        ("dest:store", "links = yes", "links: no such option here"),
        ("dest:store", "streams = 0", "streams: must be an integer from 1 to"),
        ("dest:store", "timeout = 10", "timeout: it is for type = passive; this is active"),
        ("dest:store", "type = idle", "'idle' is not known; one of: active, passive"),
        ("report:main", "type = oracle", "'oracle' is not known; one of: file, mysql, sqlite"),
        ("report:main", "server = db", "server: it is for type = mysql; this is file"),
        ("report:main", "password = x", "password: it is for type = mysql; this is file"),
    ],
)
def test_options_of_other_sections_that_are_not_known(
    read: Read, section: str, lines: str, said: str
) -> None:
    text = COMMON
    if lines.startswith("type"):
        kind = "active" if section.startswith("dest") else "file"
        text = text.replace(f"type = {kind}", lines)
    else:
        text = text.replace(f"[{section}]", f"[{section}]\n{lines}")
    config = read(text + JOB)
    assert said in told(config)[0]
    assert broken(config)


# --- the manual's examples


MANUAL = """
    [global]
    log_level = INFO
    log_file = /var/log/b1000.log
    backup_dir = /srv/backup
    scripts_dir = /usr/local/lib/b1000/scripts
    status_dir = /srv/b1000/statuses
    copy_retries = 3
    copy_retry_min_sleep = 60


    [report:main]
    type = file
    path = /srv/b1000/reports


    [dest:tele]
    type = active
    path = rsync://backup-1/b1000
    verbosity = 1


    [dest:atm]
    type = active
    path = rsync://backup-2/b1000
    verbosity = 1


    [dest:hd]
    type = active
    path = rsync://backup-3/b1000
    verbosity = 1

"""
SIMPLE = """
    [job:etc]
    direction = push
    type = full
    dest = tele/atm
    report = main
    include = /etc
"""
LESS_SIMPLE = """
    [job:etc]
    direction = push
    type = full
    dest = tele/atm
    report = main
    pre = tar czf $backup_dir/system_backup.tar.gz /etc
    include = $backup_dir/system_backup.tar.gz
    post = rm -f $backup_dir/system_backup.tar.gz
"""
BINLOGS = """
    [job:binlogs]
    direction = push
    type = sync
    dest = hd& tele/atm
    report = main
    pre = $scripts_dir/mysql_rotate_logs.sh
    include = /var/lib/mysql/mysql-bin.*
"""
MYSQLDB = """
    [job:mysqldb]
    direction = push
    type = full
    dest = hd& tele/atm
    report = main
    instances = $scripts_dir/mysql_get_instances.sh
    data_age = $scripts_dir/mysql_get_slave_delay.sh $instance
    master_host = $scripts_dir/mysql_get_master_host.sh $instance
    master_instance = $scripts_dir/mysql_get_master_instance.sh $instance
    pre = $scripts_dir/mysql_dump_instance.sh $instance $backup_dir/$instance-$start_time
    post = rm -rf $backup_dir/$instance-$start_time
    include = $backup_dir/$instance-$start_time/*
"""
IN_ANY_ORDER = (DestinationChoice("tele"), DestinationChoice("atm"))


def test_the_common_sections_of_the_manual(read: Read) -> None:
    config = read(MANUAL)
    assert told(config) == []
    assert config.settings.log_file == "/var/log/b1000.log"
    assert config.settings.status_dir == "/srv/b1000/statuses"
    assert {name: each.path for name, each in config.destinations.items()} == {
        "tele": "rsync://backup-1/b1000",
        "atm": "rsync://backup-2/b1000",
        "hd": "rsync://backup-3/b1000",
    }


def test_the_simple_example_of_the_manual(read: Read) -> None:
    config = read(MANUAL + SIMPLE)
    assert told(config) == []
    assert job(config).dest == (IN_ANY_ORDER,)
    assert job(config).deferred == {"include": ("/etc",)}


def test_the_less_simple_example_of_the_manual(read: Read) -> None:
    config = read(MANUAL + LESS_SIMPLE)
    assert told(config) == []
    assert job(config).deferred == {
        "pre": ("tar czf /srv/backup/system_backup.tar.gz /etc",),
        "include": ("/srv/backup/system_backup.tar.gz",),
        "post": ("rm -f /srv/backup/system_backup.tar.gz",),
    }


def test_the_binlogs_example_of_the_manual(read: Read) -> None:
    config = read(MANUAL + BINLOGS)
    assert told(config) == []
    assert job(config, "binlogs").dest == ((DestinationChoice("hd", True),), IN_ANY_ORDER)
    assert job(config, "binlogs").type == "sync"


def test_the_mysql_example_of_the_manual(read: Read) -> None:
    config = read(MANUAL + MYSQLDB)
    assert told(config) == []
    found = job(config, "mysqldb")
    scripts = "/usr/local/lib/b1000/scripts"
    assert found.instances == ScriptTemplate((f"{scripts}/mysql_get_instances.sh",))
    assert {
        name: found.deferred[name] for name in ("data_age", "master_host", "master_instance")
    } == {
        "data_age": ScriptTemplate((f"{scripts}/mysql_get_slave_delay.sh ", Reference("instance"))),
        "master_host": ScriptTemplate(
            (f"{scripts}/mysql_get_master_host.sh ", Reference("instance"))
        ),
        "master_instance": ScriptTemplate(
            (f"{scripts}/mysql_get_master_instance.sh ", Reference("instance"))
        ),
    }
    dump = ("/srv/backup/", Reference("instance"), "-", Reference("start_time"))
    assert found.deferred["include"] == (*dump, "/*")
    assert found.deferred["post"] == ("rm -rf /srv/backup/", *dump[1:])


def test_a_broken_destination_is_told_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "b1000.cfg"
    file.write_text(
        "[report:r]\ntype = file\npath = /r\n[dest:d]\ntype = active\npath = relative\n"
        "[job:j]\ndirection = push\ntype = full\ndest = d\nreport = r\ninclude = /etc\n"
    )
    job = load(str(file)).jobs["j"]
    assert isinstance(job, BrokenJob)
    assert (
        "[dest:d] is wrong, see line 6: path: it is neither a path from / on nor" in job.reasons[0]
    )


@pytest.mark.parametrize(
    ("exclude", "warned"),
    [
        ("", True),
        ("*.tmp *~", True),
        ("*", True),
        ("/backup", False),
        ("/srv/back*/***", False),
        ("*.tmp backup/", False),
    ],
)
def test_a_destination_inside_its_own_source_is_warned_of(
    tmp_path: Path, exclude: str, warned: bool
) -> None:
    file = tmp_path / "b1000.cfg"
    text = (
        "[report:r]\ntype = file\npath = /r\n[dest:d]\ntype = active\npath = /srv/backup\n"
        "[job:j]\ndirection = push\ntype = full\ndest = d\nreport = r\ninclude = /srv\n"
    )
    for place in ("[dest:d]\n", "[job:j]\n"):
        line = f"{place}exclude = {exclude}\n" if exclude else place
        file.write_text(text.replace(place, line))
        problems = load(str(file)).problems
        assert [problem.warning for problem in problems] == [True] * warned
        assert all("/srv holds the destination d" in problem.text for problem in problems)


# --- report databases

MYSQL = "[report:db]\ntype = mysql\nserver = db-b1000\nuser = b1000\ndb = b1000\n"


def test_a_mysql_report(read: Read) -> None:
    config = read(COMMON + MYSQL + "password = $ecret=x # y\nport = 3307\nssl_ca = /etc/ca.pem\n")
    assert only_problem(config) == (
        "14: [report:db] password: warning: what begins with ' #' or ' ;' is part of it: "
        "comments have lines of their own"
    )
    report = config.reports["db"]
    assert report == Report(
        "db", "mysql", server="db-b1000", port=3307, db="b1000", user="b1000",
        password="$ecret=x # y", ssl_ca="/etc/ca.pem",
    )  # fmt: skip
    assert "ecret" not in repr(report)


def test_a_password_comes_from_one_place(read: Read) -> None:
    neither, both = MYSQL, MYSQL + "password = x\npassword_file = /etc/b1000/password\n"
    assert "password: it is missing; it takes text, or give password_file" in told(read(neither))[0]
    assert "password_file gives it too" in told(read(both))[0]
    from_file = read(MYSQL + "password_file = /etc/b1000/password\n")
    assert from_file.reports["db"].password_file == "/etc/b1000/password"


def test_an_sqlite_report(read: Read) -> None:
    config = read("[report:db]\ntype = sqlite\npath = /srv/b1000/reports.sqlite3\n")
    assert config.reports["db"] == Report("db", "sqlite", path="/srv/b1000/reports.sqlite3")
    assert (
        "it is for type = file"
        in told(read("[report:db]\ntype = sqlite\npath = /x\nkeep = 3\n"))[0]
    )


def test_a_type_that_is_not_known_asks_for_nothing_else(read: Read) -> None:
    (problem,) = told(read("[report:db]\ntype = mysqll\nserver = db\n"))
    assert "'mysqll' is not known" in problem


# --- passive and pull

PASSIVE = "[dest:atm]\ntype = passive\nhost = backup-2\ntimeout = 600\n"
EXT = "[job:ext]\ndirection = passive\ndest = atm\nreport = main\n"
PULL = (
    "[job:system]\ndirection = pull\ntype = full\ndest = store\nreport = main\n"
    "report_source = rsync://ext/reports/\nreport_poll_wait = 3\nreport_poll_retries = 5\n"
)
FETCHED = "include = rsync://ext/backup\n"


def test_a_passive_job(read: Read) -> None:
    config = read(f"{COMMON}{PASSIVE}{EXT}pre = /dump.sh\n")
    assert told(config) == []
    found = job(config, "ext")
    assert (found.direction, found.type, found.pull) == ("passive", "", None)
    assert found.report_directories == ("/srv/reports",)
    assert found.destinations["atm"] == Destination(
        "atm", type="passive", host="backup-2", timeout=600
    )


def test_a_pull_job(read: Read) -> None:
    found = job(read(f"{COMMON}{PULL}{FETCHED}"), "system")
    assert found.pull == Pull("rsync://ext/reports", "system", 3, 5)
    assert found.limits.copy_timeout == 86400
    assert found.destinations["store"].min_free == FreeSpace(5, percent=True)
    assert found.report_directories == ()


def test_whose_reports_a_pull_believes(read: Read) -> None:
    """Where the address names no host, it has to be said, or none is."""
    config = read(f"{COMMON}{PULL}report_host = ext, web1.example.org\n{FETCHED}")
    found = job(config, "system").pull
    assert found
    assert (told(config), found.hosts) == ([], ("ext", "web1.example.org"))
    for address in ("10.0.0.5", "[fd00::5]:8730", "localhost"):
        text = f"{COMMON}{PULL}{FETCHED}".replace("rsync://ext/reports", f"rsync://{address}/r")
        (problem,) = read(text).problems
        assert problem.warning
        assert (
            "names no host, so that no report is believed: name its hosts in report_host"
            in problem.text
        )
        assert told(read(f"{text}report_host = ext\n")) == []
    for wrong, words in (("", "empty"), ("ext ext", "twice"), ("e*x", "'*' at position 2")):
        text = "\n".join(told(read(f"{COMMON}{PULL}{FETCHED}report_host = {wrong}\n")))
        assert words in text


def test_what_a_pull_job_is_told_itself_counts(read: Read) -> None:
    text = COMMON.replace("path = /srv/store", "path = /srv/store\nmin_free = 0")
    text = text.replace("[global]", "[global]\ncopy_timeout = 60")
    more = "report_job = ext\nreport_wait = 9\npassword_file = /p\n"
    found = job(read(f"{text}{PULL}{FETCHED}{more}"), "system")
    assert found.pull == Pull("rsync://ext/reports", "ext", 3, 5, 9, password_file="/p")
    assert found.limits.copy_timeout == 60
    assert found.destinations["store"].min_free == FreeSpace(0)


def test_a_limit_for_all_pulls_is_none_for_pushes(read: Read) -> None:
    config = read(f"{COMMON}{JOB}{PULL}{FETCHED}")
    assert job(config, "etc").limits.copy_timeout == 0
    assert job(config, "etc").destinations["store"].min_free is None


def test_pulls_from_one_client_know_of_each_other(read: Read) -> None:
    other = PULL.replace("job:system", "job:db") + FETCHED + "report_job = mysql\n"
    elsewhere = (PULL.replace("job:system", "job:far") + FETCHED).replace("//ext/", "//far/")
    config = read(f"{COMMON}{PULL}{FETCHED}{other}{elsewhere}")
    claimed = {
        name: found.pull.claimed for name in config.jobs if (found := job(config, name)).pull
    }
    assert claimed == {
        "system": frozenset({"db", "mysql"}),
        "db": frozenset({"system"}),
        "far": frozenset(),
    }


def test_a_pull_that_is_wrong_leaves_its_report_to_itself(read: Read) -> None:
    other = PULL.replace("job:system", "job:db").replace("3\n", "x\n") + "report_job = mysql\n"
    config = read(f"{COMMON}{PULL}{FETCHED}{other}")
    assert isinstance(config.jobs["db"], BrokenJob)
    pull = job(config, "system").pull
    assert pull
    assert pull.claimed >= {"db", "mysql"}


@pytest.mark.parametrize(
    "source", ["rsync://EXT/reports", "rsync://u@ext:873/reports//", "rsync://ext/reports"]
)
def test_one_client_in_two_spellings_is_one(read: Read, source: str) -> None:
    other = (PULL.replace("job:system", "job:db") + FETCHED).replace("rsync://ext/reports/", source)
    pull = job(read(f"{COMMON}{PULL}{FETCHED}{other}"), "system").pull
    assert pull
    assert pull.claimed == {"db"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PASSIVE + EXT.replace("atm", "store"), "[dest:store] is active, for push and pull jobs"),
        (PASSIVE + JOB.replace("store", "atm"), "[dest:atm] is passive, for passive jobs"),
        (f"{PASSIVE}{EXT}include = /etc\n", "include: it is for direction = push or pull"),
        (f"{PASSIVE}{EXT}type = full\n", "type: it is for direction = push or pull"),
        (f"{PASSIVE}{EXT}instances = a\n", "instances: it is for direction = push; this is"),
        (
            PASSIVE + PASSIVE.replace("atm", "too") + EXT.replace("= atm", "= atm too"),
            "atm and too have the same host",
        ),
        (
            "[report:db]\ntype = sqlite\npath = /x\n" + PASSIVE + EXT.replace("main", "db"),
            "a passive job needs one of type = file",
        ),
        (PULL, "include: it is missing"),
        (f"{PULL}include = /etc\n", "/etc is not at a client; a pull fetches from rsync://"),
        (f"{PULL}include = rsync://a/x/1 rsync://b/x/2\n", "all must be at one host"),
        (f"{PULL}include = rsync://ext/a rsync://ext/b/c\n", "rsync://ext/a is a whole module"),
        (f"{PULL}include = rsync://ext/a/x rsync://ext/b/x\n", "would become one"),
        (f"{PULL}{FETCHED}pre = x\n", "pre: it is for direction = push or passive"),
        (f"{PULL}{FETCHED}master_host = !x\n", "master_host: it is for direction = push; this"),
        (
            PULL.replace("rsync://ext/reports/", "/srv/reports") + FETCHED,
            "report_source: it is not an rsync address",
        ),
        (
            PULL.replace("rsync://ext/reports/", "rsync://a:b@ext/reports") + FETCHED,
            "rsync takes no password in an address",
        ),
        (PULL.replace("wait = 3", "wait = 0") + FETCHED, "must be an integer >= 1"),
        (
            "[dest:far]\ntype = active\npath = rsync://backup-1/b1000\n"
            + PULL.replace("dest = store", "dest = far")
            + FETCHED,
            "[dest:far] is at another host",
        ),
        (JOB.replace("/etc", "rsync://ext/etc"), "is not on this host; direction = pull"),
        (JOB.replace("include = /etc", "include = rsync://a:b@c/d"), "takes no password"),
    ],
)
def test_what_passive_and_pull_cannot_be(read: Read, text: str, said: str) -> None:
    assert any(said in each for each in told(read(COMMON + text))), told(read(COMMON + text))


def test_a_password_file_is_for_a_daemon(read: Read) -> None:
    with_password = COMMON.replace("path = /srv/store", "path = /srv/store\npassword_file = /p")
    assert told(read(f"{with_password}{PULL}{FETCHED}")) == []
    (problem,) = told(read(with_password + JOB))
    assert "[dest:store] is a local path, which takes no password_file" in problem
