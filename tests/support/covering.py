"""Which lines of the program run, in each of its processes, even in those that end by SIGKILL.

``make coverage`` has each Python of an environment of its own execute :func:`mark` where it starts,
whatever its environment variables are. A line that runs is marked in memory that is shared by all
through a file, once in each process: it costs nothing after that. Needs Python 3.12.
"""

import mmap
import os
import sys
from types import CodeType

# Neither pathlib nor typing: tests look which of them the program imports.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARKS = f"{ROOT}/.coverage-lines"
_LINES = 4096  # of each file at most: its part of the marks


def files() -> list[str]:
    """The files of the program, in the order of their parts."""
    found = ((below, name) for below, _, names in os.walk(f"{ROOT}/b1000") for name in names)
    return sorted(f"{below}/{name}" for below, name in found if name.endswith(".py"))


def begin() -> None:
    """No line has been run so far. Processes of other users mark lines too."""
    with open(MARKS, "wb") as file:
        file.truncate(len(files()) * _LINES)
    os.chmod(MARKS, 0o666)


def mark() -> None:
    """From now on each line that runs is marked, here and in all processes that are forked."""
    monitoring = sys.monitoring  # type: ignore[attr-defined]
    if monitoring.get_tool(monitoring.COVERAGE_ID):
        return  # a directory of packages may be looked through twice
    parts = {name: number * _LINES for number, name in enumerate(files())}
    with open(MARKS, "r+b") as file:
        marks = mmap.mmap(file.fileno(), 0)

    def ran(code: CodeType, line: int) -> object:
        if (part := parts.get(code.co_filename)) is not None:
            marks[part + line] = 1
        return monitoring.DISABLE

    monitoring.use_tool_id(monitoring.COVERAGE_ID, "covering")
    monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, ran)
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)


def report() -> None:
    """Tell what share of the lines ran, and which did not, as setup.cfg says."""
    import coverage

    with open(MARKS, "rb") as file:
        marks = file.read()
    measured = coverage.Coverage(config_file=f"{ROOT}/setup.cfg")
    measured.get_data().add_lines(
        {
            name: [line for line in range(_LINES) if marks[number * _LINES + line]]
            for number, name in enumerate(files())
        }
    )
    measured.report()


if __name__ == "__main__":
    {"begin": begin, "mark": mark, "report": report}[sys.argv[1]]()
