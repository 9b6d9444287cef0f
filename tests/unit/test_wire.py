"""What is sent through a wire, and how."""

from b1000.runs.events import RunMoved
from b1000.runs.protocol import Batch
from b1000.runs.run import Copy
from b1000.runs.states import Status, Step
from b1000.supervise import children
from b1000.wire import pair

BATCH = Batch(1, (RunMoved(1.0, Step.DONE, Status.OK),), idle=True)


def test_values_that_workers_send_bear_no_names_of_classes() -> None:
    assert children
    ours, theirs = pair()
    with ours, theirs:
        ours.send(BATCH)
        assert b"RunMoved" not in theirs._socket.recv(1 << 16)


def test_large_values_arrive_whole() -> None:
    ours, theirs = pair()
    with ours, theirs:
        sent = Copy("store", "/x" * 50_000)
        ours.send(sent)
        ours.send(BATCH)
        assert theirs.drain() == [sent, BATCH]
