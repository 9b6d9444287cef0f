"""What is asked of directories at destinations: whose they are, what a full may link to."""

import sqlite3
from collections.abc import Sequence

from b1000.addresses import one_place
from b1000.jobs import Job
from b1000.runs.run import Base, Bases, Client, Unsettled
from b1000.runs.states import COMPLETE, Step
from b1000.runs.task import Taken
from b1000.state.conditions import placeholders, quoted
from b1000.state.run_rows import RunRows

# paths.subject in SQL: an absent part goes with its dash.
_SUBJECT = """substr(CASE host WHEN '' THEN '' ELSE '-' || host END
    || CASE instance WHEN '' THEN '' ELSE '-' || instance END
    || CASE master_host WHEN '' THEN '' ELSE '-' || master_host END
    || CASE master_instance WHEN '' THEN '' ELSE '-' || master_instance END, 2)"""
PULLED = """(SELECT client FROM clients WHERE clients.run_id = runs.run_id
    ORDER BY clients.rowid DESC LIMIT 1) AS pulled"""
_TAKEN_LOOKED_AT = 20  # pulls of a job: it may take several clients
_BASES_LOOKED_AT = 200  # complete fulls of one job/instance at one destination
_BASES_KEPT = 5  # of one host and master there: the last may be gone


class DirectoryQueries(RunRows):
    """Questions about directories."""

    def owners_of_names(self, stem: str) -> list[tuple[str, str]]:
        """The job/instances whose runs began to prepare or copy with files of that name.

        Who did so last comes first.
        """
        sql = """SELECT job, instance FROM runs WHERE file_stem = ? AND begun
                 GROUP BY job, instance ORDER BY max(run_id) DESC"""
        return [(row["job"], row["instance"]) for row in self._ask(sql, (stem,))]

    def owner_of_directory(self, job: str, instances: Sequence[str], whose: str) -> str | None:
        """Which of the instances wrote last into the directory that :func:`paths.subject` names."""
        sql = f"""SELECT instance FROM runs WHERE job = ? AND begun AND {_SUBJECT} = ?
                  AND instance IN ({placeholders(instances)})
                  ORDER BY run_id DESC LIMIT 1"""
        rows = self._ask(sql, (job, whose, *instances))
        return rows[0]["instance"] if rows else None

    def bases(self, job: Job, instance: str) -> Bases:
        """To which fulls a new one may link: at each destination the last complete ones of
        each host and master.

        By the order of runs, not by local time. One without a file is none, nor is one that is
        unsettled or known to be bad.
        """
        found: dict[tuple[str, ...], list[Base]] = {}
        bad = self.known_bad(job.name)
        destinations = job.destinations.values() if job.type == "full" else ()
        linking = [each.name for each in destinations if each.link_dest]
        passed_over = self.unsettled().keys() | bad if linking else bad
        for destination in linking:
            for row in self._ask(
                f"""SELECT copies.destination, copies.path, runs.host, runs.instance,
                           runs.master_host, runs.master_instance, runs.started,
                           {PULLED}
                    FROM runs JOIN copies USING (run_id)
                    WHERE runs.job = ? AND runs.instance = ? AND runs.type = 'full'
                    AND copies.destination = ? AND copies.status IN ({quoted(COMPLETE)})
                    AND copies.files > 0
                    ORDER BY runs.run_id DESC LIMIT {_BASES_LOOKED_AT}""",
                (job.name, instance, destination),
            ):
                if one_place(row["path"]) in passed_over:
                    continue
                # What was pulled is its client's; whose, is not known where that cannot be read.
                client = self._client(row["pulled"]) if row["pulled"] else None
                if row["pulled"] and not client:
                    continue
                base = _base(row, client)
                alike = found.setdefault((destination, *base.whose), [])
                if len(alike) < _BASES_KEPT:
                    alike.append(base)
        return Bases(tuple(base for alike in found.values() for base in alike), bad)

    def known_bad(self, job: str) -> frozenset[str]:
        """The directories of a job, at any storage, that a verify has found bad, by their
        one_place.
        """
        rows = self._ask(
            "SELECT root, path FROM stored WHERE bad <> '' AND path BETWEEN ? AND ?",
            (f"{job}/", f"{job}0"),  # "0" follows "/"
        )
        return frozenset(one_place(f"{row['root']}/{row['path']}") for row in rows)

    def sealed(self, job: Job, instance: str) -> frozenset[str]:
        """The trees of a sync that bear the mark of their last complete copy, by path, at
        destinations that have marks no more.
        """
        without = [each.name for each in job.destinations.values() if not each.mark]
        if job.type != "sync" or not without:
            return frozenset()
        # Beside max() the other columns are those of the row that has it.
        rows = self._ask(
            f"""SELECT copies.path, copies.marked, max(copies.run_id)
                FROM runs JOIN copies USING (run_id)
                WHERE runs.job = ? AND runs.instance = ?
                AND copies.destination IN ({placeholders(without)})
                AND copies.status IN ({quoted(COMPLETE)})
                GROUP BY copies.path""",
            (job.name, instance, *without),
        )
        return frozenset(row["path"] for row in rows if row["marked"])

    def taken(self, job: str, instance: str) -> list[Taken]:
        """The runs of clients that the last pulls of a job copied, or began to; the last first."""
        asked = self._ask(
            f"""SELECT {PULLED},
                (SELECT min(time) FROM transitions WHERE transitions.run_id = runs.run_id
                 AND destination = '' AND step = '{Step.COPYING}') AS at
                FROM runs WHERE runs.job = ? AND runs.instance = ? AND runs.direction = 'pull'
                AND EXISTS (SELECT 1 FROM copies WHERE copies.run_id = runs.run_id)
                ORDER BY runs.run_id DESC LIMIT {_TAKEN_LOOKED_AT}""",
            (job, instance),
        )
        found = [(self._client(row["pulled"]), row["at"]) for row in asked if row["pulled"]]
        return [Taken(client, at) for client, at in found if client]

    def unsettled(self) -> dict[str, Unsettled]:
        """The directories at destinations that no attempt has finished, by their one_place."""
        # Older programs wrote the paths as they stood in the configuration: a doubt wins.
        return {
            one_place(row["path"]): Unsettled(row["since"], row["doubt"], bool(row["spoilt"]))
            for row in self._ask("SELECT * FROM unsettled ORDER BY spoilt, doubt <> '', since DESC")
        }


def _base(row: sqlite3.Row, whose: Client | None) -> Base:
    return Base(
        row["destination"],
        row["path"],
        whose.host if whose else row["host"],
        whose.instance if whose else row["instance"],
        row["master_host"],
        row["master_instance"],
        row["started"],
    )
