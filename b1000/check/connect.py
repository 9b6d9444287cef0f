"""``b1000 check --connect``: tries what the configuration names, and changes nothing."""

import functools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from b1000.check import daemons, directories, on_this_host, reading, storages, transports
from b1000.check.on_this_host import Finding
from b1000.config import shellwords
from b1000.config.loader import Config
from b1000.errors import B1000Error, JournalOutdated
from b1000.files import private_directory
from b1000.jobs import Destination, Job, Limits, Report
from b1000.logs import STREAMS
from b1000.rsync import surveys, transport
from b1000.rsync.source import Source
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage import mounts
from b1000.work import merging, sources
from b1000.work.inventory import Tops

_LEAST_RSYNC = (3, 2, 3)  # the first with --mkpath
_SAFE_FOR_PULLS = (3, 4, 0)
_NO_LINK_DEST = (3, 4, 3)
_SHORT_PULL = 300  # seconds


def advice(config: Config, connecting: bool = False) -> list[Finding]:
    """What can be known without trying anything but ``rsync --version``."""
    found = [
        *on_this_host.findings(config, connecting),
        *storages.findings(config),
        *transports.findings(config),
    ]
    found += [
        Finding(
            f"dest:{destination.name}",
            "timeout",
            f"{destination.timeout} s are short for a whole pull, which they have to cover; "
            f"{_SHORT_PULL} or more",
            warning=True,
        )
        for destination in config.destinations.values()
        if destination.type == "passive" and destination.timeout < _SHORT_PULL
    ]
    secret = [report.name for report in config.reports.values() if report.password]
    for file in config.files:
        theirs = [
            name for name in secret if config.others.get(f"report:{name}", config.file) == file
        ]
        if theirs and os.stat(file).st_mode & 0o044:
            found.append(
                Finding(
                    f"report:{theirs[0]}",
                    "password",
                    f"others can read the file that it stands in; chmod 600 {file}, "
                    "or use password_file",
                    warning=True,
                )
            )
    if any(isinstance(job, Job) and job.pull for job in config.jobs.values()):
        version = _version()
        if not isinstance(version, Finding) and _LEAST_RSYNC <= version < _SAFE_FOR_PULLS:
            text = (
                f"rsync is {_dotted(version)}; pulling from hosts that are not trusted needs "
                f"{_dotted(_SAFE_FOR_PULLS)} or newer "
                "(CVE-2024-12084 to 12088, CVE-2022-29154)"
            )
            found.append(Finding("", "", text, warning=True))
    for job in config.jobs.values():
        if isinstance(job, Job):
            found += _merging(job)
    return found


def _merging(job: Job) -> list[Finding]:
    """Sources that are there now and bring the same names to a destination."""
    include, exclude = shellwords.known(job.include), shellwords.known(job.exclude)
    all_known = (len(include), len(exclude)) == (len(job.include), len(job.exclude))
    if job.direction != "push" or job.transfer.relative or not all_known:
        return []
    found = sources.find(include, relative=False, delete=False)
    rules = shellwords.texts(exclude)
    for destination in job.destinations.values() if found.meeting.clashes else ():
        for name in _twice(found.paths, rules, destination):
            if name in found.meeting.clashes:
                text = merging.clash_text(*found.meeting.clashes[name], name)
                return [Finding(f"job:{job.name}", "include", text, warning="pre" in job.deferred)]
    return []


def _twice(given: Sequence[str], exclude: Sequence[str], destination: Destination) -> Sequence[str]:
    """The names that rsync finds in several of the paths."""
    tops = Tops(set(), [])
    with private_directory("b1000-empty-") as empty:
        argv = surveys.tops(Source(given, exclude), empty, destination, Limits())
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=daemons.TIMEOUT,
                env=transport.environment(os.environ),
            )
        except (OSError, subprocess.TimeoutExpired):
            return ()
    for line in done.stdout.split(b"\n"):
        tops.take(line)
    return tops.twice


