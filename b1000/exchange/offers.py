"""What a client's report offers to this host. Pure."""

from b1000.b1k import report_file
from b1000.b1k.report_file import ReportFile
from b1000.config import grammar
from b1000.errors import BadValue
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step

_TO_PULL = "pull://"


def parse(data: bytes, file: str, host: str) -> Client:
    """The run of a client that a report file tells of.

    ``host`` is this host; where no destination of the report is meant for it,
    ``destination`` is "". Raises BadValue.
    """
    report = report_file.parse(data, file)
    destination, pull_host, copy_status = _meant_for(report, host)
    if report.direction != "passive":
        destination, pull_host, copy_status = "", "", CopyStatus.INIT
    return Client(
        file=file,
        host=report.host,
        job=report.job,
        instance=report.instance,
        start_time=report.start_time,
        step=report.step,
        status=report.status,
        destination=destination,
        pull_host=pull_host,
        copy_status=copy_status,
        master_host=report.master_host,
        master_instance=report.master_instance,
        data_age=report.data_age,
        error=report.error,
        alive=report.alive,
        started=report.started,
        transition=report.transition,
    )


def _meant_for(report: ReportFile, host: str) -> tuple[str, str, CopyStatus]:
    """The destination that is meant for this host, this host as it is written, and the status."""
    found: list[tuple[str, str, CopyStatus]] = []
    for target in report.targets:
        if not target.path.startswith(_TO_PULL):
            continue
        written = target.path.removeprefix(_TO_PULL)
        puller = grammar.own_host(written, f"the host in path of [dest:{target.name}]")
        if grammar.is_same_host(puller, host):
            found.append((target.name, puller, target.status))
    if len(found) > 1:
        several = " and ".join(f"[dest:{name}]" for name, _, _ in found[:3])
        raise BadValue(f"{several} are all meant for {host}", "one destination for each host")
    return found[0] if found else ("", "", CopyStatus.INIT)


def is_finished(client: Client) -> bool:
    """Whether the client's run is over, as it says itself."""
    return client.status is Status.FAILED or client.step is Step.DONE


def is_offered(client: Client) -> bool:
    """Whether the client waits for this host to copy."""
    copying = client.step is Step.COPYING and client.copy_status is CopyStatus.COPYING
    return copying and not is_finished(client)


def describe_end(client: Client) -> str:
    """How a client's run has ended, or where it is."""
    if client.status is Status.FAILED:
        why = f": {client.error}" if client.error else ""
        return f"FAILED at {client.step}{why}"
    if client.step is Step.DONE:
        return "has ended"
    return f"is at {client.step}, its copy {client.copy_status}"
