"""What was agreed with partners, and what the law asks of it: parts of rule 5."""

from collections import defaultdict
from collections.abc import Iterator

from harness.judge.limits import SPANS, Limits, Use
from harness.judge.offences import Offences
from harness.judge.view import RunView

# Joint lending: of each loan the partner's funds are at least so many ten-thousandths, by the rule
# of 2021-02-20, in force since 2022-01-01. A scenario with a rules file has its own dates.
PARTNER_LEAST_BP = 3_000

SHARES = """
SELECT t.payout_key, t.own_fen, s.agreed_fen FROM tries t
LEFT JOIN {draws} d USING (draw_key)
LEFT JOIN {tiers} b ON b.tier = t.tier,
LATERAL (SELECT coalesce(d.amount_fen, 0) * coalesce(b.own_bp, 0) // 10000 AS agreed_fen) s
WHERE t.own_fen <> s.agreed_fen
    OR t.own_fen > 0 AND (coalesce(d.amount_fen, 0) - t.own_fen) * 10000 < d.amount_fen * $least_bp
ORDER BY t.draw_key, t."try", t.tier, t.slice, t.own_slice, t.own_fen, t.payout_key
"""


def check_shares(view: RunView, found: Offences) -> None:
    """5: own funds take of a joint draw what was agreed, and the partner has what the law asks."""
    question = SHARES.format(
        draws=view.books.single("draws", "draw_key"), tiers=view.books.single("tiers", "tier")
    )
    least = {"least_bp": 0 if view.scenario.lender.law.rules else PARTNER_LEAST_BP}
    for payout_key, own_fen, agreed_fen in view.books.ask(question, least):
        text = f"{payout_key}: own part {own_fen} fen, agreed are {agreed_fen}"
        if own_fen == agreed_fen:
            text = f"{payout_key}: an own part of {own_fen} fen leaves the partner less than 30 %"
        found.add(own_fen - agreed_fen, text)


def check_limits(view: RunView, found: Offences) -> None:
    """5: no reservation exceeds what may be drawn from its tier in its hour, in its day. Of each
    hour or day the first is told."""
    for tier, span, use, over_fen, window in _exceeded(Limits(view)):
        text = f"tier:{tier}: {over_fen} fen over the limit of {span} {window} by {use.draw_key}"
        found.add(over_fen, text)


def _exceeded(limits: Limits) -> Iterator[tuple[str, str, Use, int, int]]:
    for tier in sorted(limits.uses):
        told: set[tuple[str, int]] = set()
        used: dict[tuple[str, int], int] = defaultdict(int)
        for use in limits.uses[tier]:
            for span in SPANS:
                window = limits.window(span, use.since_ns)
                used[span, window] += use.fen
                limit_fen = limits.limit_fen(tier, span, use.at_ns)
                over_fen = used[span, window] - (limit_fen or 0)
                if use.fen <= 0 or limit_fen is None or over_fen <= 0 or (span, window) in told:
                    continue
                told.add((span, window))
                yield tier, span, use, over_fen, window
