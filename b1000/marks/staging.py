"""Marks in a directory of their own, from which an rsync sends them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from b1000.files import private_directory
from b1000.marks.marking import Written

_MODE = 0o644


@contextmanager
def staged(marks: Iterable[Written]) -> Iterator[str]:
    """A directory with marks, each where it is to lie below its root. OSError."""
    with private_directory("b1000-marks-") as top:
        made: set[str] = set()
        for mark in marks:
            path = f"{top}/{mark.file}"
            above = os.path.dirname(path)
            if above not in made:
                os.makedirs(above, exist_ok=True)
                made.add(above)
            with open(path, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), _MODE)
                file.write(mark.text)
        yield top
