"""What ``b1000 check`` finds without ``--connect``: by files, and by rsyncs that only list."""

import os
import subprocess
from collections.abc import Sequence

from b1000.check import daemons, on_this_host, rsyncs, storages, transports
from b1000.check.finding import Finding
from b1000.config import shellwords
from b1000.config.loader import Config
from b1000.files import private_directory
from b1000.jobs import Destination, Job, Limits
from b1000.rsync import surveys, transport
from b1000.rsync.source import Source
from b1000.work import merging, sources
from b1000.work.inventory import Tops

_SHORT_PULL = 300  # seconds


def advice(config: Config, connecting: bool = False) -> list[Finding]:
    """All of it; ``connecting``: what is named is tried as well, and is told there."""
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
    found += rsyncs.of_pulls(config)
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
    for destination in job.destinations.values() if found.overlaps.clashes else ():
        for name in _twice(found.paths, rules, destination):
            if name in found.overlaps.clashes:
                text = merging.clash_text(*found.overlaps.clashes[name], name)
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
