"""What a worker was given to do, and how it starts processes and tells of them."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from b1000.config import grammar
from b1000.errors import BadValue, RunFailed, signal_name
from b1000.identity import identify_child
from b1000.jobs import ON_END, Limits
from b1000.locks import Locks
from b1000.logs import for_run
from b1000.rsync import transport
from b1000.runs.events import Message, ProcessBegan, ProcessEnded, RunMoved
from b1000.runs.run import RunIdentity, label
from b1000.runs.states import Status, Step
from b1000.runs.task import JournalFacts
from b1000.stopping import STOPPING
from b1000.work import loop, process, scripts, tree
from b1000.work.channel import Channel
from b1000.work.loop import Timer
from b1000.work.output import Output, Tail
from b1000.work.process import Command
from b1000.work.sinks import Captured
from b1000.work.waiting import shielded, sleep

Value = TypeVar("Value")

NO_DESTINATION = "the job no longer has this destination; configure it again"
"""Why a copy that is resumed cannot be made."""

_LASTING = 0.05  # seconds after which the journal is told of an rsync
_LONGEST_VALUE = 2**20  # bytes that a dynamic script may print
_NOTHING_KNOWN = JournalFacts()
_STOP_MAY_COME = 0.5  # seconds
_SIGNALLED = frozenset({*(-number for number in STOPPING), 128 + signal.SIGTERM, 20})
"""Exit codes of what somebody told to end; 20 is rsync's."""


