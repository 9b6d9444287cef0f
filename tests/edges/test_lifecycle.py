"""What an event makes of a run, is what the journal stores and gives again: never a difference."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b1000.identity import myself, new_uid
from b1000.jobs import Transfer
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Message,
    Note,
    ProcessBegan,
    ProcessEnded,
    ProcessEvent,
    Relayed,
    Resolved,
    Resumed,
    RunMoved,
    SlotWanted,
    Swept,
    Waiting,
)
from b1000.runs.lifecycle import Change, IllegalMove, changed
from b1000.runs.run import Client, Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from tests.support.chance import examples

DESTINATIONS = ("atm", "hd", "tele")
WORDS = st.sampled_from(("", "connection refused", "no space", "naïve ☃"))
NUMBERS = st.none() | st.integers(0, 2**40)


class Opened(NamedTuple):
    """A journal and a view of it."""

    journal: Journal
    reader: Reader


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    # In memory, where there is such a place: each event is durable here.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="b1000-lifecycle-", dir=place) as directory:
        yield from _opened(Path(directory) / "journal.sqlite3")


def _opened(path: Path) -> Iterator[Opened]:
    journal = open_journal(path)
    with Reader(journal.path) as reader:
        yield Opened(journal, reader)
    journal.close()


@st.composite
def resolved(draw: st.DrawFn, time: float) -> Resolved:
    names = draw(st.lists(st.sampled_from(DESTINATIONS), min_size=1, unique=True))
    snapshot = Snapshot(
        master_host=draw(st.sampled_from(("", "db-1"))),
        data_age=draw(st.none() | st.floats(0, 1e6)),
        transfer=Transfer(delete=draw(st.booleans())),
        own_dump=draw(st.booleans()),
    )
    copies = tuple(Copy(name, f"/{name}/x", draw(st.booleans())) for name in names)
    return Resolved(time, snapshot, copies)


@st.composite
def of_the_run(draw: st.DrawFn, time: float) -> Message:
    process = myself()
    client = Client(
        file=draw(st.sampled_from(("a.b1k", "b.b1k"))),
        host="web",
        job="etc",
        instance="",
        start_time="2026-11-22-10-11-12",
        step=draw(st.sampled_from(Step)),
        status=draw(st.sampled_from(Status)),
        destination="atm",
        pull_host="backup-1",
        copy_status=draw(st.sampled_from(CopyStatus)),
        error=draw(WORDS),
    )
    command = draw(st.uuids()).hex
    events: tuple[Message, ...] = (
        # The first is drawn most: a run that is seldom over has a long history.
        RunMoved(time, draw(st.sampled_from(Step)), Status.OK, draw(WORDS)),
        RunMoved(time, draw(st.sampled_from(Step)), draw(st.sampled_from(Status)), draw(WORDS)),
        Died(time, draw(WORDS), draw(st.sampled_from((Ending.INTERRUPTED, Ending.FINISHED)))),
        Closed(time, draw(WORDS)),
        Resumed(time, command, process),
        Waiting(time, draw(WORDS)),
        SlotWanted(time),
        Relayed(time, client),
        ProcessBegan(time, command, "pre", process),
        ProcessEnded(time, command),
        Swept(time),
    )
    return draw(st.sampled_from((*events[:1] * 6, *events)))


@st.composite
def of_a_copy(draw: st.DrawFn, time: float, run: Run) -> Message:
    copy = draw(st.sampled_from(run.copies))
    destination = copy.destination
    events: tuple[Message, ...] = (
        AttemptBegan(time, destination, copy.attempts + 1),
        AttemptEnded(
            time,
            destination,
            copy.attempts,
            draw(st.none() | st.just(23)),
            draw(WORDS),
            claimed=draw(st.booleans()),
        ),
        CopyMoved(
            time,
            destination,
            draw(st.sampled_from(CopyStatus)),
            draw(WORDS),
            draw(NUMBERS),
            draw(NUMBERS),
            draw(NUMBERS),
            draw(st.none() | st.integers(-15, 255)),
        ),
    )
    return draw(st.sampled_from(events))


def is_at_init(event: Message) -> bool:
    later = isinstance(event, RunMoved) and event.step is not Step.INIT
    return not later and not isinstance(event, Resumed)


def event_for(data: st.DataObject, run: Run, time: float) -> Message:
    """Anything that could be told of a run in this state, most of it in vain."""
    if not run.copies:
        # A run past INIT has copies; one without is read as a damaged row.
        return data.draw(st.one_of(resolved(time), of_the_run(time).filter(is_at_init)))
    if data.draw(st.integers(0, 30)) == 0:
        return Resolved(time, Snapshot(), run.copies)
    return data.draw(st.one_of(of_a_copy(time, run), of_a_copy(time, run), of_the_run(time)))


def stored_run(opened: Opened, run_id: int) -> Run:
    run = opened.reader.run(run_id)
    assert run
    return run


@pytest.mark.parametrize("at_once", [1, 4])
def test_the_journal_stores_what_the_rule_says(opened: Opened, at_once: int) -> None:
    counts = {"applied": 0, "refused": 0}

    @settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), length=st.integers(1, 25))
    def histories(data: st.DataObject, length: int) -> None:
        with opened.journal.transaction():
            run = opened.journal.begin_run(
                "etc",
                "",
                "store",
                direction="pull",
                kind="full",
                reports=("r",),
                supervisor=myself(),
            )
        unwritten: list[Change] = []
        for number in range(length):
            event = event_for(data, run, run.started + number)
            if isinstance(event, Resumed):
                event = event._replace(uid=new_uid())  # what is drawn twice is no new one
            try:
                change = None if isinstance(event, ProcessEvent) else changed(run, event)
            except IllegalMove:
                counts["refused"] += 1
                continue
            if change is None:
                assert isinstance(event, ProcessEvent)
                with opened.journal.transaction():
                    opened.journal.note(Note(run.uid, event))
            else:
                unwritten.append(change)
                run = change.after
            counts["applied"] += 1
            if len(unwritten) < at_once and number < length - 1:
                continue
            with opened.journal.transaction():
                if unwritten:
                    opened.journal.store(*unwritten)
            unwritten.clear()
            stored = stored_run(opened, run.run_id)
            numbered = run._replace(last_transition=stored.last_transition, relayed=stored.relayed)
            assert stored == numbered

    histories()
    print(counts)
    assert counts["applied"] > counts["refused"] > 0
