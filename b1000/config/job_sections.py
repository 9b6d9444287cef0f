"""Sections [job:] as checked values."""

from collections.abc import Iterable, Mapping
from typing import Any

from b1000 import addresses
from b1000.config import job_checks, transports
from b1000.config.options import TABLE
from b1000.config.sections import Section
from b1000.config.values import Values, WordList, only
from b1000.drill import LONGEST_DRILL, Drill
from b1000.errors import near
from b1000.jobs import (
    BrokenJob,
    Destination,
    FreeSpace,
    Job,
    Limits,
    Pull,
    Report,
    Transfer,
)
from b1000.named import NamedTuple


class Sections(NamedTuple):
    """What a job refers to: what is said for all jobs, and all other sections by their names.

    A section that is wrong is None.
    """

    file: str
    reader: Values
    settings: Mapping[str, Any]
    destinations: Mapping[str, Destination | None]
    reports: Mapping[str, Report | None]


def job(section: Section, known: Sections) -> Job | BrokenJob:
    """The job; what is wrong with it is told to its section."""
    values = known.reader.values(section)
    used = [choice.name for group in values.get("dest", ()) for choice in group]
    _check_used(known.reader, section, "dest", used, known.destinations)
    _check_used(known.reader, section, "report", values.get("report", ()), known.reports)
    chosen = {name: found for name in used if (found := known.destinations.get(name))}
    # What one that is wrong is to get stays pending, and is reported once it has been mended.
    known_reports = tuple(name for name in values.get("report", ()) if name in known.reports)
    job_checks.destinations(section, chosen.values())
    match section.variant:
        case "passive":
            job_checks.passive(section, values, known.reports)
        case "pull":
            chosen = {name: _for_pulling(each) for name, each in chosen.items()}
            job_checks.pull(section, values, chosen.values())
            transports.settled(section, values)
            job_checks.transfer(section, values)
        case _:
            job_checks.push(section, values, chosen.values())
            job_checks.transfer(section, values)
            job_checks.inside(section, values, chosen.values())
    if section.broken:
        return _broken(section, known, values, known_reports)
    return _whole(section, known, values, known_reports, chosen)


def _limits(known: Sections, values: Mapping[str, Any]) -> Limits:
    return Limits(**only({**known.settings, **values}, Limits._fields))


def _broken(
    section: Section, known: Sections, values: Mapping[str, Any], known_reports: tuple[str, ...]
) -> BrokenJob:
    return BrokenJob(
        section.name,
        values.get("direction", ""),
        values.get("type", ""),
        known_reports,
        tuple(
            problem.alone(known.file)
            for problem in sorted(section.errors, key=lambda problem: problem.place)
        ),
        on_failure=values.get("on_failure"),
        limits=_limits(known, values),
        report_job=values.get("report_job", ""),
    )


def _whole(
    section: Section,
    known: Sections,
    values: Mapping[str, Any],
    known_reports: tuple[str, ...],
    chosen: Mapping[str, Destination],
) -> Job:
    return Job(
        name=section.name,
        direction=values["direction"],
        type=values.get("type", ""),
        dest=values["dest"],
        reports=known_reports,
        destinations=chosen,
        instances=values.get("instances"),
        allow_no_instances=values.get("allow_no_instances", False),
        deferred={
            name: value.written if isinstance(value := values[name], WordList) else value
            for name, option in TABLE["job"].items()
            if option.deferred and name in values
        },
        **{name: value.words for name, value in values.items() if isinstance(value, WordList)},
        transfer=Transfer(**only(values, Transfer._fields)),
        limits=_limits(known, values),
        drill=_drill(known, values, known_reports),
        pull=_pull(section, values) if section.variant == "pull" else None,
        report_directories=tuple(
            report.path
            for name in known_reports
            if section.variant == "passive"
            and (report := known.reports[name])
            and report.type == "file"
        ),
    )


def _drill(known: Sections, values: Mapping[str, Any], told: Iterable[str]) -> Drill | None:
    if "drill" not in values:
        return None
    reports = (report for name in told if (report := known.reports[name]))
    databases = tuple(each.name for each in reports if each.is_database)
    limit = _limits(known, values).script_timeout
    return Drill(values["drill"], values["drill_every"], limit or LONGEST_DRILL, databases)


def _pull(section: Section, values: Mapping[str, Any]) -> Pull:
    source = addresses.host_of(values["report_source"])
    if "report_host" not in values and addresses.names_no_host(source):
        section.add_problem(
            "report_source",
            f"{source} names no host, so that no report is believed: name its hosts in report_host",
            warning=True,
        )
    return Pull(
        values["report_source"],
        values.get("report_job", section.name),
        values["report_poll_wait"],
        values["report_poll_retries"],
        values["report_wait"],
        hosts=values.get("report_host", ()),
        password_file=values.get("password_file"),
        transport=transports.settled(section, values),
    )


def claimed(
    name: str, job: Job | BrokenJob, jobs: Mapping[str, Job | BrokenJob]
) -> Job | BrokenJob:
    """The job; a pull job with the names that others have or want of the same client.

    One that is wrong leaves its report to itself all the same.
    """
    if isinstance(job, BrokenJob) or not job.pull:
        return job
    source = addresses.one_spelling(job.pull.source)
    others: set[str] = set()
    for each, other in jobs.items():
        if each == name:
            continue
        if isinstance(other, BrokenJob):
            others |= {each, other.report_job} if other.direction == "pull" else set()
        elif other.pull and addresses.one_spelling(other.pull.source) == source:
            others |= {each, other.pull.job}
    return job._replace(pull=job.pull._replace(claimed=frozenset(filter(None, others))))


def _check_used(
    reader: Values,
    section: Section,
    option: str,
    names: Iterable[str],
    known: Mapping[str, object],
) -> None:
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none; it takes a section of that name"
            hint = near(name, known) or f"; there are: {there}"
            section.add_problem(option, f"there is no [{option}:{name}]{hint}")
        elif known[name] is None:
            trouble = reader.trouble(option, name)
            elsewhere = trouble.file != section.file
            where = f"{trouble.file or reader.file}:" if elsewhere else "line "
            text = f"[{option}:{name}] is wrong, see {where}{trouble.line}"
            cause = f"{trouble.option}: {trouble.text}" if trouble.option else trouble.text
            section.add_problem(option, text, cause=cause)


def _for_pulling(destination: Destination) -> Destination:
    """The client could fill the disk, unless there is a limit."""
    if destination.min_free is None and not destination.remote:
        return destination._replace(min_free=FreeSpace(5, percent=True))
    return destination
