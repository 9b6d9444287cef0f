"""The options of [global], and those that a job may have for itself."""

from b1000 import logstyle
from b1000.config import grammar
from b1000.config.kinds import COMMAND, PATH, SECONDS, ValueKind, choice, integer, log_format
from b1000.config.options.row import BOTH, GLOBAL, Option

OPTIONS: tuple[Option, ...] = (
    # of all of B1000
    Option(
        "host", GLOBAL, ValueKind("host name", grammar.own_host),
        "Name of this host, in directories, reports and status. Default: the node name.",
    ),
    Option(
        "log_file", GLOBAL, PATH,
        "Where to log. /dev/stdout and /dev/stderr mean the open streams.",
        default="/dev/stdout",
    ),
    Option(
        "log_format", GLOBAL, ValueKind("format of Python's logging", log_format),
        "Format of a line of the log; threadName is the job/instance, run the number of the run, "
        "offset that of asctime from UTC.",
        default=logstyle.DEFAULT_FORMAT,
        literal=True,
    ),
    Option(
        "log_style", GLOBAL, choice(*logstyle.STYLES),
        "text: lines of log_format. json: an object a line. journal: lines with the priority "
        "for systemd, and without time unless log_format is set.",
        default="text",
    ),
    Option(
        "log_level", GLOBAL, choice("DEBUG", "INFO", "WARNING", "ERROR", "FATAL"),
        "The least level that is logged. Failures reach standard error whatever it is.",
        default="INFO",
    ),
    Option(
        "backup_dir", GLOBAL, PATH,
        "Directory in which scripts prepare data, for references; made where it is missing.",
    ),
    Option(
        "scripts_dir", GLOBAL, PATH,
        "Directory of scripts, for references.",
        default="/usr/local/lib/b1000/scripts",
    ),
    Option(
        "status_dir", GLOBAL, PATH,
        "Directory of the status files of runs that can be retried, of journal and locks.",
        default="/var/lib/b1000",
    ),
    Option(
        "journal", GLOBAL, PATH,
        "The journal, an SQLite file. Its directory also holds the locks.",
        default="$status_dir/journal.sqlite3",
    ),
    Option(
        "journal_keep", GLOBAL, integer("days", 1, 36500),
        "Days of history that the journal keeps.",
        default="400",
    ),
    Option(
        "drill_dir", GLOBAL, PATH,
        "Directory in which drills restore: it needs space for the largest backup, and what the "
        "command makes of it. Each drill has one of its own there, which is removed.",
        default="$status_dir/drills",
    ),
    Option(
        "workers", GLOBAL, integer("number", 1, 1000),
        "How many jobs/instances are at work at once.",
        default="4",
    ),
    Option(
        "copy_retries", GLOBAL, integer("number", 0, 1000),
        "How often a copy that failed is tried again.",
        default="3",
    ),
    Option(
        "copy_retry_min_sleep", GLOBAL, SECONDS,
        "The least wait before a copy is tried again; it grows up to ten times that.",
        default="60",
    ),
    Option(
        "report_wait_end", GLOBAL, SECONDS,
        "How long to wait for reports after all runs have ended.",
        default="10",
    ),
    Option(
        "mark_wait", GLOBAL, SECONDS,
        "How long marks are gathered, and waited for after all runs have ended.",
        default="30",
    ),
    # and a job may have its own
    Option(
        "dynamic_timeout", BOTH, SECONDS,
        "Time limit of a command that gives an option its value, of on_failure and of on_success. "
        "0: none.",
        default="60",
    ),
    Option(
        "script_timeout", BOTH, SECONDS,
        "Time limit of pre and of post. 0: none. Of drill too, where 0 is a day.",
        default="0",
    ),
    Option(
        "copy_timeout", BOTH, SECONDS,
        "Time limit of one attempt of a copy. 0: none.",
        default="0", defaults={"pull": "86400"},
    ),
    Option(
        "io_timeout", BOTH, SECONDS,
        "Seconds without any data after which a copy is given up. 0: none.",
        default="300",
    ),
    Option(
        "connect_timeout", BOTH, SECONDS,
        "Seconds to reach an rsync daemon. 0: none.",
        default="20",
    ),
    Option(
        "on_failure", BOTH, COMMAND,
        "Command to run when a run has FAILED.",
        deferred=True,
    ),
    Option(
        "on_success", BOTH, COMMAND,
        "Command to run when a run has ended OK or WARNING, such as a ping to a watchdog.",
        deferred=True,
    ),
)  # fmt: skip
