"""Books that agree with one another and are wrong all the same: somebody else's debt, a debt that
nobody has, money that went out for another draw. Each is told by the rule that is meant."""

from collections.abc import Callable, Iterator

import pytest

from harness.evidence.rows import Posting, Version
from harness.judge.judge import judge
from harness.judge.view import RunView
from tests.repaid_views import repaid
from tests.run_views import changed, clean

# Granted, paid by `own`; another draw that was granted, and one that was refused.
DRAW, BORROWER, OTHER = "key-000050", 51, 21
BY_PARTNER, REFUSED = "key-000051", "key-000047"


def found(view: RunView) -> dict[int, str]:
    """The first text of each rule that is breached."""
    return {f.rule: str(f.first) for f in judge(view).parts.audit if f.verdict == "breached"}


def _elsewhere(view: RunView) -> Iterator[Version]:
    """The draw's quota moved at another borrower's account, after what that had."""
    owed_fen = next(v for v in reversed(view.versions) if v.account == f"borrower:{OTHER}")
    for one in view.versions:
        if one.account != f"borrower:{BORROWER}":
            yield one
        else:
            yield one._replace(
                account=f"borrower:{OTHER}",
                version=one.version + 2,
                outstanding_fen=(one.outstanding_fen or 0) + (owed_fen.outstanding_fen or 0),
            )


def _booked_on_another(view: RunView) -> RunView:
    mine, theirs = f"borrower:{BORROWER}:", f"borrower:{OTHER}:"
    postings = [p._replace(account=p.account.replace(mine, theirs)) for p in view.postings]
    return changed(view, versions=list(_elsewhere(view)), postings=postings)


def _without_quota(view: RunView, counter: str) -> RunView:
    """The money left, and no borrower owes it: it is put down in another account."""
    mine = f"borrower:{BORROWER}"

    def posted() -> Iterator[Posting]:
        for one in view.postings:
            if one.account == f"{mine}:outstanding":
                yield one._replace(account=counter)
            elif not one.account.startswith(f"{mine}:"):
                yield one

    versions = [v for v in view.versions if v.account != mine]
    return changed(view, versions=versions, postings=list(posted()))


def _owed_by_nobody(view: RunView) -> RunView:
    return _without_quota(view, "suspense:available")


def _owed_between_tiers(view: RunView) -> RunView:
    return _without_quota(view, "settlement:own:payable")


def _paid_for_another_draw(view: RunView) -> RunView:
    payouts = [p._replace(draw_key=REFUSED) if p.draw_key == DRAW else p for p in view.payouts]
    return changed(view, payouts=payouts)


def _paid_again_for_a_refused_draw(view: RunView) -> RunView:
    """One key at two banks, and by the second one's book for a draw that was refused."""
    mine = next(p for p in view.payouts if p.draw_key == BY_PARTNER)
    again = mine._replace(bank="bank.own", draw_key=REFUSED)
    return changed(view, payouts=(*view.payouts, again))


def _other_purpose(view: RunView) -> RunView:
    draws = [d._replace(purpose="travel") if d.draw_key == DRAW else d for d in view.draws]
    return changed(view, draws=draws)


def _no_money_and_paid(view: RunView) -> RunView:
    """Told twice that nothing happened for want of money, or else; and the money moved."""
    mine = next(one for one in view.attempts if one.intent == 50)
    told = mine._replace(
        outcome="refused", status=409, cause="liquidity", hop="ledger", reason="no-money"
    )
    shed = mine._replace(n=2, outcome="failed", status=503, cause="system", hop="gateway")
    others = [one for one in view.attempts if one.intent != 50]
    return changed(view, attempts=[*others, told, shed])


@pytest.mark.parametrize(
    ("plant", "rule", "words"),
    [
        (_booked_on_another, 6, f"{DRAW}.own.1: moved the quota of another borrower"),
        (_owed_by_nobody, 6, "suspense:available: 15000 fen in an account that is nobody's"),
        (_owed_between_tiers, 6, "settlement:own: 15000 fen off what others paid for own"),
        (_paid_for_another_draw, 7, f"{DRAW}.own.1: paid for another draw"),
        (_paid_again_for_a_refused_draw, 3, f"{BY_PARTNER}.partner-a.1: paid for several draws"),
        (_other_purpose, 2, f"{DRAW}: not what was asked for"),
        (_no_money_and_paid, 9, f"{DRAW}: told each time that there was no money, and paid"),
    ],
)
def test_books_that_agree_and_are_wrong(
    plant: Callable[[RunView], RunView], rule: int, words: str
) -> None:
    wrong = plant(clean())
    assert judge(clean()).verdict == judge(repaid()).verdict == "held"
    assert words in found(wrong).get(rule, ""), found(wrong)
    assert judge(wrong).verdict == "breached"


def test_moves_of_a_try_that_is_not_there_are_told() -> None:
    view = clean()
    row = next(v for v in view.versions if v.account == f"borrower:{BORROWER}")
    ghost = [
        row._replace(draw_key=REFUSED, version=3, event="reserve", outstanding_fen=15_000,
                     held_fen=14_700, locked_ns=row.locked_ns + 10**9),
        row._replace(draw_key=REFUSED, version=4, event="void", outstanding_fen=15_000, held_fen=0,
                     locked_ns=row.locked_ns + 2 * 10**9),
    ]  # fmt: skip
    postings = [
        Posting(REFUSED, 1, event, f"{row.account}:{side}", sign * 14_700, row.locked_ns + later_ns)
        for event, later_ns, way in (("reserve", 10**9, 1), ("void", 2 * 10**9, -1))
        for side, sign in (("available", -way), ("held", way))
    ]
    told = found(
        changed(view, versions=[*view.versions, *ghost], postings=[*view.postings, *postings])
    )
    assert told[6].startswith(f"a try that is not there of {REFUSED} try 1: moved the quota")
