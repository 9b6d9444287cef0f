"""The loop: order, waiting for several, cancellation, signals, errors of callbacks."""

import os
import signal

import pytest

from b1000.work import loop
from b1000.work.loop import Cancelled, Future
from b1000.work.waiting import Event, Group, Lock, all_ended, first, shielded, sleep


def test_it_gives_what_the_coroutine_gives_and_raises_what_it_raises() -> None:
    async def give(value: int) -> int:
        await sleep(0)
        if not value:
            raise ValueError
        return value

    assert loop.run(give(3)) == 3
    with pytest.raises(ValueError, match=r"^$"):
        loop.run(give(0))


def test_timers_and_turns_come_in_order() -> None:
    said: list[str] = []

    async def main() -> None:
        running = loop.running()
        running.later(0.02, lambda: said.append("late"))
        running.later(0.01, lambda: said.append("early"))
        running.later(0.01, lambda: said.append("never")).cancel()
        running.soon(lambda: said.append("soon"))
        await sleep(0.03)

    loop.run(main())
    assert said == ["soon", "early", "late"]


def test_a_timer_may_be_months_away() -> None:
    async def main() -> str:
        soon: Future[str] = Future()
        running = loop.running()
        running.later(1e7, lambda: soon.set_result("months"))
        ours, theirs = os.pipe()
        running.add_reader(ours, lambda: soon.set_result("now"))
        os.write(theirs, b"x")
        try:
            return await soon
        finally:
            running.remove_reader(ours)
            os.close(ours)
            os.close(theirs)

    assert loop.run(main()) == "now"


def test_a_descriptor_is_read_until_it_is_removed() -> None:
    ours, theirs = os.pipe()
    said: list[bytes] = []

    async def main() -> None:
        come: Future[None] = Future()

        def read() -> None:
            said.append(os.read(ours, 1))
            if len(said) == 2:
                loop.running().remove_reader(ours)
                come.set_result(None)

        loop.running().add_reader(ours, read)
        os.write(theirs, b"abc")
        await come
        await sleep(0)

    loop.run(main())
    os.close(ours)
    os.close(theirs)
    assert said == [b"a", b"b"]


def test_the_first_of_several_ends_the_wait_and_so_does_time() -> None:
    async def main() -> tuple[bool, bool]:
        one, other = loop.begin(sleep(0)), loop.begin(sleep(60))
        await first((one, other))
        came = (one.done(), other.done())
        await first((other,), 0.001)
        assert not other.done()
        return came

    assert loop.run(main()) == (True, False)


def test_to_cancel_ends_the_wait_but_not_what_is_waited_for() -> None:
    async def main() -> None:
        slow: Future[str] = Future()

        async def wait() -> str:
            return await slow

        waiting = loop.begin(wait())
        await sleep(0)
        waiting.cancel()
        waiting.cancel()
        await all_ended((waiting,))
        assert isinstance(waiting.error(), Cancelled)
        assert not slow.done()

    loop.run(main())


def test_what_is_cancelled_as_its_wait_ends_is_cancelled() -> None:
    async def main() -> None:
        come: Future[None] = Future()

        async def wait() -> None:
            await come

        waiting = loop.begin(wait())
        await sleep(0)
        come.set_result(None)
        waiting.cancel()
        await all_ended((waiting,))
        assert isinstance(waiting.error(), Cancelled)

    loop.run(main())


def test_what_is_shielded_is_done_before_a_cancellation_counts() -> None:
    said: list[str] = []

    async def ending() -> None:
        await sleep(0.01)
        said.append("ended")

    async def main() -> None:
        task = loop.begin(shielded(ending()))
        await sleep(0)
        await sleep(0)
        task.cancel()
        await all_ended((task,))
        assert isinstance(task.error(), Cancelled)

    loop.run(main())
    assert said == ["ended"]


def test_a_lock_is_had_in_turn_also_when_one_that_waits_is_cancelled() -> None:
    said: list[str] = []

    async def main() -> None:
        lock = Lock()

        async def within(name: str) -> None:
            async with lock:
                said.append(name)
                await sleep(0)

        tasks = {name: loop.begin(within(name)) for name in "abcd"}
        await sleep(0)
        tasks["b"].cancel()
        await first((tasks["a"],))
        tasks["c"].cancel()  # its turn has come, and it does not know yet
        await all_ended(tasks.values())

    loop.run(main())
    assert said == ["a", "d"]


def test_the_first_error_in_a_group_ends_the_others_and_is_raised() -> None:
    said: list[str] = []

    async def fail() -> None:
        await sleep(0)
        raise ValueError("first")

    async def wait() -> None:
        try:
            await Event().wait()
        finally:
            said.append("ended")

    async def main(within: bool) -> None:
        async with Group() as group:
            group.begin(wait())
            group.begin(fail())
            if within:
                await Event().wait()

    for within in (False, True):
        with pytest.raises(ValueError, match="first"):
            loop.run(main(within))
    assert said == ["ended", "ended"]


def test_to_cancel_what_waits_for_a_group_cancels_the_group() -> None:
    said: list[str] = []

    async def wait() -> None:
        try:
            await sleep(60)
        finally:
            await sleep(0.01)
            said.append("ended")

    async def grouped() -> None:
        async with Group() as group:
            group.begin(wait())

    async def main() -> None:
        task = loop.begin(grouped())
        await sleep(0.01)
        task.cancel()
        await all_ended((task,))
        assert isinstance(task.error(), Cancelled)

    loop.run(main())
    assert said == ["ended"]


def test_a_signal_wakes_it_up() -> None:
    async def main() -> str:
        come: Future[str] = Future()
        with loop.running().calling_on(signal.SIGUSR1, lambda: come.set_result("come")):
            loop.running().later(0, lambda: os.kill(os.getpid(), signal.SIGUSR1))
            return await come

    before = set(os.listdir("/proc/self/fd"))
    assert loop.run(main()) == "come"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert set(os.listdir("/proc/self/fd")) == before


def test_an_error_in_a_callback_is_raised_where_the_main_task_waits() -> None:
    said: list[str] = []

    async def other() -> None:
        try:
            await sleep(60)
        finally:
            said.append("ended")

    async def main() -> None:
        loop.begin(other())
        loop.running().later(0.001, lambda: [][0])
        await sleep(60)

    with pytest.raises(IndexError):
        loop.run(main())
    assert said == ["ended"]


def test_an_exit_in_a_callback_ends_it_after_all_tasks() -> None:
    said: list[str] = []

    async def main() -> None:
        loop.running().later(0.001, lambda: exec("raise SystemExit(7)"))
        try:
            await sleep(60)
        finally:
            await sleep(0.001)
            said.append("ended")

    with pytest.raises(SystemExit):
        loop.run(main())
    assert said == ["ended"]


def test_what_nothing_can_end_is_no_endless_wait() -> None:
    with pytest.raises(RuntimeError, match="wait for each other"):
        loop.run(Event().wait())
