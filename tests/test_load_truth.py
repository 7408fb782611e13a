"""The known truths that the generator is measured against: they must be right themselves."""

import heapq
import statistics
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load_truth import (
    Freeze,
    digest,
    freeze_waits_ns,
    quantile,
    queue_waits_ns,
    slope,
    within,
)


def simulated(arrivals: list[int], services: list[int], servers: int) -> list[int]:
    """The same queue event by event: arrivals and ends of service in order of time, a queue in
    front of idle servers. At one moment services end before anybody arrives."""
    events = [(at, 1, number) for number, at in enumerate(arrivals)]
    heapq.heapify(events)
    waiting: deque[int] = deque()
    idle, waits = servers, [0] * len(arrivals)
    while events:
        now, kind, number = heapq.heappop(events)
        if kind == 0:
            idle += 1
        else:
            waiting.append(number)
        while idle and waiting:
            next_one = waiting.popleft()
            idle -= 1
            waits[next_one] = now - arrivals[next_one]
            heapq.heappush(events, (now + services[next_one], 0, next_one))
    return waits


def test_two_servers_worked_by_hand() -> None:
    """Servers A and B. 0: to A until 10. 1: to B until 5. 2: waits for B, 5 - 2 = 3, until 9.
    3: waits for B again, 9 - 3 = 6, until 10. 12: both idle. 12: the other is idle. 13: waits for
    the one that is done at 14."""
    arrivals = [0, 1, 2, 3, 12, 12, 13]
    services = [10, 4, 4, 1, 2, 9, 3]
    assert queue_waits_ns(arrivals, services, 2) == [0, 0, 3, 6, 0, 0, 1]


def test_one_server_is_lindleys_recursion() -> None:
    assert queue_waits_ns([0, 3, 4, 20], [5, 5, 5, 5], 1) == [0, 2, 6, 0]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60)), max_size=60),
    st.integers(1, 6),
)
def test_the_recursion_agrees_with_the_simulation(
    customers: list[tuple[int, int]], servers: int
) -> None:
    at, arrivals = 0, []
    for gap, _ in customers:
        at += gap
        arrivals.append(at)
    services = [service for _, service in customers]
    expected = simulated(arrivals, services, servers)
    assert queue_waits_ns(arrivals, services, servers) == expected


@pytest.mark.parametrize(
    ("arrivals", "services", "servers"),
    [([0, 2, 1], [1, 1, 1], 1), ([0, 1], [1], 1), ([0], [1], 0), ([0], [-1], 1)],
)
def test_what_is_no_queue_is_refused(
    arrivals: list[int], services: list[int], servers: int
) -> None:
    with pytest.raises(ValueError, match=r"order|server|argument"):
        queue_waits_ns(arrivals, services, servers)


def test_a_freeze_is_waited_out_and_nothing_else_is() -> None:
    freezes = [Freeze(80, 100, 101, 3), Freeze(180, 200, 203, 4)]
    due = [0, 79, 80, 99, 100, 150, 190, 500]
    assert freeze_waits_ns(due, freezes) == [0, 0, 20, 1, 0, 0, 10, 0]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_enough_do_not_exceed(values: list[int], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_a_quantile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("found_ms", "true_ms", "right"),
    [(3.0, 0.0, True), (3.1, 0.0, False), (1019.0, 1000.0, True), (979.0, 1000.0, False)],
)
def test_right_is_two_percent_or_three_milliseconds(
    found_ms: float, true_ms: float, *, right: bool
) -> None:
    assert within(found_ms, true_ms) is right


@given(st.floats(-100, 100), st.lists(st.integers(0, 1000), min_size=8, max_size=30, unique=True))
def test_one_wild_sample_does_not_move_the_slope(gradient: float, times: list[int]) -> None:
    points = [(float(x), gradient * x) for x in times]
    points[3] = (points[3][0], 1e9)
    found = slope(points)
    assert found is not None
    assert found == pytest.approx(gradient, abs=1e-6)


def test_no_slope_without_two_moments() -> None:
    assert slope([]) is None
    assert slope([(1.0, 2.0), (1.0, 3.0)]) is None
    assert slope([(0.0, 1.0), (2.0, 5.0)]) == statistics.median([2.0])


def test_a_digest_knows_any_change_but_that_of_the_order() -> None:
    rows: list[tuple[object, ...]] = [(1, "a", 5), (2, "b", 6)]
    assert digest(rows) == digest(rows[::-1])
    assert digest(rows) != digest([(1, "a", 5), (2, "b", 7)])
    assert digest(rows) != digest(rows[:1])
    assert digest(rows) != digest([*rows, rows[0]])
