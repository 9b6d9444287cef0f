"""THE option table: one row for each option that a configuration may hold.

Validation, defaults and the reference documentation are derived from it. A row
comes with its implementation; an option without a row is not known.
"""

import logging
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from b1000.config import allowed, foreign, grammar
from b1000.errors import BadValue, refuse_all
from b1000.jobs import FreeSpace

Value = Any  # what a kind makes of a text; the dataclasses in model give it its type


class Kind(NamedTuple):
    """What values an option takes: ``parse`` gives the value or raises BadValue.

    ``quotes``: a value is split into words as a shell would, and may be quoted. ``listed``:
    it is a list of words, of which each may be wrong by itself.
    """

    words: str
    parse: Callable[[str], Value]
    quotes: bool = False
    listed: bool = False


def _text(text: str) -> str:
    if "\n" in text:
        raise BadValue("it has more than one line", "write it on one line")
    return text


def _choice(*values: str) -> Kind:
    def parse(text: str) -> str:
        if text not in values:
            raise BadValue(f"{text!r} is not known", f"one of: {', '.join(values)}")
        return text

    return Kind(" or ".join(values), parse)


def _integer(words: str, least: int, most: int = 2**31) -> Kind:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
            above = f" and at most {most}" if most < 2**31 else ""
            raise BadValue(f"{text!r} is not a whole number that fits", f"at least {least}{above}")
        return int(text)

    return Kind(words, parse)


_ANSWERS = {"yes": True, "true": True, "on": True, "1": True} | {
    "no": False, "false": False, "off": False, "0": False,
}  # fmt: skip


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _ANSWERS:
        raise BadValue(f"{text!r} is neither", "yes or no")
    return _ANSWERS[text.lower()]


def _directory(text: str) -> str:
    _text(text)
    if not text.startswith("/"):
        raise foreign.place(text) or BadValue(f"{text!r} is not absolute", "a path from / on")
    # One spelling for one directory, so that two that are the same are seen to be.
    return "/" + posixpath.normpath(text).lstrip("/")


_ADDRESS = re.compile(
    r"(?:[A-Za-z0-9._-]+@)?"
    r"(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def _destination_path(text: str) -> str:
    _text(text)
    if text.startswith("/"):
        return _directory(text)
    return _rsync_address(text, "a local directory such as /srv/backup, or ")


def _rsync_address(text: str, instead: str = "") -> str:
    rule = f"{instead}rsync://HOST[:PORT]/MODULE[/PATH]"
    # Never repeat the text: somebody may have written a password into it.
    if re.match(r"rsync://[^/]*:[^/]*@", text):
        raise BadValue("rsync takes no password in an address", "use password_file")
    address = re.fullmatch(r"rsync://([^/]*)/(.*[^/].*)", _text(text))
    if not address:
        neither = "neither a path from / on nor" if instead else "not"
        raise foreign.place(text) or BadValue(f"it is {neither} an rsync address", rule)
    host = _ADDRESS.fullmatch(address[1])
    if not host:
        raise BadValue("the host in the rsync address cannot be one", rule)
    if host["port"] and not 1 <= int(host["port"]) <= 65535:
        raise BadValue("the port in the rsync address cannot be one", "a port is 1 to 65535")
    if not re.fullmatch(r"[^/\s-][^/]*(/.*)?", address[2]):
        raise BadValue("the module in the rsync address cannot be one", rule)
    return text.rstrip("/")


def _password_file(text: str) -> str:
    # Never repeat the text: somebody may have written the password itself.
    if "\n" in text or not text.startswith("/"):
        home = foreign.place(text) if text.startswith("~/") else None
        raise home or BadValue(
            "it is not absolute", "the path from / on of a file with the password"
        )
    return text


def _server(text: str) -> str:
    if text.startswith("/"):
        return _text(text)
    if re.fullmatch(r"[^:]+:[0-9]+", text):
        raise BadValue(f"{text!r} ends in a port", "the host alone; its port goes into port")
    return grammar.host(text.removeprefix("[").removesuffix("]"), "the server")


def _patterns(text: str) -> tuple[str, ...]:
    found = tuple(word.text for word in grammar.words(text))
    if not found:
        raise BadValue("it is empty", "name at least one pattern")
    return found


def _rsync_options(text: str) -> tuple[str, ...]:
    """More options for rsync; those that would undo a promise of B1000 are refused."""
    return allowed.check(_patterns(text))


def _rate(text: str) -> str:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKmMgG]?)", text)
    if not found:
        raise BadValue(f"{text!r} is not a rate", "KiB a second such as 5000, or 10m")
    rate = float(found[1]) * _UNITS[found[2].lower() or "k"]
    if 0 < rate < _LEAST_RATE:
        raise BadValue(f"{text!r} is less than rsync takes", "0.5 KiB a second, or 0 for no limit")
    return text


