"""Runs as model values, put together from the rows of four tables."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from b1000.runs.run import Client, Copy, ProcessIdentity, Run
from b1000.runs.states import Ending, Status, can_be_retried
from b1000.state import rows, values
from b1000.state.conditions import SUPERSEDED, placeholders
from b1000.state.mending import named, reason
from b1000.state.view import View

_CHANGED = "(SELECT time FROM transitions WHERE transition_id = runs.last_transition)"
_AT_ONCE = 500  # runs whose copies are asked for in one statement


class RunRows(View):
    """Reads runs with their copies and clients."""

    def _runs(
        self,
        where: str,
        parameters: Sequence[str | int] = (),
        *,
        join: str = "",
        order: str = "",
        shown: bool = False,
    ) -> list[Run]:
        """Runs; those that cannot be read only where they are ``shown``, as closed."""
        found = self._rows(
            f"SELECT runs.*, {SUPERSEDED} AS superseded, {_CHANGED} AS changed FROM runs {join} "
            f"WHERE {where} {order}",
            parameters,
        )
        bad: dict[int, list[str]] = defaultdict(list)
        copies = self._copies([row["run_id"] for row in found], bad)
        pulls = [row["run_id"] for row in found if row["direction"] == "pull"]
        clients = self._clients(pulls, bad)
        runs = []
        for row in found:
            number = row["run_id"]
            stored, unread = rows.read("runs", row, self._tables["runs"])
            flaws = [*named("runs", unread), *bad[number]]
            run = _run(stored, row, copies[number], clients[number])
            if stored["begun"] and not run.copies and _is_open(run):
                flaws.append("copies.run_id")
            self.damaged.update(flaws)
            if run.clients:
                run = run._replace(relayed=self._relayed(number))
            if not flaws:
                runs.append(run)
            elif shown:
                runs.append(_as_damaged(run, flaws))
        return runs

    def _relayed(self, run_id: int) -> int:
        """The number of the last state of a client or a copy.

        What becomes of the pull run itself later, such as that a newer one superseded it, is
        no news of the client, which another pull may have taken since.
        """
        ((number,),) = self._ask(
            "SELECT coalesce(max(transition_id), 0) FROM transitions "
            "WHERE run_id = ? AND destination <> ''",
            (run_id,),
        )
        return int(number)

    def _clients(
        self, run_ids: Sequence[int], bad: dict[int, list[str]]
    ) -> dict[int, list[Client]]:
        found: dict[int, list[Client]] = defaultdict(list)
        for run_id in run_ids:
            for row in self._rows(
                "SELECT * FROM clients WHERE run_id = ? ORDER BY rowid", (run_id,)
            ):
                stored, unread = rows.read("clients", row, self._tables["clients"])
                bad[run_id] += named("clients", unread)
                if not unread:
                    found[run_id].append(stored["client"])
        return found

    def _client(self, written: str) -> Client | None:
        """The client of a pull run; None where it cannot be read."""
        columns = {"client": self._tables["clients"]["client"]}
        stored, unread = rows.read("clients", {"client": written}, columns)
        self.damaged.update(named("clients", unread))
        return None if unread else stored["client"]

    def _copies(self, run_ids: Sequence[int], bad: dict[int, list[str]]) -> dict[int, list[Copy]]:
        found: dict[int, list[Copy]] = defaultdict(list)
        for start in range(0, len(run_ids), _AT_ONCE):
            some = run_ids[start : start + _AT_ONCE]
            for row in self._rows(
                f"""SELECT * FROM copies WHERE run_id IN ({placeholders(some)})
                    ORDER BY run_id, position""",
                some,
            ):
                stored, unread = rows.read("copies", row, self._tables["copies"])
                bad[row["run_id"]] += named("copies", unread)
                found[row["run_id"]].append(_copy(stored))
        return found


_STORED = frozenset(Run._fields)


def _run(
    stored: Mapping[str, Any], row: sqlite3.Row, copies: Iterable[Copy], clients: Iterable[Client]
) -> Run:
    changed = row["changed"]
    return Run(
        **{name: value for name, value in stored.items() if name in _STORED},
        snapshot=stored["frozen"],  # the name that the column has had from the first on
        supervisor=supervisor(stored),
        changed=changed if values.is_moment(changed) else stored["started"],
        superseded=bool(row["superseded"]),
        copies=tuple(copies),
        clients=tuple(clients),
    )


def _is_open(run: Run) -> bool:
    return run.ending is None or can_be_retried(run.step, run.status, run.ending, died=False)


def _as_damaged(run: Run, flaws: Sequence[str]) -> Run:
    """How a run is shown that cannot be read: as it will be once it is mended."""
    why = reason(flaws)
    return run._replace(
        status=Status.WARNING if run.ending and run.status is Status.OK else Status.FAILED,
        ending=Ending.CLOSED,
        error=f"{run.error}; {why}" if run.error else why,
    )


def supervisor(row: Mapping[str, Any] | sqlite3.Row) -> ProcessIdentity:
    """The supervisor that a row of a run or a listing names."""
    return ProcessIdentity(row["supervisor_pid"], row["supervisor_boot"], row["supervisor_ticks"])


def _copy(stored: Mapping[str, Any]) -> Copy:
    return Copy(**{name: stored[name] for name in Copy._fields})
