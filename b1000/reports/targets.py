"""Where the reports of a configuration go."""

from collections.abc import Callable

from b1000.jobs import Report
from b1000.reports.file import FileReport
from b1000.reports.target import ReportTarget


def target_of(settings: Report, unfinished: Callable[[str], set[str]]) -> ReportTarget:
    """Where a report goes; what only one type needs is imported only for it."""
    match settings.type:
        case "mysql":
            from b1000.reports.mysql.report import MysqlReport

            return MysqlReport(settings)
        case "sqlite":
            from b1000.reports.sqlite import SqliteReport

            return SqliteReport(settings)
        case _:
            return FileReport(settings, unfinished)
