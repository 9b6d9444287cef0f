"""Where the reports of a configuration go."""

from collections.abc import Callable

from b1000.jobs import Report
from b1000.locks import Locks
from b1000.reports.addressee import Outbox
from b1000.reports.file import FileReport
from b1000.reports.target import ReportTarget
from b1000.state.queries import Reader


def target_of(
    settings: Report | Outbox, reader: Callable[[], Reader], locks: Locks
) -> ReportTarget:
    """Where it goes; what only one type needs is imported only for it."""
    if isinstance(settings, Outbox):
        from b1000.reports.marks import MarkTarget  # with all that is known of storages

        return MarkTarget(settings, reader, locks)
    match settings.type:
        case "mysql":
            from b1000.reports.mysql.report import MysqlReport

            return MysqlReport(settings)
        case "sqlite":
            from b1000.reports.sqlite import SqliteReport

            return SqliteReport(settings)
        case _:
            return FileReport(settings, lambda *asked: reader().runs_of_files(*asked))
