"""Reads the history of each subject from the rows of a central database.

Only what a verdict needs is read: the last runs of each instance, and the last
good ones where those are older. The rows of the last days come with one range
scan; instances of which that does not tell enough are asked for one by one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise

from b1000.monitor.copies import copies_of, together
from b1000.monitor.drift import DriftNote
from b1000.monitor.facts import AGE_AFTER_ONE, LOOKED_AT
from b1000.monitor.history import PastRun, Subject, span
from b1000.monitor.statements import Expressions, batches
from b1000.monitor.tracks import Track, by_time, names, of_all_writers, parsed, subjects_of
from b1000.monitor.verdicts import Verdict
from b1000.reports.source import DatabaseSource, Query
from b1000.runs.states import Status

_MOST_ROWS = 150_000  # of the last days
_KEYS_AT_ONCE = 50  # in one statement
_NEVER = "9999-12-31 23:59:59"


class Histories:
    """Reads what there is to know of all subjects; ``_tracks`` has the runs of each instance.

    ``expected`` are subjects of which there need not be a run.
    """

    def __init__(self, source: DatabaseSource, now: float, expected: Iterable[Subject]) -> None:
        self._source = source
        self._now = now
        self._expected = expected
        self._tracks: defaultdict[Track, list[PastRun]] = defaultdict(list)
        self._histories: dict[Subject, list[PastRun]] = {}
        self._good_ones_read: set[Track] = set()
        self.owners: dict[Track, Subject] = {}
        self._expressions = expressions = Expressions(source)
        self._fields = source.dialect.joined(
            [
                "j.host",
                "j.name",
                "j.instance",
                "j.job_id",
                # What older writers told is local time.
                f"COALESCE({expressions.started('jobs')}, j.start_time)",
                "j.step",
                "j.status",
                "j.data_age",
                expressions.column("jobs", "bytes"),
                "j.ack",
                "j.master_host",
                "j.master_instance",
                "j.direction",
                expressions.column("jobs", "relayed_by"),
                expressions.error("jobs", Status.OK),
            ]
        )

    def all(self) -> tuple[dict[Subject, list[PastRun]], list[tuple[Subject, DriftNote]]]:
        """The histories in the order of time, and failures that belong to none."""
        self._last_runs()
        notes = self._put_together()
        self._look_at_copies()
        self._good_ones_of_the_past()
        return self._histories, notes

    def _last_runs(self) -> None:
        """Some runs of each track: those of the last days, and older ones where they are few."""
        ((daily,),) = self._source.rows(
            "SELECT COUNT(*) FROM jobs WHERE start_time >= ?", (self._ago(1),)
        )
        days = min(LOOKED_AT + 0.5, _MOST_ROWS / max(1, daily))
        since = self._ago(days)
        odd = "master_host = '' AND master_instance > ''"
        slices = self._slices(days)
        answers = self._source.texts_of_each(
            [
                *slices,
                self._silent_since(since, "host, name, instance"),
                self._silent_since(since, "master_host, name, master_instance", f"OR {odd}"),
            ]
        )
        tracks = self._tracks
        for texts in islice(answers, len(slices)):
            for track, run in parsed(texts):
                tracks[track].append(run)
        few = [track for track, runs in tracks.items() if len(runs) < LOOKED_AT]
        silent, masters = map(names, answers)
        self._last_of("j.host = ? AND j.name = ? AND j.instance = ?", few + silent)
        # Subjects that no track backs up lately: their instances have other masters now.
        gone = [key for key in masters if key[0]]
        self._last_of("j.master_host = ? AND j.name = ? AND j.master_instance = ?", gone)
        if len(gone) < len(masters):
            # So few name a master's instance on their own host that no index is made for them.
            asked = self._silent_since(since, "host, name, master_instance", where=f"WHERE {odd}")
            gone = names(self._source.texts(*asked))
            self._last_of("j.host = ? AND j.name = ? AND j.master_instance = ?", gone)
        # What is usual is learned from good ones: failures must not hide them.
        self._last_good_ones_of(
            track
            for track, runs in tracks.items()
            if len(runs) >= LOOKED_AT
            and sum(run.done for run in runs) < min(len(runs), LOOKED_AT + 1)
        )

    def _slices(self, days: float) -> list[Query]:
        """The runs of so many days, in pieces of one."""
        moments = [self._ago(days), *(self._ago(each) for each in range(int(days), 0, -1)), _NEVER]
        origin = "jobs j WHERE j.start_time >= ? AND j.start_time < ?"
        return [Query(self._fields, origin, piece) for piece in pairwise(moments)]

    def _silent_since(self, since: str, names: str, more: str = "", where: str = "") -> Query:
        """The names that no later run bears, and more."""
        origin = (
            f"(SELECT {names} FROM jobs {where} GROUP BY {names} "
            f"HAVING MAX(start_time) < ? {more}) t"
        )
        return Query(self._source.dialect.joined(names.split(", ")), origin, (since,))

    def _ago(self, days: float) -> str:
        moment = datetime.fromtimestamp(self._now) - timedelta(days=days)
        return moment.isoformat(" ", "seconds")

    def _last_of(
        self, condition: str, keys: Sequence[tuple[str, ...]], count: int = LOOKED_AT
    ) -> None:
        """Take so many of the last runs that meet the condition, for each key."""
        one = (
            f"SELECT {self._fields} FROM jobs j WHERE {condition} "
            f"ORDER BY j.start_time DESC LIMIT {count}"
        )
        touched: set[Track] = set()
        for some in batches(keys, _KEYS_AT_ONCE):
            statement = self._source.dialect.union([one] * len(some))
            rows = self._source.rows(statement, [part for key in some for part in key])
            for track, run in parsed(text for (text,) in rows):
                self._tracks[track].append(run)
                touched.add(track)
        for track in touched:
            whole = {run.job_id: run for run in self._tracks[track]}
            self._tracks[track] = list(whole.values())

    def _last_good_ones_of(self, tracks: Iterable[Track]) -> None:
        asked = sorted(tracks)
        self._good_ones_read.update(asked)
        good = self._expressions.has_good_copy
        condition = f"j.host = ? AND j.name = ? AND j.instance = ? AND {good}"
        self._last_of(condition, asked, LOOKED_AT + 1)

    def _good_ones_of_the_past(self) -> None:
        """Where the last runs hold hardly a good one, whatever they said of themselves."""
        lacking = {
            (run.made_on, subject.job, run.listed_as)
            for subject, runs in self._histories.items()
            if len(runs) >= LOOKED_AT and sum(run.good for run in runs) * 2 < LOOKED_AT
            for run in runs
        } - self._good_ones_read
        if lacking:
            self._last_good_ones_of(lacking)
            self._put_together()
            self._look_at_copies()

    # --- whose they are

    def _put_together(self) -> list[tuple[Subject, DriftNote]]:
        """Make the histories; gives what belongs to no subject."""
        self._histories = {}
        strays: list[tuple[Track, list[PastRun]]] = []
        by_host_and_job: dict[tuple[str, str], dict[Subject, None]] = {}
        for track, rows in self._tracks.items():
            rows.sort(key=by_time)
            runs = of_all_writers(rows)
            subjects = subjects_of(track, runs)
            if subjects:
                self.owners[track] = max(subjects, key=lambda each: subjects[each][-1].started)
            else:
                strays.append((track, runs))
            for subject, its in subjects.items():
                if subject in self._histories:
                    self._histories[subject] = sorted(
                        [*self._histories[subject], *its], key=by_time
                    )
                else:
                    self._histories[subject] = its
                by_host_and_job.setdefault(track[:2], {})[subject] = None
        for subject in self._expected:
            if subject not in self._histories:
                by_host_and_job.setdefault((subject.host, subject.job), {})[subject] = None
        notes = []
        for track, failures in strays:
            for subject in by_host_and_job.get(track[:2], ()):
                self._histories[subject] = sorted(
                    [*self._histories.get(subject, ()), *failures], key=by_time
                )
            if track[:2] not in by_host_and_job and (note := self._note(track, failures)):
                notes.append((Subject(*track), note))
        return [*notes, *self._leave_claims_out()]

    def _leave_claims_out(self) -> list[tuple[Subject, DriftNote]]:
        """A client's word is no backup of another host that is not known by such words alone."""
        notes = []
        for subject, runs in self._histories.items():
            claimed = [run for run in runs if run.relayed_by and run.made_on != subject.host]
            if claimed and any(not run.relayed_by for run in runs):
                self._histories[subject] = [run for run in runs if run not in claimed]
                last = claimed[-1]
                text = (
                    f"{subject.label} has backups that do not rest on a client's word; those that "
                    f"{last.made_on} claims, relayed by {last.relayed_by}, do not count"
                )
                notes.append((subject, DriftNote("claim", text)))
        return notes

    def _note(self, track: Track, failures: Sequence[PastRun]) -> DriftNote | None:
        """A failure of a job of which no backup is known; one that found no client to pull."""
        last = failures[-1]
        if last.acknowledged or last.status != Status.FAILED:
            return None
        host, job, _ = track
        age = self._now - last.started
        why = f": {last.error}" if last.error else ""
        if last.direction != "pull":
            text = f"{job} on {host} FAILED {span(age)} ago before it knew what to do"
            return DriftNote(
                "job", f"{text}, and nothing of it was ever backed up{why}", Verdict.CRITICAL
            )
        relayed = (
            run.started
            for subject, runs in self._histories.items()
            if subject.job == job
            for run in runs
            if run.direction == "passive"
        )
        # A pull that succeeds leaves a row of its client, none of its own.
        if age > AGE_AFTER_ONE or any(started > last.started for started in relayed):
            return None
        text = f"{job} on {host} found nothing to pull {span(age)} ago{why}"
        return DriftNote("pull", text, Verdict.WARNING)

    # --- their copies

    def _look_at_copies(self) -> None:
        """Of each run that is not plainly good, and of the last of the others."""
        sought: list[tuple[list[PastRun], int]] = []
        for runs in self._histories.values():
            seen = False
            for index in range(len(runs) - 1, -1, -1):
                if not runs[index].done or not seen:
                    sought.append((runs, index))
                    seen = seen or runs[index].done > 0
        deceptive = self._count_copies(sought)
        # A run that is DONE and OK without a copy: look at all others of its subject too.
        self._count_copies([(runs, index) for runs in deceptive for index in range(len(runs))])

    def _count_copies(self, sought: Sequence[tuple[list[PastRun], int]]) -> list[list[PastRun]]:
        """Put into runs what their copies came to; gives the histories that seemed better."""
        asked = {
            job_id: None
            for runs, index in sought
            for job_id in (runs[index].job_id, *runs[index].also)
        }
        copies = copies_of(self._source, self._expressions, [*asked])
        deceptive = []
        for runs, index in sought:
            run = runs[index]
            known = together([copies[job_id] for job_id in (run.job_id, *run.also)])
            if run.good and not known.done + known.vanished:
                deceptive.append(runs)
            runs[index] = run._replace(
                done=known.done,
                vanished=known.vanished,
                total=known.total,
                copying_since=known.copying_since,
                missing=known.missing,
            )
        return deceptive
