"""What a client may say of itself: under which name, and when its run began. Pure.

A report that says more is refused. What is left is still the word of the client.
"""

from collections.abc import Iterable

from b1000.config import addresses, grammar
from b1000.exchange import choice
from b1000.jobs import Pull
from b1000.rsync.paths import is_local_time, moment
from b1000.runs.run import Client

_MOST_AHEAD = 86400.0  # seconds by which a client's clock may be ahead of ours


def refusal(client: Client, pull: Pull, now: float, taken: Iterable[Client]) -> str:
    """Why a report is not to be believed; "" where nothing speaks against it.

    ``taken`` are runs of clients that were copied before, ``now`` seconds since the epoch.
    """
    return _of_its_host(client, pull) or _of_its_time(client, now) or _of_the_past(client, taken)


def _of_its_host(client: Client, pull: Pull) -> str:
    host = addresses.host_of(pull.source)
    if pull.hosts:
        believed = client.host in pull.hosts
        known = f"report_host is {', '.join(pull.hosts)}"
    elif addresses.names_no_host(host):
        believed = client.host == host
        known = f"report_source names {host}, which is no host's name"
    else:
        believed = grammar.is_same_host(client.host, host)
        known = f"report_source names {host}"
    if believed:
        return ""
    way = f"report_host = {client.host} where that is so"
    return f"it says that it is of host {client.host}, and {known}; {way}"


def _of_its_time(client: Client, now: float) -> str:
    named = moment(client.start_time)
    began = named.timestamp() if client.started is None else client.started
    if began > now + _MOST_AHEAD:
        return "it says that it began more than a day ahead of this host's clock"
    if client.started is not None and not is_local_time(client.start_time, client.started):
        return "its start_time and its started are not the same time in any time zone"
    return ""


def _of_the_past(client: Client, taken: Iterable[Client]) -> str:
    whose = (client.host, client.job, client.instance)
    for each in taken:
        if (each.host, each.job, each.instance) == whose and choice.is_newer(each, client):
            return f"it says that it began before the run of {each.start_time}, which was copied"
    return ""
