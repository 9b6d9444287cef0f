"""What is begun when: tables, and a property over random programs, without a process."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.jobs import Job, Pull
from b1000.runs.task import Task, TaskKind
from b1000.supervise.decisions import (
    Action,
    Clearing,
    DirectoryResolved,
    Event,
    Fail,
    Gated,
    HeldAtInit,
    NotYet,
    Over,
    Refuse,
    Release,
    SlotReleased,
    SlotRequested,
    Start,
    Stopped,
    TasksAdded,
    Ticked,
)
from b1000.supervise.gate import Gate
from b1000.supervise.schedule import Schedule
from tests.support.chance import examples


def job(name: str, client: str = "") -> Job:
    pull = Pull(f"rsync://{client}/reports", name, 1, 1) if client else None
    return Job(name, "pull" if client else "push", "full", (), (), {}, pull=pull)


def run_of(name: str, instance: str = "", kind: TaskKind = TaskKind.RUN, client: str = "") -> Task:
    return Task(kind, job(name, client), instance)


def starts(actions: Sequence[Action]) -> list[str]:
    return [action.task.label for action in actions if isinstance(action, Start)]


# --- tables


def test_no_more_begin_than_there_are_slots_and_in_their_order() -> None:
    schedule = Schedule(2)
    tasks = tuple(run_of(name) for name in ("a", "b", "c"))
    assert starts(schedule.decide(TasksAdded(tasks), 0)) == ["a", "b"]
    assert starts(schedule.decide(Ticked(), 0)) == []
    assert starts(schedule.decide(Over(1), 0)) == ["c"]


def test_what_follows_a_failure_and_lists_go_before_runs() -> None:
    schedule = Schedule(1)
    schedule.decide(TasksAdded((run_of("a"),)), 0)
    schedule.decide(TasksAdded((run_of("b"), run_of("c", kind=TaskKind.LISTING))), 0)
    schedule.decide(TasksAdded((run_of("a", kind=TaskKind.ON_END),)), 0)
    began = []
    for number in range(1, 4):
        began += starts(schedule.decide(Over(number), 0))
    assert began == ["a", "c", "b"]


def test_what_comes_back_goes_before_what_is_new() -> None:
    schedule = Schedule(1)
    schedule.decide(TasksAdded((run_of("a"), run_of("b"), run_of("c"))), 0)
    assert starts(schedule.decide(SlotReleased(1), 0)) == ["b"]
    assert schedule.decide(SlotRequested(1), 0) == []
    assert schedule.decide(Over(2), 0) == [Release(1)]
    assert starts(schedule.decide(Over(1), 0)) == ["c"]


def test_one_run_of_a_job_and_instance_at_a_time_beside_what_follows_its_failure() -> None:
    schedule = Schedule(4)
    again = run_of("a", kind=TaskKind.RESUME)
    assert starts(schedule.decide(TasksAdded((run_of("a"), again, run_of("a", "x"))), 0)) == [
        "a",
        "a/x",
    ]
    assert starts(schedule.decide(TasksAdded((run_of("a", kind=TaskKind.ON_END),)), 0)) == ["a"]
    assert schedule.decide(Over(1), 0) == [Start(4, again)]


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 1), (4, 3)])
def test_pulls_from_one_client_leave_a_slot(slots: int, most: int) -> None:
    schedule = Schedule(slots)
    pulls = tuple(run_of(f"p{number}", client="web") for number in range(6))
    other = run_of("q", client="db")
    began = starts(schedule.decide(TasksAdded((*pulls, other)), 0))
    assert began == [f"p{number}" for number in range(most)] + (["q"] if slots > 1 else [])


def test_a_name_that_is_taken_is_waited_for_and_the_turn_is_kept() -> None:
    schedule = Schedule(1)
    schedule.decide(TasksAdded((run_of("a"), run_of("b"))), 0)
    assert starts(schedule.decide(NotYet(1, 5.0), 4.0)) == ["b"]
    assert schedule.next_time(4.0) == 5.0
    schedule.decide(TasksAdded((run_of("c"),)), 4.0)
    assert starts(schedule.decide(Over(2), 5.0)) == ["a"]
    assert schedule.next_time(5.0) is None


def test_while_something_is_cleared_its_slot_is_free_and_its_job_is_not() -> None:
    schedule = Schedule(1)
    first = run_of("a")
    schedule.decide(TasksAdded((first, run_of("b"))), 0)
    assert starts(schedule.decide(Clearing(1), 0)) == ["b"]
    schedule.decide(TasksAdded((run_of("a"),)), 0)
    assert schedule.decide(Over(2), 0) == []
    schedule.decide(Over(1), 0)
    assert not schedule.idle


def test_what_is_refused_fails_without_a_slot_and_also_when_all_is_stopped() -> None:
    schedule = Schedule(1)
    schedule.decide(TasksAdded((run_of("a"), run_of("b"))), 0)
    refused = run_of("c")._replace(refusal="no such thing")
    assert schedule.decide(TasksAdded((refused,)), 0) == [Fail(2, refused)]
    assert schedule.decide(NotYet(2, 9.0), 0) == []
    assert schedule.decide(Stopped(), 1.0) == [Fail(3, refused)]
    assert schedule.decide(TasksAdded((run_of("d"),)), 2.0) == []
    schedule.decide(Over(3), 2.0)
    schedule.decide(Over(1), 2.0)
    assert schedule.idle


def test_runs_are_held_until_their_directories_are_known_to_be_their_own() -> None:
    schedule = Schedule(4)
    schedule.decide(Gated("db", Gate(["a", "a-b"], ["a", "a-b"])), 0)
    schedule.decide(TasksAdded((run_of("db", "a"), run_of("db", "a-b"))), 0)
    assert schedule.decide(HeldAtInit(1, "h-a-b-c"), 0) == []
    both = schedule.decide(HeldAtInit(2, "h-a-b-c"), 0)
    assert [type(each) for each in both] == [Refuse, Refuse]
    schedule = Schedule(4)
    schedule.decide(Gated("db", Gate(["a", "a-b"], ["a", "a-b"])), 0)
    schedule.decide(TasksAdded((run_of("db", "a"), run_of("db", "a-b"))), 0)
    schedule.decide(HeldAtInit(1, "h-a-"), 0)
    assert schedule.decide(DirectoryResolved("db", "a-b", None), 0) == [Release(1)]


def test_a_newcomer_is_refused_and_the_owner_goes_on() -> None:
    schedule = Schedule(4, owner=lambda *_: "a")
    schedule.decide(Gated("db", Gate(["a", "a-b"], ["a", "a-b"])), 0)
    schedule.decide(TasksAdded((run_of("db", "a"), run_of("db", "a-b"))), 0)
    schedule.decide(HeldAtInit(1, "h-a-b-c"), 0)
    refused, released = schedule.decide(HeldAtInit(2, "h-a-b-c"), 0)
    assert isinstance(refused, Refuse)
    assert refused.number == 2
    assert released == Release(1)


def test_what_waits_can_be_given_up() -> None:
    schedule = Schedule(1)
    schedule.decide(TasksAdded((run_of("a"), run_of("b"))), 0)
    assert [task.label for task in schedule.give_up()] == ["b"]
    schedule.decide(Over(1), 0)
    assert schedule.idle


# --- a property


NAMES = st.sampled_from("abc")


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    kind = draw(st.sampled_from(TaskKind))
    task = run_of(
        draw(NAMES), draw(st.sampled_from(("", "x"))), kind, draw(st.sampled_from(("", "web")))
    )
    return task._replace(refusal=draw(st.sampled_from(("", "", "", "bad"))))


class Simulation:
    """Carries actions out, and holds what must hold after each event."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.schedule = Schedule(slots)
        self.under_way: dict[int, Task] = {}
        self.resting: set[int] = set()
        self.begun = 0
        self.now = 0.0

    def tell(self, event: Event) -> None:
        for action in self.schedule.decide(event, self.now):
            match action:
                case Start() | Fail():
                    assert action.number not in self.under_way
                    self.under_way[action.number] = action.task
                    if isinstance(action, Start):
                        self.begun += 1
                    else:
                        self.resting.add(action.number)
                case Release() | Refuse():
                    assert action.number in self.resting, "it goes on though nothing held it"
                    self.resting.discard(action.number)
        self.check()

    def check(self) -> None:
        at_work = [n for n in self.under_way if n not in self.resting]
        assert len(at_work) <= self.slots, "more at work than there are slots"
        runs = [
            task.subject
            for task in self.under_way.values()
            if task.kind not in (TaskKind.LISTING, TaskKind.ON_END) and not task.refusal
        ]
        assert len(runs) == len(set(runs)), "two runs of one job/instance at a time"
        clients = [
            n for n in at_work if isinstance(j := self.under_way[n].job, Job) and j.pull
            and self.under_way[n].kind not in (TaskKind.LISTING, TaskKind.ON_END)
        ]  # fmt: skip
        assert len(clients) <= max(1, self.slots - 1), "a client takes all slots"

    def end(self, number: int) -> None:
        self.under_way.pop(number)
        self.resting.discard(number)
        self.tell(Over(number))


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(1, 4), st.data())
def test_slots_hold_nothing_waits_for_ever_and_all_comes_to_an_end(
    slots: int, data: st.DataObject
) -> None:
    simulation = Simulation(slots)
    wanted = 0
    waiting: set[int] = set()  # those that gave their slot up
    for _ in range(data.draw(st.integers(0, 25))):
        simulation.now += data.draw(st.sampled_from((0.0, 0.5, 2.0)))
        at_work = sorted(set(simulation.under_way) - simulation.resting)
        choice = data.draw(st.integers(0, 6))
        if choice < 2:
            new = tuple(data.draw(st.lists(tasks(), max_size=4)))
            wanted += sum(not each.refusal for each in new)
            simulation.tell(TasksAdded(new, first=choice == 1))
        elif choice == 2 and at_work:
            number = data.draw(st.sampled_from(at_work))
            simulation.resting.add(number)
            waiting.add(number)
            simulation.tell(SlotReleased(number))
        elif choice == 3 and (back := sorted(waiting & set(simulation.under_way))):
            number = data.draw(st.sampled_from(back))
            waiting.discard(number)
            simulation.tell(SlotRequested(number))
        elif choice == 4 and at_work:
            number = data.draw(st.sampled_from(at_work))
            task = simulation.under_way.pop(number)
            wanted += not task.refusal
            simulation.tell(NotYet(number, simulation.now + 1.0))
        elif simulation.under_way:
            simulation.end(data.draw(st.sampled_from(sorted(simulation.under_way))))
    # Everything that is under way ends at last, and whatever waited has had its turn.
    for _ in range(1000):
        if simulation.schedule.idle:
            break
        simulation.now += 1.0
        simulation.tell(Ticked())
        for number in sorted(simulation.under_way):
            simulation.end(number)
    assert simulation.schedule.idle, "something waits for ever"
    assert simulation.begun == wanted
