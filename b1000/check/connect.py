"""``b1000 check --connect``: tries what the configuration names, and changes nothing."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from b1000.check import daemons, directories, reading, rsyncs, storages
from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.errors import B1000Error, JournalOutdated
from b1000.jobs import Destination, Job, Report
from b1000.logs import STREAMS
from b1000.rsync import surveys
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage import mounts


def connect(config: Config) -> list[Finding]:
    """Try rsync, directories, destinations, reports, and where pull jobs look."""
    found = list(rsyncs.findings(config))
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