class Assignment:
    """One worker's task: the subject, the ways out, and where the run stands.

    ``lock`` is the descriptor that holds the lock of the job/instance; rsyncs
    inherit it, scripts do not. ``known`` is what the journal knew when it began, ``marks_at`` where
    the marks of each root are taken. One that is ``alone`` is not held at INIT.
    """

    clock = staticmethod(time.time)

    def __init__(
        self,
        subject: RunIdentity,
        limits: Limits,
        channel: Channel,
        locks: Locks,
        lock: int | None = None,
        *,
        run_id: int = 0,
        known: JournalFacts = _NOTHING_KNOWN,
        marks_at: Mapping[str, str] | None = None,
        alone: bool = False,
    ) -> None:
        self.subject = subject
        self.limits = limits
        self.channel = channel
        self.locks = locks
        self.lock = lock
        self.run_id = run_id
        self.known = known
        self.marks_at = marks_at or {}
        self.alone = alone
        self.step = Step.INIT
        self.reasons: list[str] = []
        self.log = for_run(label(subject.job, subject.instance), run_id or None)

    # --- telling

    @property
    def status(self) -> Status:
        """WARNING once there is a reason for it."""
        return Status.WARNING if self.reasons else Status.OK

    def warn(self, reason: str) -> None:
        """The run goes on, and ends as WARNING."""
        self.reasons.append(reason)

    def moved(self, step: Step) -> RunMoved:
        """The message that the run enters a step."""
        self.step = step
        return RunMoved(self.clock(), step, self.status, "; ".join(self.reasons))

    async def commit(self, *messages: Message) -> None:
        """Make messages durable."""
        await self.channel.commit(*messages)

    # --- doing

    async def run(
        self, purpose: str, command: Command, *, kind: str = "", noted: bool = True
    ) -> int:
        """Run one process of this run; gives its exit code, and raises, as :func:`process.run`.

        Its environment is added to what all processes of the run have. One that is not ``noted``
        in the journal is known by its marks alone; an rsync's ``kind`` is :data:`tree.RSYNC`.
        """
        number = f"{kind}{os.urandom(6).hex()}"
        mark = {"B1000_RUN": self.subject.uid, "B1000_COMMAND": number}
        note = _Note(self, purpose, number) if noted else None
        environment = {
            **process.base_environment(),
            **self.subject.environment(),
            **command.environment,
        }
        if kind == tree.RSYNC:
            environment = transport.environment(environment)
        try:
            exit_code = await process.run(
                command._replace(
                    environment=environment, mark=mark, began=note.began if note else None
                )
            )
            # The first process of an rsync was killed: its others hold the lock and write on. Or
            # one that leads it to a daemon does not hear that the rsync has given up.
            killed = exit_code < 0 and command.pass_fds
            if killed or (exit_code and kind == tree.RSYNC and transport.has_helper(command.argv)):
                await shielded(tree.end_tree(mark))
            if exit_code in _SIGNALLED:
                # The program as a whole is being stopped, perhaps: that is no failure of this one.
                await sleep(_STOP_MAY_COME)
            return exit_code
        finally:
            if note:
                note.ended()

    async def script(
        self, purpose: str, text: str, limit: float, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run a command of the user; its output goes to the log, a failure raises RunFailed."""
        output = Output(lambda line: self.log.info("%s: %s", purpose, line))
        tail = output.tail
        try:
            code = await self.run(
                purpose,
                Command(_shell(text), environment or {}, {}, output.sink(), output.sink(), limit),
            )
        except process.TimedOut as error:
            option = "dynamic_timeout" if purpose in ON_END else "script_timeout"
            raise RunFailed(f"{purpose}: {error.what} ({option}){tail.message()}") from None
        except OSError as error:
            raise RunFailed(f"{purpose} cannot be started: {error.strerror}") from None
        if code:
            raise RunFailed(f"{purpose} {ending(code, text, tail.lines)}{tail.message()}")

    async def value(self, option: str, text: str, check: Callable[[str], Value]) -> Value:
        """What ``check`` makes of the output of the command behind a dynamic option.

        It is given the output without newlines at its end. Raises BadValue, with
        the script's own words, where there is none that could be used.
        """
        captured = Captured(_LONGEST_VALUE)
        output = Output(lambda line: self.log.info("%s: %s", option, line))
        tail = output.tail

        def message() -> str:
            """Both streams: some scripts tell of errors where their value should be."""
            said = Tail()
            for line in (
                *captured.data.decode("utf-8", "backslashreplace").split("\n"),
                *tail.lines,
            ):
                if line.strip():
                    said.take(line)
            return said.message()

        try:
            limit = self.limits.dynamic_timeout
            command = Command(_shell(text), {}, {}, captured, output.sink(), limit)
            code = await self.run(option, command)
        except process.TimedOut as error:
            raise BadValue(
                f"{option}: the script: {error.what} (dynamic_timeout){message()}"
            ) from None
        except OSError as error:
            raise BadValue(f"{option}: the script cannot be started: {error.strerror}") from None
        if code:
            ended = ending(code, text, tail.lines)
            raise BadValue(f"{option}: the script {ended}{message()}")
        if captured.too_much:
            raise BadValue(f"{option}: the script printed more than {_LONGEST_VALUE} bytes")
        try:
            return check(grammar.from_outside(captured.data, output_of(option)))
        except BadValue as error:
            raise BadValue(f"{error.what}{tail.message()}", error.hint) from None


class _Note:
    """What the journal is told of one process, beside the marks by which it is found.

    Of a script at once, also where it has ended already: what it left, such as a service, is
    spared. An rsync leaves none, so that one which ends soon is worth no row.
    """

    def __init__(self, assignment: Assignment, purpose: str, number: str) -> None:
        self._assignment = assignment
        self._purpose = purpose
        self._number = number
        self._begins = assignment.clock()  # it may have run for a while when that is heard
        self._timer: Timer | None = None
        self._told = False

    def began(self, pid: int) -> None:
        """It runs."""
        if self._number.startswith(tree.RSYNC):
            self._timer = loop.running().later(_LASTING, lambda: self._tell(pid))
        else:
            self._tell(pid)

    def _tell(self, pid: int) -> None:
        with contextlib.suppress(OSError):  # no descriptor is left to look with
            if identity := identify_child(pid):
                began = ProcessBegan(self._begins, self._number, self._purpose, identity)
                self._assignment.channel.send(began)
        self._told = True

    def ended(self) -> None:
        """It has ended."""
        if self._timer:
            self._timer.cancel()
        if self._told:
            self._assignment.channel.send(ProcessEnded(self._assignment.clock(), self._number))


def _shell(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def output_of(option: str) -> str:
    """How error texts call what a dynamic script printed."""
    return f"the output of the {option} script"


def ending(code: int, text: str, printed: Iterable[str]) -> str:
    """How a command ended, in words; ``printed`` are the last lines that it printed."""
    if code < 0:
        return f"was killed by {signal_name(-code)}"
    search = process.search_path()
    why = scripts.why_not_run(text, code, printed, search)
    hint = why or {126: "a command cannot be run", 127: "a command was not found"}.get(code, "")
    return f"ended with exit code {code}{f' ({hint})' if hint else ''}"
