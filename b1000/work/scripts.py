"""Why a shell could not run a script: what exit codes 126 and 127 leave unsaid."""

import os
import shlex
import stat
from collections.abc import Iterable

from b1000.expressions import expression
from b1000.files import read_file

_COULD_NOT = frozenset({126, 127})  # not run, not found: sh(1)
_FIRST_LINE = 256  # bytes, as many as Linux reads
# The shell names the file: dash "sh: 1: /x: not found", bash "/x: cannot execute: ...".
_NAMED = expression(
    r"(/[^\s:]+): (?:not found|Permission denied|Exec format error|cannot execute|"
    r"[Nn]o such file|bad interpreter|Is a directory)"
)


def why_not_run(command: str, code: int, printed: Iterable[str], search: str) -> str:
    """What is wrong with the script of a command that ended with this code; "" if nothing seen.

    ``printed`` are the last lines that it printed, ``search`` is its PATH.
    """
    if code not in _COULD_NOT:
        return ""
    named = next((found[1] for line in printed if (found := _NAMED.search(line))), "")
    if named:
        return flaw(named, search)
    try:
        first, *others = shlex.split(command)
    except ValueError:
        return ""
    # What stands behind may be mere data; what can be run was meant to be.
    runnable = [
        first,
        *(word for word in others if os.path.isfile(word) and os.access(word, os.X_OK)),
    ]
    return next(filter(None, (flaw(word, search) for word in runnable if word.startswith("/"))), "")


def flaw(path: str, search: str) -> str:
    """Why a file cannot be run as a script or program; "" where nothing speaks against it."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{path} is no file"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable: chmod +x {path}"
    try:
        head = read_file(path, _FIRST_LINE, follow=True)
    except OSError:
        return ""  # A program need not be readable.
    first, newline, _ = head.partition(b"\n")
    return _flaw_of_first_line(path, first + newline, search)


def _flaw_of_first_line(path: str, first: bytes, search: str) -> str:
    if not first.startswith(b"#!"):
        return ""
    if first.endswith(b"\r\n"):
        return (
            f"the lines of {path} end in CR LF, so that no interpreter of that name is found: "
            f"sed -i 's/\\r$//' {path}"
        )
    interpreter, *words = os.fsdecode(first[2:]).split() or [""]
    if interpreter and not os.path.exists(interpreter):
        return f"the interpreter of {path}, {interpreter}, is not there"
    import shutil

    name = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    if os.path.basename(interpreter) == "env" and name and not shutil.which(name, path=search):
        return f"the interpreter of {path}, {name}, is not in PATH ({search})"
    return ""
