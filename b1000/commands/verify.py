"""``b1000 verify``: counts and reads what lies at a storage, and says what is wrong."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from b1000.commands.output import say
from b1000.errors import counted

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.jobs import Destination
    from b1000.storage.backup import Catalogue
    from b1000.storage.verifier import Finding

_BAD, _OUT_OF_TIME = 1, 3


def verify(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.verify import for_verify

    arguments = for_verify().parse_intermixed_args(argv)

    from b1000.config import loader

    return _Verify(loader.load(arguments.cfg), arguments).run()


class _Verify:
    def __init__(self, config: "Config", arguments: Any) -> None:
        self._config = config
        self._arguments = arguments
        self._until = time.monotonic() + arguments.seconds if arguments.seconds else None
        self._findings: list[Finding] = []
        self._away: list[str] = []
        self._counted = self._read = 0
        self._out_of_time = False

    def run(self) -> int:
        from pathlib import Path

        from b1000.errors import B1000Error
        from b1000.locks import Locks
        from b1000.state.opening import open_journal
        from b1000.storage.reading import OutOfTime
        from b1000.supervise import telling

        path = Path(self._config.settings.journal)
        journal = open_journal(path)
        if Locks(path.parent / "locks").take("verify") is None:
            raise B1000Error("another b1000 verify is at work")
        found = self._look()
        try:
            for destination, catalogues in found:
                self._describe(journal, destination, catalogues)
                self._one(journal, destination, catalogues)
        except OutOfTime as error:
            self._out_of_time = True
            self._tell(f"b1000: {error}")
        finally:
            journal.close()
            telling.tell(self._config)
        return self._conclude()

    def _describe(
        self, journal: Any, destination: "Destination", catalogues: "Sequence[Catalogue]"
    ) -> None:
        """Databases are told of all that lies there; what is found of it then, follows."""
        from b1000.storage.telling import Telling

        told = Telling(self._config.settings.host, destination)
        with journal.transaction():
            for each in catalogues:
                journal.describe(each.root.path, told.described(each))

    def _look(self) -> "list[tuple[Destination, list[Catalogue]]]":
        from b1000.errors import StorageAway
        from b1000.storage import survey

        wanted = survey.wanted(self._config, self._arguments.dest)
        found = []
        with survey.Journalled(self._config) as journal:
            for each in survey.storages(self._config, wanted):
                if each.flaws or (each.remote and not self._arguments.dest):
                    continue
                if each.remote:
                    self._away.append(each.name)
                    self._tell(f"b1000: {each.name} is no tree of this host: nothing was read")
                    continue
                try:
                    catalogues = list(survey.catalogues(each, journal))
                    found.append((each, catalogues))
                    for catalogue in catalogues:
                        self._tell_of_unread(catalogue)
                except StorageAway as error:
                    self._away.append(each.name)
                    self._tell(f"b1000: {each.name} could not be looked at: {error}")
        return found

    def _tell_of_unread(self, catalogue: "Catalogue") -> None:
        for each in catalogue.unread:
            self._away.append(catalogue.root.destination)
            path = f"{catalogue.root.path}/{each.path}"
            self._tell(f"b1000: {path} could not be looked at: {each.why}")

    def _one(
        self, journal: Any, destination: "Destination", catalogues: "Sequence[Catalogue]"
    ) -> None:
        from b1000.rsync.command import kib_of
        from b1000.storage import reading_plan, verifier
        from b1000.storage.reading import Pace
        from b1000.storage.verifier import Look

        rate = kib_of(destination.verify_rate) * 1024 if destination.verify_rate else 0.0
        pace = Pace(rate, self._until)
        working = verifier.Verifier(journal, pace, destination.quarantine)
        groups = [
            (each.root, group)
            for each in catalogues
            for group in each.groups
            if self._wanted(group.key)
        ]
        for root, group in groups:
            for backup in group.backups:
                if backup.complete and backup.memory.counted is None:
                    self._counted += 1
                    self._found(working.count(Look(root, group, backup)))
        if self._arguments.count or (destination.verify is None and not self._arguments.all):
            return
        due = reading_plan.order(groups)
        if not self._arguments.all:
            assert destination.verify is not None
            due = reading_plan.tonight(due, destination.verify, time.time())
        for each in due:
            self._found(working.read(Look(*each)))
            self._read += 1

    def _wanted(self, key: Any) -> bool:
        from b1000.storage.pruning import fits

        return not self._arguments.jobs or any(fits(word, key) for word in self._arguments.jobs)

    def _found(self, findings: Any) -> None:
        from b1000.logs import printable

        for each in findings:
            self._findings.append(each)
            self._tell(printable(f"b1000: {each.path} {each.text}"))

    def _tell(self, text: str) -> None:
        from b1000.logs import to_stderr

        to_stderr(text)

    def _conclude(self) -> int:
        bad = sorted({each.path for each in self._findings if each.bad})
        if self._arguments.json:
            from b1000.logstyle import inert

            answer = {
                "format": 1,
                "counted": self._counted,
                "read": self._read,
                "findings": [{**each._asdict(), "bad": each.bad} for each in self._findings],
                "away": self._away,
                "out_of_time": self._out_of_time,
            }
            say(inert(json.dumps(answer, indent=2, ensure_ascii=False)))
        elif not self._arguments.quiet:
            say(f"{counted(self._counted, 'backup')} counted, {self._read} read, {len(bad)} bad")
        if bad:
            return _BAD
        return _OUT_OF_TIME if self._out_of_time or self._away else 0
