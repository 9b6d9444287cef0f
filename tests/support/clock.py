"""A clock that is some days ahead or behind, for B1000 as a real program."""

from pathlib import Path

from tests.support.world import ROOT

_MOVED = """
import os, time
not_bound = staticmethod  # as logging.Formatter would do with a function

days = float(os.environ["TEST_CLOCK_DAYS"])
real, real_local, real_text = time.time, time.localtime, time.strftime

def moved():
    return real() + days * 86400

time.time = not_bound(moved)
time.localtime = not_bound(lambda when=None: real_local(moved() if when is None else when))
time.strftime = not_bound(lambda text, when=None: real_text(text, when or real_local(moved())))
"""


class Clock:
    """Moved clocks. Files get the kernel's times all the same, as no process can change that."""

    def __init__(self, root: Path) -> None:
        self._directory = root / "moved-clock"
        self._directory.mkdir()
        (self._directory / "sitecustomize.py").write_text(_MOVED)

    def at(self, days: float) -> dict[str, str]:
        """The environment of a program that believes it is so many days later."""
        return {"PYTHONPATH": f"{self._directory}:{ROOT}", "TEST_CLOCK_DAYS": str(days)}
