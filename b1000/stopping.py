"""Which signals end the program in order, and how one ends it that does nothing else about it."""

import signal
import sys

_UNSTOPPABLE = {signal.SIGKILL, signal.SIGSTOP}
# A handler would return to the instruction that failed, and it would fail again, for ever.
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
# By default they end nothing; and Python ignores the last two, which the writer is told of anyway.
_HARMLESS = {
    signal.SIGCHLD,
    signal.SIGCONT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGURG,
    signal.SIGWINCH,
    signal.SIGPIPE,
    signal.SIGXFSZ,
}

STOPPING = tuple(sorted({*signal.valid_signals()} - _UNSTOPPABLE - _FAULTS - _HARMLESS))
"""The signals that would end the program and whose end can be in order; real-time ones too."""


def heard() -> list[int]:
    """Those of them that are not ignored; what was ignored stays so, as nohup asks for."""
    return [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


_AGAIN = 0.01  # seconds after which it is raised once more
_came: list[int] = []


def end_plainly() -> None:
    """From here on each of them raises SystemExit with 128 and its number; SIGINT as ever."""
    sys.unraisablehook = _unraised
    for number in heard():
        signal.signal(number, _interrupt if number == signal.SIGINT else _end)


def _end(number: int, _frame: object) -> None:
    _came.append(number)
    sys.exit(128 + number)


def _interrupt(number: int, _frame: object) -> None:
    _came.append(number)
    raise KeyboardInterrupt


def _unraised(lost: "sys.UnraisableHookArgs") -> None:
    """A signal may come in the midst of what can raise nothing, such as the end of an object."""
    ended = lost.exc_value
    if not isinstance(ended, SystemExit | KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return

    def raise_again(*_: object) -> None:
        raise ended

    signal.signal(signal.SIGALRM, raise_again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def ended_by() -> int:
    """The number of the first signal that ended the program plainly; 0: none has."""
    return _came[0] if _came else 0


def be_as_if_begun_anew() -> None:
    """In a child: each signal does what it does by default, whoever handled or ignored it here."""
    signal.set_wakeup_fd(-1)
    sys.unraisablehook = sys.__unraisablehook__
    for number in {*STOPPING, *_HARMLESS} - {signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
