"""``b1000 verify``: counts and reads what lies at a storage, and says what is wrong."""

import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from b1000.commands.output import say
from b1000.errors import UsageError, counted

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.errors import StorageAway
    from b1000.jobs import Destination
    from b1000.storage.backup import Catalogue, Group, Root
    from b1000.storage.remote import Reach
    from b1000.verify.findings import Finding
    from b1000.verify.judging import Terms
    from b1000.verify.reading_plan import Due
    from b1000.verify.turns import Step
    from b1000.verify.verifier import Verifier
    from b1000.verify.witness import Witness

_MANY = 100_000


def verify(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.verify import for_verify

    arguments = for_verify().parse_intermixed_args(argv)

    from b1000.config import loader

    config = loader.load(arguments.cfg)
    if arguments.drill:
        from b1000.commands.drills import Drills

        return Drills(config, arguments).run()
    return _Verify(config, arguments).run()


class _Verify:
    def __init__(self, config: "Config", arguments: Any) -> None:
        self._config = config
        self._arguments = arguments
        self._until = time.monotonic() + arguments.seconds if arguments.seconds else None
        self._findings: dict[Finding, None] = {}  # each is told once
        self._looked: set[str] = set()
        self._catalogues: list[Catalogue] = []
        self._steps: list[Step] = []
        self._away: list[str] = []
        self._counted = self._read = self._bytes = 0
        self._out_of_time = False

    def run(self) -> int:
        from pathlib import Path

        from b1000.errors import B1000Error
        from b1000.locks import Locks
        from b1000.restore.elsewhere import Elsewhere
        from b1000.state.opening import open_journal
        from b1000.supervise import stored_delivery
        from b1000.verify import priority
        from b1000.verify.noted import Notes
        from b1000.verify.readers import Readers
        from b1000.verify.reading import OutOfTime
        from b1000.verify.verifier import Verifier
        from b1000.verify.witness import Witness

        priority.be_idle()
        # Readers share what is imported. Millions of files make no cycle: to look for those among
        # the first ones, again and again, is a fifth of what a file costs that was read already.
        gc.freeze()
        gc.set_threshold(_MANY)
        # Before there is anything that its processes must not hold.
        self._elsewhere = Elsewhere(self._config)
        readers = None if self._arguments.count else Readers()
        path = Path(self._config.settings.journal)
        journal = open_journal(path)
        if Locks.beside(path).take("verify") is None:
            raise B1000Error("another b1000 verify is at work")
        notes = Notes(path.parent / "reading")
        notes.remove_stale()
        working = Verifier(journal, notes, readers)
        try:
            for destination, catalogues, there in self._look():
                self._note(journal, destination, catalogues)
                if there:
                    self._at_daemon(Witness(journal, notes, there), destination, catalogues)
                else:
                    self._plan(destination, catalogues)
            self._take_turns(working)
        except OutOfTime as error:
            self._out_of_time = True
            self._tell(f"b1000: {error}")
        finally:
            journal.close()
            if readers:
                readers.close()
            stored_delivery.deliver(self._config)
        self._bytes += working.bytes
        self._read += working.whole
        self._counted = working.counted
        return self._conclude()

    def _note(
        self, journal: Any, destination: "Destination", catalogues: "Sequence[Catalogue]"
    ) -> None:
        """Databases are told of all that lies there; what is found of it then, follows."""
        from b1000.storage.noticing import note_new
        from b1000.supervise.stored_delivery import stored_facts_of

        if destination.report:
            told = stored_facts_of(self._config, destination)
            with journal.transaction():
                for each in catalogues:
                    journal.describe(each.root.path, told.described(each), whole=not each.unread)
        note_new(journal, catalogues, time.time())

    def _look(self) -> "list[tuple[Destination, list[Catalogue], Reach | None]]":
        """What lies where; of one at a daemon, which has to be named, the way there too."""
        from b1000.errors import StorageAway
        from b1000.storage import emptied, remote, survey
        from b1000.storage.question import refuse_unknown_groups

        named = self._arguments.dest
        wanted = survey.wanted(self._config, named)
        found = []
        with survey.Journalled(self._config) as journal:
            for each in survey.storages(self._config, wanted):
                if each.flaws or (each.remote and not named):
                    continue
                there = remote.reach(each, journal.limits(each)) if each.remote else None
                try:
                    catalogues = list(survey.catalogues(each, journal))
                    found.append((each, catalogues, there))
                    self._catalogues += catalogues
                    for catalogue in catalogues:
                        self._tell_of_unread(catalogue)
                    emptied.refuse(each, catalogues, journal)
                except StorageAway as error:
                    self._is_away(each, error)
        mistaken = survey.mistaken(self._config, named)
        if mistaken and not found and not self._away:
            raise UsageError("; ".join(mistaken.values()))
        if not found and not self._away:
            self._tell("b1000: no backups lie here; --dest NAME has those at a daemon read")
        for name, why in mistaken.items():
            self._away.append(name)
            self._tell(f"b1000: {why}")
        if not self._away:
            keys = [group.key for _, looked, _ in found for each in looked for group in each.groups]
            refuse_unknown_groups(self._arguments.jobs, keys, "there")
        return found

    def _is_away(self, destination: "Destination", error: "StorageAway") -> None:
        self._away.append(destination.name)
        self._tell(f"b1000: {destination.name} could not be looked at: {error}")

    def _tell_of_unread(self, catalogue: "Catalogue") -> None:
        from b1000.storage import box

        for note in box.notes(catalogue.root):
            self._tell(f"b1000: {catalogue.root.path}: {note}")
        for each in catalogue.unread:
            self._away.append(catalogue.root.destination)
            path = catalogue.root.whole(each.path).rstrip("/")
            self._tell(f"b1000: {path} could not be looked at: {each.why}")

    def _plan(self, destination: "Destination", catalogues: "Sequence[Catalogue]") -> None:
        from b1000.verify import reading_plan
        from b1000.verify.findings import Look
        from b1000.verify.turns import Step

        everything = [(each.root, group) for each in catalogues for group in each.groups]
        terms = self._terms(destination, everything)
        groups = [each for each in everything if self._wanted(each[1].key)]
        for catalogue in catalogues:
            self._identify(catalogue)
        for root, group in groups:
            for backup in filter(reading_plan.is_to_be_counted, group.backups):
                self._steps.append(Step(Look(root, group, backup), terms, reads=False))
        if self._arguments.count or (destination.verify is None and not self._arguments.all):
            return
        self._steps += [Step(Look(*each), terms) for each in self._due(destination, groups)]

    def _take_turns(self, working: "Verifier") -> None:
        from b1000.verify import turns

        def carry_out(step: "Step") -> None:
            if step.reads:
                self._read_one(working, step)
            else:
                self._found(working.count(step.look, step.terms))

        turns.take(self._steps, carry_out, self._until)

    def _read_one(self, reader: "Verifier | Witness", step: "Step") -> None:
        self._found(reader.read(step.look, step.terms))
        self._looked.add(step.look.path)

    def _tell_of_known(self) -> None:
        """What is bad stays so, and is told also when it is not read."""
        from b1000.verify.findings import Look, known_to_be_wrong

        told = self._looked | {each.path for each in self._findings if each.bad}
        for catalogue in self._catalogues:
            for group in catalogue.groups:
                for backup in group.backups if self._wanted(group.key) else ():
                    look = Look(catalogue.root, group, backup)
                    if backup.is_there and backup.memory.wrong and look.path not in told:
                        self._found([known_to_be_wrong(look)])

    def _identify(self, catalogue: "Catalogue") -> None:
        from b1000.marks import adopting
        from b1000.verify.findings import Finding, Kind

        command = self._config.command("mark", "--adopt")
        for each in adopting.identified_by_marks(catalogue, time.time(), command):
            text = f"could not be given an id: {each.trouble}"
            self._found([Finding(each.path, text, Kind.UNREAD)])

    def _at_daemon(
        self, witness: "Witness", destination: "Destination", catalogues: "Sequence[Catalogue]"
    ) -> None:
        """It was named, so that it is read also where nothing says how often."""
        from b1000.errors import StorageAway
        from b1000.verify.findings import Look
        from b1000.verify.turns import Step

        if self._arguments.count:
            raise UsageError(f"{destination.name} is at a daemon: its files are counted when read")
        everything = [(each.root, group) for each in catalogues for group in each.groups]
        terms = self._terms(destination, everything)
        groups = [each for each in everything if self._wanted(each[1].key)]
        try:
            for each in self._due(destination, groups):
                self._read_one(witness, Step(Look(*each), terms))
        except StorageAway as error:
            self._is_away(destination, error)
        finally:
            self._bytes += witness.bytes
            self._read += witness.whole

    def _due(
        self, destination: "Destination", groups: "Sequence[tuple[Root, Group]]"
    ) -> "list[Due]":
        from b1000.verify import reading_plan

        due = reading_plan.order(groups)
        if self._arguments.all or destination.verify is None:
            return due
        return reading_plan.tonight(due, destination.verify, time.time())

    def _terms(self, destination: "Destination", groups: "Sequence[tuple[Root, Group]]") -> "Terms":
        from b1000.rsync.command import kib_of
        from b1000.verify.judging import Terms
        from b1000.verify.reading import Pace

        rate = kib_of(destination.verify_rate) * 1024 if destination.verify_rate else 0.0
        period = destination.verify or 30 * 86400
        pace = Pace(rate, self._until)
        return Terms(pace, destination.quarantine, period, groups, self._elsewhere.commands)

    def _wanted(self, key: Any) -> bool:
        from b1000.storage.question import is_meant

        return is_meant(key, self._arguments.jobs)

    def _found(self, findings: Any) -> None:
        from b1000.logs import printable

        for each in findings:
            if each not in self._findings:
                self._findings[each] = None
                self._tell(printable(f"b1000: {each.path} {each.text}"))

    def _tell(self, text: str) -> None:
        from b1000.logs import to_stderr

        to_stderr(text)

    def _conclude(self) -> int:
        from b1000.verify.answer import Answer

        self._tell_of_known()
        bad = sorted({each.path for each in self._findings if each.bad})
        done = (self._counted, self._read, self._bytes, self._findings)
        answer = Answer(bool(bad), self._away, self._out_of_time, *done)
        if self._arguments.json:
            say(answer.as_json())
        elif not self._arguments.quiet:
            say(f"{counted(self._counted, 'backup')} counted, {self._read} read, {len(bad)} bad")
        return answer.exit_code
