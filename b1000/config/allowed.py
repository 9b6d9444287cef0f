"""Options of rsync that a destination may add: each stands here, allowed or refused. Pure.

The spellings are those of rsync 3.2.3 to 3.5.0. popt, with which rsync reads them, knows no
abbreviations: a spelling that does not stand here is no option of these versions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from b1000.errors import BadValue, near, refuse_all
from b1000.named import NamedTuple


class OptionRule(NamedTuple):
    """What holds for one spelling; ``reason`` says why it is refused, "" where it is allowed."""

    takes_value: bool
    reason: str = ""


class Given(NamedTuple):
    """An option as it was given: its spelling, ``--NAME`` or ``-X``, the word, and its value.

    ``attached``: the value is a part of the word.
    """

    spelling: str
    word: str
    value: str | None = None
    attached: bool = False


# An = behind a spelling: it takes a value. Devices, sockets and what is mounted (-x) are left out
# by whoever says so: the first hold no data, and nothing else says the second; what -x leaves out
# is told by `b1000 check`. Without times (--no-t) all is sent anew, and nothing is missing.
ALLOWED = """\
-v --verbose --no-verbose --no-v -h --human-readable --no-human-readable --no-h
-i --itemize-changes --no-itemize-changes --no-i
-8 --8-bit-output --no-8-bit-output --no-8 --motd --no-motd --stats --qsort
-a --archive -r --recursive --no-inc-recursive --no-i-r --no-dirs --no-d
-c --checksum --no-checksum --no-c --checksum-choice= --cc= --checksum-seed= -I --ignore-times
-W --whole-file --no-whole-file --no-W -B= --block-size= -y --fuzzy --no-fuzzy --no-y
-l --links -L --copy-links --copy-unsafe-links -k --copy-dirlinks --munge-links --no-munge-links
-p --perms --no-perms --no-p -E --executability --chmod= -A --acls --no-acls --no-A
-X --xattrs --no-xattrs --no-X -o --owner --no-owner --no-o -g --group --no-group --no-g
--chown= --usermap= --groupmap= --numeric-ids --no-numeric-ids --copy-as=
-t --times --no-times --no-t -U --atimes --no-atimes --no-U --open-noatime --no-open-noatime
-N --crtimes --no-crtimes --no-N -O --omit-dir-times --no-omit-dir-times --no-O
-J --omit-link-times --no-omit-link-times --no-J
-D --no-D --no-drop-D --devices --no-devices --specials --no-specials --drop-D --copy-devices
--no-write-devices --super --no-super --fake-super
-H --hard-links --no-hard-links --no-H -S --sparse --no-sparse --no-S --preallocate
-x --one-file-system --no-one-file-system --no-x --implied-dirs --i-d --no-implied-dirs --no-i-d
-z --compress --no-compress --no-z --old-compress --new-compress --compress-choice= --zc=
--compress-level= --zl= --compress-threads= --zt= --skip-compress= --bwlimit= --no-bwlimit
--no-inplace --no-append --no-backup --delay-updates --no-delay-updates --fsync --max-alloc=
--force --no-force --max-delete= --no-ignore-errors --no-prune-empty-dirs --no-m --mkpath
-0 --from0 --no-from0 -s --secluded-args --protect-args --no-old-args
--iconv= --no-iconv --no-insecure-links --confine-root=
-4 --ipv4 -6 --ipv6 --address= --port= --sockopts= --early-input= --protocol= --blocking-io
--no-blocking-io --outbuf= -M= --remote-option= --exclude= --include=
"""

PATTERNS = ("--exclude", "--include")
CLEARS = "!"
CLEARING = "it makes rsync forget all patterns before it, B1000's own too; '- !' is a file named !"
"""Such a pattern, and why nobody may give it."""

_LEAVES_OUT = "it leaves data out, and the copy would be called complete"
_EXCLUDES = "what is left out stands in exclude, of the job or of the destination"
_STALE = "a file that has changed would be taken for the same, or be kept as it is"
_UNREAD = "B1000 reads what rsync says; verbosity sets how much that is"
_LOGS = (
    "listings and --dry-run would write there too; verbosity = 2 puts names into B1000's own log"
)
_NO_COPY = "nothing would be copied"
_DELETES = "delete = yes in a job of type = sync is what removes files at the destination"
_PARTIAL = "a file that arrived in part could pass for a whole one, or be left behind"
_SOURCES = "sources stand in include"
_BASES = "link_dest = yes links what has not changed, and all of it is there"
_LAYOUT = "relative = yes in the job keeps paths; B1000 has to know of it"
_DAEMON = "it makes rsync a server, or a daemon"
_BACKUP = "earlier versions would lie among the files of the copy"
_REACH = "other hosts are reached as rsync://HOST/MODULE, by ssh with transport = ssh"
_SAFETY = "it gives up a protection against what the other end sends, or has planted"
_TIMES = "how long rsync waits is said by io_timeout and connect_timeout"

REFUSED: Mapping[str, str] = {
    _LEAVES_OUT: (
        "--max-size= --min-size= --no-recursive --no-r -d --dirs --old-dirs --old-d --no-links "
        "--no-l --safe-links -m --prune-empty-dirs --ignore-missing-args --stop-after= --stop-at= "
        "--time-limit="
    ),
    _EXCLUDES: ("--exclude-from= --include-from= --filter= -f= -F -C --cvs-exclude"),
    _STALE: (
        "-u --update --size-only --existing --ignore-non-existing --ignore-existing "
        "-@= --modify-window="
    ),
    _UNREAD: (
        "-q --quiet --info= --debug= --stderr= --msgs2stderr --no-msgs2stderr -P --progress "
        "--no-progress --no-stats --out-format= --log-format="
    ),
    _LOGS: "--log-file= --log-file-format=",
    _NO_COPY: (
        "-n --dry-run --list-only -V --version --help --only-write-batch= --write-batch= "
        "--read-batch="
    ),
    _DELETES: (
        "--del --delete --delete-before --delete-during --delete-delay --delete-after "
        "--delete-excluded --delete-missing-args --ignore-errors"
    ),
    "it would remove the source": "--remove-source-files --remove-sent-files",
    _PARTIAL: (
        "--inplace --append --append-verify --write-devices --partial --no-partial --partial-dir= "
        "-T= --temp-dir="
    ),
    _BACKUP: "-b --backup --backup-dir= --suffix=",
    _SOURCES: "--files-from=",
    _BASES: "--compare-dest= --copy-dest= --link-dest=",
    _LAYOUT: "-R --relative --no-relative --no-R --no-mkpath",
    "it is rsync's default; B1000 turns it off where rsync needs that": "--inc-recursive --i-r",
    _REACH: "-e= --rsh= --rsync-path=",
    "password_file names that file": "--password-file=",
    _SAFETY: (
        "--trust-sender --insecure-links -K --keep-dirlinks --old-args --no-secluded-args "
        "--no-protect-args --no-s"
    ),
    _TIMES: "--timeout= --no-timeout --contimeout= --no-contimeout",
    _DAEMON: "--daemon --server --sender --config= --dparam= --detach --no-detach",
}
"""Reason → the spellings that are refused for it."""


def _rules() -> Iterator[tuple[str, OptionRule]]:
    for reason, spellings in [("", ALLOWED), *REFUSED.items()]:
        for spelling in spellings.split():
            yield spelling.removesuffix("="), OptionRule(spelling.endswith("="), reason)


RULES: Mapping[str, OptionRule] = dict(_rules())
"""Spelling, with its dashes → what holds for it."""


def check(words: Sequence[str]) -> tuple[str, ...]:
    """The same options, each in one word with its value; BadValue tells of all that are refused."""
    checked: list[str] = []
    mistakes: list[BadValue] = []
    left = iter(words)
    for word in left:
        try:
            given = tuple(_options_of(word, left))
        except BadValue as error:
            mistakes.append(error)
            continue
        mistakes += filter(None, map(_refusal, given))
        checked.append(_in_one_word(given[-1]))
    refuse_all(mistakes)
    return tuple(checked)


def spellings(words: Sequence[str]) -> Iterator[str]:
    """The options, without their values, of words that were checked."""
    for word in words:
        yield from (given.spelling for given in _options_of(word, iter(())))


def _in_one_word(last: Given) -> str:
    """The word of options of which this is the last, and its value."""
    value = last.value or ""
    if not RULES[last.spelling].takes_value or last.attached:
        return last.word
    return f"{last.word}={value}" if last.word.startswith("--") else f"{last.word}{value}"


def _options_of(word: str, following: Iterator[str]) -> Iterator[Given]:
    """The options of one word; what ``following`` holds is taken where one wants a value."""
    if not re.match(r"--?[^-]", word):
        raise BadValue(f"{word!r} is no option", "options of rsync, such as --fuzzy")
    if word.startswith("--"):
        yield _long(word, following)
        return
    for position, letter in enumerate(word[1:], start=2):
        spelling = f"-{letter}"
        if not _rule(spelling, word).takes_value:
            yield Given(spelling, word)
            continue
        rest = word[position:].removeprefix("=")
        yield Given(spelling, word, rest or next(following, None), attached=bool(rest))
        return


def _long(word: str, following: Iterator[str]) -> Given:
    spelling, equals, value = word.partition("=")
    if not _rule(spelling, word).takes_value:
        if equals:
            raise BadValue(f"{spelling} takes no value", f"{spelling} alone")
        return Given(spelling, word)
    if equals:
        return Given(spelling, word, value, attached=True)
    return Given(spelling, word, next(following, None))


def _rule(spelling: str, word: str) -> OptionRule:
    rule = RULES.get(spelling)
    if rule:
        return rule
    within = "" if word.startswith("--") or word == spelling else f" in {word!r}"
    suggested = near(spelling, RULES) if word.startswith("--") else ""
    text = f"{spelling!r}{within} is no option of rsync{suggested}"
    raise BadValue(text, "rsync(1) has them all")


def _refusal(given: Given) -> BadValue | None:
    rule = RULES[given.spelling]
    if rule.reason:
        alone = given.word.startswith("--") or given.word == given.spelling
        what = f"{given.word!r}" if alone else f"{given.spelling} in {given.word!r}"
        return BadValue(f"{what} cannot be used here", rule.reason)
    if rule.takes_value and given.value is None:
        return BadValue(f"{given.spelling} takes a value, and none follows", "write one behind it")
    if given.spelling in ("-M", "--remote-option"):
        return _refusal_for_the_peer(given)
    if given.spelling in PATTERNS and given.value == CLEARS:
        return BadValue(f"{given.word!r} cannot be used here", CLEARING)
    return None


def _refusal_for_the_peer(given: Given) -> BadValue | None:
    """What the rsync at the other end is sent is one option, and held to the same rules."""
    option = given.value or ""
    try:
        check([option])
    except BadValue as error:
        return BadValue(f"{given.word!r}: {error.what}", error.hint)
    if option.startswith(PATTERNS):
        return BadValue(f"{given.word!r}: {option!r} cannot be used here", _EXCLUDES)
    return None
