"""The plan over hours and tiers: pure; against what any plan could come to."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from mock_lender.cluster.config import TierConfig
from mock_lender.ledger.funding import plan

MONEY = st.integers(0, 5000)
HOURS = st.lists(st.integers(0, 2000), min_size=1, max_size=8)


def tier(name: str, balance_fen: int, hourly: int | None = None, own_bp: int = 0) -> TierConfig:
    return TierConfig(name, f"bank.{name}", 0.5, balance_fen, own_bp, hour_limit_fen=hourly)


def served_fen(
    forecast: Sequence[int], tiers: Sequence[TierConfig], shares: Sequence[Mapping[str, float]]
) -> int:
    """What comes of it when just that is asked for, and no tier helps another."""
    money = {one.tier: one.balance_fen for one in tiers}
    total = 0
    for expected, share in zip(forecast, shares, strict=True):
        for one in tiers:
            limit = expected if one.hour_limit_fen is None else one.hour_limit_fen
            fen = min(round(expected * share.get(one.tier, 0.0)), limit, money[one.tier])
            money[one.tier] -= fen
            total += fen
    return total


@given(HOURS, MONEY, MONEY, st.integers(0, 1000))
def test_with_one_limited_partner_no_plan_comes_to_more(
    forecast: list[int], own_fen: int, partner_fen: int, hourly: int
) -> None:
    tiers = [tier("own", own_fen), tier("partner-a", partner_fen, hourly)]
    by_partner = min(partner_fen, sum(min(hourly, expected) for expected in forecast))
    best = min(sum(forecast), by_partner + own_fen)
    found = served_fen(forecast, tiers, plan(forecast, tiers, 24))
    assert best - 2 * len(forecast) <= found <= best


@given(HOURS, st.lists(st.tuples(MONEY, st.none() | st.integers(0, 1000)), min_size=1, max_size=4))
def test_shares_are_shares_of_something_that_is_there(
    forecast: list[int], terms: list[tuple[int, int | None]]
) -> None:
    names = ("own", "partner-a", "partner-b", "partner-c")
    tiers = [tier(name, fen, limit) for name, (fen, limit) in zip(names, terms, strict=False)]
    found = plan(forecast, tiers, 24)
    assert len(found) == len(forecast)
    for expected, shares in zip(forecast, found, strict=True):
        assert all(share >= 0 for share in shares.values())
        assert not shares or abs(sum(shares.values()) - 1) < 1e-9
        assert expected or not shares
        for one in tiers:
            nothing = one.balance_fen == 0 or one.hour_limit_fen == 0
            assert not (nothing and shares.get(one.tier))


def test_partners_pay_before_the_eve_and_own_money_is_there_at_the_peak() -> None:
    """Even shares would have spent half of it by then."""
    tiers = [tier("own", 600), tier("partner-a", 10**6, 100)]
    quiet, eve = plan([100, 100, 400, 400], tiers, 24)[1:3]
    assert quiet == {"own": 0.0, "partner-a": 1.0}
    assert eve == {"own": 0.75, "partner-a": 0.25}


def test_whoever_can_not_give_it_all_any_more_comes_first() -> None:
    """One of two partners could wait: its money fits in one hour's limit."""
    tiers = [tier("partner-a", 500, 500), tier("partner-b", 1000, 500)]
    assert plan([500, 1000], tiers, 24)[0] == {"partner-a": 0.0, "partner-b": 1.0}


def test_joint_lending_takes_its_part_of_own_funds() -> None:
    tiers = [tier("own", 300), tier("partner-a", 10**6, 700, own_bp=3000)]
    first, second = plan([1000, 1000], tiers, 24)
    assert first == {"own": 0.0, "partner-a": 1.0}
    assert second == {}, "without own funds the partner can lend nothing"


def test_a_days_limit_is_whole_again_the_next_day() -> None:
    tiers = [tier("own", 10**6), TierConfig("b", "bank.b", 0.5, 10**6, day_limit_fen=100)]
    found = plan([1000] * 4, tiers, 2)
    assert [shares["b"] > 0 for shares in found] == [True, False, True, False]
