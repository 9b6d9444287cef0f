"""What events have made of runs, and what was done for them, as rows of the journal."""

import json
import operator
from typing import assert_never

from b1000.errors import RowDamaged
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    InstancesListed,
    Note,
    ProcessBegan,
    ProcessEnded,
    Relayed,
    Resolved,
    Resumed,
    RunMoved,
    SlotWanted,
    Swept,
    Waiting,
)
from b1000.runs.lifecycle import Change, transitions
from b1000.runs.run import Client, Copy, Run
from b1000.runs.states import BEGUN
from b1000.state import outbox
from b1000.state.beginnings import Beginnings
from b1000.state.conditions import placeholders

_OF_A_COPY = (
    *("status", "error", "started", "ended", "attempts", "bytes", "files", "sent", "exit_code"),
    *("claimed", "directories", "links", "others", "vanished", "linked"),
)
_UPDATE_COPY = f"""UPDATE copies SET {", ".join(f"{name} = ?" for name in _OF_A_COPY)}
    WHERE run_id = ? AND destination = ?"""
_NEW_COPY = ("destination", "background", "type", "path", "marked", *_OF_A_COPY)
_INSERT_COPY = f"""INSERT INTO copies (run_id, position, {", ".join(_NEW_COPY)})
    VALUES (?, ?, {placeholders(_NEW_COPY)})"""
_values_of_copy = operator.attrgetter(*_OF_A_COPY)
_values_of_new_copy = operator.attrgetter(*_NEW_COPY)
_LATER_DOUBT = "CASE doubt WHEN '' THEN excluded.doubt ELSE doubt END"


