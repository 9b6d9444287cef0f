"""The names of the files through which both sides meet. Pure."""

REPORT_SUFFIX = ".b1k"
DONE, ERROR = "done", "error"
LARGEST_REPORT = 65536
"""Bytes of a report file beyond which nobody reads it."""


def report_file(job: str, instance: str, start_time: str) -> str:
    """``JOB-INSTANCE-STARTTIME.b1k``; the dash stays where the instance is empty."""
    return f"{job}-{instance}-{start_time}{REPORT_SUFFIX}"


def notification(report: str, host: str, ending: str) -> str:
    """``REPORTFILE.HOST.done`` or ``.error``: the host that pulls has ended its part."""
    return f"{report}.{host}.{ending}"
