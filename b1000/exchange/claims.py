"""What a client may say of itself: under which name, and when its run began. Pure.

A report that says more is refused. What is left is still the word of the client.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from b1000 import addresses
from b1000.config import grammar
from b1000.exchange import choice, offers
from b1000.jobs import Pull
from b1000.rsync.paths import MOST_EAST, START_TIME, is_local_time, moment
from b1000.runs.run import Client
from b1000.runs.task import Taken

_MOST_AHEAD = 86400.0  # seconds by which a client's clock may be ahead of ours


def refusal(client: Client, pull: Pull, now: float, taken: Iterable[Taken]) -> str:
    """Why a report is not to be believed; "" where nothing speaks against it.

    ``taken`` are runs of clients that were copied before, the last of them first, ``now``
    seconds since the epoch.
    """
    by_itself = _of_its_host(client, pull) or _of_its_time(client, now)
    # That one has ended is why it is not taken, and says more.
    past = "" if offers.is_finished(client) else _of_the_past(client, now, taken)
    return by_itself or past


def latest_name(now: float) -> str:
    """The latest start time in the name of a report that is believed, in whatever time zone."""
    return datetime.fromtimestamp(now + _MOST_AHEAD + MOST_EAST, UTC).strftime(START_TIME)


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
    began = _began(client)
    if began > now + _MOST_AHEAD:
        return "it says that it began more than a day ahead of this host's clock"
    if client.started is not None and not is_local_time(client.start_time, client.started):
        return "its start_time and its started are not the same time in any time zone"
    return ""


def _of_the_past(client: Client, now: float, taken: Iterable[Taken]) -> str:
    """Whether it is dated before the last run that was copied, of those that are not of the future.

    Clocks are put right: of a client that was ahead, what was copied had begun by then, whatever
    it said. Where this host was ahead too, nothing is known of when that was.
    """
    whose = (client.host, client.job, client.instance)
    for last, at in taken:
        known = _began(last) if at is None else min(_began(last), at)
        if (last.host, last.job, last.instance) != whose or known > now:
            continue
        # Those before it do not count: they are older, or were dated by a clock that was ahead.
        if choice.is_newer(last, client) and (at is None or _began(client) < at):
            before = f"it says that it began before the run of {last.start_time}, which was copied"
            return f"{before}; is its clock behind?"
        return ""
    return ""


def _began(client: Client) -> float:
    """When it says that it began; an older program has its local time alone."""
    return moment(client.start_time).timestamp() if client.started is None else client.started
