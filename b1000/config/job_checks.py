"""What is wrong with a job although each of its options is right by itself."""

import fnmatch
import glob
from collections.abc import Iterable, Mapping
from typing import Any

from b1000.config import shellwords, sourcenames
from b1000.config.sections import Section
from b1000.config.values import SAMPLES
from b1000.errors import BadValue
from b1000.jobs import Destination, Report

_WRITTEN_BY = {"active": "push and pull", "passive": "passive"}


def destinations(section: Section, chosen: Iterable[Destination]) -> None:
    """They are of the type that the direction takes, and no two of them are one place."""
    wanted = "passive" if section.variant == "passive" else "active"
    first: dict[str, Destination] = {}
    for destination in chosen:
        if destination.type == "store":
            section.add_problem(
                "dest",
                f"[dest:{destination.name}] is a store, into which other hosts push; "
                f"this job takes type = {wanted}",
            )
            continue
        if destination.type != wanted:
            section.add_problem(
                "dest",
                f"[dest:{destination.name}] is {destination.type}, "
                f"for {_WRITTEN_BY[destination.type]} jobs; this job takes type = {wanted}",
            )
            continue
        other = first.setdefault(destination.path or destination.host, destination)
        if other is not destination and wanted == "active":
            section.add_problem(
                "dest",
                f"{other.name} and {destination.name} have the same path; "
                "two copies would be written into one directory",
            )
        elif other is not destination:
            section.add_problem(
                "dest",
                f"{other.name} and {destination.name} have the same host; "
                "a pull could not be assigned to one of them",
            )


def push(section: Section, values: Mapping[str, Any], chosen: Iterable[Destination]) -> None:
    for word in _words(values, "include"):
        if word.startswith("rsync://"):
            section.add_problem(
                "include", f"{word} is not on this host; direction = pull fetches it"
            )
    for destination in chosen:
        if destination.password_file and not destination.remote:
            section.add_problem(
                "dest",
                f"[dest:{destination.name}] is a local path, which takes no password_file",
            )


def passive(
    section: Section, values: Mapping[str, Any], reports: Mapping[str, Report | None]
) -> None:
    found = [reports.get(name) for name in values.get("report", ())]
    if all(found) and not any(report and report.type == "file" for report in found):
        section.add_problem(
            "report", "a passive job needs one of type = file; others read it and come"
        )


def pull(section: Section, values: Mapping[str, Any], chosen: Iterable[Destination]) -> None:
    for destination in chosen:
        if destination.remote:
            section.add_problem(
                "dest",
                f"[dest:{destination.name}] is at another host; "
                "rsync copies from one host to this one, into a local path",
            )
    words = _words(values, "include")
    machines = {word.split("/")[2] for word in words if word.startswith("rsync://")}
    for word in words:
        if not word.startswith("rsync://"):
            section.add_problem(
                "include", f"{word} is not at a client; a pull fetches from rsync://"
            )
    if len(machines) > 1:
        section.add_problem("include", "all must be at one host; rsync fetches from one at a time")
    # rsync takes the content of a bare module, as if a slash stood at its end.
    bare = [word for word in words if word.startswith("rsync://") and word.count("/") == 3]
    if bare and len(words) > 1:
        section.add_problem(
            "include",
            f"{bare[0]} is a whole module, whose content would be mixed with the others; "
            "give it a job of its own",
        )


def _words(values: Mapping[str, Any], option: str) -> tuple[str, ...]:
    if option not in values:
        return ()
    return shellwords.texts(shellwords.fill(values[option].words, SAMPLES))


def inside(section: Section, values: Mapping[str, Any], chosen: Iterable[Destination]) -> None:
    """A backup that is stored in its own source holds all earlier ones, and grows and grows."""
    for word in _words(values, "include"):
        for destination in chosen:
            top = f"{word.rstrip('/')}/"
            if destination.remote or not f"{destination.path}/".startswith(top):
                continue
            patterns = (*_words(values, "exclude"), *destination.exclude)
            if not _may_exclude(patterns, destination.path.removeprefix(top)):
                section.add_problem(
                    "include",
                    f"{word} holds the destination {destination.name} "
                    f"({destination.path}); exclude it",
                    warning=True,
                )


def _may_exclude(patterns: Iterable[str], path: str) -> bool:
    """Whether the last name in one of the patterns is one of the path."""
    names = ([name for name in each.split("/") if name.strip("*")] for each in patterns)
    lasts = [each[-1] for each in names if each]
    return any(fnmatch.fnmatchcase(name, last) for name in path.split("/") for last in lasts)


def transfer(section: Section, values: Mapping[str, Any]) -> None:
    if values.get("delete") and values.get("type") == "full":
        section.add_problem("delete", "it is for type = sync; a full backup has nothing to delete")
    if "include" in values:
        # What only a run knows stands for itself, and is equal to nothing else.
        own = {name: f"${name}" for name in SAMPLES}
        words = shellwords.fill(values["include"].words, own)
        plain = [word.text for word in words if not glob.has_magic(word.pattern)]
        try:
            refuse = (
                sourcenames.refuse_meeting if values.get("relative") else sourcenames.refuse_merging
            )
            refuse(plain)
        except BadValue as error:
            for each in error.each:
                section.add_problem("include", str(each))
