"""``b1000 list``: which backups lie at the storages, and what is known of them."""

import gc
import time
from collections.abc import Iterable, Sequence

from b1000.commands.output import say, terminal

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.config.selectors import Selector
    from b1000.jobs import Destination
    from b1000.runs.stored import KnownCopy
    from b1000.storage.contents import FoundFile, Search
    from b1000.storage.question import StoredRow
    from b1000.storage.survey import Survey

_FOUND, _NOT_ALL = 0, 1
_MOST_NAMED = 20


def list_backups(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.list import words_of

    arguments = words_of(argv)
    # A hundred thousand backups without a cycle: to look for those is a twelfth of all the work.
    gc.disable()

    from b1000.config import loader
    from b1000.config.selectors import selector
    from b1000.storage import moments, question, survey

    selectors = tuple(selector(word) for word in arguments.jobs)
    until = moments.latest(arguments.at) if arguments.at else None
    asked = question.StoredQuestion(selectors, arguments.host, until, arguments.all)
    config = loader.load(arguments.cfg)
    wanted = survey.wanted(config, arguments.dest)
    search = _search(arguments.files)
    told = () if search else _told(config, survey.storages(config, wanted), selectors)
    found = survey.survey(config, wanted, arguments.all, search, told)
    configured = question.Configured(config.settings.host, config.jobs, config.destinations)
    rows = question.rows(found.groups(), asked, configured, _kept_by(config, found))
    answered = _files(arguments, rows, search) if search else _backups(arguments, rows)
    if not answered:
        _report_nothing(found, selectors)
    return _exit_code(found, answered)


def _told(
    config: "Config", storages: "Sequence[Destination]", selectors: "Sequence[Selector]"
) -> "Sequence[KnownCopy]":
    """The complete backups that databases know there."""
    if not any(report.is_database for report in config.reports.values()):
        return ()
    from b1000.commands.databases import Databases
    from b1000.logs import printable, to_stderr

    databases = Databases(config, lambda text: to_stderr(printable(f"b1000: {text}")))
    return databases.expected(storages, {job for job, _ in selectors}, time.time())


def _report_nothing(found: "Survey", selectors: "Sequence[Selector]") -> None:
    """What is asked for may be a job of other hosts: only the storages know whose backups exist."""
    from b1000.logs import printable, to_stderr

    known = sorted(
        {f"{group.key.job}/{group.key.host}" for _, group in found.groups() if group.key.host}
    )
    hint = f"; there are backups of {', '.join(known[:_MOST_NAMED])}" if selectors and known else ""
    to_stderr(printable(f"b1000: nothing was found{hint}"))


def _search(pattern: str) -> "Search | None":
    from b1000.storage import contents

    return contents.Search(contents.Pattern(pattern)) if pattern else None


def _kept_by(config: "Config", found: "Survey") -> dict[str, str]:
    """What keeps each backup, by its whole path."""
    from datetime import datetime

    from b1000.prune import pruning
    from b1000.storage import local

    now = datetime.now()
    look = pruning.Look(lambda *_: now, local.marked_at)
    kept: dict[str, str] = {}
    for destination in config.destinations.values():
        roots = [each for each in found.catalogues if each.root.destination == destination.name]
        plan = pruning.plan(destination, roots, now, pruning.Wish(), look)
        for group in plan.groups if not destination.flaws else ():
            for each in group.verdict.decisions if group.line else ():
                kept[group.root.whole(each.name)] = "; ".join(each.reasons) if each.keep else ""
    return kept


def _backups(arguments: object, rows: "Sequence[StoredRow]") -> bool:
    from b1000.storage import programs, table

    if arguments.json:  # type: ignore[attr-defined]
        for part in programs.as_json(rows):
            say(part)
    elif rows:
        screen = terminal()
        say(table.of_backups(rows, time.time(), screen.width if screen else None))
    return bool(rows)


def _files(arguments: object, rows: "Sequence[StoredRow]", search: "Search") -> bool:
    from b1000.storage import contents, programs, table

    def found(row: "StoredRow") -> "Iterable[FoundFile]":
        directory = f"{row.root.address}/{row.backup.place}"
        if row.root.remote:
            return search.found(directory)
        return contents.in_tree(directory, search.pattern)

    versions = contents.folded((row, found(row)) for row in rows if row.backup.is_there)
    if arguments.json:  # type: ignore[attr-defined]
        for part in programs.files_as_json(versions):
            say(part)
    elif versions:
        screen = terminal()
        say(table.of_files(versions, screen.width if screen else None))
    return bool(versions)


def _exit_code(found: "Survey", answered: bool) -> int:
    """What could not be asked is named."""
    from b1000.logs import printable, to_stderr
    from b1000.storage import box

    for catalogue in found.catalogues:
        for note in (*catalogue.notes, *box.notes(catalogue.root)):
            to_stderr(printable(f"b1000: {catalogue.root.path}: {note}"))
        for each in catalogue.unread:
            path = catalogue.root.whole(each.path).rstrip("/")
            text = f"{path} could not be looked at: {each.why}"
            to_stderr(printable(f"b1000: {text}"))
    for away in found.away:
        to_stderr(printable(f"b1000: {away.destination} could not be asked: {away.why}"))
    all_read = not found.away and not any(each.unread for each in found.catalogues)
    return _FOUND if answered and all_read else _NOT_ALL
