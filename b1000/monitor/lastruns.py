"""Reads the last runs of each instance from a central database.

The rows of the last weeks come with one range scan; instances of which that does not tell
enough are asked for one by one, and so are all of them where one host alone is asked for.
Of two processes each may read those of half of the hosts.
"""

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise

from b1000.monitor.extents import ALL_HOSTS, Extent, Hosts, Scope, ago, days_before, extent_of
from b1000.monitor.freshness import GAPS
from b1000.monitor.history import DAY, PastRun
from b1000.monitor.needed_copies import Moments
from b1000.monitor.statements import Expressions, batches
from b1000.monitor.tracks import Track, Tracks, names
from b1000.reports.source import DatabaseSource, Query
from b1000.runs.states import Status

LEAST_READ = GAPS + 1
"""How many of the last runs are read of each at least."""
_KEYS_AT_ONCE = 50  # in one statement
_NEVER = "9999-12-31 23:59:59"
_ODD = "master_host = '' AND master_instance > ''"
_OF_TRACK = "j.host = ? AND j.name = ? AND j.instance = ?"
_OF_MASTER = "j.master_host = ? AND j.name = ? AND j.master_instance = ?"


class LastRuns:
    """Reads runs of a scope into ``tracks``, by instance.

    ``since``: what is older may be unknown.
    """

    def __init__(
        self,
        source: DatabaseSource,
        expressions: Expressions,
        moments: Moments,
        scope: Scope,
    ) -> None:
        self._source = source
        self._now = moments.now
        self._earlier = moments.earlier
        self._scope = scope
        self.found = Tracks()
        self.tracks = self.found.runs
        self.good_ones_read: set[Track] = set()
        self.since = 0.0
        self._expressions = expressions
        self._columns = [
            # Times and numbers first, then what many runs have in common.
            "j.job_id",
            # What older writers told is local time only.
            expressions.started("jobs"),
            source.dialect.seconds("j.start_time"),
            "j.data_age",
            expressions.column("jobs", "bytes"),
            expressions.column("jobs", "duration"),
            expressions.column("jobs", "files"),
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
            expressions.column("jobs", "attempts"),
        ]
        error = expressions.error("jobs", Status.OK)
        self._fields = source.dialect.joined([*self._columns, error])

    def read(self, extent: Extent | None = None) -> None:
        """Some runs of each track: those of the last days, and older ones where they are few."""
        if self._scope.host:
            self._last_runs_of_host()
            return
        extent = extent or extent_of(self._source, self._now, self._scope.job)
        since = self._ago(extent.days)
        self.since = self._now - extent.days * DAY
        slices = self._slices(extent)
        silent = [self._silent_since(since, "host, name, instance", self._scope.hosts)]
        if not self._scope.hosts.since:
            # Whoever backs them up: the process that reads the first hosts has them.
            columns = "master_host, name, master_instance"
            silent.append(self._silent_since(since, columns, or_else=f"OR {_ODD}"))
        answers = self._source.texts_of_each([*slices, *silent])
        for texts in islice(answers, len(slices)):
            self.found.read(texts)
        few = [track for track, runs in self.tracks.items() if len(runs) < LEAST_READ]
        tracks, *masters = map(names, answers)
        self._last_of(_OF_TRACK, few + tracks)
        for keys in masters:
            self._last_of_masters(keys, since)

    def _last_of_masters(self, masters: Sequence[Track], since: str) -> None:
        """Subjects that no track backs up lately: their instances have other masters now."""
        gone = [key for key in masters if key[0]]
        self._last_of(_OF_MASTER, gone)
        if len(gone) < len(masters):
            # So few name a master's instance on their own host that no index is made for them.
            asked = self._silent_since(since, "host, name, master_instance", more=_ODD)
            gone = names(self._source.texts(*asked))
            self._last_of("j.host = ? AND j.name = ? AND j.master_instance = ?", gone)

    def good_ones_behind_failures(self) -> None:
        """What is usual is learned from good ones: failures must not hide them."""
        self.last_good_ones_of(
            track
            for track in self.found.flawed
            if len(self.tracks[track]) >= LEAST_READ and not _enough_are_done(self.tracks[track])
        )

    def _last_runs_of_host(self) -> None:
        """The same of one host, of whose subjects others may make the backups: nothing else."""
        own = self._names_of("host, name, instance", "host")
        of_master = self._names_of("master_host, name, master_instance", "master_host")
        since = self._ago(days_before(self._now, self._earlier))
        for condition, keys in ((_OF_TRACK, own), (_OF_MASTER, of_master)):
            for some in batches(keys, _KEYS_AT_ONCE):
                one = f"SELECT {self._fields} FROM jobs j WHERE {condition} AND j.start_time >= ?"
                statement = self._source.dialect.union([one] * len(some))
                given = [part for key in some for part in (*key, since)]
                self.found.read(text for (text,) in self._source.rows(statement, given))
            self._last_of(condition, keys)
        # A failure of the job itself has no instance, and is that of all.
        others = {(track[0], track[1], "") for track in self.tracks} - self.tracks.keys()
        self._last_of(_OF_TRACK, sorted(others))

    def _names_of(self, columns: str, host: str) -> list[Track]:
        condition = f"{host} = ?" + (" AND name = ?" if self._scope.job else "")
        given = tuple(filter(None, (self._scope.host, self._scope.job)))
        origin = f"(SELECT DISTINCT {columns} FROM jobs WHERE {condition}) t"
        return names(
            self._source.texts(self._source.dialect.joined(columns.split(", ")), origin, given)
        )

    def _slices(self, extent: Extent) -> list[Query]:
        """The runs of so many days, in pieces of about one."""
        hosts, job = self._scope.hosts, self._scope.job
        since = self._ago(extent.days)
        if extent.first:
            # In a range of the table itself, so that no index leads to each.
            dialect = self._source.dialect
            fields = dialect.joined([*self._columns, self._expressions.error_of_few])
            table = dialect.in_order("jobs j")
            origin = f"{table} WHERE j.job_id >= ? AND j.job_id < ? AND j.start_time >= ?"
            step = -(-(extent.last + 1 - extent.first) // int(extent.days + 1))
            return [
                Query(
                    fields,
                    origin + hosts.condition("j.host"),
                    (number, number + step, since, *hosts.given),
                )
                for number in range(extent.first, extent.last + 1, step)
            ]
        moments = [since, *(self._ago(each) for each in range(int(extent.days), 0, -1)), _NEVER]
        origin = (
            f"jobs j WHERE j.start_time >= ? AND j.start_time < ?{hosts.condition('j.host')}"
            f"{' AND j.name = ?' if job else ''}"
        )
        more = (*hosts.given, *((job,) if job else ()))
        return [Query(self._fields, origin, (*piece, *more)) for piece in pairwise(moments)]

    def _silent_since(
        self,
        since: str,
        columns: str,
        hosts: Hosts = ALL_HOSTS,
        *,
        or_else: str = "",
        more: str = "1 = 1",
    ) -> Query:
        """The names that no later run bears, or else; and more is true of them."""
        job = self._scope.job
        origin = (
            f"(SELECT {columns} FROM jobs WHERE {more}{hosts.condition('host')}"
            f"{' AND name = ?' if job else ''} GROUP BY {columns} "
            f"HAVING MAX(start_time) < ? {or_else}) t"
        )
        fields = self._source.dialect.joined(columns.split(", "))
        return Query(fields, origin, (*hosts.given, *((job,) if job else ()), since))

    def _ago(self, days: float) -> str:
        return ago(self._now, days)

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
        self.found.add(found)

    def last_good_ones_of(self, tracks: Iterable[Track]) -> None:
        asked = sorted(tracks)
        self.good_ones_read.update(asked)
        good = self._expressions.has_good_copy
        self._last_of(f"{_OF_TRACK} AND {good}", asked)


def _enough_are_done(runs: Sequence[PastRun]) -> bool:
    """Whether as many of them are as are read at least, seen from the end."""
    done = (run for run in reversed(runs) if run.done)
    return len([*islice(done, LEAST_READ)]) == LEAST_READ
