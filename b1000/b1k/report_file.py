"""The report file of a run: its name, how it is written and how one of others is read. Pure.

What is read is trusted in nothing, and refused as a whole where it does not fit. Of files by
older programs only the keys of the run and of each destination are known; all others may be
absent.
"""

from b1000.b1k import checks, form, names
from b1000.config import grammar
from b1000.errors import BadValue
from b1000.named import NamedTuple
from b1000.rsync.paths import moment
from b1000.runs.states import CopyStatus, Status, Step


class DestinationSection(NamedTuple):
    """One ``[dest:NAME]`` of a report file."""

    name: str
    type: str
    path: str
    status: CopyStatus


class ReportFile(NamedTuple):
    """What a report file says. ``data_age`` is in seconds, None where it is unknown.

    The last four are told of passive runs, whose ``alive`` is renewed as long as somebody
    works on them: ``started`` and ``transition`` are None in the files of older programs.
    """

    host: str
    job: str
    instance: str
    direction: str
    start_time: str
    step: Step
    status: Status
    targets: tuple[DestinationSection, ...] = ()
    master_host: str = ""
    master_instance: str = ""
    data_age: float | None = 0.0
    alive: str = ""
    started: float | None = None
    transition: int | None = None
    error: str = ""


# --- writing


def render(report: ReportFile) -> str:
    """The text of a report file."""
    return form.text(sections_of(report))


def sections_of(report: ReportFile) -> form.Sections:
    """One section for the run, one for each destination."""
    age = report.data_age
    keys = {
        "host": report.host,
        "name": report.job,
        "instance": report.instance,
        "master_host": report.master_host,
        "master_instance": report.master_instance,
        "direction": report.direction,
        "start_time": f"{moment(report.start_time):%Y-%m-%d %H:%M:%S}",
        "step": report.step,
        "status": report.status,
        "data_age": "" if age is None else f"{age:.15g}",
    }
    if report.alive:
        keys |= {
            "started": "" if report.started is None else checks.instant_text(report.started),
            "transition": "" if report.transition is None else str(report.transition),
            "error": checks.error_text(report.error),
            "alive": report.alive,
        }
    sections = {(form.RUN, report.job): keys}
    for target in report.targets:
        sections[form.DESTINATION, target.name] = {
            "type": target.type,
            "path": target.path,
            "status": target.status,
        }
    return sections


# --- reading


def parse(data: bytes, file: str) -> ReportFile:
    """What the content of a report file of this name says. Raises BadValue."""
    if names.report_name(file) is None:
        raise BadValue("the file is not called as a report is", "JOB-INSTANCE-STARTTIME.b1k")
    sections = form.read(data)
    if (form.BACKUP, "") in sections:
        raise BadValue(f"it has a section [{form.BACKUP}]", "a report has none")
    report = run_of(sections)
    if names.file_name(report.job, report.instance, report.start_time) != file:
        raise BadValue(
            f"job {report.job}, instance {report.instance!r} and start time {report.start_time}"
            " are not the file's"
        )
    return report


def run_of(sections: form.Sections) -> ReportFile:
    """What the sections of the run and of destinations say. Raises BadValue."""
    runs = [name for kind, name in sections if kind == form.RUN]
    if len(runs) != 1:
        raise BadValue(f"it has {len(runs)} sections [{form.RUN}:JOB]", "a report has one")
    keys = form.Keys(sections[form.RUN, runs[0]])
    host, job, instance, master_host, master_instance = whose(keys)
    if job != runs[0]:
        raise BadValue(f"[{form.RUN}:{runs[0]}] has another name, {job}")
    return ReportFile(
        host=host,
        job=job,
        instance=instance,
        direction=keys.take("direction", checks.direction),
        start_time=keys.take("start_time", checks.start_time),
        step=keys.take("step", checks.one_of(Step)),
        status=keys.take("status", checks.one_of(Status)),
        targets=_targets(sections),
        master_host=master_host,
        master_instance=master_instance,
        data_age=keys.take("data_age", checks.age),
        alive=keys.take("alive", checks.alive, ""),
        started=keys.take("started", checks.instant, ""),
        transition=keys.take("transition", checks.number, ""),
        error=keys.take("error", checks.error, ""),
    )


def whose(keys: form.Keys) -> tuple[str, ...]:
    """Host, job, instance, master host and the master's instance of a run. Raises BadValue."""
    return (
        keys.take("host", grammar.own_host),
        keys.take("name", grammar.name),
        keys.take("instance", checks.or_absent(grammar.name)),
        keys.take("master_host", checks.or_absent(checks.master)),
        keys.take("master_instance", checks.or_absent(checks.master)),
    )


def _targets(sections: form.Sections) -> tuple[DestinationSection, ...]:
    return tuple(
        DestinationSection(
            name,
            keys.take("type", checks.as_it_is),
            keys.take("path", checks.as_it_is),
            keys.take("status", checks.one_of(CopyStatus)),
        )
        for (kind, name), values in sections.items()
        if kind == form.DESTINATION
        for keys in [form.Keys(values)]
    )
