"""The options of [dest:NAME]."""

from b1000.config import grammar
from b1000.config.kinds import (
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
)
from b1000.config.options.row import DEST, Option

_ACTIVE, _PASSIVE = ("active",), ("passive",)

OPTIONS: tuple[Option, ...] = (
    Option(
        "type", DEST, choice("active", "passive"),
        "active: data is copied there. passive: another host comes and pulls it.",
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
        "Local directory, or rsync://HOST[:PORT]/MODULE[/PATH].",
        required=True, of=_ACTIVE,
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
        "Local paths: end a copy that would leave less space free than this.",
        of=_ACTIVE,
    ),
    Option(
        "must_be_mounted", DEST, YES_NO,
        "Local paths: copy only where the path or a directory above it, other than /, is a mount "
        "point. For a disk that may be missing, whose directory would else fill the file system "
        "of /.",
        default="no", of=_ACTIVE,
    ),
    Option(
        "link_dest", DEST, YES_NO,
        "full only: files that have not changed become hard links into the last complete full "
        "of the same job, host, instance and master there.",
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
    Option(
        "rsync_options", DEST,
        ValueKind("options, split as a shell would", rsync_options, quotes=True),
        "More options for rsync; below, those that it takes.",
        of=_ACTIVE,
    ),
)  # fmt: skip
