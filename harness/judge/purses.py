"""What the tiers had, and when: could any of them have paid an amount at some time?"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from harness.clock import NS_PER_S
from harness.judge.limits import Limits
from harness.judge.view import RunView
from harness.scenario.terms import TierTerms

# Lows are kept by tenths of a second: a question is about seconds.
SPAN_NS = NS_PER_S // 10
BP = 10_000


MOVES = """
SELECT locked_ns, account, coalesce(balance_fen, 0) FROM versions
WHERE account LIKE 'tier:%' ORDER BY locked_ns, account, version
"""


class Purses:
    """The available money of every tier over the run, by the ledger's versions of its slices.

    A lender without `tier_fallthrough` asks one tier alone, one without `fine_allocation` one part
    of it: of those nobody else knows which it was.
    """

    def __init__(self, view: RunView) -> None:
        lender = view.scenario.lender
        self._anywhere, self._freely = lender.has("tier_fallthrough"), lender.has("fine_allocation")
        self._limits = Limits(view)
        self._terms = dict(lender.tier_terms)
        self._own_bp = {tier.tier: tier.own_bp for tier in view.tiers}
        self._purses = {tier: _Purse() for tier in self._own_bp}
        self._out: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for tier in view.tiers:
            if tier.available is not None:
                self._out[tier.tier].append((tier.from_ns, -1 if tier.available else 1))
        for locked_ns, account, balance_fen in view.books.ask(MOVES):
            purse = self._purses.get(account.partition(":")[2].partition("/")[0])
            if purse is not None:
                purse.moved(account, locked_ns, balance_fen)

    def cover(self, amount_fen: int, from_ns: int, to_ns: int) -> bool:
        """Could the tier that was asked have paid it all the time: some tier, or where nobody knows
        which it was, every one? Its own part of joint lending comes from the tier `own`; a tier
        that could not be used for a moment counts as one that could not pay."""
        enough = any if self._anywhere else all
        covered = [self._covers(tier, amount_fen, from_ns, to_ns) for tier in self._purses]
        return bool(covered) and enough(covered)

    def _covers(self, tier: str, amount_fen: int, from_ns: int, to_ns: int) -> bool:
        own_fen = amount_fen * self._own_bp[tier] // BP
        parts = [(tier, amount_fen - own_fen), *([("own", own_fen)] if own_fen else [])]
        return all(
            name in self._purses
            and not self._is_out(name, from_ns, to_ns)
            and self._low_fen(name, from_ns, to_ns) >= part_fen
            for name, part_fen in parts
        )

    def _low_fen(self, tier: str, from_ns: int, to_ns: int) -> int:
        """The least that it could give, within its limits; of parts that are kept apart, the
        poorest."""
        purse = self._purses[tier]
        if self._freely:
            low_fen = purse.low_fen(from_ns, to_ns)
            room_fen = self._limits.low_fen(tier, from_ns, to_ns)
            return low_fen if room_fen is None else min(low_fen, room_fen)
        # One that never had any money has no version.
        number = max(len(purse.parts), self._terms.get(tier, TierTerms()).parts)
        lows = []
        for account, part in purse.parts.items():
            room_fen = self._limits.part_low_fen(account, number, from_ns, to_ns)
            low_fen = part.low_fen(from_ns, to_ns)
            lows.append(low_fen if room_fen is None else min(low_fen, room_fen))
        return min(lows, default=0)

    def _is_out(self, tier: str, from_ns: int, to_ns: int) -> bool:
        """Out at some moment of [from, to]? Of outages that overlap the last end is the end."""
        outages = 0
        for at_ns, step in sorted(self._out[tier]):
            if at_ns > to_ns:
                break
            if outages and at_ns >= from_ns:
                return True
            outages = max(0, outages + step)
        return outages > 0


class _Purse:
    """One tier's money, all its slices together, and each of them, or one slice's."""

    def __init__(self) -> None:
        self._slices: dict[str, int] = {}
        self.parts: dict[str, _Purse] = {}
        self._total_fen = 0
        self._moments: list[int] = []
        self._totals: list[int] = []
        self._lows: dict[int, int] = {}

    def moved(self, account: str, at_ns: int, balance_fen: int) -> None:
        """In order of time."""
        if account:
            self.parts.setdefault(account, _Purse()).moved("", at_ns, balance_fen)
        self._total_fen += balance_fen - self._slices.get(account, 0)
        self._slices[account] = balance_fen
        self._moments.append(at_ns)
        self._totals.append(self._total_fen)
        span = at_ns // SPAN_NS
        self._lows[span] = min(self._total_fen, self._lows.get(span, self._total_fen))

    def low_fen(self, from_ns: int, to_ns: int) -> int:
        """The least it had in [from, to], to the tenth of a second; 0 before its first version."""
        known = bisect_right(self._moments, from_ns)
        before_fen = self._totals[known - 1] if known else 0
        spans: Sequence[int] = range(from_ns // SPAN_NS, to_ns // SPAN_NS + 1)
        return min([before_fen, *(self._lows[span] for span in spans if span in self._lows)])
