"""Reads the last runs of each instance from a central database.

The rows of the last weeks come with one range scan; instances of which that does not tell
enough are asked for one by one, and so are all of them where one host alone is asked for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise

from b1000.monitor.freshness import GAPS, PROFILE_WEEKS
from b1000.monitor.history import DAY, PastRun
from b1000.monitor.statements import Expressions, batches
from b1000.monitor.tracks import Track, Tracks, names
from b1000.reports.source import DatabaseSource, Query
from b1000.runs.states import Status

LEAST_READ = GAPS + 1
"""How many of the last runs are read of each at least."""
_MOST_ROWS = 600_000  # of the last days
_DAYS = PROFILE_WEEKS * 7 + 2
_KEYS_AT_ONCE = 50  # in one statement
_SCATTERED = 3  # so many rows are passed for one that is read
_NEVER = "9999-12-31 23:59:59"
_OF_TRACK = "j.host = ? AND j.name = ? AND j.instance = ?"
_OF_MASTER = "j.master_host = ? AND j.name = ? AND j.master_instance = ?"


class LastRuns:
    """Reads runs into ``tracks``, by instance. ``host`` and ``job``: only these, if named.

    ``since``: what is older may be unknown.
    """

    def __init__(
        self,
        source: DatabaseSource,
        expressions: Expressions,
        now: float,
        host: str = "",
        job: str = "",
    ) -> None:
        self._source = source
        self._now = now
        self._host, self._job = host, job
        self._read = Tracks()
        self.tracks = self._read.runs
        self.good_ones_read: set[Track] = set()
        self.since = 0.0
        self._expressions = expressions
        self._fields = source.dialect.joined(
            [
                # Times and numbers first, then what many runs have in common.
                "j.job_id",
                # What older writers told is local time only.
                expressions.started("jobs"),
                source.dialect.seconds("j.start_time"),
                "j.data_age",
                expressions.column("jobs", "bytes"),
                expressions.column("jobs", "duration"),
                expressions.column("jobs", "files"),
                expressions.column("jobs", "attempts"),
                "j.host",
                "j.name",
                "j.instance",
                "j.step",
                "j.status",
                "j.ack",
                "j.master_host",
                "j.master_instance",
                "j.direction",
                expressions.column("jobs", "relayed_by"),
                expressions.column("jobs", "backup_type"),
                expressions.error("jobs", Status.OK),
            ]
        )

    @property
    def relayed(self) -> bool:
        """Whether storages have told any run for their client."""
        return self._read.relayed

    def read(self) -> None:
        """Some runs of each track: those of the last days, and older ones where they are few."""
        if self._host:
            self._last_runs_of_host()
            return
        ((daily,),) = self._source.rows(
            "SELECT COUNT(*) FROM jobs WHERE start_time >= ?", (self._ago(1),)
        )
        days = min(_DAYS, _MOST_ROWS / max(1, daily))
        since = self._ago(days)
        self.since = self._now - days * DAY
        odd = "master_host = '' AND master_instance > ''"
        slices = self._slices(days)
        answers = self._source.texts_of_each(
            [
                *slices,
                self._silent_since(since, "host, name, instance"),
                self._silent_since(since, "master_host, name, master_instance", f"OR {odd}"),
            ]
        )
        for texts in islice(answers, len(slices)):
            self._read.read(texts)
        tracks = self.tracks
        few = [track for track, runs in tracks.items() if len(runs) < LEAST_READ]
        silent, masters = map(names, answers)
        self._last_of(_OF_TRACK, few + silent)
        # Subjects that no track backs up lately: their instances have other masters now.
        gone = [key for key in masters if key[0]]
        self._last_of(_OF_MASTER, gone)
        if len(gone) < len(masters):
            # So few name a master's instance on their own host that no index is made for them.
            asked = self._silent_since(since, "host, name, master_instance", more=odd)
            gone = names(self._source.texts(*asked))
            self._last_of("j.host = ? AND j.name = ? AND j.master_instance = ?", gone)
        self._good_ones_behind_failures()

    def _good_ones_behind_failures(self) -> None:
        """What is usual is learned from good ones: failures must not hide them."""
        self.last_good_ones_of(
            track
            for track, runs in self.tracks.items()
            if len(runs) >= LEAST_READ and not _enough_are_done(runs)
        )

    def _last_runs_of_host(self) -> None:
        """The same of one host, of whose subjects others may make the backups: nothing else."""
        own = self._names_of("host, name, instance", "host")
        of_master = self._names_of("master_host, name, master_instance", "master_host")
        since = self._ago(_DAYS)
        for condition, keys in ((_OF_TRACK, own), (_OF_MASTER, of_master)):
            for some in batches(keys, _KEYS_AT_ONCE):
                one = f"SELECT {self._fields} FROM jobs j WHERE {condition} AND j.start_time >= ?"
                statement = self._source.dialect.union([one] * len(some))
                given = [part for key in some for part in (*key, since)]
                self._read.read(text for (text,) in self._source.rows(statement, given))
            self._last_of(condition, keys)
        # A failure of the job itself has no instance, and is that of all.
        others = {(track[0], track[1], "") for track in self.tracks} - self.tracks.keys()
        self._last_of(_OF_TRACK, sorted(others))
        self._good_ones_behind_failures()

    def _names_of(self, columns: str, host: str) -> list[Track]:
        condition = f"{host} = ?" + (" AND name = ?" if self._job else "")
        given = (self._host, self._job) if self._job else (self._host,)
        origin = f"(SELECT DISTINCT {columns} FROM jobs WHERE {condition}) t"
        return names(
            self._source.texts(self._source.dialect.joined(columns.split(", ")), origin, given)
        )

    def _slices(self, days: float) -> list[Query]:
        """The runs of so many days, in pieces of about one."""
        since = self._ago(days)
        more = self._of_job("j.")
        if not more and self._source.key("jobs") == ["job_id"]:
            ((count, first, last),) = self._source.rows(
                "SELECT COUNT(*), MIN(job_id), MAX(job_id) FROM jobs WHERE start_time >= ?",
                (since,),
            )
            if count and last - first < _SCATTERED * count:
                return self._as_they_lie(
                    since, first, last, -(-(last + 1 - first) // int(days + 1))
                )
        moments = [since, *(self._ago(each) for each in range(int(days), 0, -1)), _NEVER]
        origin = f"jobs j WHERE j.start_time >= ? AND j.start_time < ?{more}"
        return [
            Query(self._fields, origin, (*piece, *self._job_names)) for piece in pairwise(moments)
        ]

    def _as_they_lie(self, since: str, first: int, last: int, step: int) -> list[Query]:
        """Those in a range of the table itself, so that no index leads to each."""
        table = self._source.dialect.in_order("jobs j")
        origin = f"{table} WHERE j.job_id >= ? AND j.job_id < ? AND j.start_time >= ?"
        return [
            Query(self._fields, origin, (number, number + step, since))
            for number in range(first, last + 1, step)
        ]

    def _of_job(self, prefix: str = "") -> str:
        """A condition for the job that is asked for."""
        return f" AND {prefix}name = ?" if self._job else ""

    @property
    def _job_names(self) -> tuple[str, ...]:
        return (self._job,) if self._job else ()

    def _silent_since(
        self, since: str, names: str, or_else: str = "", more: str = "1 = 1"
    ) -> Query:
        """The names that no later run bears, or else; and more is true of them."""
        origin = (
            f"(SELECT {names} FROM jobs WHERE {more}{self._of_job()} GROUP BY {names} "
            f"HAVING MAX(start_time) < ? {or_else}) t"
        )
        fields = self._source.dialect.joined(names.split(", "))
        return Query(fields, origin, (*self._job_names, since))

    def _ago(self, days: float) -> str:
        moment = datetime.fromtimestamp(self._now) - timedelta(days=days)
        return moment.isoformat(" ", "seconds")

    def _last_of(
        self, condition: str, keys: Sequence[tuple[str, ...]], count: int = LEAST_READ
    ) -> None:
        """Take so many of the last runs that meet the condition, for each key."""
        one = (
            f"SELECT {self._fields} FROM jobs j WHERE {condition} "
            f"ORDER BY j.start_time DESC LIMIT {count}"
        )
        found = Tracks()
        for some in batches(keys, _KEYS_AT_ONCE):
            statement = self._source.dialect.union([one] * len(some))
            rows = self._source.rows(statement, [part for key in some for part in key])
            found.read(text for (text,) in rows)
        self._read.relayed |= found.relayed
        for track, runs in found.runs.items():
            its = self.tracks[track]
            whole = {run.job_id: run for run in (*its, *runs)}
            # In place: it is also where others of these runs go.
            its[:] = whole.values()

    def last_good_ones_of(self, tracks: Iterable[Track]) -> None:
        asked = sorted(tracks)
        self.good_ones_read.update(asked)
        good = self._expressions.has_good_copy
        self._last_of(f"{_OF_TRACK} AND {good}", asked)


def _enough_are_done(runs: Sequence[PastRun]) -> bool:
    """Whether as many of them are as are read at least, seen from the end."""
    done = (run for run in reversed(runs) if run.done)
    return len([*islice(done, LEAST_READ)]) == LEAST_READ