def connect(config: Config) -> list[Finding]:
    """Try rsync, directories, destinations, reports, and where pull jobs look."""
    found = list(_rsync(config))
    settings = config.settings
    found += directories.writable("global", "status_dir", settings.status_dir)
    found += directories.writable("global", "journal", str(Path(settings.journal).parent))
    found += directories.private("global", "journal", str(Path(settings.journal).parent))
    found += _journal(Path(settings.journal))
    if settings.backup_dir:
        found += directories.writable("global", "backup_dir", settings.backup_dir)
    found += _log(settings.log_file)
    for report in config.reports.values():
        found += _report(report)
    jobs = [job for job in config.jobs.values() if isinstance(job, Job)]
    if any(not finding.warning for finding in found if not finding.section):
        return found
    found += storages.looked_at(config)
    for destination in config.destinations.values():
        if destination.type == "active":
            own = list(_destination(config, destination))
            found += own
            if all(finding.warning for finding in own):
                found += reading.findings(config, destination)
    for job in jobs:
        if job.pull:
            password_file = job.pull.password_file or next(
                (each.password_file for each in job.destinations.values()), None
            )
            address, way = job.pull.source, job.pull.transport
            argv = surveys.address(f"{address}/", password_file, job.limits, way)
            found += daemons.tried(f"job:{job.name}", "report_source", argv, address, job.limits)
    return found


@functools.cache
def _version() -> "Finding | tuple[int, ...]":
    """The version of the rsync that is installed, or why it is not known."""
    try:
        output = subprocess.run(
            ["rsync", "--version"],
            capture_output=True,
            text=True,
            check=False,
            env=transport.environment(os.environ),
        ).stdout
    except OSError as error:
        way_out = f"install it; PATH is {os.environ.get('PATH', '')}"
        return Finding("", "", f"rsync cannot be started: {error.strerror}; {way_out}")
    found = re.search(r"version v?(\d+)\.(\d+)\.(\d+)", output)
    if not found:
        return Finding("", "", "rsync does not print its version", warning=True)
    return tuple(map(int, found.groups()))


def _rsync(config: Config) -> Iterator[Finding]:
    """Whether the rsync that is installed can do what is asked of it."""
    version = _version()
    if isinstance(version, Finding):
        yield version
        return
    name = f"rsync is {_dotted(version)}"
    linking = [each.name for each in config.destinations.values() if each.link_dest]
    if version < _LEAST_RSYNC:
        yield Finding("", "", f"{name}; B1000 needs {_dotted(_LEAST_RSYNC)} or newer")
    if version == _NO_LINK_DEST:
        for destination in linking:
            text = f"{name}, whose --link-dest cannot be relied on; take 3.4.4 or newer"
            yield Finding(f"dest:{destination}", "link_dest", text, warning=True)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _report(report: Report) -> Iterable[Finding]:
    """Whether a report could be written now; what only one type needs is imported only for it."""
    section = f"report:{report.name}"
    match report.type:
        case "mysql":
            from b1000.reports.mysql import check

            return [
                Finding(section, "server", flaw.text, flaw.warning)
                for flaw in check.findings(report)
            ]
        case "sqlite":
            from b1000.reports import sqlite

            return [Finding(section, "path", text) for text in sqlite.findings(report)]
        case _:
            return directories.writable(section, "path", report.path)


def _journal(path: Path) -> Iterator[Finding]:
    """Why a run could not use the journal that is there."""
    text = ""
    try:
        if queries.may_exist(path):
            Reader(path, untouched=True).close()
            text = "" if os.access(path, os.W_OK) else f"{path}: no permission to write it"
    except JournalOutdated:
        return  # The next run brings it up to date.
    except B1000Error as error:
        text = str(error)
    if text:
        yield Finding("global", "journal", text)


def _log(file: str) -> Iterator[Finding]:
    """A log file that cannot be written, for which standard error stands in."""
    directory = os.path.dirname(file)
    if file in STREAMS:
        trouble = ""  # It is open already.
    elif os.path.exists(file):
        trouble = "" if os.access(file, os.W_OK) else "no permission to write it"
    elif not os.path.isdir(directory):
        trouble = f"there is no directory {directory}; make it"
    else:
        trouble = next((found.text for found in directories.writable("", "", directory)), "")
    if trouble:
        yield Finding("global", "log_file", f"{file}: {trouble}", warning=True)


def _destination(config: Config, destination: Destination) -> Iterable[Finding]:
    section = f"dest:{destination.name}"
    if not destination.remote:
        if destination.must_be_mounted:
            trouble = mounts.unmounted(destination.path)
            return [Finding(section, "path", trouble)] if trouble else []
        found = list(directories.writable(section, "path", destination.path))
        if marks := destination.mark_path:
            sent = marks.startswith("rsync://")
            found += (
                daemons.marks_of_tree(config, destination)
                if sent
                else directories.writable(section, "mark_path", marks)
            )
        if not found and mounts.is_on_root(destination.path):
            text = (
                f"{destination.path} lies on the file system of /; if a disk is to be mounted "
                "there, must_be_mounted = yes copies nothing without it"
            )
            found.append(Finding(section, "path", text, warning=True))
        return found
    return daemons.storage(config, destination)
