"""What may be drawn from a tier in an hour and in a day, replayed from the ledger's versions.

Shares no code with the lender: the calendar is the scenario's, and so are the limits (see
harness.judge.agreed_limits).

A reservation counts in the hour and the day in which its slice was locked; one that is void counts
no more there.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from harness.clock import NS_PER_S
from harness.judge.agreed_limits import agreed_limits
from harness.judge.view import RunView

SPANS = ("hour", "day")
# Every change of what is held by a draw, and when the same was reserved; what a draw gives back
# comes first of two at one moment.
USES = """
WITH moves AS (
    SELECT account, event, draw_key, "try", locked_ns,
        coalesce(lag(balance_fen) OVER (PARTITION BY account ORDER BY version), 0)
            - coalesce(balance_fen, 0) AS fen
    FROM versions WHERE starts_with(account, 'tier:')
), reserved AS (
    SELECT account, draw_key, "try", min(locked_ns) AS since_ns FROM moves
    WHERE event = 'reserve' GROUP BY ALL
)
SELECT split_part(split_part(m.account, ':', 2), '/', 1) AS tier, m.locked_ns, m.fen,
    coalesce(r.since_ns, m.locked_ns) AS since_ns, m.draw_key, m.account
FROM moves m LEFT JOIN reserved r
    ON r.account = m.account AND r.draw_key = m.draw_key AND r."try" = m."try"
WHERE m.event IN ('reserve', 'void')
ORDER BY m.locked_ns, m.fen, m.account, m.draw_key
"""


@dataclass(frozen=True, slots=True)
class Use:
    """A draw has taken so much of a tier at a moment, or given it back (below zero): of the hour
    and day of since_ns. account: of the part of the tier that it was."""

    at_ns: int
    fen: int
    since_ns: int
    draw_key: str
    account: str


class Limits:
    """Of the tiers that have any, in one run."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        calendar = view.scenario.lender.calendar
        hour_ns = round(calendar.hour_s * NS_PER_S)
        self._span_ns = {"hour": hour_ns, "day": hour_ns * calendar.day_hours}
        self._limits: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
        for tier, changes in agreed_limits(view).items():
            for from_ns, limits in changes:
                for span, limit_fen in zip(SPANS, limits, strict=True):
                    self._limits[tier, span].append((from_ns, limit_fen))
        limited = (key[0] for key, rows in self._limits.items() if _any(rows))
        self.tiers = frozenset(limited)

    def __bool__(self) -> bool:
        return bool(self.tiers)

    def window(self, span: str, at_ns: int) -> int:
        """Which hour or day a moment is in, counted from t = 0."""
        return (at_ns - self._view.t0_ns) // self._span_ns[span]

    def limit_fen(self, tier: str, span: str, at_ns: int) -> int | None:
        """What may be drawn in a span at a moment; None: any amount."""
        rows = self._limits[tier, span]
        known = bisect_right([from_ns for from_ns, _ in rows], at_ns)
        return rows[max(0, known - 1)][1] if rows else None

    @cached_property
    def uses(self) -> Mapping[str, list[Use]]:
        """By tier, in order of their moments."""
        found: dict[str, list[Use]] = defaultdict(list)
        for tier, *use in self._view.books.ask(USES) if self.tiers else ():
            if tier in self.tiers:
                found[tier].append(Use(*use))
        return found

    @cached_property
    def _sums(self) -> Mapping[tuple[str, str, int], tuple[list[int], list[int]]]:
        """By tier, span and window: moments, and what counts from each of them on. The same by
        the account of each part."""
        found: dict[tuple[str, str, int], tuple[list[int], list[int]]] = defaultdict(
            lambda: ([], [0])
        )
        for tier, uses in self.uses.items():
            for use in uses:
                for name, span in product((tier, use.account), SPANS):
                    times, sums = found[name, span, self.window(span, use.since_ns)]
                    times.append(use.at_ns)
                    sums.append(sums[-1] + use.fen)
        return found

    def used_fen(self, tier: str, span: str, at_ns: int) -> int:
        """What counts at a moment in its hour, or day, of a tier or the account of a part."""
        key = (tier, span, self.window(span, at_ns))
        if key not in self._sums:
            return 0
        times, sums = self._sums[key]
        return sums[bisect_right(times, at_ns)]

    def room_fen(self, tier: str, at_ns: int) -> int | None:
        """What a tier could still give at a moment within its limits; None: any amount."""
        if tier not in self.tiers:
            return None
        rooms = []
        for span in SPANS:
            limit_fen = self.limit_fen(tier, span, at_ns)
            if limit_fen is not None:
                rooms.append(max(0, limit_fen - self.used_fen(tier, span, at_ns)))
        return min(rooms, default=None)

    def within(self, tier: str, money_fen: int, at_ns: int) -> int:
        """So much of a tier's money as its limits leave at a moment."""
        room_fen = self.room_fen(tier, at_ns)
        return money_fen if room_fen is None else min(money_fen, room_fen)

    def low_fen(self, tier: str, from_ns: int, to_ns: int) -> int | None:
        """The least that its limits left it at some moment of [from, to]; None: any amount."""
        if tier not in self.tiers:
            return None
        moments = {from_ns, to_ns}
        moments.update(self._moments[tier][slice(*self._between(tier, from_ns, to_ns))])
        rooms = [self.room_fen(tier, at_ns) for at_ns in moments]
        return min((room for room in rooms if room is not None), default=None)

    def part_low_fen(self, account: str, parts: int, from_ns: int, to_ns: int) -> int | None:
        """The least that its limits left to one of so many parts that are kept apart, at some
        moment of [from, to]; None: any amount.

        Of a limit each has a share alike, until the limit changes: what is left is dealt out anew
        then, and for the rest of that hour, and of that day, nobody else knows how.
        """
        tier = account.partition(":")[2].partition("/")[0]
        if tier not in self.tiers:
            return None
        moments = {from_ns, to_ns}
        moments.update(self._moments[tier][slice(*self._between(tier, from_ns, to_ns))])
        rooms = [self._part_room_fen(tier, account, parts, at_ns) for at_ns in moments]
        return min((room for room in rooms if room is not None), default=None)

    def _part_room_fen(self, tier: str, account: str, parts: int, at_ns: int) -> int | None:
        rooms = []
        for span in SPANS:
            limit_fen = self.limit_fen(tier, span, at_ns)
            if limit_fen is None:
                continue
            changes = (from_ns for from_ns, _ in self._limits[tier, span][1:] if from_ns <= at_ns)
            if any(self.window(span, one) == self.window(span, at_ns) for one in changes):
                return 0
            rooms.append(max(0, limit_fen // parts - self.used_fen(account, span, at_ns)))
        return min(rooms, default=None)

    @cached_property
    def _moments(self) -> Mapping[str, list[int]]:
        """By tier: when what its limits leave may have become less."""
        return {
            tier: sorted(
                {use.at_ns for use in self.uses.get(tier, ()) if use.fen > 0}
                | {from_ns for span in SPANS for from_ns, _ in self._limits[tier, span]}
            )
            for tier in self.tiers
        }

    def _between(self, tier: str, from_ns: int, to_ns: int) -> tuple[int, int]:
        moments = self._moments[tier]
        return bisect_right(moments, from_ns), bisect_right(moments, to_ns)


def _any(rows: Iterable[tuple[int, int | None]]) -> bool:
    """Is there a limit at any time?"""
    return any(fen is not None for _, fen in rows)
