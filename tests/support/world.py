"""A host of a test's own: a configuration, B1000 as a real program, and what it left."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil

from b1000.config import COMMANDS
from tests.support.processes import living
from tests.support.zygote import ENVIRONMENT, Forked

ROOT = Path(__file__).parents[2]

_START_ALL = "B1000_STARTED" in os.environ
_STARTED: set[str] = set()  # the commands, with their options, that were started here

Sections = Mapping[str, Mapping[str, object]]


class World:
    """Directories below ``root`` and a configuration of which a test overrides what it needs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "b1000.cfg"
        self.status_dir = root / "status"
        self.reports = root / "reports"
        self.source = root / "source"
        self.source.mkdir()

    def write(self, sections: Sections) -> Path:
        """Write the configuration: common sections, then those given (None removes an option)."""
        common: dict[str, dict[str, object]] = {
            "global": {
                "host": "client",
                "status_dir": self.status_dir,
                "copy_retries": 0,
                "copy_retry_min_sleep": 0,
            },
            "report:main": {"type": "file", "path": self.reports},
        }
        for heading, options in sections.items():
            common[heading] = {**common.get(heading, {}), **options}
        self.config.write_text(
            "\n".join(
                f"[{heading}]\n"
                + "".join(
                    f"{key} = {value}\n" for key, value in options.items() if value is not None
                )
                for heading, options in common.items()
            )
        )
        return self.config

    def push(self, **options: object) -> dict[str, object]:
        """The options of a push job, with defaults."""
        return {
            "direction": "push",
            "type": "full",
            "dest": "store",
            "report": "main",
            "include": f"{self.source}/",
            **options,
        }

    def store(self, name: str = "store", **options: object) -> dict[str, object]:
        """The options of a local destination, with defaults."""
        return {"type": "active", "path": self.root / name, **options}

    def files(self, count: int = 3) -> Path:
        """Some small files in the source."""
        for number in range(count):
            (self.source / f"file{number}").write_text(f"content {number}\n")
        return self.source

    # --- the program

    def start(
        self, *words: str, environment: Mapping[str, str] | None = None, cwd: str = "/"
    ) -> "subprocess.Popen[str]":
        """Start ``b1000 -f CONFIG WORDS`` as a process of its own, in an empty environment.

        The first of each command is started, later ones are forked: ``B1000_STARTED=1`` starts all.
        """
        kind = " ".join(word for word in words if word in COMMANDS or word.startswith("-"))
        known = kind in _STARTED and not environment
        if not _START_ALL:
            _STARTED.add(kind)
        return (Forked if known else subprocess.Popen)(
            [sys.executable, "-m", "b1000", "-f", str(self.config), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            cwd=cwd,
            env={**ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )

    def b1000(
        self, *words: str, environment: Mapping[str, str] | None = None, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        process = self.start(*words, environment=environment)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def status(self, *words: str) -> list[dict[str, Any]]:
        """What ``b1000 status --json`` says."""
        done = self.b1000("status", "--json", *words)
        assert done.returncode in (0, 1), done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
        return found

    def last(self, job: str, instance: str = "") -> dict[str, Any]:
        """The last run of one job/instance."""
        return next(
            run for run in self.status() if (run["job"], run["instance"]) == (job, instance)
        )

    # --- what it left

    def journal(self) -> AbstractContextManager[sqlite3.Connection]:
        """The journal, to be read, or changed behind the program's back."""
        return open_sqlite(self.status_dir / "journal.sqlite3")

    def status_files(self) -> list[str]:
        """The names of the status files."""
        return sorted(path.name for path in self.status_dir.glob("*.json"))

    def report_files(self) -> list[str]:
        """The names of the report files."""
        return sorted(path.name for path in self.reports.glob("*.b1k"))

    def processes(self) -> list[psutil.Process]:
        """All processes that a run of this world started: they carry its journal's marks."""

        def ours(process: psutil.Process) -> bool:
            environment = process.environ()
            words = [*environment.values(), *process.cmdline()]
            if not environment.get("B1000_RUN") or str(self.root) not in " ".join(words):
                return False
            # In another root the same suite may run, in directories of the same names.
            return os.path.samefile(f"/proc/{process.pid}/root", "/")

        return living(ours)

    def rsyncs(self, option: str = "") -> list[psutil.Process]:
        """Those of them that are rsyncs, with an option if one is given."""

        def wanted(process: psutil.Process) -> bool:
            return process.name() == "rsync" and (not option or option in process.cmdline())

        return living(wanted, self.processes())


@contextlib.contextmanager
def open_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """An SQLite file: committed and closed at the end, which ``sqlite3.connect`` does not."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        yield connection


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something to become true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def tree(directory: Path) -> dict[str, bytes | str | None]:
    """Every path below a directory: content of files, target of links, None for directories."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(directory.rglob("*")):
        name = os.fsdecode(os.path.relpath(path, directory))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes()
    return found
