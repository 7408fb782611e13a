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

    async def next_one() -> T:
        return made.pop() if made else await call()

    stop: tenacity.stop.stop_base = tenacity.stop_after_attempt(tries)
    if deadline is not None:
        stop = stop | tenacity.stop_before_delay(max(0.0, deadline.remaining_s - settings.margin_s))
    if budget is not None:
        # Asked last, when nothing else keeps the try from being made: what is paid for is made.
        stop = stop | _TooDear(budget)
    last: tenacity.AsyncRetrying = tenacity.AsyncRetrying(
        stop=stop,
        wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
        retry=tenacity.retry_if_result(worth_it),
        retry_error_callback=_last_result,
        reraise=True,
    )
    result: T = await last(next_one)
    return result


class _TooDear(tenacity.stop.stop_base):
    """Stop when the next try can't be paid for."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return not self._budget.take()


def _last_result(state: tenacity.RetryCallState) -> object:
    """Out of tries: the last answer is the answer, not an error of its own."""
    outcome = state.outcome
    if outcome is None:  # tenacity calls this only after an attempt
        raise RuntimeError("no attempt was made")
    return outcome.result()
