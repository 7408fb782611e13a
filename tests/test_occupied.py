"""How many held something at a time, and what a tier had: against the plainest way to tell."""

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.judge.occupied import Held
from harness.judge.purses import SPAN_NS, Purses
from tests.run_views import OPENING_FEN, T0_NS, clean

MOMENTS = st.integers(0, 50)
CALLS = st.lists(
    st.tuples(MOMENTS, st.one_of(st.none(), st.integers(0, 30)), st.sampled_from([0.5, 1.0])),
    max_size=12,
)


@given(CALLS, MOMENTS, st.integers(1, 40))
def test_a_mean_is_the_sum_of_overlaps(
    calls: list[tuple[int, int | None, float]], from_ns: int, length_ns: int
) -> None:
    held, to_ns, total = Held(), from_ns + length_ns, 0.0
    for start_ns, took_ns, weight in calls:
        end_ns = None if took_ns is None else start_ns + took_ns
        held.add(start_ns, end_ns, weight)
        last_ns = to_ns if end_ns is None else min(end_ns, to_ns)
        total += weight * max(0, last_ns - max(start_ns, from_ns))
    held.close()
    assert abs(held.mean(from_ns, to_ns) - total / length_ns) < 1e-9


def test_a_tier_covers_what_it_had_all_the_time() -> None:
    view = clean()
    purses = Purses(view)
    balances = [
        v.balance_fen or 0 for v in view.versions if v.account == "tier:own/0" and v.version > 1
    ]
    end_ns = T0_NS + 41 * NS_PER_S
    least_fen = min(balances)
    # Both tiers began with as much, and the other has less at no time.
    assert purses.cover(least_fen, T0_NS, end_ns)
    assert not purses.cover(OPENING_FEN + 1, T0_NS, end_ns)
    assert purses.cover(OPENING_FEN, T0_NS - 2 * SPAN_NS, T0_NS - 2 * SPAN_NS)
    # Before the opening there was nothing.
    assert not purses.cover(1, T0_NS - 10 * NS_PER_S, T0_NS)
