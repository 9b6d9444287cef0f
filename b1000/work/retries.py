"""When a copy that has failed is tried again, and how often."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from b1000.jobs import Limits
from b1000.rsync.outcome import Outcome

if TYPE_CHECKING:
    import tenacity

Attempt = Callable[[], Awaitable[Outcome]]


async def last_of(
    attempt: Attempt,
    again: Callable[[Outcome], bool],
    limits: Limits,
    rest: Callable[[float], Awaitable[None]],
    report: Callable[[Outcome, float], None],
) -> Outcome:
    """Try until it is not to be tried ``again``, or not more often; gives the last outcome.

    Before each ``rest`` of some seconds, ``report`` is told how it has ended, and of the seconds.
    """
    result = await attempt()
    if not again(result) or not limits.copy_retries:
        return result

    import tenacity  # which a copy that does not fail is spared

    first = [result]

    async def known_or_next() -> Outcome:
        return first.pop() if first else await attempt()

    def note(state: "tenacity.RetryCallState") -> None:
        report(_outcome(state), state.next_action.sleep if state.next_action else 0.0)

    least = limits.copy_retry_min_sleep
    retrying = tenacity.AsyncRetrying(
        sleep=rest,
        stop=tenacity.stop_after_attempt(1 + limits.copy_retries),
        wait=tenacity.wait_exponential(multiplier=least, max=9 * least)
        + tenacity.wait_random(0, least),
        retry=tenacity.retry_if_result(lambda each: each is result or again(each)),
        before_sleep=note,
        retry_error_callback=_outcome,
    )
    last: Outcome = await retrying(known_or_next)
    return last


def _outcome(state: "tenacity.RetryCallState") -> Outcome:
    assert state.outcome is not None
    result: Outcome = state.outcome.result()
    return result
