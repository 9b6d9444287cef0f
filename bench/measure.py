"""Pairs of measurements in turn, and what they say: medians, spread, ratio."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What one command took: seconds of wall clock, and of the processor with all children.

    ``mebibytes`` is the memory that the largest of its processes had at once.
    """

    wall: float
    cpu: float
    mebibytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """One line of a table: ours against a rival.

    ``better`` is "less" where ours divided by the rival's is to be at most the
    target, "more" where it is to be at least that. ``target`` is None where the
    project promises nothing. ``paired`` is the median of the ratios of pairs:
    what slows both sides of a pair says nothing in it. None where there are none.
    """

    question: str
    rival: str
    ours: float
    theirs: float
    unit: str
    spread: float
    target: float | None = None
    better: str = "less"
    note: str = ""
    extra: Mapping[str, float] = field(default_factory=dict)
    paired: float | None = None

    @property
    def ratio(self) -> float:
        """Ours divided by theirs."""
        if self.paired is not None:
            return self.paired
        return self.ours / self.theirs if self.theirs else float("inf")

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.better == "less" else self.ratio >= self.target


def run(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> Taken:
    """Run a command to its end; raises where its exit code is none of the accepted ones."""
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode not in accepted:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}: {told[-2000:].decode()}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


Side = Callable[[int], Taken]
"""Prepares and runs one side; the number of the round names fresh directories."""


def pairs(ours: Side, theirs: Side, rounds: int) -> tuple[list[Taken], list[Taken]]:
    """Run both sides in turn, the order changing from round to round, after one of each unseen."""
    found: tuple[list[Taken], list[Taken]] = ([], [])
    for number in range(rounds + 1):
        order = (0, 1) if number % 2 else (1, 0)
        taken: dict[int, Taken] = {}
        for which in order:
            settle()
            taken[which] = (ours, theirs)[which](number)
        if number:
            found[0].append(taken[0])
            found[1].append(taken[1])
    return found


def settle() -> None:
    """Write back what earlier work left, so that nobody pays for another's pages."""
    os.sync()


def compare(
    question: str,
    rival: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    unit: str,
    target: float | None = None,
    better: str = "less",
    note: str = "",
) -> Result:
    """The medians of paired measurements and of their ratios; the spread is half those' range."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    middle = statistics.median(ratios)
    spread = (max(ratios) - min(ratios)) / 2 / middle if middle else 0.0
    return Result(
        question,
        rival,
        statistics.median(ours),
        statistics.median(theirs),
        unit,
        spread,
        target,
        better,
        note,
        paired=middle,
    )


def walls(taken: Sequence[Taken]) -> list[float]:
    """The seconds of wall clock."""
    return [each.wall for each in taken]


def cpus(taken: Sequence[Taken]) -> list[float]:
    """The seconds of the processor."""
    return [each.cpu for each in taken]


def installed(program: str) -> bool:
    """Whether a rival is there."""
    return any(
        os.access(Path(directory) / program, os.X_OK)
        for directory in os.environ.get("PATH", "").split(":")
    )
