"""Whether the rsync of this host will do, by its version."""

import functools
import os
import re
import subprocess
from collections.abc import Iterator

from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.jobs import Job
from b1000.rsync import transport

_LEAST_RSYNC = (3, 2, 3)  # the first with --mkpath
_SAFE_FOR_PULLS = (3, 4, 0)
_NO_LINK_DEST = (3, 4, 3)


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


def findings(config: Config) -> Iterator[Finding]:
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


def of_pulls(config: Config) -> Iterator[Finding]:
    """Whether it may be let read from hosts that are not trusted, where that is asked of it."""
    if not any(isinstance(job, Job) and job.pull for job in config.jobs.values()):
        return
    version = _version()
    if not isinstance(version, Finding) and _LEAST_RSYNC <= version < _SAFE_FOR_PULLS:
        text = (
            f"rsync is {_dotted(version)}; pulling from hosts that are not trusted needs "
            f"{_dotted(_SAFE_FOR_PULLS)} or newer "
            "(CVE-2024-12084 to 12088, CVE-2022-29154)"
        )
        yield Finding("", "", text, warning=True)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
