"""The answer of ``b1000 monitor`` to one command line: text, files, exit code.

Whatever is in the way of an answer is UNKNOWN, and leaves files that an earlier
answer wrote as they are.
"""

import os
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from b1000.config import loader
from b1000.errors import B1000Error
from b1000.files import write_atomically
from b1000.logs import printable
from b1000.monitor import forms, metrics, nagios
from b1000.monitor.history import span
from b1000.monitor.notifying import NotTold, tell, tell_unknown
from b1000.monitor.survey import SHOWN_DAYS, MonitorQuestion, NoVerdict, Survey, database, survey
from b1000.monitor.verdicts import Verdict
from b1000.named import NamedTuple
from b1000.terminal.screen import Screen


class Form(StrEnum):
    """What is written to standard output."""

    JSON = "json"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"
    TABLE = "table"
    NONE = "none"


class OutputOptions(NamedTuple):
    """A form; ``output`` takes metrics and ``html`` a page, where they are not empty.

    ``notify`` is a command that is told what turned since the ``state`` was written last.
    """

    form: Form
    output: str = ""
    html: str = ""
    everything: bool = False
    notify: str = ""
    state: str = ""


class MonitorAnswer(NamedTuple):
    """``text`` goes to standard output, ``complaint`` to standard error."""

    text: str
    exit_code: int
    complaint: str = ""


def answer(
    file: str, question: MonitorQuestion, wanted: OutputOptions, screen: Screen | None
) -> MonitorAnswer:
    """Ask what the configuration names. ``screen``: the terminal, if there is one."""
    try:
        settings = database(loader.load(file), question.report)
        found = survey(
            settings,
            question._replace(days=SHOWN_DAYS if wanted.html else 0),
            write=forms.json_line if wanted.form is Form.JSON else None,
        )
    except B1000Error as error:
        reason = str(error)
        return _notified(
            unknown(reason, wanted),
            wanted,
            lambda: tell_unknown(wanted.notify, wanted.state, reason, time.time()),
        )
    try:
        given = MonitorAnswer(_written(found, wanted, screen), found.verdict.exit_code)
    except B1000Error as error:
        given = unknown(str(error), wanted)
    return _notified(given, wanted, lambda: tell(wanted.notify, wanted.state, found, question))


def _notified(
    given: MonitorAnswer, wanted: OutputOptions, act: Callable[[], None]
) -> MonitorAnswer:
    """The answer once a command was told of it; UNKNOWN where that failed, for nobody knows it."""
    try:
        if wanted.notify:
            act()
    except NotTold as error:
        complaint = "; ".join(filter(None, [given.complaint, printable(str(error))]))
        return given._replace(exit_code=Verdict.UNKNOWN.exit_code, complaint=complaint)
    return given


def _written(found: Survey, wanted: OutputOptions, screen: Screen | None) -> str:
    """Write the files; gives what remains to be said."""
    if wanted.html:
        # Here: nobody else needs what it imports.
        from b1000.monitor.page import page

        template = Path(__file__).with_name("page.html").read_text("utf-8")
        _write(wanted.html, page(found, template))
    match wanted.form:
        case Form.JSON:
            return forms.as_json(found)
        case Form.NAGIOS:
            return nagios.as_nagios(found)
        case Form.TABLE:
            if screen:
                # Here: what is read by programs does without it.
                from b1000.monitor.table import as_table

                return as_table(found, screen, wanted.everything)
            return forms.as_text(found, wanted.everything)
        case Form.PROMETHEUS if wanted.output:
            _write(wanted.output, metrics.as_prometheus(found))
        case Form.PROMETHEUS:
            return metrics.as_prometheus(found).rstrip("\n")
    return ""


def _write(name: str, text: str) -> None:
    path = Path(name).absolute()
    # To replace the name of a device would take it from all other programs.
    if path.parent == Path("/dev") or (os.path.exists(path) and not os.path.isfile(path)):
        raise NoVerdict(f"{name} cannot be written: it is no regular file")
    try:
        write_atomically(path, text, 0o644)
    except OSError as error:
        raise NoVerdict(f"{name} cannot be written: {error.strerror}") from None


def unknown(reason: str, wanted: OutputOptions) -> MonitorAnswer:
    """There is no answer, and why."""
    stale = [_age(name) for name in (wanted.output, wanted.html) if name]
    complaint = printable("; ".join([f"{Verdict.UNKNOWN}: {reason}", *stale]))
    code = Verdict.UNKNOWN.exit_code
    match wanted.form:
        case Form.JSON:
            return MonitorAnswer(forms.unknown_as_json(reason, time.time()), code, complaint)
        case Form.NAGIOS:
            # Nagios shows the first line of standard output only.
            return MonitorAnswer(nagios.unknown_as_nagios(reason), code)
        case Form.PROMETHEUS if not wanted.output:
            try:
                return MonitorAnswer(metrics.unknown(time.time()).rstrip("\n"), code, complaint)
            except NoVerdict:
                return MonitorAnswer("", code, complaint)
    return MonitorAnswer("", code, complaint)


def _age(name: str) -> str:
    """What is told of a file that is left as it was."""
    try:
        age = time.time() - Path(name).stat().st_mtime
    except OSError:
        return f"there is no {name} of an earlier answer"
    return f"{name} stays as it is, {span(age)} old"
