"""Was there money? Tier balances, replayed from the ledger's versions; the lender's allocator is
not asked.

A broken draw is *unfunded* when, in due order, the draws before it had a claim to what there was:
every lawful promised draw claims its amount, one that was paid what it was paid from, another one
that could have been paid the money of a lawful split. What is left at its decision, of all tiers
that could be used then, does not cover it in any lawful split: nobody could have kept it.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.columnar import Columns
from harness.evidence.derived import arrow_table
from harness.evidence.rows import Tier
from harness.judge.ends import Ends
from harness.judge.limits import SPANS, Limits
from harness.judge.view import RunView

OWN = "own"
WHOLE_BP = 10_000
# Versions are dated by their locks and seen by others at the commit, a few ms later with a standby:
# what came less than this before a decision need not have been there for it.
COMMIT_NS = NS_PER_S // 10
NEEDED = frozenset({"draws", "tries", "versions", "tiers"})

Money = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Funds:
    """What the tiers had, but for draws; fen by tier.

    own_bp: of each draw through a tier, the ten-thousandths that `own` takes.
    changes: what was given to a tier since its opening, or taken from it: (at_ns, tier, fen).
    outs: (at_ns, tier, 1) from when it could not be used, -1 when it could again. limits: what may
    be drawn in an hour and a day; None: any amount.
    """

    opening_fen: Money
    own_bp: Money
    changes: tuple[tuple[int, str, int], ...] = ()
    outs: tuple[tuple[int, str, int], ...] = ()
    limits: Limits | None = None

    def given(self) -> Callable[[int], Money]:
        """What there would be at a moment without any draw, of tiers that can be used then."""
        given, out = Counter(self.opening_fen), Counter[str]()
        times, snapshots = [], [_usable(given, out)]
        moves = [(at_ns, 0, tier, fen) for at_ns, tier, fen in self.changes]
        moves += [(at_ns, 1, tier, step) for at_ns, tier, step in self.outs]
        for at_ns, kind, tier, amount in sorted(moves):
            if kind:
                out[tier] = max(0, out[tier] + amount)
            else:
                given[tier] += amount
            times.append(at_ns)
            snapshots.append(_usable(given, out))
        return lambda at_ns: snapshots[bisect_right(times, at_ns)]

    @property
    def least_fen(self) -> int:
        """What one tier, which pays alone, had at least at any moment; 0 when any was ever out, or
        has limits."""
        if self.outs or self.limits:
            return 0
        found = 0
        for tier, opening_fen in self.opening_fen.items():
            if tier == OWN or not self.own_bp.get(tier, 0):
                least_fen = now_fen = opening_fen
                for _, _, fen in sorted(move for move in self.changes if move[1] == tier):
                    now_fen += fen
                    least_fen = min(least_fen, now_fen)
                found = max(found, least_fen)
        return found


def _usable(given: Money, out: Money) -> Money:
    return {tier: fen for tier, fen in given.items() if out.get(tier, 0) <= 0}


def split(money: Money, own_bp: Money, amount_fen: int) -> Money | None:
    """What each tier gives to a draw of this amount; None: no lawful split of them covers it.

    A partner pays at most what it has, with `own` taking its agreed part, rounded down; `own` pays
    the rest alone. Partners who ask the least of `own` come first, for its money goes with all.
    Exact with one joint partner; with more it may miss a fen a partner.
    """
    left_fen, own_fen = amount_fen, max(0, money.get(OWN, 0))
    taken: Counter[str] = Counter()
    for tier in sorted(money, key=lambda name: (own_bp.get(name, 0), name)):
        if tier == OWN or left_fen <= 0:
            continue
        share_bp = own_bp.get(tier, 0)
        part_fen = min(left_fen, _most_fen(max(0, money[tier]), own_fen, share_bp))
        joined_fen = part_fen * share_bp // WHOLE_BP
        taken[tier] += part_fen - joined_fen
        taken[OWN] += joined_fen
        own_fen -= joined_fen
        left_fen -= part_fen
    if left_fen > own_fen:
        return None
    taken[OWN] += left_fen
    return taken


def _most_fen(has_fen: int, own_fen: int, share_bp: int) -> int:
    """The largest draw through a partner that has so much, with so much of `own`."""
    if not share_bp:
        return has_fen
    by_own_fen = ((own_fen + 1) * WHOLE_BP - 1) // share_bp
    if share_bp >= WHOLE_BP:
        return by_own_fen
    return min(has_fen * WHOLE_BP // (WHOLE_BP - share_bp), by_own_fen)


def left_of(money: Money, claimed: Money, own_bp: Money) -> Money:
    """What claims leave of the tiers' money. One that exceeds what its tier has is met by others:
    a draw before it that broke could have been paid from those."""
    left = {tier: fen - claimed.get(tier, 0) for tier, fen in money.items()}
    over_fen = sum(-fen for fen in left.values() if fen < 0)
    # What was claimed from tiers that can't be used now is gone with them.
    left = {tier: max(0, fen) for tier, fen in left.items()}
    if not over_fen:
        return left
    met = split(left, own_bp, over_fen)
    if met is None:
        return dict.fromkeys(left, 0)
    return {tier: fen - met.get(tier, 0) for tier, fen in left.items()}


@dataclass(frozen=True, slots=True)
class Claim:
    """A lawful promised draw. paid: what it was paid from, None when it was not; decided_ns: when
    the lender decided, or its due time."""

    amount_fen: int
    decided_ns: int
    paid: Money | None


def unfunded(
    funds: Funds, claims: Iterable[Claim], others: Iterable[tuple[int, Money]]
) -> list[bool]:
    """By claim, in due order: could no lawful split of any tiers cover it?

    others: what was paid to draws that had no claim: (when it was held, what from).
    """
    given = funds.given()
    others = list(others)
    times, gone = _sums(others)
    claimed: Counter[str] = Counter()
    drawn = _Drawn(funds.limits, others)
    found = []
    for claim in claims:
        if claim.paid is not None:
            claimed.update(claim.paid)
            drawn.add(claim.decided_ns, claim.paid)
            found.append(False)
            continue
        taken = Counter(claimed)
        taken.update(gone[bisect_right(times, claim.decided_ns)])
        ways = []
        for at_ns in (claim.decided_ns - COMMIT_NS, claim.decided_ns):
            left = drawn.within(left_of(given(at_ns), taken, funds.own_bp), at_ns)
            ways.append(split(left, funds.own_bp, claim.amount_fen))
        covered = None not in ways
        if covered:
            claimed.update(ways[-1] or {})
            drawn.add(claim.decided_ns, ways[-1] or {})
        found.append(not covered)
    return found


class _Drawn:
    """What counts against the limits of each hour and day, as claims are looked at."""

    def __init__(self, limits: Limits | None, others: Iterable[tuple[int, Money]]) -> None:
        self._limits = limits or None
        self._fen: Counter[tuple[str, str, int]] = Counter()
        for at_ns, parts in others:
            self.add(at_ns, parts)

    def add(self, at_ns: int, parts: Money) -> None:
        if self._limits is not None:
            for span in SPANS:
                window = self._limits.window(span, at_ns)
                self._fen.update({(tier, span, window): fen for tier, fen in parts.items()})

    def within(self, money: Money, at_ns: int) -> Money:
        """So much of it as the limits leave at a moment."""
        return {tier: min([fen, *self._rooms(tier, at_ns)]) for tier, fen in money.items()}

    def _rooms(self, tier: str, at_ns: int) -> Iterator[int]:
        if self._limits is None:
            return
        for span in SPANS:
            limit_fen = self._limits.limit_fen(tier, span, at_ns)
            if limit_fen is not None:
                used_fen = self._fen[tier, span, self._limits.window(span, at_ns)]
                yield max(0, limit_fen - used_fen)


def _sums(others: Iterable[tuple[int, Money]]) -> tuple[list[int], list[Money]]:
    """What had gone by each of these moments."""
    times: list[int] = []
    sums: list[Money] = [{}]
    for at_ns, parts in sorted(others, key=lambda other: other[0]):
        times.append(at_ns)
        sums.append(Counter(sums[-1]) + Counter(parts))
    return times, sums


# What moved a tier's money after its opening, and was no draw's.
CHANGES = """
SELECT locked_ns, split_part(split_part(account, ':', 2), '/', 1), fen FROM (
    SELECT account, event, locked_ns, coalesce(balance_fen, 0)
        - coalesce(lag(balance_fen) OVER (PARTITION BY account ORDER BY version), 0) AS fen
    FROM versions WHERE starts_with(account, 'tier:')
) WHERE event NOT IN ('reserve', 'post', 'void', 'gather', 'opening') ORDER BY ALL
"""
MOVED = """
SELECT count(*) FROM versions WHERE starts_with(account, 'tier:')
    AND event NOT IN ('reserve', 'post', 'void', 'gather', 'opening')
