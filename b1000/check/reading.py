"""Whether what is copied to a destination can be listed and restored by this host."""

import os
from collections.abc import Iterator

from b1000.check import daemons
from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.errors import message_of
from b1000.jobs import Destination
from b1000.rsync import surveys
from b1000.storage import remote, survey


def findings(config: Config, destination: Destination) -> Iterator[Finding]:
    """No run fails for it, but list, restore and drills would: these are warnings."""
    section, option = f"dest:{destination.name}", "restore_path"
    reach = remote.reach(destination, survey.limits(config, destination))
    if not reach.address.startswith("rsync://"):
        if destination.restore_path and (trouble := _unread(reach.address)):
            yield Finding(section, option, trouble, warning=True)
        return
    argv = surveys.address(f"{reach.address}/", reach.password_file, reach.limits, reach.transport)
    if destination.restore_path:
        for each in daemons.tried(section, option, argv, reach.address, reach.limits):
            yield each._replace(warning=True)
    elif remote.only_takes(daemons.asked(argv, reach.limits).errors):
        text = "; ".join(remote.unreadable(reach.address))
        yield Finding(section, option, text, warning=True)


def _unread(path: str) -> str:
    try:
        with os.scandir(path):
            return ""
    except OSError as error:
        return message_of(error)
