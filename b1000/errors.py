"""The few errors of the program: each says what happened and, where known, what to do."""

from collections.abc import Iterable, Sequence


def signal_name(number: int) -> str:
    """The name of a signal; real-time signals have none of their own."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def message_of(error: BaseException) -> str:
    """An error as a clause of a sentence: of the system's, the file and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def message_beside(error: OSError, known: object) -> str:
    """The same where the file ``known`` has been named already: only another one is named."""
    plain = error.strerror and str(error.filename) == str(known)
    return str(error.strerror) if plain else message_of(error)


def counted(number: int, what: str) -> str:
    """So many of something, ``1 file`` or ``2 files``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def in_order(names: Iterable[str]) -> str:
    """Names in their order, for a hint at what could have been meant."""
    return ", ".join(sorted(names)) or "none"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; "" where none is like it."""
    from difflib import get_close_matches  # here: only mistakes need it

    return next(iter(get_close_matches(word.lower(), list(known), n=1)), "")


def near(word: str, known: Iterable[str]) -> str:
    """The end of an error text that suggests the known word; "" where none is like it."""
    close = nearest(word, known)
    return f"; did you mean {close!r}?" if close else ""


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

    def full_message(self) -> str:
        """The text that the operator is shown."""
        return f"b1000: {self}"


class UsageError(B1000Error):
    """The command line asks for something that does not exist: exit code 2, nothing was run."""


class JournalUnusable(B1000Error):
    """The journal cannot be opened at all: exit code 2, nothing was run."""


class JournalOutdated(JournalUnusable):
    """It cannot be read yet: an older program wrote it, and the next run brings it up to date."""


class JournalFailed(B1000Error):
    """The journal could not be read or written just now; it may be later."""


class BadValue(B1000Error, ValueError):
    """A value that does not fit where it entered; it is refused as a whole."""

    @property
    def each(self) -> "tuple[BadValue, ...]":
        """The mistakes of the value, one by one."""
        return (self,)


class BadValues(BadValue):
    """Several mistakes of one value; by itself it says the first."""

    def __init__(self, mistakes: Sequence[BadValue]) -> None:
        super().__init__(mistakes[0].what, mistakes[0].hint)
        self._each = tuple({str(each): each for each in mistakes}.values())

    @property
    def each(self) -> tuple[BadValue, ...]:
        """All of them, none twice."""
        return self._each


def refuse_all(mistakes: Iterable[BadValue]) -> None:
    """Raise all mistakes of a value as one; nothing happens where there are none."""
    found = [each for mistake in mistakes for each in mistake.each]
    if found:
        raise found[0] if len(found) == 1 else BadValues(found)


class StorageAway(B1000Error):
    """A storage cannot be looked at just now."""


class RunFailed(B1000Error):
    """A run cannot go on: it is FAILED at the step where it stands."""


class RowDamaged(JournalFailed):
    """What is told cannot be written beside what the journal has of the run; it never will."""