"""
# More than all draws together can have asked of the tiers.
DEMAND = """
SELECT (SELECT coalesce(sum(amount_fen), 0) FROM intents)
    + (SELECT coalesce(sum(amount_fen), 0) FROM draws)
"""
CLAIMS = """
SELECT e.intent, e.draw_key, e.amount_fen, coalesce(d.decided_ns, e.due_ns)
FROM ends e LEFT JOIN {draws} d USING (draw_key)
WHERE e.promised AND e.lawful ORDER BY e.due_ns, e.intent
"""
PAID_FROM = """
SELECT t.draw_key, t.opened_ns, t.tier, d.amount_fen - t.own_fen, t.own_fen
FROM tries t JOIN {draws} d USING (draw_key) WHERE t.state = 'paid' ORDER BY ALL
"""
JUDGED = """
SELECT * REPLACE (
    CASE WHEN "end" NOT IN ('broken', 'broken_late') THEN NULL WHEN NOT lawful THEN false
    WHEN $known THEN intent NOT IN (SELECT intent FROM short) END AS avoidable
) FROM ends ORDER BY intent, amount_fen, due_ns
"""


def funds_of(view: RunView) -> Funds | None:
    """None when the tables that say it are not all there, or name no tier."""
    if NEEDED & {*view.missing, *view.cut} or not view.tiers:
        return None
    opening: dict[str, Tier] = {}
    for row in view.tiers:
        opening.setdefault(row.tier, row)
    (moved,) = view.books.one(MOVED)
    return Funds(
        opening_fen={tier: row.balance_fen for tier, row in opening.items()},
        own_bp={tier: row.own_bp for tier, row in opening.items()},
        changes=tuple(view.books.ask(CHANGES)) if moved else (),
        outs=tuple(
            (row.from_ns, row.tier, -1 if row.available else 1)
            for row in view.tiers
            if row.available is not None and row.from_ns is not None
        ),
        limits=Limits(view),
    )


def with_funding(view: RunView, ends: Ends) -> Ends:
    """The same ends, the broken ones with `avoidable`: False when no lawful split of any tiers
    covered the draw, or when the law had changed; None when the money is not known."""
    if not len(ends.broken):
        return ends
    funds = funds_of(view)
    short: list[int] = []
    # A tier that alone had all that could be asked has funded everything: nothing is replayed.
    if funds is not None and view.books.one(DEMAND)[0] > funds.least_fen:
        short = _short(view, ends, funds)
    table = Columns[object](arrow_table([(one,) for one in short], {"intent": "int64"}))
    return Ends(view.books.table(JUDGED, {"known": funds is not None}, ends=ends, short=table))


def _short(view: RunView, ends: Ends, funds: Funds) -> list[int]:
    """The intents that no lawful split covered."""
    draws = view.books.single("draws", "draw_key")
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    held_ns: dict[str, int] = {}
    for key, opened_ns, tier, fen, own_fen in view.books.ask(PAID_FROM.format(draws=draws)):
        parts[key].update({tier: fen})
        parts[key].update({OWN: own_fen})
        held_ns.setdefault(key, opened_ns)
    rows = view.books.ask(CLAIMS.format(draws=draws), ends=ends)
    claims = [Claim(amount_fen, decided, parts.get(key)) for _, key, amount_fen, decided in rows]
    keys = {key for _, key, _, _ in rows}
    others = [(held_ns[key], paid) for key, paid in parts.items() if key not in keys]
    found = unfunded(funds, claims, others)
    return [row[0] for row, is_short in zip(rows, found, strict=True) if is_short]
