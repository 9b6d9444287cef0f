"""``b1000 verify --drill``: backups are restored, and their commands say whether they are good."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b1000.commands.output import say
from b1000.errors import UsageError, counted
from b1000.named import NamedTuple

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.jobs import Destination
    from b1000.state.journal import Journal
    from b1000.storage.backup import Catalogue
    from b1000.storage.survey import Journalled
    from b1000.verify.drill_plan import Candidate
    from b1000.work.drilling import Place

_CUT_OFF = "it was under way when b1000 ended"


class _Drilled(NamedTuple):
    """One drill: how long restoring and judging took, and why it failed, "" where it passed.

    ``cut_off``: the time of --for was over.
    """

    path: str
    job: str
    instance: str
    host: str
    seconds: float
    error: str = ""
    cut_off: bool = False


class Drills:
    """All that is drilled by one program."""

    def __init__(self, config: "Config", arguments: Any) -> None:
        from b1000.verify.drill_plan import Rules

        self._config = config
        self._arguments = arguments
        settings = config.settings
        self._until = time.monotonic() + arguments.seconds if arguments.seconds else None
        self._rules: Rules = Rules(settings.host, config.jobs, settings.script_timeout)
        self._drilled: list[_Drilled] = []
        self._away: list[str] = []
        self._out_of_time = False

    def run(self) -> int:
        """Carry it out; gives the exit code."""
        from b1000.locks import Locks
        from b1000.state.opening import open_journal
        from b1000.storage.stored_facts import gone_since
        from b1000.storage.survey import Journalled
        from b1000.supervise import stored_delivery
        from b1000.work import drilling

        path = Path(self._config.settings.journal)
        wanted = self._wanted()
        journal = open_journal(path)
        try:
            if Locks.beside(path).take("drill") is None:
                raise UsageError("another b1000 verify --drill is at work")
            for trouble in drilling.clear(Path(self._config.settings.drill_dir)):
                self._tell(trouble)
            with Journalled(self._config) as known:
                found = self._look(wanted, known)
                catalogues = [each for _, some in found for each in some]
                with journal.transaction():
                    for root, gone in gone_since(known.drilled(), catalogues):
                        journal.describe(root, gone, whole=False)
                for each in self._due(found, known):
                    if self._is_over():
                        break
                    self._drill(journal, known, each)
        finally:
            journal.close()
            stored_delivery.deliver(self._config)
        return self._conclude()

    def _wanted(self) -> "list[Destination]":
        """The storages at which something is drilled. UsageError where nothing is."""
        from b1000.storage import survey

        among = survey.storages(self._config, survey.wanted(self._config, self._arguments.dest))
        found = [each for each in among if self._rules.any_at(each) and not each.flaws]
        mistaken = survey.mistaken(self._config, self._arguments.dest)
        if not found and mistaken:
            raise UsageError("; ".join(mistaken.values()))
        for name, error in mistaken.items():
            self._away.append(name)
            self._tell(error)
        if not found:
            where = f"that copies to {self._arguments.dest} " if self._arguments.dest else ""
            raise UsageError(
                f"no job {where}and no store has the option drill: nothing can be drilled",
                "drill = a command that judges what was restored into $$B1000_DRILL_DIR",
            )
        return found

    def _look(
        self, wanted: "list[Destination]", known: "Journalled"
    ) -> "list[tuple[Destination, list[Catalogue]]]":
        from b1000.errors import StorageAway
        from b1000.storage import survey

        found = []
        for each in wanted:
            try:
                found.append((each, list(survey.catalogues(each, known))))
            except StorageAway as error:
                self._away.append(each.name)
                self._tell(f"{each.name} could not be looked at: {error}")
        return found

    def _due(
        self, found: "list[tuple[Destination, list[Catalogue]]]", known: "Journalled"
    ) -> "Sequence[Candidate]":
        from b1000.storage.question import is_meant
        from b1000.verify import drill_plan

        words = self._arguments.jobs
        times, now = drill_plan.times(known.drilled()), time.time()
        among = [
            candidate
            for destination, catalogues in found
            for candidate in drill_plan.candidates(destination, catalogues, self._rules, times, now)
            if is_meant(candidate.group.key, words)
        ]
        if words and not among and not self._away:
            raise UsageError(f"no backup of {', '.join(words)} can be drilled")
        if self._arguments.all:
            return among
        return drill_plan.now_due(among, now, bool(words))

    def _is_over(self) -> bool:
        over = self._left() <= 0
        if over:
            self._out_of_time = True
            self._tell("time is over: the rest waits for the next drill")
        return over

    # --- one drill

    def _drill(self, journal: "Journal", known: "Journalled", which: "Candidate") -> None:
        from b1000.identity import new_uid
        from b1000.work import drilling

        place = drilling.Place(Path(self._config.settings.drill_dir), new_uid())
        self._note(journal, which, drilled=time.time(), drill_error=_CUT_OFF)
        began = time.monotonic()
        try:
            trouble = self._restore_and_judge(known, which, place)
            seconds = round(time.monotonic() - began, 3)
        finally:
            left = drilling.end_left(place.uid)
            in_the_way = drilling.remove(place)
        key = which.group.key
        path = which.root.whole(which.backup.place)
        cut_off = bool(trouble) and self._left() <= 0
        trouble = "the time of --for was over" if cut_off else trouble
        self._out_of_time = self._out_of_time or cut_off
        ended = _Drilled(path, key.job, key.instance, key.host, seconds, trouble, cut_off)
        self._drilled.append(ended)
        now = time.time()
        if trouble:
            self._note(journal, which, drilled=now, drill_error=trouble)
            self._tell(f"the drill of {path} failed: {trouble}")
        else:
            passed = {"restored": now, "recovery": seconds}
            self._note(journal, which, drilled=now, drill_error="", **passed)
        if left:
            self._tell(f"the drill of {path} left processes, which were ended")
        if in_the_way:
            self._tell(in_the_way)

    def _note(self, journal: "Journal", which: "Candidate", **changes: object) -> None:
        from b1000.supervise.stored_delivery import stored_facts_of

        place, root = which.backup.place, which.root
        told = stored_facts_of(self._config, self._config.destinations[root.destination])
        with journal.transaction():
            facts = {place: told.facts(root, which.group.key, which.backup)}
            journal.describe(root.path, facts, whole=False)
            journal.remember(root.path, place, changes)

    def _restore_and_judge(self, known: "Journalled", which: "Candidate", place: "Place") -> str:
        """Gives why it failed, "" where it passed."""
        from b1000.errors import B1000Error, message_of
        from b1000.work import drilling

        began = time.monotonic()
        limit = min(float(which.drill.limit), self._left())
        try:
            self._make(which, place)
            self._restore(known, which, place, limit)
        except (B1000Error, OSError) as error:
            return f"it could not be restored: {message_of(error)}"
        left = round(max(limit - (time.monotonic() - began), 0.1), 1)
        judged = drilling.run(place, which.drill.command, self._facts(which), left)
        for line in judged.printed if judged.trouble else ():
            self._tell(f"  {line}")
        return judged.trouble

    def _left(self) -> float:
        """Seconds until the time of --for is over."""
        return math.inf if self._until is None else float(self._until - time.monotonic())

    def _make(self, which: "Candidate", place: "Place") -> None:
        from b1000.errors import B1000Error
        from b1000.figures import size

        place.make()
        memory, counts = which.backup.memory, which.backup.counts
        needed = counts.bytes if memory.bytes is None else memory.bytes
        free = place.free()
        if needed is not None and needed > free:
            raise B1000Error(
                f"it needs {size(needed)}, and {size(free)} are free in {place.above} (drill_dir)"
            )

    def _restore(
        self, known: "Journalled", which: "Candidate", place: "Place", limit: float
    ) -> None:
        from b1000.restore import asking, listed, restoring, targets
        from b1000.rsync.restoring import Manner
        from b1000.storage.question import StoredRow

        row = StoredRow(which.root, which.group.key, which.backup)
        restored = restoring.Restoring(
            row,
            asking.way(self._config, known, row),
            Manner("", which.backup.options),
            targets.whole(str(place.backup)),
            restoring.Keeping(marks={"B1000_RUN": place.uid}, seconds=limit),
        )
        result = restored.bring()
        if result.exit_code != 0:
            raise listed.RestoreFailed(result.reason)

    def _facts(self, which: "Candidate") -> dict[str, str]:
        key, started = which.group.key, which.backup.started
        return {
            "B1000_JOB": key.job,
            "B1000_INSTANCE": key.instance,
            "B1000_HOST": key.host,
            "B1000_AGE": "" if started is None else str(int(max(0.0, time.time() - started))),
        }

    # --- the answer

    def _conclude(self) -> int:
        from b1000.figures import span
        from b1000.verify.answer import Answer

        failed = [each for each in self._drilled if each.error and not each.cut_off]
        drills = [{**each._asdict(), "passed": not each.error} for each in self._drilled]
        answer = Answer(bool(failed), self._away, self._out_of_time, drills=drills)
        if self._arguments.json:
            say(answer.as_json())
        elif not self._arguments.quiet:
            for each in self._drilled:
                if not each.error:
                    say(f"{each.path} was restored and is good: {span(each.seconds)}")
            done = f"{counted(len(self._drilled), 'drill')}, {len(failed)} failed"
            say(done if self._drilled or self._out_of_time else "no drill is due")
        return answer.exit_code

    def _tell(self, text: str) -> None:
        from b1000.logs import printable, to_stderr

        to_stderr(printable(f"b1000: {text}"))
