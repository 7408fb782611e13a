"""How long a tier's money lasts, from what it has at each look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_lender.warning.runway import Runway, together_s

S = 1_000_000_000


def drained(runway: Runway, begin_fen: int, fen_per_s: int, seconds: int, from_s: int = 0) -> None:
    for n in range(2 * seconds + 1):
        runway.saw(from_s * S + n * S // 2, begin_fen - n * fen_per_s // 2)


@given(st.integers(100, 10_000), st.integers(4, 40))
def test_a_runway_is_the_balance_by_how_fast_it_is_drawn(fen_per_s: int, seconds: int) -> None:
    fen_per_s *= 2
    one = Runway()
    begin_fen = fen_per_s * seconds * 3
    drained(one, begin_fen, fen_per_s, seconds)
    assert one.left_s is not None
    assert abs(one.left_s - 2 * seconds) <= 0.2 * seconds


def test_what_is_taken_away_is_no_rate_and_what_can_no_more_be_drawn_is_not_endless() -> None:
    one = Runway()
    assert one.left_s is None
    drained(one, 100_000, 1_000, 10)
    one.saw(11 * S, 900)
    assert one.left_s == pytest.approx(0.9, rel=0.2)
    for n in range(12, 30):
        one.saw(n * S, 0)
    assert one.left_s == 0.0
    one.saw(30 * S, 50_000)  # money has come
    assert one.left_s == pytest.approx(50, rel=0.2)
    other = Runway()
    drained(other, 100_000, 1_000, 10)
    assert together_s([one, other]) == pytest.approx((50_000 + 90_000) / 2_000, rel=0.2)
    assert together_s([Runway()]) is None
