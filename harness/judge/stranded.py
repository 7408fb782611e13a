"""Money that lay in other tiers while a draw was refused for lack of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.evidence.rows import DRAWING, Attempt, Version
from harness.judge.funding import Funds, funds_of, split, tier_of
from harness.judge.view import RunView


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
    """Draws refused for lack of money although a lawful split of what the tiers had, and of those
    that could be used, covered them at the decision: as many, and their money.

    Over all scheduled draws that were told `no money`; the decision is dated by the ledger, or by
    the answer where another decision has followed. Null when attempts or books are not all there.
    """
    funds = funds_of(view)
    if funds is None or "attempts" in (*view.missing, *view.cut):
        return None
    told: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind=DRAWING, outcome="refused", cause="liquidity"):
        told[attempt.intent].append(attempt)
    refused = list(view.intents.where(intent=list(told)))
    keys = {intent.draw_key for intent in refused}
    decided_ns = {one.draw_key: one.decided_ns for one in view.draws if one.draw_key in keys}
    moments = [
        (_decided_ns(attempt, decided_ns.get(intent.draw_key)), intent.intent, intent.amount_fen)
        for intent in refused
        for attempt in told[intent.intent]
    ]
    covered, idle_fen = _covered(view.versions, funds, sorted(moments))
    return Stranded(
        refused=len(refused),
        draws=len(covered),
        amount_fen=sum(covered.values()),
        idle_fen=idle_fen,
    )


def _decided_ns(attempt: Attempt, ledger_ns: int | None) -> int:
    """The ledger keeps its last decision on a draw, which may be that of a later attempt."""
    sent_ns = attempt.sent_ns or attempt.scheduled_ns
    done_ns = attempt.done_ns or sent_ns
    return ledger_ns if ledger_ns is not None and sent_ns <= ledger_ns <= done_ns else done_ns


def _covered(
    versions: Iterable[Version], funds: Funds, moments: Sequence[tuple[int, int, int]]
) -> tuple[Mapping[int, int], int]:
    """Of (at_ns, intent, amount_fen): the amounts of those that were covered, by intent, and the
    most that was idle then."""
    given = funds.given()
    covered: dict[int, int] = {}
    idle_fen = 0
    balances = balances_at(versions, funds, [at_ns for at_ns, _, _ in moments])
    for (at_ns, intent, amount_fen), balance in zip(moments, balances, strict=True):
        money = {tier: balance.get(tier, 0) for tier in given(at_ns)}
        if split(money, funds.own_bp, amount_fen) is not None:
            covered[intent] = amount_fen
            idle_fen = max(idle_fen, sum(money.values()))
    return covered, idle_fen


def balances_at(
    versions: Iterable[Version], funds: Funds, moments: Sequence[int]
) -> Iterator[Mapping[str, int]]:
    """What each tier had not yet held or paid, at each of these moments, which rise; fen.

    A slice without a version has nothing of its own yet; a tier without any is as it was opened.
    """
    if not moments:
        return
    rows = sorted(
        (one for one in versions if one.account.startswith("tier:")),
        key=lambda one: (one.locked_ns, one.account, one.version),
    )
    known = {tier_of(one.account) for one in rows}
    sums = Counter({tier: fen for tier, fen in funds.opening_fen.items() if tier not in known})
    slices: Counter[str] = Counter()
    place = 0
    for at_ns in moments:
        while place < len(rows) and rows[place].locked_ns <= at_ns:
            row = rows[place]
            now_fen = row.balance_fen or 0
            sums[tier_of(row.account)] += now_fen - slices[row.account]
            slices[row.account] = now_fen
            place += 1
        yield dict(sums)
