"""``b1000 restore``: brings the newest good backup of all storages back."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from b1000.commands.output import USAGE_ERROR, say, say_of_acts, terminal
from b1000.errors import B1000Error, UsageError, in_order
from b1000.files import private_directory

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.restore.answer import Answer
    from b1000.restore.choice import Choice
    from b1000.restore.restoring import Restoring
    from b1000.runs.stored import Restore
    from b1000.storage.survey import JobSurvey, Journalled

_FAILED = 1


def restore(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.restore import for_restore

    parser = for_restore()
    arguments = parser.parse_intermixed_args(argv)
    if bool(arguments.to) == arguments.in_place:
        parser.error("say where to: --to DIR, or --in-place with --missing, --merge or --mirror")
    if arguments.in_place and not arguments.existing:
        parser.error("--in-place needs --missing, --merge or --mirror")
    tells = arguments.print or arguments.dry_run

    from b1000.config import loader
    from b1000.restore.answer import Answer

    config = loader.load(arguments.cfg)
    answer = Answer()
    code = _guarded(lambda: _restored(config, arguments, answer), answer)
    if arguments.json:
        import json

        from b1000.logstyle import inert

        answer.keys["exit"] = code
        text = inert(json.dumps(answer.keys, indent=2, ensure_ascii=False))
        if tells:
            say(text)
        elif trouble := say_of_acts(text):
            from b1000.logs import to_stderr

            to_stderr(f"b1000: {trouble}")
    return code


def _source(arguments: Any) -> tuple[str, str]:
    """The destination that is named, and the client in a store; "" where none is."""
    destination, _, client = (arguments.source or "").partition("/")
    return destination, client


def _restored(config: "Config", arguments: Any, answer: "Answer") -> int:
    from b1000.config.selectors import selector
    from b1000.storage import survey

    if arguments.chown:
        from b1000.restore import owners

        owners.check(arguments.chown)
    wanted = survey.wanted(config, _source(arguments)[0])
    with survey.JobSurvey(config, selector(arguments.job).job, wanted) as asked:
        if not (arguments.json or arguments.print) and terminal():
            names = in_order(each.name for each in survey.storages(config, wanted))
            say(f"asking {names}")
        # Meanwhile what is needed next is imported, which takes as long as storages do.
        import b1000.commands.bringing
        import b1000.restore.asking  # noqa: F401

        _mend_journal(config)
        with survey.Journalled(config) as journal:
            return _Restore(config, arguments, journal, answer).run(asked)


def _mend_journal(config: "Config") -> None:
    """A journal that is damaged, or of an older program, keeps nobody from a restore."""
    from contextlib import suppress
    from pathlib import Path

    from b1000.state import queries
    from b1000.state.opening import open_journal

    path = Path(config.settings.journal)
    if queries.may_exist(path):
        with suppress(B1000Error, OSError):
            open_journal(path).close()


def _guarded(act: Callable[[], int], answer: "Answer") -> int:
    """What becomes of it; an error is told, and noted in the answer."""
    try:
        return act()
    except B1000Error as error:
        from b1000.logs import to_stderr
        from b1000.restore.choice import NothingFits
        from b1000.restore.listed import RestoreFailed

        answer.keys["error"] = str(error)
        to_stderr(error.full_message())
        return _FAILED if isinstance(error, NothingFits | RestoreFailed) else USAGE_ERROR


class _Restore:
    def __init__(
        self, config: "Config", arguments: Any, journal: "Journalled", answer: "Answer"
    ) -> None:
        from b1000.restore import targets

        self._config = config
        self._arguments = arguments
        self._journal = journal
        self._answer = answer
        self._words = targets.wanted(arguments.paths)
        self._begun: Restore | None = None
        self._differed = False

    def run(self, asked: "JobSurvey") -> int:
        arguments = self._arguments
        self._answer.keys["to"] = os.path.abspath(arguments.to) if arguments.to else "/"
        if not arguments.print:
            self._look_at_target()
        choice = self._choose(asked)
        self._tell_choice(choice)
        with private_directory("b1000-restore-") as private:
            ways = self._ways(choice, private)
            if arguments.print:
                import shlex

                from b1000.restore import printing

                for words in printing.commands(ways[0]):
                    say(shlex.join(words))
                return 0
            if arguments.dry_run:
                from b1000.commands.foretelling import forecast

                forecast(ways[0], self._answer, self._say)
                return 0
            return self._carry_out(choice, ways, private)

    def _choose(self, asked: "JobSurvey") -> "Choice":
        from b1000.commands import bringing
        from b1000.commands.databases import Databases
        from b1000.config.selectors import selector
        from b1000.restore import asking, sparing
        from b1000.restore.choice import NothingFits
        from b1000.storage import moments

        arguments = self._arguments
        until = moments.latest(arguments.at) if arguments.at else None
        wanted, host = selector(arguments.job), arguments.host or ""
        terms = asking.Asked(wanted, until, host, arguments.any, self._begun, *_source(arguments))
        databases = Databases(self._config, self._warn)
        found = asked.found(self._journal)
        if arguments.to:
            sparing.check(arguments.to, arguments.existing, self._config, self._journal)
        try:
            return asking.choose(self._config, self._journal, found, terms, databases)
        except NothingFits:
            if arguments.in_place:
                bringing.refuse_live(self._config, wanted, self._journal)
            raise

    def _tell_choice(self, choice: "Choice") -> None:
        text = self._answer.chosen(choice)
        for note in (*choice.notes, *filter(None, [choice.older])):
            self._warn(note)
        self._say(text)
        for reason in choice.reasons if self._arguments.dry_run else ():
            self._say(reason)

    # --- the target

    def _look_at_target(self) -> None:
        """A directory that is absent or empty, or was begun by the same restore. UsageError."""
        from b1000.restore import targets
        from b1000.restore.found import DIFFERS

        directory = self._arguments.to or "/"
        names = targets.in_the_way(directory)
        if not names:
            return
        status = os.stat(directory)
        begun = self._journal.last_restore_into(status.st_dev, status.st_ino)
        begun = begun if begun and self._is_the_same(begun) else None
        self._differed = bool(begun and begun.error.endswith(DIFFERS))
        if self._arguments.existing:
            return
        if begun:
            self._begun = begun
            return
        raise UsageError(
            f"{directory} is not empty, and nothing was restored: {', '.join(names)}",
            "an empty directory, or --missing, --merge or --mirror",
        )

    def _is_the_same(self, begun: "Restore") -> bool:
        from b1000.config.selectors import selector

        job, instance = selector(self._arguments.job)
        return (
            begun.words == self._text_of_words()
            and begun.job == job
            and instance in (None, begun.instance)
            and begun.is_open
        )

    def _text_of_words(self) -> str:
        return "".join(f"{word.encode('unicode_escape').decode()}\n" for word in self._words)

    # --- how

    def _ways(self, choice: "Choice", private: str) -> "list[Restoring]":
        from b1000.commands.placing import Placing
        from b1000.restore import asking, restoring, sparing, targets
        from b1000.rsync.restoring import Manner, is_small

        arguments = self._arguments
        own = sparing.own(self._config) if arguments.existing else []
        finding = self._config.command("list", "--files", "PATTERN")
        placing = Placing(self._config, arguments, self._journal, self._words, private, self._warn)
        ways = []
        for number, judged in enumerate(map(placing.judged, choice.rows)):
            row = judged.row
            manner = Manner(
                arguments.existing or "",
                row.backup.options,
                arguments.chown or "",
                arguments.devices,
                resumed=not is_small(choice.row.backup.counts.bytes),
                by_content=self._differed,
            )
            way = asking.way(self._config, self._journal, row)
            keeping = restoring.Keeping(added=private)
            parts = sparing.sparing(placing.parts(judged, f"names-{number}"), own)
            ways.append(restoring.Restoring(row, way, manner, parts, keeping, finding))
        for text in targets.told(ways[0].parts) if arguments.in_place else ():
            self._say(text)
        if arguments.existing == "mirror":
            targets.check_mirrored(ways[0].parts)
        for part in ways[0].parts:
            for path in part.spared:
                self._warn(f"{os.path.join(part.target, path)} stays as it is: it is b1000's own")
        return ways

    def _carry_out(self, choice: "Choice", ways: "list[Restoring]", private: str) -> int:
        from b1000.commands.bringing import Bringing, Surroundings

        if self._arguments.existing:
            from b1000.commands import foretelling

            own = self._config.settings.host
            foretelling.ask_whose(choice.row, own, self._arguments, self._warn)
            if self._arguments.existing == "mirror":
                foretelling.ask_before_deleting(ways[0], self._arguments, self._warn)
        surroundings = Surroundings(
            self._config, self._arguments, self._journal, self._answer, self._say, self._warn
        )
        return Bringing(surroundings, choice, ways, self._begun).run(self._text_of_words(), private)

    def _say(self, text: str) -> None:
        if self._arguments.json or self._arguments.print:
            return
        if self._arguments.dry_run:
            say(text)
        elif trouble := say_of_acts(text):
            self._warn(trouble)

    def _warn(self, text: str) -> None:
        from b1000.logs import to_stderr

        to_stderr(f"b1000: {text}")
