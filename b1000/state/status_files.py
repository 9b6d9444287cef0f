"""``status_dir``: one readable file for each run that ``--copy`` would retry, and no other."""

import json
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from b1000.config.selectors import selecting
from b1000.expressions import expression
from b1000.files import (
    make_directory,
    read_file,
    remove_unwritten,
    sync_directory,
    write_atomically,
)
from b1000.logs import for_all
from b1000.rsync.paths import file_stem
from b1000.runs.run import Copy, ProcessIdentity, Run
from b1000.runs.states import COMPLETE, CopyStatus, Status
from b1000.state.queries import Reader

_LONGEST = 2**20  # bytes of a file that is compared
_MOST_LOGGED = 20  # runs that are told one by one
_NAME = expression(r".+-\d{4}(-\d\d){5}\.json")


def name(run: Run) -> str:
    """``HOST-JOB-INSTANCE-STARTTIME.json``; the dash stays where the instance is empty."""
    return f"{run.host}-{file_stem(run.job, run.instance)}-{run.start_time}.json"


def content(run: Run, config: str, journal: str) -> str:
    """What failed, where, why, since when, and the command that retries it."""
    return (
        json.dumps(
            {
                "run_id": run.run_id,
                "host": run.host,
                "job": run.job,
                "instance": run.instance,
                "direction": run.direction,
                "type": run.type,
                "start_time": _iso(run.started),
                "step": run.step,
                "status": Status.FAILED,
                # When one died is not known; this is what is known last.
                "since": _iso(max(run.ended or run.changed, run.started)),
                "error": run.error if run.ending else "interrupted",
                "copies": [
                    {
                        "destination": copy.destination,
                        "path": copy.path,
                        **_state(run, copy),
                        "attempts": copy.attempts,
                    }
                    for copy in run.copies
                ],
                "journal": journal,
                "retry": shlex.join(
                    ["b1000", "-f", config, "--copy", selecting(run.job, run.instance)]
                ),
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def lost(read: Mapping[str, Any], file: str) -> str:
    """What is told of a run that is in no journal any more, by what its status file held."""
    left = [
        f"{copy['destination']} {copy['path']}"
        for copy in read["copies"]
        if copy["status"] not in COMPLETE
    ]
    word = selecting(read["job"], read["instance"])
    return (
        f"the journal {read['journal']} does not know run {read['run_id']} of {word}, begun "
        f"{read['start_time']}, which FAILED at {read['step']}: {read['error']} (not copied to "
        f"{', '.join(left) or 'none'}); nothing retries it, its status file {file} is removed: "
        f"run {word} again"
    )


def _state(run: Run, copy: Copy) -> dict[str, str]:
    """The state of a copy; one that a dead run was making has FAILED."""
    if run.ending is None and copy.status is CopyStatus.COPYING:
        return {"status": CopyStatus.FAILED, "error": "interrupted"}
    return {"status": copy.status, "error": copy.error}


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def _read(path: Path) -> bytes:
    """The content of a regular file; b"" where there is none, or something else in its place."""
    try:
        return read_file(path, _LONGEST, follow=False)
    except OSError:
        return b""


class StatusFiles:
    """The files in one directory, kept equal to what the journal says of this host."""

    def __init__(
        self,
        directory: Path,
        host: str,
        config: str,
        reader: Reader,
        is_alive: Callable[[ProcessIdentity], bool],
    ) -> None:
        self._directory = directory
        self._host = host
        self._config = config
        self._reader = reader
        self._is_alive = is_alive
        self._there: set[str] = set()

    def refresh(self) -> None:
        """Write what is missing and remove what is too much, for all job/instances.

        Raises OSError where the directory cannot be written.
        """
        make_directory(self._directory, 0o700)
        remove_unwritten(self._directory)
        self._there = {file for file in os.listdir(self._directory) if _NAME.fullmatch(file)}
        runs = self._reader.retriable(self._is_alive)
        self._tell_of_lost(sorted(self._there - {name(run) for run in runs}))
        self._settle(set(self._there), runs, None)

    def _tell_of_lost(self, files: Iterable[str]) -> None:
        """What goes now may be the last that is known of runs whose journal was lost."""
        lost = [text for file in files if (text := self._lost(file))]
        for text in lost[:_MOST_LOGGED]:
            for_all().error("%s", text)
        if len(lost) > _MOST_LOGGED:
            text = "%d runs in all whose status files are removed are not in the journal"
            for_all().error(text, len(lost))

    def _lost(self, file: str) -> str:
        """What is told of a run of this journal that it does not know; "" of all others."""
        if not self._is_ours(file, None):
            return ""
        try:
            read = json.loads(_read(self._directory / file))
            known = self._reader.run(read["run_id"])
            if known and name(known) == file:
                return ""
            return lost(read, file)
        except (ValueError, KeyError, TypeError, OverflowError):
            return ""  # nothing that we wrote

    def refresh_subject(self, job: str, instance: str, failed: bool) -> None:
        """The same for one job/instance whose run has just ``failed`` or been resumed."""
        beginning = f"{self._host}-{file_stem(job, instance)}-"
        there = {file for file in self._there if file.startswith(beginning)}
        if failed or there:
            subject = (job, instance)
            self._settle(there, self._reader.retriable(self._is_alive, subject), subject)

    def _settle(
        self, there: set[str], runs: Iterable[Run], subject: tuple[str, str] | None
    ) -> None:
        journal = str(self._reader.path)
        wanted = {name(run): content(run, self._config, journal).encode() for run in runs}
        stale = {file for file in there - wanted.keys() if self._is_ours(file, subject)}
        for file, text in wanted.items():
            path = self._directory / file
            if file not in there or _read(path) != text:
                write_atomically(path, text.decode(), 0o600)
        for file in stale:
            (self._directory / file).unlink(missing_ok=True)
        if wanted or stale:
            sync_directory(self._directory)
        self._there = (self._there - stale) | wanted.keys()

    def _is_ours(self, file: str, subject: tuple[str, str] | None) -> bool:
        """Whether a file describes a run of this journal (and job/instance).

        One that cannot be read as such is ours if it bears this host's name.
        """
        try:
            read = json.loads(_read(self._directory / file))
            found = (read["job"], read["instance"])
            return bool(read["journal"] == str(self._reader.path)) and subject in (None, found)
        except (ValueError, KeyError, TypeError):
            return subject is None and file.startswith(f"{self._host}-")