_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_LEAST_RATE = 512  # bytes a second; rsync refuses less


def _free_space(text: str) -> FreeSpace:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([kKmMgGtT]?|%)", text)
    if not found or (found[2] == "%" and float(found[1]) >= 100):
        raise BadValue(f"{text!r} is not an amount of space", "bytes, 20g, or 5%")
    if found[2] == "%":
        return FreeSpace(float(found[1]), percent=True)
    return FreeSpace(float(found[1]) * _UNITS[found[2].lower()])


def _log_format(text: str) -> str:
    try:
        record = logging.LogRecord("b1000", logging.INFO, "", 0, "", None, None)
        logging.Formatter(text).format(record)
    except (ValueError, KeyError, TypeError) as error:
        raise BadValue(
            f"it cannot format a line: {error}", "attributes such as %(asctime)s and %(message)s"
        ) from None
    return _text(text)


def _command(text: str) -> str:
    if not text.strip():
        raise BadValue("it is empty", "a command for /bin/sh")
    return text


def _include(text: str) -> str:
    """Checked here and kept as text: globs are expanded when the copy begins."""
    found = grammar.words(text)
    if not found:
        raise BadValue("it is empty", "name at least one path")
    refuse_all(filter(None, (_mistake(word.text) for word in found)))
    return text


def _mistake(path: str) -> BadValue | None:
    """What is wrong with a path of an include."""
    if path.startswith("/"):
        return None
    if not path.startswith("rsync://"):
        return foreign.place(path) or BadValue(f"{path!r} is not absolute", "a path from / on")
    try:
        _rsync_address(path)
    except BadValue as error:
        return error
    return None


def _exclude(text: str) -> str:
    _patterns(text)
    return text


TEXT = Kind("text", _text)
NAMES = Kind("names", grammar.names, listed=True)
DESTINATIONS = Kind("names, with / and &", grammar.destinations, listed=True)
SECONDS = _integer("seconds", 0)
YES_NO = Kind("yes or no", _yes_or_no)
PATH = Kind("absolute path", _directory)
COMMAND = Kind("command", _command)
HOST = Kind("host name", grammar.host)


class Option(NamedTuple):
    """One row.

    ``sections``: kinds of section in which it may stand (``global`` and ``job``
    together: the job's own value comes first). ``default`` is written as the
    user would write it; None means that there is none. ``late`` options are
    settled in each run, since they may refer to what only a run knows;
    ``dynamic`` ones may be the output of a command. ``literal`` ones hold no
    references, and of ``secret`` ones nothing is ever shown. ``of`` names the
    directions or types that have the option, all where it is empty
    (:data:`VARIANT`); ``defaults`` the defaults of some of them that differ. A
    ``required`` one may be missing where the option ``unless`` is given.
    """

    name: str
    sections: tuple[str, ...]
    kind: Kind
    help: str
    default: str | None = None
    required: bool = False
    late: bool = False
    dynamic: bool = False
    literal: bool = False
    secret: bool = False
    of: tuple[str, ...] = ()
    unless: str = ""
    defaults: Mapping[str, str] = {}

    def belongs(self, variant: str) -> bool:
        """Whether a section of this direction or type has the option."""
        return not self.of or variant in self.of


VARIANT = {"job": "direction", "dest": "type", "report": "type"}
"""Section kind → the option that decides which others the section has."""