class Changes(Beginnings):
    """Stores what the rules of :mod:`b1000.runs.lifecycle` have computed; decides no state."""

    def store(self, *changes: Change) -> None:
        """Write what events have made of a run, one after the other, and what they say beyond it.

        Raises RowDamaged where the journal has no such row any more.
        """
        last: int | None = None
        for change in changes:
            self._store_event(change, changes[-1].after)
            number = self._append_all(change)
            last = number or last
            if isinstance(change.event, CopyMoved) and number is not None:
                self._add_pending_mark(change.after, change.event, number)
                self._forget_bad(change.after, change.event)
        before, after = changes[0].before, changes[-1].after
        if last is not None:
            self._add_pending(after.run_id, after.reports, last, changes[-1].event.time)
        if after != before:
            self._store_run(before, after, last)

    def _append_all(self, change: Change) -> int | None:
        """The rows of history that an event leaves; gives the number of the last."""
        number = None
        for transition in transitions(change):
            number = self._append(change.after.run_id, change.event.time, transition)
        return number

    def _store_event(self, change: Change, now: Run) -> None:
        """What an event says beyond the row of its run, which is that of ``now`` in the end."""
        before, event, after = change
        match event:
            case Resolved():
                self._store_settled(now)
            case AttemptBegan():
                self._note_attempt(after, event)
            case AttemptEnded():
                self._note_end_of_attempt(after, event)
            case RunMoved():
                if event.final:
                    self._nothing_runs(before.uid, event.time)
            case Died():
                self._nothing_runs(before.uid, event.time)
                if before.ending is None:
                    self._leave_attempts(before, event)
            case Resumed():
                self._take_over(before, event.uid, event.supervisor)
                self._runs_again(before.job, before.instance)
            case Relayed():
                self._store_client(after, event.client)
            case CopyMoved() | Closed() | Waiting() | SlotWanted():
                pass  # all that they say is in the run
            case _:
                assert_never(event)

    def _add_pending_mark(self, run: Run, moved: CopyMoved, number: int) -> None:
        """A copy that is complete gets a mark: not before this is durable, and surely then."""
        (copy,) = (each for each in run.copies if each.destination == moved.destination)
        if copy.marked and copy.complete:
            outbox.add(self._db, outbox.of_marks(copy.destination), run.run_id, number, moved.time)

    def _forget_bad(self, run: Run, moved: CopyMoved) -> None:
        """The tree of a sync that was compared by content is as the source again."""
        (copy,) = (each for each in run.copies if each.destination == moved.destination)
        root, *place = copy.path.rsplit("/", 2)
        if run.type == "sync" and copy.complete:
            self._db.execute(
                """UPDATE stored SET bad = '' WHERE root = ? AND path = ? AND bad <> ''
                   AND '' <> (SELECT doubt FROM attempts WHERE run_id = ? AND destination = ?
                              ORDER BY number DESC LIMIT 1)""",
                (root, "/".join(place), run.run_id, copy.destination),
            )

    def note(self, note: Note) -> None:
        """Write what was done on behalf of a run or a job."""
        uid, event = note
        match event:
            case ProcessBegan():
                self._note_process(uid, event)
            case ProcessEnded():
                self._db.execute(
                    "UPDATE processes SET ended = ? WHERE uid = ? AND command = ?",
                    (event.time, uid, event.command),
                )
            case Swept():
                self._nothing_runs(uid, event.time)
            case InstancesListed():
                self._note_listing(uid, event)
            case _:
                assert_never(event)

    def _store_run(self, before: Run, after: Run, transition: int | None) -> None:
        stored = self._db.execute(
            """UPDATE runs SET step = ?, status = ?, error = ?, begun = begun OR ?,
                               ending = ?, ended = ?, waiting = ?,
                               last_transition = coalesce(?, last_transition)
               WHERE run_id = ?""",
            (
                after.step,
                after.status,
                after.error,
                after.step in BEGUN,
                after.ending,
                after.ended,
                after.waiting,
                transition,
                after.run_id,
            ),
        )
        if not stored.rowcount:
            raise RowDamaged(f"of run {after.run_id} there is no row any more")
        known = {copy.destination: copy for copy in before.copies}
        for copy in after.copies:
            if copy.destination in known and copy != known[copy.destination]:
                self._store_copy(after.run_id, copy)

    def _store_copy(self, run_id: int, copy: Copy) -> None:
        values = (*_values_of_copy(copy), run_id, copy.destination)
        stored = self._db.execute(_UPDATE_COPY, values)
        if not stored.rowcount:
            raise RowDamaged(f"of run {run_id} there is no copy to {copy.destination} any more")

    def _store_settled(self, run: Run) -> None:
        """What a run settled at INIT, and its copies as they are by now."""
        snapshot = run.snapshot
        self._db.execute(
            """UPDATE runs SET master_host = ?, master_instance = ?, data_age = ?, own_dump = ?,
                               frozen = ? WHERE run_id = ?""",
            (
                snapshot.master_host,
                snapshot.master_instance,
                snapshot.data_age,
                snapshot.own_dump,
                json.dumps({**snapshot._asdict(), "transfer": snapshot.transfer._asdict()}),
                run.run_id,
            ),
        )
        self._db.executemany(
            _INSERT_COPY,
            [
                (run.run_id, position, *_values_of_new_copy(copy))
                for position, copy in enumerate(run.copies)
            ],
        )

    def _store_client(self, run: Run, client: Client) -> None:
        self._db.execute(
            """INSERT INTO clients (run_id, file, client) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET client = excluded.client""",
            (run.run_id, client.file, json.dumps(client._asdict())),
        )

    def _note_attempt(self, run: Run, began: AttemptBegan) -> None:
        """It is in doubt from its beginning, so that a crash leaves it so."""
        self._db.execute(
            """INSERT OR REPLACE INTO attempts (run_id, destination, number, began, doubt)
               VALUES (?, ?, ?, ?, ?)""",
            (run.run_id, began.destination, began.number, began.time, began.doubt),
        )
        self._db.execute(
            f"""INSERT INTO unsettled (path, since, doubt) SELECT one_place(path), ?, ? FROM copies
                WHERE run_id = ? AND destination = ? AND type <> 'passive'
                ON CONFLICT DO UPDATE SET doubt = {_LATER_DOUBT}""",
            (began.time, "ended in an unknown way", run.run_id, began.destination),
        )

    def _note_end_of_attempt(self, run: Run, ended: AttemptEnded) -> None:
        of_copy = (run.run_id, ended.destination)
        self._db.execute(
            """UPDATE attempts SET ended = ?, exit_code = ?, reason = ?, retry_at = ?
               WHERE run_id = ? AND destination = ? AND number = ?""",
            (ended.time, ended.exit_code, ended.reason, ended.retry_at, *of_copy, ended.number),
        )
        # Older programs wrote the paths as they stood in the configuration.
        where = """one_place(path) =
                   (SELECT one_place(path) FROM copies WHERE run_id = ? AND destination = ?)"""
        if ended.unsettled is None:
            self._db.execute(f"DELETE FROM unsettled WHERE {where}", of_copy)
        else:
            self._db.execute(
                f"UPDATE unsettled SET since = ?, doubt = ?, spoilt = ? WHERE {where}",
                (*ended.unsettled, *of_copy),
            )

    def _leave_attempts(self, run: Run, died: Died) -> None:
        """The attempts of a run that died are over, and what they wrote is in doubt."""
        self._db.execute(
            """UPDATE unsettled SET doubt = 'ended in an unknown way: ' || ?
               WHERE one_place(path) IN (
                   SELECT one_place(path) FROM attempts JOIN copies USING (run_id, destination)
                   WHERE run_id = ? AND attempts.ended IS NULL)""",
            (died.error, run.run_id),
        )
        self._db.execute(
            """UPDATE attempts SET ended = ?, reason = ? WHERE run_id = ? AND ended IS NULL""",
            (died.time, died.error, run.run_id),
        )

    def _note_process(self, uid: str, message: ProcessBegan) -> None:
        process = message.process
        self._db.execute(
            """INSERT INTO processes (uid, command, purpose, pid, boot, ticks, began)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                uid,
                message.command,
                message.purpose,
                process.pid,
                process.boot,
                process.ticks,
                message.time,
            ),
        )

    def _note_listing(self, uid: str, message: InstancesListed) -> None:
        instances = None if message.error else json.dumps(message.instances)
        self._db.execute(
            "UPDATE listings SET ended = ?, instances = ?, error = ? WHERE uid = ?",
            (message.time, instances, message.error, uid),
        )
        if not message.error:
            # With no instances no run would end its failure.
            (job,) = self._db.execute("SELECT job FROM listings WHERE uid = ?", (uid,)).fetchone()
            self._job_works_again(job)

    def _nothing_runs(self, uid: str, when: float) -> None:
        """By its uid: a run may have gone on under another one, whose processes are alive."""
        self._db.execute(
            "UPDATE processes SET ended = ? WHERE ended IS NULL AND uid = ?", (when, uid)
        )
