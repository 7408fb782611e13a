"""Money that lay in other tiers while a draw was refused for lack of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.evidence.rows import DRAWING, Attempt
from harness.judge.funding import COMMIT_NS, Funds, funds_of, split
from harness.judge.limits import Limits
from harness.judge.view import RunView

SLICES = """
SELECT locked_ns, account, coalesce(balance_fen, 0) FROM versions
WHERE starts_with(account, 'tier:') ORDER BY locked_ns, account, version
"""


@dataclass(frozen=True, slots=True)
class Stranded:
    """refused: draws that were told at least once that there is no money. draws, amount_fen: those
    of them that a lawful split of the tiers covered at that very decision. idle_fen: the most that
    lay in the tiers at such a moment."""

    refused: int
    draws: int
    amount_fen: int
    idle_fen: int


def stranded(view: RunView) -> Stranded | None:
    """Draws refused for lack of money although a lawful split of what the tiers had, of those that
    could be used, covered them: as many, and their money.

    Over all scheduled draws that were told `no money`. Covered when it was asked for, and still at
    the decision: money that came in between is not held against anybody. Null when attempts or
    books are not all there.
    """
    funds = funds_of(view)
    if funds is None or "attempts" in (*view.missing, *view.cut):
        return None
    told: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind=DRAWING, outcome="refused", cause="liquidity"):
        told[attempt.intent].append(attempt)
    refused = list(view.intents.where(intent=list(told)))
    draws = view.draws.where(draw_key=[intent.draw_key for intent in refused])
    decided_ns = dict(draws.columns("draw_key", "decided_ns"))
    asked = [
        (intent, _span_ns(attempt, decided_ns.get(intent.draw_key)))
        for intent in refused
        for attempt in told[intent.intent]
    ]
    money = _money(view, funds, sorted({at_ns for _, span in asked for at_ns in span}))
    idle: dict[int, int] = {}
    for intent, span in asked:
        if all(split(money[at], funds.own_bp, intent.amount_fen) is not None for at in span):
            least_fen = min(sum(money[at_ns].values()) for at_ns in span)
            idle[intent.intent] = max(idle.get(intent.intent, 0), least_fen)
    return Stranded(
        refused=len(refused),
        draws=len(idle),
        amount_fen=sum(intent.amount_fen for intent in refused if intent.intent in idle),
        idle_fen=max(idle.values(), default=0),
    )


def _span_ns(attempt: Attempt, ledger_ns: int | None) -> tuple[int, int]:
    """When it was asked for, less what a commit may take, and when that was decided. The ledger
    keeps its last decision on a draw; where that was of a later attempt, the answer dates it."""
    sent_ns = attempt.sent_ns or attempt.scheduled_ns
    done_ns = attempt.done_ns or sent_ns
    known = ledger_ns is not None and sent_ns <= ledger_ns <= done_ns
    return sent_ns - COMMIT_NS, ledger_ns if ledger_ns is not None and known else done_ns


def _money(view: RunView, funds: Funds, moments: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
    """What lay in each tier that could be used, within its limits, at each of these moments."""
    given = funds.given()
    slices = view.books.ask(SLICES) if moments else []
    limits = Limits(view)
    return {
        at_ns: {tier: limits.within(tier, balance.get(tier, 0), at_ns) for tier in given(at_ns)}
        for at_ns, balance in zip(moments, balances_at(slices, funds, moments), strict=True)
    }


def balances_at(
    slices: Iterable[Sequence[Any]], funds: Funds, moments: Sequence[int]
) -> Iterator[Mapping[str, int]]:
    """What each tier had not yet held or paid, at each of these moments, which rise; fen.

    slices: (locked_ns, account, balance_fen), which rise too. A slice without a version has nothing
    of its own yet; a tier without any is as it was opened.
    """
    rows = [(at_ns, account, tier_of(account), fen) for at_ns, account, fen in slices]
    known = {tier for _, _, tier, _ in rows}
    sums = Counter({tier: fen for tier, fen in funds.opening_fen.items() if tier not in known})
    before: Counter[str] = Counter()
    place = 0
    for at_ns in moments:
        while place < len(rows) and rows[place][0] <= at_ns:
            _, account, tier, fen = rows[place]
            sums[tier] += fen - before[account]
            before[account] = fen
            place += 1
        yield dict(sums)


def tier_of(account: str) -> str:
    """`tier:own/3` is a slice of `own`."""
    return account.partition(":")[2].partition("/")[0]
