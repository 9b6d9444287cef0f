"""Several rsyncs side by side, each of which copies a part of the tree."""

from collections.abc import Callable, Iterable

from b1000.files import private_directory
from b1000.rsync import command, surveys
from b1000.rsync.outcome import Outcome
from b1000.rsync.partition import TreeSurvey
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.work import loop
from b1000.work.guarded import Guarded
from b1000.work.loop import Task
from b1000.work.sinks import RawLines
from b1000.work.waiting import all_ended, first


class Streams:
    """Copies all parts of a source.

    ``argv`` gives the arguments of a part; ``note`` hears how each ended that was not the last.
    """

    def __init__(
        self,
        rsyncs: Guarded,
        argv: Callable[[command.Part], list[str]],
        note: Callable[[Outcome], None],
    ) -> None:
        self._rsyncs = rsyncs
        self._argv = argv
        self._note = note
        self._target = rsyncs.target

    async def copy(self) -> tuple[Outcome | None, int]:
        """Copy the parts; gives a failure that the last pass would meet too.

        Any other failure of a part is that pass's to mend. Also gives the bytes that were sent.
        """
        survey = await self._survey()
        parts = survey.parts(self._count())
        if not parts:
            return None, 0
        outs = [self._rsyncs.out() for _ in parts]
        sinks = self._target.progress.streams(survey.bytes, [out.take for out in outs])
        streams = [
            loop.begin(
                self._rsyncs.run(
                    f"{self._target.destination.name} (stream {number})",
                    self._argv(command.Part(rules, len(parts))),
                    sink,
                    quiet=True,
                )
            )
            for number, (rules, sink) in enumerate(zip(parts, sinks, strict=True), start=1)
        ]
        hopeless = await self._first_hopeless(streams)
        return hopeless, sum(self._rsyncs.totals(out).sent or 0 for out in outs)

    async def _survey(self) -> TreeSurvey:
        survey = TreeSurvey()
        rsyncs, destination = self._rsyncs, self._target.destination
        with private_directory("b1000-empty-") as empty:
            argv = surveys.whole(rsyncs.source, empty, destination, rsyncs.limits)
            purpose = f"{destination.name} (survey)"
            await rsyncs.run(purpose, argv, RawLines(survey.take), quiet=True)
        return survey

    def _count(self) -> int:
        """How many streams; each needs a rate that rsync takes."""
        destination = self._target.destination
        limit = command.kib_of(destination.bwlimit or "0")
        most = max(1, int(limit)) if limit else destination.streams
        return min(destination.streams, most)

    async def _first_hopeless(self, streams: Iterable[Task[Outcome]]) -> Outcome | None:
        """Wait for all, or until one fails so that going on is pointless; then none is left."""
        waiting = set(streams)
        try:
            while waiting:
                await first(waiting)
                done = {each for each in waiting if each.done()}
                waiting -= done
                results = [each.result() for each in done]
                for result in results:
                    self._note(result)
                for result in results:
                    # What ended before any data was sent the last pass soon finds out by itself.
                    if result.leftovers and result.retry is Retry.NEVER and result.exit_code != 24:
                        return result
            return None
        finally:
            for each in waiting:
                each.cancel()
            if waiting:
                doubt = "was ended when another stream had failed"
                self._note(Outcome(CopyStatus.FAILED, leftovers=True, doubt=doubt))
                await all_ended(waiting)
