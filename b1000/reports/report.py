"""From a run's facts to what a report says of it. Pure."""

from b1000.meeting import names
from b1000.model import Run
from b1000.rsync.paths import moment


def file_name(run: Run) -> str:
    """``JOB-INSTANCE-STARTTIME.b1k``; the dash stays where the instance is empty."""
    return names.report_file(run.job, run.instance, run.start_time)


def ini(run: Run) -> str:
    """The content of a report file: one section for the run, one for each destination."""
    start = moment(run.start_time)
    age = run.frozen.data_age
    sections = {
        f"jobstatus:{run.job}": {
            "host": run.host,
            "name": run.job,
            "instance": run.instance,
            "master_host": run.frozen.master_host,
            "master_instance": run.frozen.master_instance,
            "direction": run.direction,
            "start_time": f"{start:%Y-%m-%d %H:%M:%S}",
            "step": run.step,
            "status": run.status,
            "data_age": "" if age is None else f"{age:.15g}",
        }
    }
    for copy in run.copies:
        sections[f"dest:{copy.destination}"] = {
            "type": copy.type,
            "path": copy.path,
            "status": copy.status,
        }
    return "\n".join(
        f"[{heading}]\n"
        + "".join(f"{key} = {value}".rstrip() + "\n" for key, value in keys.items())
        for heading, keys in sections.items()
    )