_GLOBAL, _JOB, _DEST, _REPORT = ("global",), ("job",), ("dest",), ("report",)
_BOTH = ("global", "job")
_PUSH, _PULL = ("push",), ("pull",)
_COPIES, _PREPARES = ("push", "pull"), ("push", "passive")
_ACTIVE, _PASSIVE = ("active",), ("passive",)
_MYSQL = ("mysql",)

OPTIONS: tuple[Option, ...] = (
    # --- [global]
    Option(
        "host", _GLOBAL, Kind("host name", grammar.own_host),
        "Name of this host, in directories, reports and status. Default: the node name.",
    ),
    Option(
        "log_file", _GLOBAL, PATH,
        "Where to log. /dev/stdout and /dev/stderr mean the open streams.",
        default="/dev/stdout",
    ),
    Option(
        "log_format", _GLOBAL, Kind("format of Python's logging", _log_format),
        "Format of a line of the log; threadName is the job/instance.",
        default="%(asctime)-15s %(levelname)-7s [%(threadName)-10s] %(message)s",
        literal=True,
    ),
    Option(
        "log_level", _GLOBAL, _choice("DEBUG", "INFO", "WARNING", "ERROR", "FATAL"),
        "The least level that is logged. Failures reach standard error whatever it is.",
        default="INFO",
    ),
    Option(
        "backup_dir", _GLOBAL, PATH,
        "Directory in which scripts prepare data, for references; made where it is missing.",
    ),
    Option(
        "scripts_dir", _GLOBAL, PATH,
        "Directory of scripts, for references.",
        default="/usr/local/lib/b1000/scripts",
    ),
    Option(
        "status_dir", _GLOBAL, PATH,
        "Directory of the status files of runs that can be retried, of journal and locks.",
        default="/var/lib/b1000",
    ),
    Option(
        "journal", _GLOBAL, PATH,
        "The journal, an SQLite file. Its directory also holds the locks.",
        default="$status_dir/journal.sqlite3",
    ),
    Option(
        "journal_keep", _GLOBAL, _integer("days", 1, 36500),
        "Days of history that the journal keeps.",
        default="400",
    ),
    Option(
        "workers", _GLOBAL, _integer("number", 1, 1000),
        "How many jobs/instances are at work at once.",
        default="4",
    ),
    Option(
        "copy_retries", _GLOBAL, _integer("number", 0, 1000),
        "How often a copy that failed is tried again.",
        default="3",
    ),
    Option(
        "copy_retry_min_sleep", _GLOBAL, SECONDS,
        "The least wait before a copy is tried again; it grows up to ten times that.",
        default="60",
    ),
    Option(
        "report_wait_end", _GLOBAL, SECONDS,
        "How long to wait for reports after all runs have ended.",
        default="10",
    ),
    # --- [global], and a job may have its own
    Option(
        "dynamic_timeout", _BOTH, SECONDS,
        "Time limit of a command that gives an option its value, and of on_failure. 0: none.",
        default="60",
    ),
    Option(
        "script_timeout", _BOTH, SECONDS,
        "Time limit of pre and of post. 0: none.",
        default="0",
    ),
    Option(
        "copy_timeout", _BOTH, SECONDS,
        "Time limit of one attempt of a copy. 0: none.",
        default="0", defaults={"pull": "86400"},
    ),
    Option(
        "io_timeout", _BOTH, SECONDS,
        "Seconds without any data after which rsync gives up. 0: none.",
        default="300",
    ),
    Option(
        "connect_timeout", _BOTH, SECONDS,
        "Seconds to reach an rsync daemon. 0: none.",
        default="20",
    ),
    Option(
        "on_failure", _BOTH, COMMAND,
        "Command to run when a run has FAILED.",
        late=True,
    ),
    # --- [job:NAME]
    Option(
        "direction", _JOB, _choice("push", "passive", "pull"),
        "push: this host sends its data to the destinations. "
        "passive: it prepares data and waits until others have pulled it. "
        "pull: it fetches what a passive job of another host has prepared.",
        required=True,
    ),
    Option(
        "type", _JOB, _choice("full", "sync"),
        "full: a new directory for each run. sync: always the same directory.",
        required=True, of=_COPIES,
    ),
    Option(
        "dest", _JOB, DESTINATIONS,
        "Destinations, in order. a/b: in random order; a&: in the background.",
        required=True,
    ),
    Option(
        "report", _JOB, NAMES,
        "Reports to which each state is written.",
        required=True,
    ),
    Option(
        "instances", _JOB, NAMES,
        "Instances; each is a run of its own.",
        dynamic=True, of=_PUSH,
    ),
    Option(
        "allow_no_instances", _JOB, YES_NO,
        "Whether an instances command that prints nothing is all right.",
        default="no", of=_PUSH,
    ),
    Option(
        "data_age", _JOB, Kind("seconds", grammar.age),
        "Age of the data when the run began, such as the delay of a replica.",
        late=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "master_host", _JOB, HOST,
        "The host whose data this really is.",
        late=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "master_instance", _JOB, HOST,
        "The instance there whose data this really is.",
        late=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "pre", _JOB, COMMAND,
        "Command to run before copying. If it fails, nothing is copied.",
        late=True, of=_PREPARES,
    ),
    Option(
        "post", _JOB, COMMAND,
        "Command to run after all copies are complete.",
        late=True, of=_PREPARES,
    ),
    Option(
        "include", _JOB, Kind("paths, split as a shell would", _include, quotes=True),
        "Files and directories to copy; globs are expanded when the copy begins. Two that bring "
        "the same name are an error, unless it is excluded or relative = yes.",
        required=True, late=True, of=_COPIES,
    ),
    Option(
        "exclude", _JOB, Kind("patterns, split as a shell would", _exclude, quotes=True),
        "Patterns of rsync for what is not copied.",
        late=True, of=_COPIES,
    ),
    Option(
        "delete", _JOB, YES_NO,
        "sync only: remove at the destination what is gone at the source.",
        default="no", of=_COPIES,
    ),
    Option(
        "relative", _JOB, YES_NO,
        "Keep the full paths of the sources at the destination, or what stands behind /./ in them.",
        default="no", of=_COPIES,
    ),
    Option(
        "hard_links", _JOB, YES_NO,
        "Keep hard links.",
        default="no", of=_COPIES,
    ),
    Option(
        "acls", _JOB, YES_NO,
        "Keep access control lists.",
        default="no", of=_COPIES,
    ),
    Option(
        "xattrs", _JOB, YES_NO,
        "Keep extended attributes.",
        default="no", of=_COPIES,
    ),
    Option(
        "sparse", _JOB, YES_NO,
        "Write runs of zeros as holes.",
        default="no", of=_COPIES,
    ),
    Option(
        "report_source", _JOB, Kind("rsync://HOST[:PORT]/MODULE[/PATH]", _rsync_address),
        "The client's directory of report files.",
        required=True, of=_PULL,
    ),
    Option(
        "report_poll_wait", _JOB, _integer("seconds", 1),
        "How long to wait between looks at the client's reports.",
        required=True, of=_PULL,
    ),
    Option(
        "report_poll_retries", _JOB, _integer("number", 1),
        "How many looks may find no live report for this host.",
        required=True, of=_PULL,
    ),
    Option(
        "report_job", _JOB, Kind("name", grammar.name),
        "The client's passive job. Default: the name of this job.",
        of=_PULL,
    ),
    Option(
        "report_host", _JOB, Kind("host names", grammar.hosts),
        "The host names that a report may bear. Default: the host of report_source, short or full.",
        of=_PULL,
    ),
    Option(
        "report_wait", _JOB, SECONDS,
        "How long to follow a client that is still preparing its data.",
        default="86400", of=_PULL,
    ),
    Option(
        "password_file", _JOB, Kind("absolute path", _password_file),
        "File with the password for the client's daemon; else that of the destination is used.",
        of=_PULL,
    ),
    # --- [dest:NAME]
    Option(
        "type", _DEST, _choice("active", "passive"),
        "active: data is copied there. passive: another host comes and pulls it.",
        required=True,
    ),
    Option(
        "host", _DEST, Kind("host name", grammar.own_host),
        "The host that pulls, as its own configuration calls it.",
        required=True, of=_PASSIVE,
    ),
    Option(
        "timeout", _DEST, _integer("seconds", 1),
        "How long the whole pull may take, counted from when the data is ready.",
        required=True, of=_PASSIVE,
    ),
    Option(
        "path", _DEST, Kind("absolute path or rsync://", _destination_path),
        "Local directory, or rsync://HOST[:PORT]/MODULE[/PATH].",
        required=True, of=_ACTIVE,
    ),
    Option(
        "exclude", _DEST, Kind("patterns, split as a shell would", _patterns, quotes=True),
        "Patterns of rsync for what is not copied to this destination.",
        of=_ACTIVE,
    ),
    Option(
        "verbosity", _DEST, _integer("1 to 3", 1, 3),
        "What rsync logs. 1: totals; 2: each file too; 3: and why it was sent.",
        default="1", of=_ACTIVE,
    ),
    Option(
        "compress", _DEST, YES_NO,
        "Compress on the way.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "bwlimit", _DEST, Kind("rate", _rate),
        "Limit of the rate, in KiB a second or with a unit (10m).",
        of=_ACTIVE,
    ),
    Option(
        "max_copies", _DEST, _integer("number", 0, 1000),
        "Copies into this destination at once, over all B1000 of this journal. 0: no limit.",
        default="0", of=_ACTIVE,
    ),
    Option(
        "min_free", _DEST, Kind("bytes, 20g or 5%", _free_space),
        "Local paths: end a copy that would leave less space free than this.",
        of=_ACTIVE,
    ),
    Option(
        "must_be_mounted", _DEST, YES_NO,
        "Local paths: copy only where the path or a directory above it, other than /, is a mount "
        "point. For a disk that may be missing, whose directory would else fill the file system "
        "of /.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "link_dest", _DEST, YES_NO,
        "full only: files that have not changed become hard links into the last complete full "
        "of the same job, host, instance and master there.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "streams", _DEST, _integer("1 to 64", 1, 64),
        "How many rsyncs copy one tree side by side, before one goes over it all.",
        default="1", of=_ACTIVE,
    ),
    Option(
        "password_file", _DEST, Kind("absolute path", _password_file),
        "File with the password for the rsync daemon; only its owner may read it.",
        of=_ACTIVE,
    ),
    Option(
        "rsync_options", _DEST,
        Kind("options, split as a shell would", _rsync_options, quotes=True),
        "More options for rsync; below, those that it takes.",
        of=_ACTIVE,
    ),
    # --- [report:NAME]
    Option(
        "type", _REPORT, _choice("file", "mysql", "sqlite"),
        "file: one ini file for each run. mysql, sqlite: rows in the tables of a database.",
        required=True,
    ),
    Option(
        "path", _REPORT, PATH,
        "Directory of the report files, or the database file of sqlite.",
        required=True, of=("file", "sqlite"),
    ),
    Option(
        "keep", _REPORT, _integer("number", 1, 1000000),
        "How many files of finished runs stay for each job/instance.",
        default="30", of=("file",),
    ),
    Option(
        "server", _REPORT, Kind("host, address or socket", _server),
        "Host of the database server, or the path of its socket.",
        required=True, of=_MYSQL,
    ),
    Option(
        "port", _REPORT, _integer("1 to 65535", 1, 65535),
        "Its port.",
        default="3306", of=_MYSQL,
    ),
    Option(
        "db", _REPORT, TEXT,
        "Name of the database.",
        required=True, of=_MYSQL,
    ),
    Option(
        "user", _REPORT, TEXT,
        "Who logs in.",
        required=True, of=_MYSQL,
    ),
    Option(
        "password", _REPORT, TEXT,
        "The password; then only root should be able to read the file.",
        required=True, unless="password_file", literal=True, secret=True, of=_MYSQL,
    ),
    Option(
        "password_file", _REPORT, Kind("absolute path", _password_file),
        "File with the password in its first line, instead of password.",
        of=_MYSQL,
    ),
    Option(
        "ssl_ca", _REPORT, PATH,
        "File with the certificates that sign the server's: TLS, and no connection without.",
        of=_MYSQL,
    ),
)  # fmt: skip

SECTIONS = ("global", "job", "dest", "report")

TABLE: dict[str, dict[str, Option]] = {
    section: {option.name: option for option in OPTIONS if section in option.sections}
    for section in SECTIONS
}
"""Section kind → option name → row."""
