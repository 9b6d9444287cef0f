"""``b1000 monitor ack|ignore|expect``: an answer to a verdict is written into the database."""

import os
import pwd
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from b1000.errors import in_order, near
from b1000.jobs import Report
from b1000.monitor import fleet
from b1000.monitor.history import Subject
from b1000.monitor.replies import ACK, EXPECT, IGNORE, Reply, named, parsed
from b1000.monitor.survey import NoVerdict
from b1000.monitor.verdicts import Judgement, judge
from b1000.named import NamedTuple
from b1000.reports.mysql import loading
from b1000.reports.source import DatabaseSource
from b1000.reports.tables import REPLIES
from b1000.reports.target import NotDelivered

_MOST_LISTED = 12


class ReplyRequest(NamedTuple):
    """What is said of which subject; ``until`` 0: without an end.

    ``listing`` is the command that shows all subjects, as people type it.
    """

    kind: str
    subject: str
    until: float = 0.0
    note: str = ""
    listing: str = "b1000 monitor --all"


def reply(settings: Report, wanted: ReplyRequest, now: float) -> list[str]:
    """Write it; gives a line for each subject. Raises NoVerdict."""
    if wanted.until and wanted.until <= now:
        raise NoVerdict("--until has to be a time that is to come")
    try:
        with DatabaseSource(settings, read_only=False) as source:
            if not source.has(REPLIES.name):
                missing = f"the database of report {settings.name} has no table replies"
                raise NoVerdict(
                    missing, f"load etc/schema.sql into it: {loading.command(settings)}"
                )
            lines = list(_written(source, wanted, now))
            source.commit()
    except NotDelivered as error:
        raise NoVerdict(f"the database of report {settings.name}: {error}") from None
    return lines


def _written(source: DatabaseSource, wanted: ReplyRequest, now: float) -> Iterator[str]:
    whole = fleet.read(source, now)
    for subject, codes in _meant(whole, wanted, now):
        # The last counts: it is later than those before it, also within a second.
        before = [each.when + 1 for each in whole.known.replies.get(subject, {}).values()]
        when = max([now, *before])
        given = Reply(wanted.kind, _who(), when, wanted.until or None, wanted.note, codes)
        _remember(source, subject, given)
        if wanted.kind != ACK:
            _plan(source, subject, given)
        done = {ACK: "acknowledged", IGNORE: "ignored", EXPECT: "expected"}[wanted.kind]
        what = f" ({', '.join(sorted(codes))})" if codes else ""
        yield f"{subject.label}: {done}{what} {given.text}"


def _meant(
    whole: fleet.Fleet, wanted: ReplyRequest, now: float
) -> list[tuple[Subject, frozenset[str]]]:
    """The subjects, each with what is wrong with it where that is acknowledged."""
    known = {*whole.histories, *whole.known.plans, *whole.ignored}
    found = named(wanted.subject, known)
    if not found and wanted.kind == EXPECT and (new := parsed(wanted.subject)):
        found = [new]
    if not found:
        raise NoVerdict(
            f"{wanted.subject!r} is no subject{near(wanted.subject, [s.label for s in known])}",
            _known(known, wanted.listing),
        )
    if wanted.kind != ACK:
        return [(subject, frozenset()) for subject in sorted(found)]
    bad = [each for each in _judged(whole, found, now) if each.reasons]
    if not bad:
        raise NoVerdict(
            f"nothing is wrong with {wanted.subject} that could be acknowledged",
            "ignore --until says beforehand that something will be",
        )
    return [(each.subject, each.codes) for each in bad]


def _known(subjects: set[Subject], listing: str) -> str:
    if len(subjects) > _MOST_LISTED:
        return f"{listing} lists all {len(subjects)}"
    return f"there is {in_order(each.label for each in subjects)}"


def _judged(whole: fleet.Fleet, subjects: Sequence[Subject], now: float) -> Iterator[Judgement]:
    for each in sorted(subjects):
        if each in whole.ignored:
            raise NoVerdict(f"{each.label} is ignored", "expect it before")
        runs = whole.histories[each]
        stored = whole.known.told_of(each, runs)
        yield judge(each, runs, whole.known.plans.get(each), now, stored=stored)


def _who() -> str:
    """The person, also where sudo was used, and the host."""
    name = os.environ.get("SUDO_USER", "")
    if not name or os.getuid():
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


_OF_SUBJECT = "master_host = ? AND job_name = ? AND master_instance = ?"


def _remember(source: DatabaseSource, subject: Subject, given: Reply) -> None:
    """One row for each kind of answer: nobody needs the right to DELETE."""
    source.do(
        f"{source.dialect.ignoring} INTO replies "
        "(master_host, job_name, master_instance, reply) VALUES (?, ?, ?, ?)",
        (*subject, given.kind),
    )
    row: Mapping[str, object] = {
        "replied_by": given.by,
        "replied_utc": _utc(given.when),
        "until_utc": given.until and _utc(given.until),
        "codes": " ".join(sorted(given.codes)),
        "note": given.note,
    }
    changes = ", ".join(f"{name} = ?" for name in row)
    source.do(
        f"UPDATE replies SET {changes} WHERE {_OF_SUBJECT} AND reply = ?",
        (*row.values(), *subject, given.kind),
    )


def _plan(source: DatabaseSource, subject: Subject, given: Reply) -> None:
    """Older programs know ``plan`` alone."""
    source.do(
        f"{source.dialect.ignoring} INTO plan (master_host, job_name, master_instance) "
        "VALUES (?, ?, ?)",
        subject,
    )
    source.do(
        f"UPDATE plan SET ignored = ? WHERE {_OF_SUBJECT}", (int(given.kind == IGNORE), *subject)
    )
    if given.note:
        source.do(f"UPDATE plan SET note = ? WHERE {_OF_SUBJECT}", (given.note, *subject))


def _utc(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S")
