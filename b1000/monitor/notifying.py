"""Tells a command what turned bad, or good again: of each turn once, by a file that remembers.

What is about to be told is written before the command begins: one that was told is not told
again, whatever happens meanwhile. What a command did not take is told with the next.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from b1000.errors import B1000Error
from b1000.files import read_file, write_atomically
from b1000.locks import Locks
from b1000.monitor.causes import Cause
from b1000.monitor.history import Subject
from b1000.monitor.severity import Verdict
from b1000.monitor.survey import MonitorQuestion, Survey
from b1000.monitor.turns import ITSELF, Told, Turn, message, of_itself, then_told, turns
from b1000.named import NamedTuple

_FORMAT = 1  # of the file
_LONGEST = 2**28  # bytes of it
_PATIENCE = 60.0  # seconds that a command may take


class NotTold(B1000Error):
    """What turned could not be told."""


class _State(NamedTuple):
    """What was told until when."""

    told: Told
    when: float = 0.0


def tell(command: str, file: str, found: Survey, question: MonitorQuestion) -> None:
    """Tell what turned since the last time. Raises NotTold."""
    with _Remembered(Path(file)) as remembered:
        if found.when < remembered.state.when:
            return  # another one has looked later than this one
        told = remembered.state.told
        notes = [each for each in found.notes if each.verdict is not Verdict.OK]
        known = {each.subject for each in found.judgements} | {each.subject for each in notes}
        gone = {each for each in told if each not in known and question.wants(each)} - {ITSELF}
        of_all = [
            *of_itself(told, ""),
            *turns(found.judgements, notes, found.causes, told),
        ]
        remembered.tell(command, of_all, (found.causes, found.verdict, found.when), gone)


def tell_unknown(command: str, file: str, reason: str, when: float) -> None:
    """Tell that there is no answer, once. Raises NotTold."""
    with _Remembered(Path(file)) as remembered:
        found = of_itself(remembered.state.told, reason)
        remembered.tell(command, found, ((), Verdict.UNKNOWN, when))


class _Remembered:
    """The file, locked: one at a time reads it, tells and writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._lock = -1
        self.state = _State({})

    def __enter__(self) -> "_Remembered":
        try:
            lock = Locks(self._path.parent).take(f".{self._path.name}.lock")
            if lock is None:
                raise NotTold(f"another b1000 monitor is notifying by {self._path}")
        except OSError as error:
            raise NotTold(f"{self._path}: {error.strerror}") from None
        self._lock = lock
        try:
            self.state = _read(self._path)
        except BaseException:
            os.close(lock)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def tell(
        self,
        command: str,
        found: Sequence[Turn],
        whole: tuple[Sequence[Cause], Verdict, float],
        gone: Sequence[Subject] | set[Subject] = (),
    ) -> None:
        """Tell these, if any, and remember it."""
        causes, verdict, when = whole
        before = self.state.told
        after = then_told(before, found, gone)
        self._write(after, when)
        if not found:
            return
        try:
            _run(command, message(found, causes, verdict, when))
        except NotTold:
            self._write(before, when)
            raise

    def _write(self, told: Told, when: float) -> None:
        try:
            write_atomically(self._path, _text(_State(told, when)), 0o600)
        except OSError as error:
            raise NotTold(f"{self._path} cannot be written: {error.strerror}") from None


def _read(path: Path) -> _State:
    try:
        text = read_file(path, _LONGEST, follow=True)
    except FileNotFoundError:
        return _State({})
    except OSError as error:
        raise NotTold(f"{path}: {error.strerror}") from None
    try:
        known: Mapping[str, Any] = json.loads(text)
        if known["format"] != _FORMAT:
            raise ValueError
        told = {Subject(*names): Verdict(verdict) for *names, verdict in known["told"]}
        return _State(told, float(known["when"]))
    except (ValueError, KeyError, TypeError):
        raise NotTold(
            f"{path} is no state of b1000 monitor",
            "name another file; where it is removed, all that is bad is sent again",
        ) from None


def _text(state: _State) -> str:
    told = sorted([*subject, verdict.value] for subject, verdict in state.told.items())
    return json.dumps({"format": _FORMAT, "when": state.when, "told": told}, indent=0) + "\n"


def _run(command: str, text: str) -> None:
    """Run it by the shell, with the text on standard input; what it says goes to standard error."""
    # A session of its own: all of it ends where it takes too long.
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=2,
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
    )
    try:
        process.communicate(text, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise NotTold(f"the command of --notify took longer than {_PATIENCE:.0f} s") from None
    if process.returncode:
        raise NotTold(f"the command of --notify ended with {process.returncode}")
