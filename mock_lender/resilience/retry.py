"""When a call is made again: tenacity decides how often and how long to wait between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

from mock_lender.resilience.budget import RetryBudget
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.profile import Settings

T = TypeVar("T")
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5


async def again(
    call: Callable[[], Awaitable[T]],
    worth_it: Callable[[T], bool],
    settings: Settings,
    deadline: Deadline | None,
    tries: int,
    budget: RetryBudget | None = None,
) -> T:
    """`call` until its result is not `worth_it` to try again, or `tries` or the budget are used up.

    With a deadline no pause is begun that would end after it (`stop_before_delay`;
    `stop_after_delay` overshoots by the last pause). Returns the last result either way.
    """
    # Most calls need no second try: tenacity is not asked before one does.
    first = await call()
    if tries <= 1 or not worth_it(first):
        return first
    made = [first]
    ended = 0

    async def next_one() -> T:
        return made.pop() if made else await call()

    def once_more(result: T) -> bool:
        nonlocal ended
        ended += 1
        if ended >= tries or not worth_it(result):
            return False
        return budget is None or budget.take()

    stop: tenacity.stop.stop_base = tenacity.stop_after_attempt(tries)
    if deadline is not None:
        stop = stop | tenacity.stop_before_delay(max(0.0, deadline.remaining_s - settings.margin_s))
    last: tenacity.AsyncRetrying = tenacity.AsyncRetrying(
        stop=stop,
        wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
        retry=tenacity.retry_if_result(once_more),
        retry_error_callback=_last_result,
        reraise=True,
    )
    result: T = await last(next_one)
    return result


def _last_result(state: tenacity.RetryCallState) -> object:
    """Out of tries: the last answer is the answer, not an error of its own."""
    outcome = state.outcome
    if outcome is None:  # tenacity calls this only after an attempt
        raise RuntimeError("no attempt was made")
    return outcome.result()
