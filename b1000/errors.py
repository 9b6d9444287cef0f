"""The few errors of the program: each says what happened and, where known, what to do."""

from collections.abc import Iterable


def signal_name(number: int) -> str:
    """The name of a signal; real-time signals have none of their own."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def words(error: BaseException) -> str:
    """An error as a clause of a sentence: of the system's, the file and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def counted(number: int, what: str) -> str:
    """So many of something, ``1 file`` or ``2 files``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def in_order(names: Iterable[str]) -> str:
    """Names in their order, for a hint at what could have been meant."""
    return ", ".join(sorted(names)) or "none"


class B1000Error(Exception):
    """An error that the operator is told in one text, without a traceback.

    ``hint`` says what would be right; it may be empty.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}" if self.hint else self.what

    def told(self) -> str:
        """The text that the operator is shown."""
        return f"b1000: {self}"


class UsageError(B1000Error):
    """The command line asks for something that does not exist: exit code 2, nothing was run."""


class JournalUnusable(B1000Error):
    """The journal cannot be opened at all: exit code 2, nothing was run."""


class JournalFailed(B1000Error):
    """The journal could not be read or written just now; it may be later."""


class BadValue(B1000Error, ValueError):
    """A value that does not fit where it entered; it is refused as a whole."""


class RunFailed(B1000Error):
    """A run cannot go on: it is FAILED at the step where it stands."""
