"""The command that loads ``etc/schema.sql``, a file that hosts without a checkout do not have."""

import os
import shlex
import sys

from b1000.jobs import Report

_PORT = 3306
_FOUND = ("site-packages", "dist-packages")  # where Python looks by itself


def command(settings: Report) -> str:
    """As a shell takes it, on this host; who logs in is for the client's own option files."""
    root = os.path.abspath(f"{__file__}/../../../..")
    path = "" if os.path.basename(root) in _FOUND else f"PYTHONPATH={shlex.quote(root)} "
    python = shlex.quote(sys.executable or "python3")
    if settings.server.startswith("/"):
        where = ["-S", settings.server]
    else:
        where = ["-h", settings.server]
        where += ["-P", str(settings.port)] if settings.port != _PORT else []
    client = shlex.join(["mysql", *where, settings.db])
    return f"{path}{python} -m b1000.reports.mysql.schema | {client}"
