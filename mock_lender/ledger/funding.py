"""The plan of the funding: which tier gives how much in which hour. Pure; from a forecast.

Without a plan the tiers' shares are the same in every hour. That wastes what lapses: an hour's
limit that is not used up is gone with the hour, while own money could have waited for the eve of
the festival. The plan uses first, in each hour, what would lapse, and keeps for later what keeps.
"""

from collections.abc import Mapping, Sequence

from mock_lender.cluster.config import LenderConfig, TierConfig

OWN = "own"
WHOLE_BP = 10_000

# By tier, its share of the draws; empty: as before.
Shares = Mapping[str, float]


def plan_of(config: LenderConfig) -> tuple[Shares, ...]:
    """By hour of the forecast; nothing for a lender that expects nothing."""
    return tuple(plan(config.forecast_fen, config.tiers, config.calendar.day_hours))


class _Purse:
    """What one tier can still give, as the plan goes on through the hours."""

    def __init__(self, tier: TierConfig, hours: int, day_hours: int) -> None:
        self.tier = tier
        self.money_fen = tier.balance_fen
        self._hours = hours
        self._day_hours = day_hours
        self._day_left_fen = tier.day_limit_fen

    @property
    def limited(self) -> bool:
        """Does something of it lapse with the hour, or the day?"""
        return self.tier.hour_limit_fen is not None or self.tier.day_limit_fen is not None

    def begin(self, hour: int) -> None:
        if hour % self._day_hours == 0:
            self._day_left_fen = self.tier.day_limit_fen

    def most_fen(self) -> int:
        """In this hour, if it has not given yet."""
        limits = (self.money_fen, self.tier.hour_limit_fen, self._day_left_fen)
        return max(0, min(fen for fen in limits if fen is not None))

    def give(self, fen: int) -> None:
        self.money_fen -= fen
        if self._day_left_fen is not None:
            self._day_left_fen -= fen

    def spare_fen(self, hour: int) -> int:
        """What it can't give any more within its limits: of that much they lapse unused."""
        hours = self._hours - hour
        days = (self._hours - 1) // self._day_hours - hour // self._day_hours
        most_fen = []
        if self.tier.hour_limit_fen is not None:
            most_fen.append(self.tier.hour_limit_fen * hours)
        if self.tier.day_limit_fen is not None:
            most_fen.append((self._day_left_fen or 0) + self.tier.day_limit_fen * days)
        return self.money_fen - min(most_fen, default=0)


def plan(
    forecast_fen: Sequence[int], tiers: Sequence[TierConfig], day_hours: int
) -> list[dict[str, float]]:
    """By hour: the share of the draws that each tier should have; empty where nothing is expected
    or nobody has anything.

    Tiers with limits come first, those before the others that have more than they will be
    able to give; the rest is given by those whose money keeps, as far as they have it.
    """
    purses = [_Purse(tier, len(forecast_fen), day_hours) for tier in tiers]
    own = next((purse for purse in purses if purse.tier.tier == OWN), None)
    found = []
    for hour, expected_fen in enumerate(forecast_fen):
        for purse in purses:
            purse.begin(hour)
        left_fen, given = expected_fen, dict.fromkeys((p.tier.tier for p in purses), 0)
        lapsing = [p for p in purses if p.limited]
        for purse in sorted(lapsing, key=lambda p: -p.spare_fen(hour)):
            given[purse.tier.tier] = _given(purse, own, left_fen)
            left_fen -= given[purse.tier.tier]
        keeping = [(p, p.most_fen()) for p in purses if not p.limited]
        kept_fen = sum(most_fen for _, most_fen in keeping)
        for purse, most_fen in keeping:
            part_fen = left_fen * most_fen // kept_fen if kept_fen else 0
            given[purse.tier.tier] = _given(purse, own, part_fen)
            kept_fen, left_fen = kept_fen - most_fen, left_fen - given[purse.tier.tier]
        whole_fen = sum(given.values())
        found.append({tier: fen / whole_fen for tier, fen in given.items()} if whole_fen else {})
    return found


def _given(purse: _Purse, own: _Purse | None, wanted_fen: int) -> int:
    """What draws through a tier come to, its own part of joint lending with them; taken."""
    own_bp = purse.tier.own_bp if purse is not own else 0
    most_fen = purse.most_fen() * WHOLE_BP // (WHOLE_BP - own_bp)
    if own_bp:
        most_fen = min(most_fen, own.most_fen() * WHOLE_BP // own_bp if own is not None else 0)
    draws_fen = min(wanted_fen, most_fen)
    own_fen = draws_fen * own_bp // WHOLE_BP
    purse.give(draws_fen - own_fen)
    if own is not None and own_fen:
        own.give(own_fen)
    return draws_fen
