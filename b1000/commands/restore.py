"""``b1000 restore``: brings the newest good backup of all storages back."""

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b1000.commands.output import say
from b1000.errors import UsageError, counted

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.runs.stored import Restore
    from b1000.storage.choice import Choice
    from b1000.storage.question import StoredRow
    from b1000.storage.restoring import Part, Restoring, Verified
    from b1000.storage.survey import Journalled

_FAILED, _OLDER = 1, 3


def restore(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000 import parsers

    parser = parsers.for_restore()
    arguments = parser.parse_intermixed_args(argv)
    if bool(arguments.to) == arguments.in_place:
        parser.error("say where to: --to DIR, or --in-place with --missing, --merge or --mirror")
    if arguments.in_place and not arguments.existing:
        parser.error("--in-place needs --missing, --merge or --mirror")

    from b1000.config import loader
    from b1000.storage.choice import NothingFits
    from b1000.storage.restoring import RestoreFailed
    from b1000.storage.survey import Journalled

    config = loader.load(arguments.cfg)
    with Journalled(config) as journal:
        try:
            return _Restore(config, arguments, journal).run()
        except (NothingFits, RestoreFailed) as error:
            from b1000.logs import to_stderr

            to_stderr(error.full_message())
            return _FAILED


class _Restore:
    def __init__(self, config: "Config", arguments: Any, journal: "Journalled") -> None:
        from b1000.storage import targets

        self._config = config
        self._arguments = arguments
        self._journal = journal
        self._words = targets.wanted(arguments.paths)
        self._begun: Restore | None = None
        self._answer: dict[str, Any] = {"format": 1, "choice": None, "error": ""}

    def run(self) -> int:
        arguments = self._arguments
        if arguments.to and not (arguments.print or arguments.dry_run):
            self._look_at_target()
        choice = self._choose()
        self._tell_choice(choice)
        with tempfile.TemporaryDirectory(prefix="b1000-restore-") as private:
            ways = self._ways(choice, private)
            if arguments.print:
                for words in ways[0].commands():
                    say(shlex.join(words))
                return 0
            if arguments.dry_run:
                return self._forecast(ways[0])
            return self._carry_out(choice, ways)

    def _choose(self) -> "Choice":
        from b1000.config.selectors import selector
        from b1000.storage import asking, moments

        arguments = self._arguments
        until = moments.latest(arguments.at) if arguments.at else None
        asked = asking.Asked(
            selector(arguments.job), until, arguments.source, arguments.host, arguments.any
        )
        return asking.choose(self._config, self._journal, asked, self._begun)

    def _tell_choice(self, choice: "Choice") -> None:
        from b1000.figures import iso, moment, size
        from b1000.logs import to_stderr

        row = choice.row
        backup = row.backup
        self._answer["choice"] = {
            "destination": row.root.destination,
            "path": row.path,
            "job": row.key.job,
            "instance": row.key.instance,
            "host": row.host,
            "started": None if backup.started is None else iso(backup.started),
            "state": str(backup.state),
        }
        self._answer |= {"passed_over": list(choice.notes), "older": choice.older}
        for note in choice.notes:
            to_stderr(f"b1000: {note}")
        if choice.older:
            to_stderr(f"b1000: {choice.older}")
        held = "" if backup.counts.bytes is None else f", {size(backup.counts.bytes)}"
        when = "" if backup.started is None else f" of {moment(backup.started)}"
        self._say(f"backup{when} at {row.root.destination}: {row.path}{held}")

    # --- the target

    def _look_at_target(self) -> None:
        """A directory that is absent or empty, or was begun by the same restore. UsageError."""
        from b1000.storage import targets

        directory = self._arguments.to
        names = targets.in_the_way(directory)
        if not names or self._arguments.existing:
            return
        status = os.stat(directory)
        begun = self._journal.last_restore_into(status.st_dev, status.st_ino)
        if begun and begun.words == self._text_of_words() and (begun.ended is None or begun.error):
            self._begun = begun
            return
        raise UsageError(
            f"{directory} is not empty, and nothing was restored: {', '.join(names)}",
            "an empty directory, or --missing, --merge or --mirror",
        )

    def _text_of_words(self) -> str:
        return "".join(f"{word}\n" for word in self._words)

    # --- how

    def _ways(self, choice: "Choice", private: str) -> "list[Restoring]":
        from b1000.rsync.restoring import Manner
        from b1000.storage import asking, restoring

        arguments = self._arguments
        names = restoring.names_file(private, self._words) if self._words else ""
        ways = []
        for row in choice.rows:
            manner = Manner(
                arguments.existing or "",
                row.backup.options,
                arguments.chown or "",
                arguments.devices,
                names,
            )
            way = asking.way(self._config, self._journal, row)
            ways.append(restoring.Restoring(row, way, manner, self._parts(row)))
        return ways

    def _parts(self, row: "StoredRow") -> "tuple[Part, ...]":
        from b1000.storage import targets

        if not self._arguments.in_place:
            return targets.whole(os.path.abspath(self._arguments.to))
        if self._words:
            raise UsageError("with --in-place all of a backup goes to its place", "use --to DIR")
        return targets.in_place(row.backup)

    def _forecast(self, way: "Restoring") -> int:
        from b1000.figures import size
        from b1000.logs import printable

        with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
            there = not self._arguments.to or os.path.isdir(self._arguments.to)
            parts = way.parts if there else tuple(p._replace(target=f"{empty}/") for p in way.parts)
            changes = list(way._replace(parts=parts).changes())
        for change, name in changes:
            if change == "*deleting":
                self._say(f"would delete {printable(name)}")
            elif change[0] in "<>c" and "+" not in change and change[1] != "d":
                self._say(f"would replace {printable(name)}")
        files = sum(change[:2] in (">f", "<f", "cf") for change, _ in changes)
        self._say(f"{counted(files, 'file')} would be restored")
        where = os.path.abspath(self._arguments.to or "/")
        while not os.path.exists(where):
            where = os.path.dirname(where)
        space = os.statvfs(where)
        self._say(f"{size(space.f_bavail * space.f_frsize)} are free at {where}")
        return self._end(0, files=files)

    # --- the act

    def _carry_out(self, choice: "Choice", ways: "list[Restoring]") -> int:
        from b1000.storage import restoring

        if self._arguments.existing == "mirror":
            self._ask_before_deleting(ways[0])
        lock = self._lock(choice.row)
        try:
            target = self._make_target()
            path = Path(self._config.settings.journal)
            noted = restoring.note(path, choice.row, target, self._text_of_words())
            limits = self._journal.limits(self._config.destinations[choice.row.root.destination])
            way, result = restoring.bring(
                ways, limits.copy_retries, limits.copy_retry_min_sleep, self._warn
            )
            if result.exit_code != 0:
                noted(result.reason)
                raise restoring.RestoreFailed(f"not restored: {result.reason}")
            return self._verify(choice, way, noted)
        finally:
            if lock is not None:
                os.close(lock)

    def _lock(self, row: "StoredRow") -> int | None:
        """What is restored in place is not backed up meanwhile. Raises UsageError."""
        if not self._arguments.in_place:
            return None
        from b1000.locks import Locks, run_lock

        locks = Locks(Path(self._config.settings.journal).parent / "locks")
        lock = locks.take(run_lock(row.key.job, row.key.instance))
        if lock is None:
            raise UsageError(
                f"a run of {self._arguments.job} is at work; nothing was restored",
                "`b1000 status` shows it; try again when it has ended",
            )
        return lock

    def _make_target(self) -> str:
        target = os.path.abspath(self._arguments.to or "/")
        try:
            os.makedirs(target, mode=0o700, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{target} cannot be made: {error.strerror}") from None
        return target

    def _ask_before_deleting(self, way: "Restoring") -> None:
        from b1000.logs import printable

        if way.is_empty():
            raise UsageError("the backup is empty: --mirror would delete everything")
        gone = [name for change, name in way.changes() if change == "*deleting"]
        if not gone or self._arguments.yes:
            return
        shown = ", ".join(map(printable, gone[:10]))
        text = f"{counted(len(gone), 'name')} would be deleted: {shown}"
        if not sys.stdin or not sys.stdin.isatty():
            raise UsageError(text, "--yes deletes them")
        print(f"{text}\nDelete them? (yes/no) ", end="", flush=True)
        if sys.stdin.readline().strip().lower() != "yes":
            raise UsageError("nothing was restored")

    def _verify(self, choice: "Choice", way: "Restoring", noted: Any) -> int:
        from b1000.logs import printable

        code = _OLDER if choice.older else 0
        if self._arguments.no_verify or self._arguments.existing == "missing":
            noted("")
            self._say("restored; not verified")
            return self._end(_OLDER, verified=None)
        found = way.compare()
        against = f"with the files at {way.row.root.destination}, by checksum"
        if found.differing:
            noted(f"{counted(len(found.differing), 'name')} differ from the backup")
            for name in found.differing[:10]:
                self._warn(f"differs from the backup: {printable(name)}")
            return self._end(_FAILED, verified=False, against=against, found=found)
        noted("")
        if found.attributes:
            self._warn(f"{counted(found.attributes, 'name')} could not get all attributes")
        self._say(f"restored, and compared {against}: equal")
        return self._end(code, verified=True, against=against, found=found)

    def _end(self, code: int, found: "Verified | None" = None, **answer: object) -> int:
        if self._arguments.json:
            from b1000.logstyle import inert

            self._answer |= {**answer, "differing": list(found.differing) if found else []}
            say(inert(json.dumps({**self._answer, "exit": code}, indent=2, ensure_ascii=False)))
        return code

    def _say(self, text: str) -> None:
        if not self._arguments.json and not self._arguments.print:
            say(text)

    def _warn(self, text: str) -> None:
        from b1000.logs import to_stderr

        to_stderr(f"b1000: {text}")
