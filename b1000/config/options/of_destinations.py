"""The options of [dest:NAME]."""

from b1000.config import grammar
from b1000.config.kinds import (
    COMMAND,
    KEEP,
    NAMES,
    SPAN,
    YES_NO,
    ValueKind,
    choice,
    destination_path,
    free_space,
    integer,
    password_file,
    patterns,
    rate,
    rsync_options,
    share,
)
from b1000.config.options.of_transports import reached
from b1000.config.options.row import DEST, Option

_ACTIVE, _PASSIVE = ("active",), ("passive",)
_KEPT, _STORE = ("active", "store"), ("store",)

OPTIONS: tuple[Option, ...] = (
    Option(
        "type", DEST, choice("active", "passive", "store"),
        "active: data is copied there. passive: another host comes and pulls it. "
        "store: other hosts push into this local tree; here it is listed, thinned and verified.",
        required=True,
    ),
    Option(
        "host", DEST, ValueKind("host name", grammar.own_host),
        "The host that pulls, as its own configuration calls it.",
        required=True, of=_PASSIVE,
    ),
    Option(
        "timeout", DEST, integer("seconds", 1),
        "How long the whole pull may take, counted from when the data is ready.",
        required=True, of=_PASSIVE,
    ),
    Option(
        "path", DEST, ValueKind("absolute path or rsync://", destination_path),
        "Local directory, or rsync://HOST[:PORT]/MODULE[/PATH]. Of a store local, where one * may "
        "stand for the directories of the clients: /srv/backup/*.",
        required=True, of=_KEPT,
    ),
    Option(
        "exclude", DEST, ValueKind("patterns, split as a shell would", patterns, quotes=True),
        "Patterns of rsync for what is not copied to this destination.",
        of=_ACTIVE,
    ),
    Option(
        "verbosity", DEST, integer("1 to 3", 1, 3),
        "What rsync logs. 1: totals; 2: each file too; 3: and why it was sent.",
        default="1", of=_ACTIVE,
    ),
    Option(
        "compress", DEST, YES_NO,
        "Compress on the way.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "bwlimit", DEST, ValueKind("rate", rate),
        "Limit of the rate, in KiB a second or with a unit (10m).",
        of=_ACTIVE,
    ),
    Option(
        "max_copies", DEST, integer("number", 0, 1000),
        "Copies into this destination at once, over all B1000 of this journal. 0: no limit.",
        default="0", of=_ACTIVE,
    ),
    Option(
        "min_free", DEST, ValueKind("bytes, 20g or 5%", free_space),
        "Local paths: end a copy that would leave less space free than this. Default: none; what "
        "pull jobs copy leaves 5%.",
        of=_ACTIVE,
    ),
    Option(
        "must_be_mounted", DEST, YES_NO,
        "Local paths: copy, list, prune and verify only where the path or a directory above it, "
        "other than /, is a mount point. For a disk that may be missing, whose directory would "
        "else fill the file system of /.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "link_dest", DEST, YES_NO,
        "full only: files that have not changed become hard links into the last complete full "
        "of the same job, host, instance and master there that is not known to be bad.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "streams", DEST, integer("1 to 64", 1, 64),
        "How many rsyncs copy one tree side by side, before one goes over it all.",
        default="1", of=_ACTIVE,
    ),
    Option(
        "password_file", DEST, ValueKind("absolute path", password_file),
        "File with the password for the rsync daemon; only its owner may read it.",
        of=_ACTIVE,
    ),
    *reached(DEST, _ACTIVE, "an rsync:// path"),
    Option(
        "rsync_options", DEST,
        ValueKind("options, split as a shell would", rsync_options, quotes=True),
        "More options for rsync; below, those that it takes.",
        of=_ACTIVE,
    ),
    # of a storage on this host
    Option(
        "keep", DEST, KEEP,
        "Local paths: which backups stay; nothing is removed without it. Items such as all 7d, "
        "daily 5w or last 3, or lines PATTERN: ITEMS, of which the last that fits a group wins.",
        of=_KEPT,
    ),
    Option(
        "keep_least", DEST, integer("number", 1, 100000),
        "Local paths: so many complete backups of a group stay whatever keep says.",
        default="3", of=_KEPT,
    ),
    Option(
        "keep_unfinished", DEST, SPAN,
        "Local paths: how long a backup stays that was never completed.",
        default="14d", of=_KEPT,
    ),
    Option(
        "prune_most", DEST, ValueKind("percentage", share),
        "Local paths: the share of a group that may be removed at once.",
        default="25%", of=_KEPT,
    ),
    Option(
        "verify", DEST, SPAN,
        "Local paths: how often each byte is read and compared. Unset: files are only counted.",
        of=_KEPT,
    ),
    Option(
        "verify_rate", DEST, ValueKind("rate", rate),
        "Local paths: limit of the rate of reading, in KiB a second or with a unit (50m).",
        of=_KEPT,
    ),
    Option(
        "quarantine", DEST, YES_NO,
        "Local paths: rename files that are known to be bad, so that they are sent again.",
        default="yes", of=_KEPT,
    ),
    Option(
        "report", DEST, NAMES,
        "Local paths: databases that are told what is stored there.",
        of=_KEPT,
    ),
    Option(
        "drill", DEST, COMMAND,
        "Command for drills: its exit code says whether a backup is good that was restored into "
        "the directory B1000_DRILL_DIR. It sees B1000_JOB, B1000_INSTANCE, B1000_HOST and "
        "B1000_AGE, the age of the backup in seconds, too, for all jobs there.",
        of=_STORE,
    ),
    Option(
        "drill_every", DEST, SPAN,
        "How often a backup of each is to be drilled.",
        default="30d", of=_STORE,
    ),
    Option(
        "mark", DEST, YES_NO,
        "Write a mark NAME.b1k beside each backup that is complete.",
        default="yes", of=_ACTIVE,
    ),
    Option(
        "mark_path", DEST, ValueKind("absolute path or rsync://", destination_path),
        "Where marks are sent. Default: the path, of which rsync://HOST/MODULE stands for "
        "MODULE-marks where the daemon has that module.",
        of=_ACTIVE,
    ),
    Option(
        "restore_path", DEST, ValueKind("absolute path or rsync://", destination_path),
        "Where backups are listed and restored from. Default: the path itself.",
        of=_ACTIVE,
    ),
    Option(
        "restore_password_file", DEST, ValueKind("absolute path", password_file),
        "File with the password for restore_path. Default: password_file.",
        of=_ACTIVE,
    ),
)  # fmt: skip

OF_LOCAL_STORAGES = frozenset(
    {"keep", "keep_least", "keep_unfinished", "prune_most"}
    | {"verify", "verify_rate", "quarantine", "report"}
)
"""What is said of a local storage as such: a mistake in it keeps no job from copying there."""
