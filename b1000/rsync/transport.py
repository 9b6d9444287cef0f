"""How rsync reaches a daemon: in plain, by TLS or by ssh. Pure.

All that rsync has to be told stands in its arguments, so that whatever builds an rsync that
reaches a daemon (:func:`b1000.rsync.command.reaching`) says with them how it gets there.
"""

import re
from collections.abc import Mapping, Sequence

from b1000.expressions import expression
from b1000.jobs import Transport

_RSH = "--rsh="
_ROOT = "root"
_OURS = "RSYNC_"

# No terminal asks for anything, and a key that is not known is not believed. A peer that has gone
# is noticed also where rsync itself is silent.
_SSH = ("-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oServerAliveInterval=60")
_ALONE = ("-oControlMaster=no", "-oControlPath=none", "-oClearAllForwardings=yes", "-T")
# A port of the address is that of sshd; rsync tells its helper of it in the environment.
_WITH_PORT = '[ "${RSYNC_PORT:-0}" = 0 ] || set -- -p "$RSYNC_PORT" "$@"; '
# No exec: ssh may close the connection before it says why, and rsync would not wait for that.
_RUN = 'ssh "$@"; exit "$?"'
_USER = expression(r"-l(.*)|-[A-Za-z0-9]*o?\s*user\s*[=\s]\s*(.*)", re.IGNORECASE)
_PORT = expression(r"-p|-o?\s*port\s*[=\s]", re.IGNORECASE)


def arguments(transport: Transport, connect_timeout: int) -> list[str]:
    """The options of rsync that say how a daemon is reached; seconds, 0 for no limit.

    rsync refuses --contimeout with a helper: who runs it looks at the clock (:func:`has_helper`).
    """
    if transport.kind == "tls":
        return [_RSH + _line(_tls(transport.tls_ca))]
    if transport.kind == "ssh":
        return [_RSH + _line(_ssh(transport.ssh_options))]
    return [f"--contimeout={connect_timeout}"] if connect_timeout else []


def has_helper(argv: Sequence[str]) -> bool:
    """Whether an rsync reaches its daemon through another program."""
    return any(word.startswith(_RSH) for word in argv[: _end_of_options(argv)])


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of an rsync: nothing in it chooses another helper, port or password, or
    turns verification off.
    """
    return {name: value for name, value in inherited.items() if not name.startswith(_OURS)}


def ssh_user(options: Sequence[str]) -> str:
    """Who logs in with these options of ssh."""
    said = filter(None, map(_USER.match, _words(options)))
    return next((user[1] or user[2] for user in said), _ROOT)


def _end_of_options(argv: Sequence[str]) -> int:
    return argv.index("--") if "--" in argv else len(argv)


def _tls(authority: str | None) -> list[str]:
    # Set, but empty, RSYNC_SSL_CA_CERT would turn verification off.
    chosen = [f"RSYNC_SSL_CA_CERT={authority}"] if authority else []
    return ["env", "RSYNC_SSL_TYPE=openssl", *chosen, "rsync-ssl", "--HELPER"]


def _ssh(options: Sequence[str]) -> list[str]:
    # Of each option ssh takes the first value: what the user says comes before ours. Without -l
    # rsync would log in as the user of the module.
    said = _words(options)
    user = [] if any(map(_USER.match, said)) else ["-l", _ROOT]
    words = [*options, *user, *_SSH, *_ALONE]
    port = "" if any(map(_PORT.match, said)) else _WITH_PORT
    return ["sh", "-c", port + _RUN, "ssh", *words]


def _words(options: Sequence[str]) -> list[str]:
    """Options with -o or -l and its value in one word."""
    found: list[str] = []
    for word in options:
        if found and found[-1] in ("-o", "-l"):
            found[-1] += word
        else:
            found.append(word)
    return found


def _line(words: Sequence[str]) -> str:
    """A command as rsync divides one: at blanks, with quotes that are doubled inside."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    plain = word and not re.search(r"[ '\"]", word)
    return word if plain else "'" + word.replace("'", "''") + "'"
