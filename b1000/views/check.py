"""``b1000 check --connect``: tries what the configuration names, and changes nothing."""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from b1000.config import references
from b1000.config.loader import Config
from b1000.model import Command, Destination, Job, Limits, Report, Template
from b1000.rsync import command, outcome, paths

_LEAST_RSYNC = (3, 2, 3)  # the first with --mkpath
_PATIENCE = 60  # seconds for a daemon, whatever the configuration allows a copy


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the configuration needs it."""

    text: str
    warning: bool = False


def connect(config: Config) -> list[Finding]:
    """Try rsync, directories, scripts and destinations."""
    found = list(_rsync())
    settings = config.settings
    found += _writable("status_dir", settings.status_dir)
    found += _writable("the journal's directory", str(Path(settings.journal).parent))
    found += _private("the journal's directory", str(Path(settings.journal).parent))
    for report in config.reports.values():
        found += _report(report)
    jobs = [job for job in config.jobs.values() if isinstance(job, Job)]
    for job in jobs:
        found += _scripts(job)
    if any(not finding.warning for finding in found if finding.text.startswith("rsync")):
        return found
    limits = {name: job.limits for job in jobs for name in job.destinations}
    for destination in config.destinations.values():
        found += _destination(destination, limits.get(destination.name, Limits()))
    return found


def _rsync() -> Iterator[Finding]:
    try:
        told = subprocess.run(
            ["rsync", "--version"], capture_output=True, text=True, check=False
        ).stdout
    except OSError as error:
        yield Finding(f"rsync cannot be started: {error.strerror}; install it")
        return
    version = re.search(r"version v?(\d+)\.(\d+)\.(\d+)", told)
    if not version:
        yield Finding("rsync does not tell its version", warning=True)
    elif tuple(map(int, version.groups())) < _LEAST_RSYNC:
        least = ".".join(map(str, _LEAST_RSYNC))
        yield Finding(f"rsync is {'.'.join(version.groups())}; B1000 needs {least} or newer")


def _report(report: Report) -> Iterable[Finding]:
    """Whether a report could be written now; what only one type needs is imported only for it."""
    place = f"[report:{report.name}]"
    match report.type:
        case "mysql":
            from b1000.reports import mysql

            return [Finding(f"{place} {text}") for text in mysql.findings(report)]
        case "sqlite":
            from b1000.reports import sqlite

            return [Finding(f"{place} {text}") for text in sqlite.findings(report)]
        case _:
            return _writable(f"{place} path", report.path)


def _private(what: str, directory: str) -> Iterator[Finding]:
    """The journal holds commands that run as the user of B1000: nobody else may write there."""
    try:
        mode = os.stat(directory).st_mode
    except OSError:
        return
    if mode & 0o022:
        yield Finding(f"{what} {directory} can be written by others; chmod go-w {directory}")


def _writable(what: str, directory: str) -> Iterator[Finding]:
    """A directory that B1000 writes; where it is missing it will be made."""
    place = Path(directory)
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        yield Finding(f"{what} {directory}: {place} is no directory")
    elif not os.access(place, os.W_OK | os.X_OK):
        yield Finding(f"{what} {directory}: no permission to write in {place}")


def _scripts(job: Job) -> Iterator[Finding]:
    """The files that commands begin with, where they are given as absolute paths."""
    commands: dict[str, Template] = {
        name: value.template if isinstance(value, Command) else value
        for name, value in job.late.items()
        if isinstance(value, Command) or name in ("pre", "post", "on_failure")
    }
    if isinstance(job.instances, Command):
        commands["instances"] = job.instances.template
    for option, template in commands.items():
        text = references.fill(template, dict.fromkeys(references.names(template), "x"))
        try:
            script = next(iter(shlex.split(text)), "")
        except ValueError:
            continue  # The shell will say what is wrong with it.
        if script.startswith("/") and not os.access(script, os.X_OK):
            state = "not executable" if os.path.exists(script) else "not there"
            yield Finding(f"[job:{job.name}] {option}: the script {script} is {state}")


def _destination(destination: Destination, limits: Limits) -> Iterable[Finding]:
    place = f"[dest:{destination.name}] path"
    if not destination.remote:
        return _writable(place, destination.path)
    with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
        try:
            done = subprocess.run(
                command.probe(empty, destination, limits),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # with no terminal rsync cannot ask for a password there
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=_PATIENCE,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            return [Finding(f"{place} {destination.path}: no answer within {_PATIENCE} s")]
    verdict = outcome.judge(
        done.returncode, done.stderr.splitlines(), paths.place(destination.path)
    )
    return [Finding(f"{place} {destination.path}: {verdict.reason}")] if verdict.reason else []
