"""Which of the reports at a client a pull takes. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from b1000.errors import BadValue
from b1000.exchange import offers
from b1000.named import NamedTuple
from b1000.runs.run import Client, label
from b1000.runs.states import COMPLETE, Status, Step


class Offer(NamedTuple):
    """A report that could be read, and what is known of it besides.

    ``expired`` says why nobody who wrote it seems to live, and is "" where somebody
    does. ``answered``: this host has sent a notification for it. ``superseded``:
    there is a newer report of the same job/instance. ``refused`` says why it is not believed.
    """

    client: Client
    expired: str = ""
    answered: bool = False
    superseded: bool = False
    refused: str = ""

    @property
    def obstacle(self) -> str:
        """Why it is not to be taken; "" where it is."""
        client = self.client
        if self.refused:
            return self.refused
        if self.superseded:
            return "it is older than another one"
        if offers.is_finished(client):
            return f"it has ended as {client.status} at {client.step}"
        if self.answered or client.step is Step.POST or client.copy_status in COMPLETE:
            return "it is pulled already"
        return self.expired


class Choice(NamedTuple):
    """The report to take, or why there is none."""

    client: Client | None
    reason: str = ""


def choose(found: Iterable[Offer], wanted: str, claimed: frozenset[str]) -> Choice:
    """Take the report of the job ``wanted``; where none bears that name, the only one there is.

    One of a job in ``claimed`` is another pull's. Raises BadValue where several could be meant.
    """
    ours = [offer for offer in found if offer.client.destination]
    named = [offer for offer in ours if offer.client.job == wanted]
    others = [offer for offer in ours if offer.client.job not in claimed]
    candidates = named or others
    usable = [offer.client for offer in candidates if not offer.obstacle]
    if len(usable) > 1:
        listed = ", ".join(sorted(each.file for each in usable)[:5])
        raise BadValue(
            f"{len(usable)} reports could be meant: {listed}",
            "a pull takes one; report_job names the client's job",
        )
    if usable:
        return Choice(usable[0])
    newest = [offer for offer in candidates if not offer.superseded]
    listed = "; ".join(
        f"{label(offer.client.job, offer.client.instance)} of {offer.client.start_time}: "
        f"{offer.obstacle}"
        for offer in newest[:3]
    )
    if listed:
        return Choice(None, listed)
    if ours:
        return Choice(None, "all that are there belong to other pull jobs")
    return Choice(None, "there is none")


def superseded(clients: Iterable[Client]) -> set[str]:
    """The files of those runs of which a newer one of the same job/instance is there."""
    of_subject: dict[tuple[str, str], list[Client]] = defaultdict(list)
    for client in clients:
        of_subject[client.job, client.instance].append(client)
    old: set[str] = set()
    for runs in of_subject.values():
        old |= {each.file for each in runs if any(_supersedes(other, each) for other in runs)}
    return old


def _supersedes(one: Client, other: Client) -> bool:
    """Whether the one run makes the other out of date.

    One that FAILED at INIT has touched no data, and does not. Nor does one that had ended when
    the other still went on, by the order in the client's own journal: the clock was put back.
    """
    if (one.step, one.status) == (Step.INIT, Status.FAILED) or not is_newer(one, other):
        return False
    if one.transition is None or other.transition is None or offers.is_finished(other):
        return True
    return not (offers.is_finished(one) and one.transition < other.transition)


def is_newer(one: Client, other: Client) -> bool:
    """Whether the one run began after the other."""
    # Names hold local time, which an hour in autumn repeats; an older program has nothing else.
    if one.started is not None and other.started is not None and one.started != other.started:
        return one.started > other.started
    return one.start_time > other.start_time
