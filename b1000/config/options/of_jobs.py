"""The options of [job:NAME]."""

from b1000.config import grammar
from b1000.config.kinds import (
    COMMAND,
    DESTINATIONS,
    HOST,
    INSTANCES,
    NAMES,
    SECONDS,
    SPAN,
    YES_NO,
    ValueKind,
    check_paths,
    check_patterns,
    choice,
    exclude,
    include,
    integer,
    password_file,
    rsync_address,
)
from b1000.config.options.of_transports import reached
from b1000.config.options.row import JOB, Option

_PUSH, _PULL = ("push",), ("pull",)
_COPIES, _PREPARES = ("push", "pull"), ("push", "passive")

OPTIONS: tuple[Option, ...] = (
    Option(
        "direction", JOB, choice("push", "passive", "pull"),
        "push: this host sends its data to the destinations. "
        "passive: it prepares data and waits until others have pulled it. "
        "pull: it fetches what a passive job of another host has prepared.",
        required=True,
    ),
    Option(
        "type", JOB, choice("full", "sync"),
        "full: a new directory for each run. sync: always the same directory.",
        required=True, of=_COPIES,
    ),
    Option(
        "dest", JOB, DESTINATIONS,
        "Destinations, in order. a/b: in random order; a&: in the background.",
        required=True,
    ),
    Option(
        "report", JOB, NAMES,
        "Reports to which each state is written.",
        required=True,
    ),
    Option(
        "instances", JOB, INSTANCES,
        "Instances; each is a run of its own.",
        dynamic=True, of=_PUSH,
    ),
    Option(
        "allow_no_instances", JOB, YES_NO,
        "Whether an instances command that prints nothing is all right.",
        default="no", of=_PUSH,
    ),
    Option(
        "data_age", JOB, ValueKind("seconds", grammar.age),
        "Age of the data when the run began, such as the delay of a replica.",
        deferred=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "master_host", JOB, HOST,
        "The host whose data this really is.",
        deferred=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "master_instance", JOB, HOST,
        "The instance there whose data this really is.",
        deferred=True, dynamic=True, of=_PUSH,
    ),
    Option(
        "pre", JOB, COMMAND,
        "Command to run before copying. If it fails, nothing is copied.",
        deferred=True, of=_PREPARES,
    ),
    Option(
        "post", JOB, COMMAND,
        "Command to run after all copies are complete.",
        deferred=True, of=_PREPARES,
    ),
    Option(
        "drill", JOB, COMMAND,
        "Command for drills: its exit code says whether a backup is good that was restored into "
        "the directory B1000_DRILL_DIR. It sees B1000_JOB, B1000_INSTANCE, B1000_HOST and "
        "B1000_AGE, the age of the backup in seconds, too.",
        of=_COPIES,
    ),
    Option(
        "drill_every", JOB, SPAN,
        "How often a backup of each is to be drilled.",
        default="30d", of=_COPIES,
    ),
    Option(
        "include", JOB,
        ValueKind(
            "paths, split as a shell would", include, quotes=True, check_words=check_paths
        ),
        "Files and directories to copy; globs are expanded when the copy begins. Two that bring "
        "the same name are an error, unless it is excluded or relative = yes.",
        required=True, deferred=True, of=_COPIES,
    ),
    Option(
        "exclude", JOB,
        ValueKind(
            "patterns, split as a shell would", exclude, quotes=True, check_words=check_patterns
        ),
        "Patterns of rsync for what is not copied.",
        deferred=True, of=_COPIES,
    ),
    Option(
        "delete", JOB, YES_NO,
        "sync only: remove at the destination what is gone at the source.",
        default="no", of=_COPIES,
    ),
    Option(
        "relative", JOB, YES_NO,
        "Keep the full paths of the sources at the destination, or what stands behind /./ in them.",
        default="no", of=_COPIES,
    ),
    Option(
        "hard_links", JOB, YES_NO,
        "Keep hard links.",
        default="no", of=_COPIES,
    ),
    Option(
        "acls", JOB, YES_NO,
        "Keep access control lists.",
        default="no", of=_COPIES,
    ),
    Option(
        "xattrs", JOB, YES_NO,
        "Keep extended attributes.",
        default="no", of=_COPIES,
    ),
    Option(
        "sparse", JOB, YES_NO,
        "Write runs of zeros as holes.",
        default="no", of=_COPIES,
    ),
    Option(
        "report_source", JOB, ValueKind("rsync://HOST[:PORT]/MODULE[/PATH]", rsync_address),
        "The client's directory of report files.",
        required=True, of=_PULL,
    ),
    Option(
        "report_poll_wait", JOB, integer("seconds", 1),
        "How long to wait between polls of the client's reports.",
        required=True, of=_PULL,
    ),
    Option(
        "report_poll_retries", JOB, integer("number", 1),
        "How many polls may find no live report for this host.",
        required=True, of=_PULL,
    ),
    Option(
        "report_job", JOB, ValueKind("name", grammar.name),
        "The client's passive job. Default: the name of this job.",
        of=_PULL,
    ),
    Option(
        "report_host", JOB, ValueKind("host names", grammar.hosts),
        "The host names that a report may bear. Default: the host of report_source, short or full.",
        of=_PULL,
    ),
    Option(
        "report_wait", JOB, SECONDS,
        "How long to follow a client that is still preparing its data.",
        default="86400", of=_PULL,
    ),
    Option(
        "password_file", JOB, ValueKind("absolute path", password_file),
        "File with the password for the client's daemon; else that of the destination is used.",
        of=_PULL,
    ),
    *reached(JOB, _PULL, "the client's daemon"),
)  # fmt: skip
