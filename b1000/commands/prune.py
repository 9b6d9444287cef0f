"""``b1000 prune``: removes the backups that no rule of ``keep`` holds."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b1000.commands.output import say, say_of_acts

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.jobs import Destination
    from b1000.prune.pruner import Found, Outcome, Pruner
    from b1000.prune.pruning import Plan
    from b1000.state.journal import Journal
    from b1000.storage.backup import Catalogue

_HELD_BACK, _OUT_OF_TIME = 1, 3


def prune(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.prune import for_prune

    arguments = for_prune().parse_intermixed_args(argv)

    from b1000.config import loader

    return _Prune(loader.load(arguments.cfg), arguments).run()


class _Prune:
    def __init__(self, config: "Config", arguments: Any) -> None:
        from b1000.prune.pruning import Wish

        self._config = config
        self._dry = arguments.dry_run
        self._json = arguments.json
        self._quiet = arguments.quiet or arguments.json
        self._until = time.monotonic() + arguments.seconds if arguments.seconds else None
        words, gone = tuple(arguments.jobs), tuple(arguments.gone)
        adopting = config.command("mark", "--adopt")
        self._wish: Wish = Wish(words, gone, arguments.more, adopting)
        self._plans: list[Plan] = []
        self._outcomes: list[Outcome] = []
        self._troubles: list[str] = []
        self._out_of_time = False
        self._disputed: dict[str, str] = {}

    def run(self) -> int:
        from b1000.prune import pruner
        from b1000.prune.removal import OutOfTime

        self._tell_of_errors()
        if not self._dry:
            self._be_alone()
        found = self._look()
        self._tell_of_strangers([each for _, catalogues in found for each in catalogues])
        self._tell_of_unread([each for _, catalogues in found for each in catalogues])
        found, self._disputed = pruner.one_keep(found)
        try:
            if self._dry:
                self._forecast(found)
            else:
                self._prune(found)
        except OutOfTime as error:
            self._trouble(str(error))
            self._out_of_time = True
        self._conclude()
        if self._out_of_time:
            return _OUT_OF_TIME
        held_back = any(plan.held_back for plan in self._plans)
        return _HELD_BACK if held_back or self._troubles else 0

    def _be_alone(self) -> None:
        """Hold a lock to the end of the program, before anything is looked at."""
        from b1000.errors import B1000Error
        from b1000.locks import Locks

        journal = Path(self._config.settings.journal)
        if Locks.beside(journal).take("prune") is None:
            raise B1000Error("another b1000 prune is at work")

    def _tell_of_errors(self) -> None:
        """A wrong ``keep`` is an error of its destination alone, at which nothing is removed."""
        for problem in self._config.errors:
            if problem.section.startswith("dest:"):
                self._trouble(problem.shown(self._config.file))

    def _look(self) -> "Found":
        from b1000.errors import UsageError
        from b1000.prune.pruner import is_unused
        from b1000.prune.refusing import is_pruned
        from b1000.storage import emptied
        from b1000.storage.local import StorageAway
        from b1000.storage.survey import Journalled, catalogues, storages

        found = []
        with Journalled(self._config) as journal:
            for each in storages(self._config, is_pruned):
                try:
                    looked = list(catalogues(each, journal))
                    if "*" in each.path:
                        looked = [one for one in looked if not is_unused(one, journal.known)]
                    if not looked:
                        emptied.refuse(each, looked, journal)
                except StorageAway as error:
                    self._trouble(f"destination {each.name}: {error}")
                    continue
                found.append((each, looked))
        if not found and not self._troubles:
            raise UsageError(
                "no destination has the option keep: nothing is removed",
                "keep = all 7d, daily 5w, monthly 13m in the section of a store or local path",
            )
        return found

    def _look_at(self, destination: "Destination") -> "list[Catalogue]":
        """The catalogues of one destination, as it is now."""
        from b1000.storage.survey import Journalled, catalogues

        with Journalled(self._config) as journal:
            return list(catalogues(destination, journal))

    def _tell_of_strangers(self, catalogues: "Sequence[Catalogue]") -> None:
        from b1000.storage.question import refuse_unknown_groups

        keys = [group.key for each in catalogues for group in each.groups]
        words = (*self._wish.words, *self._wish.gone)
        refuse_unknown_groups(words, keys, "at a destination with keep")

    def _tell_of_unread(self, catalogues: "Sequence[Catalogue]") -> None:
        """Of which not even the groups are known that would be held back for it."""
        jobs = {word.partition("/")[0] for word in (*self._wish.words, *self._wish.gone)}
        for catalogue in catalogues:
            known = {group.key.job for group in catalogue.groups if not group.key.unmarked}
            for each in catalogue.unread:
                job = each.path.partition("/")[0]
                if job and job not in known and (not self._wish.words or job in jobs):
                    path = catalogue.root.whole(each.path)
                    self._trouble(f"{path} could not be looked at: {each.why}")

    def _forecast(self, found: "Found") -> None:
        from b1000.prune import answer, pruner

        for destination, catalogues in found:
            plan = pruner.plan(destination, catalogues, self._wish, time.time(), self._disputed)
            self._plans.append(plan)
            for line in () if self._quiet else answer.forecast(plan):
                self._say(line)
            self._warn(plan)

    def _prune(self, found: "Found") -> None:
        from b1000.prune.pruner import Pruner
        from b1000.state.opening import open_journal
        from b1000.supervise import stored_delivery

        journal = open_journal(Path(self._config.settings.journal))
        try:
            working = Pruner(journal, self._wish, self._until)
            for each in found:
                self._prune_one(journal, working, *each)
        finally:
            journal.close()
            stored_delivery.deliver(self._config)

    def _prune_one(
        self,
        journal: "Journal",
        working: "Pruner",
        destination: "Destination",
        catalogues: "list[Catalogue]",
    ) -> None:
        from b1000.prune import answer, pruner
        from b1000.storage.noticing import note_new

        note_new(journal, catalogues, time.time())
        for trouble in working.finish(catalogues):
            self._trouble(trouble)
        plan = pruner.plan(destination, catalogues, self._wish, time.time(), self._disputed)
        self._plans.append(plan)
        self._warn(plan)
        self._describe(journal, destination, catalogues, plan)
        done = len(self._outcomes)
        try:
            for outcome in working.carry_out(plan):
                self._outcomes.append(outcome)
                line = answer.removed(outcome)
                if outcome.trouble:
                    self._trouble(line)
                else:
                    self._say(line)
        finally:
            gone = sum(not each.trouble for each in self._outcomes[done:])
            if destination.report and gone < sum(1 for _ in plan.removals()):
                self._describe(journal, destination, self._look_at(destination), plan)

    def _describe(
        self,
        journal: "Journal",
        destination: "Destination",
        catalogues: "list[Catalogue]",
        plan: "Plan",
    ) -> None:
        """Databases are told of all that lies there: before any of it goes, and of what did not."""
        from b1000.storage.stored_facts import held
        from b1000.supervise.stored_delivery import stored_facts_of

        if not destination.report:
            return
        told = stored_facts_of(self._config, destination)
        why = held([(each.root, each.group, plan.why_held(each)) for each in plan.groups])
        with journal.transaction():
            for each in catalogues:
                described = told.described(each, why)
                known = not self._wish.words
                journal.describe(each.root.path, described, held=known, whole=not each.unread)

    def _warn(self, plan: "Plan") -> None:
        from b1000.logs import to_stderr
        from b1000.prune import answer

        for line in answer.warnings(plan):
            to_stderr(f"b1000: {line}")

    def _trouble(self, text: str) -> None:
        from b1000.logs import printable, to_stderr

        self._troubles.append(text)
        to_stderr(f"b1000: {printable(text)}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._put(line)

    def _put(self, text: str) -> None:
        """What is removed is so whether anybody hears of it or not."""
        if self._dry:
            say(text)
        elif trouble := say_of_acts(text):
            self._trouble(trouble)

    def _conclude(self) -> None:
        from b1000.prune import answer

        if self._json:
            self._put(answer.as_json(self._plans, self._outcomes, self._troubles, self._dry))
        else:
            self._say(answer.total(self._plans, self._outcomes, self._dry))
