"""The two views of a draw: every intent in one cell, and the cells that are wrong are named."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.judge import judge, measure
from harness.judge.truth import BOOKS, TOLD, WRONG, told_of, truth
from harness.judge.view import RunView
from tests.run_views import broken, changed, clean

KEY = "key-000004"


def _matrix(view: RunView) -> Counter[tuple[str, str]]:
    found = truth(view)
    assert found is not None
    assert [(cell.told, cell.books) for cell in found.cells] == [
        (told, books) for told in TOLD for books in BOOKS
    ]
    assert sum(cell.draws for cell in found.cells) == len(view.intents)
    assert sum(cell.amount_fen for cell in found.cells) == sum(view.intents.column("amount_fen"))
    return Counter({(cell.told, cell.books): cell.draws for cell in found.cells if cell.draws})


def _told(view: RunView, outcome: str, **more: Any) -> RunView:
    """The borrower of KEY was told something else."""
    attempts = tuple(
        a._replace(outcome=outcome, **more) if a.intent == 4 else a for a in view.attempts
    )
    return changed(view, attempts=attempts)


def test_a_clean_run_has_two_cells_and_none_is_wrong() -> None:
    found = _matrix(clean())
    assert found == {("granted", "paid_once"): 389, ("refused", "not_paid"): 21}
    parts = measure(clean())
    assert parts.truth is not None
    assert (parts.truth.untrue, parts.truth.wrong) == (0, ())


def test_an_unknown_draw_is_as_the_books_say() -> None:
    assert _matrix(broken(clean(), range(3, 6)))["unknown", "not_paid"] == 3
    assert _matrix(_told(clean(), "unknown"))["unknown", "paid_once"] == 1
    assert ("unknown", "paid_once") not in WRONG


@pytest.mark.parametrize(
    ("told", "more", "words"),
    [
        ("failed", {"status": 503}, "told failed, but money moved"),
        ("refused", {"status": 403, "cause": "risk"}, "told refused, but money moved"),
        ("dropped", {"sent_ns": None, "done_ns": None}, "never asked, but money moved"),
    ],
)
def test_money_moved_that_the_borrower_was_told_had_not(
    told: str, more: dict[str, Any], words: str
) -> None:
    verdict = judge(_told(clean(), told, **more))
    found = verdict.value["truth"]
    assert (found["untrue"], [cell["wrong"] for cell in found["wrong"]]) == (1, [words])
    assert (found["wrong"][0]["first"], found["wrong"][0]["amount_fen"]) == (KEY, 10_400)


def test_told_granted_but_no_row() -> None:
    view = clean()
    gone = changed(
        view,
        draws=tuple(d for d in view.draws if d.draw_key != KEY),
        tries=tuple(t for t in view.tries if t.draw_key != KEY),
        payouts=tuple(p for p in view.payouts if p.draw_key != KEY),
        versions=tuple(v for v in view.versions if v.draw_key != KEY),
    )
    assert _matrix(gone)["granted", "no_row"] == 1
    assert judge(gone).value["truth"]["wrong"][0]["wrong"] == "told granted, but no row"
    voided = tuple(d._replace(state="voided") if d.draw_key == KEY else d for d in view.draws)
    unpaid = changed(
        view,
        draws=voided,
        tries=tuple(t._replace(state="voided") if t.draw_key == KEY else t for t in view.tries),
        payouts=tuple(p for p in view.payouts if p.draw_key != KEY),
    )
    assert _matrix(unpaid)["granted", "not_paid"] == 1


def test_paid_twice_by_the_ledger_or_by_the_banks() -> None:
    view = clean()
    payout = next(p for p in view.payouts if p.draw_key == KEY)
    again = changed(view, payouts=(*view.payouts, payout._replace(payout_key="another")))
    assert _matrix(again)["granted", "paid_twice"] == 1
    one = next(t for t in view.tries if t.draw_key == KEY)
    twice = changed(view, tries=(*view.tries, one._replace(try_=2, payout_key="another")))
    assert _matrix(twice)["granted", "paid_twice"] == 1


def test_a_hold_that_is_left_is_an_orphan() -> None:
    view = broken(clean(), range(4, 5))
    kept = [v for v in view.versions if (v.account, v.event) != ("borrower:5", "void")]
    assert len(kept) == len(view.versions) - 1
    forgotten = changed(view, versions=kept)
    assert _matrix(forgotten)["unknown", "orphan_hold"] == 1
    paying = tuple(t._replace(state="paying") if t.draw_key == KEY else t for t in view.tries)
    assert _matrix(changed(view, tries=paying))["unknown", "orphan_hold"] == 1


def test_who_was_never_answered_was_told_nothing() -> None:
    view = clean()
    attempts = tuple(a for a in view.attempts if a.intent != 7)
    assert _matrix(changed(view, attempts=attempts))["nothing", "not_paid"] == 1


@pytest.mark.parametrize("table", ["attempts", "draws", "tries", "versions", "payouts"])
def test_without_one_of_the_views_there_is_no_matrix(table: str) -> None:
    assert truth(changed(clean(), missing=(table,))) is None
    assert truth(changed(clean(), cut=(table,))) is None


def test_no_matrix_is_null_in_the_verdict() -> None:
    assert judge(changed(clean(), cut=("payouts",))).value["truth"] is None


def _said(*answers: tuple[str, str, str | None]) -> str | None:
    """What a borrower is left with after (kind, outcome, reason), one after the other."""
    return told_of([(1, *answer) for answer in answers]).get(1)


def test_what_a_borrower_is_left_with() -> None:
    unknown, failed = ("press", "unknown", None), ("press", "failed", "connect")
    granted, voided = ("poll", "granted", None), ("poll", "failed", "voided")
    lost_poll, no_money = ("poll", "failed", "connect"), ("press", "refused", "no-money")
    assert _said(unknown, failed) == "unknown"  # the second press speaks of itself alone
    assert _said(failed, unknown) == "unknown"
    assert _said(unknown, lost_poll) == "unknown"
    assert _said(unknown, voided) == "failed"
    assert _said(unknown, voided, unknown) == "unknown"
    assert _said(unknown, ("close", "failed", "closed")) == "failed"
    assert _said(unknown, ("press", "failed", "closed")) == "failed"
    assert _said(unknown, ("press", "failed", "voided")) == "unknown"
    assert _said(unknown, granted, failed) == "granted"
    assert _said(no_money, failed) == "failed"
    assert _said(failed, no_money) == "refused"
    assert _said(lost_poll) is None
    assert _said(("press", "dropped", None)) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["press", "poll", "close"]),
            st.sampled_from(["granted", "refused", "failed", "unknown", "dropped"]),
            st.sampled_from([None, "voided", "closed"]),
        ),
        max_size=5,
    )
)
def test_a_grant_is_never_forgotten_and_nothing_is_made_up(
    answers: list[tuple[str, str, str | None]],
) -> None:
    found = _said(*answers)
    outcomes = {outcome for _, outcome, _ in answers}
    assert (found == "granted") == ("granted" in outcomes)
    assert found is None or found in outcomes - {"dropped"}


BOOKED = st.tuples(
    st.booleans(),  # has the ledger a row?
    st.integers(0, 2),  # paid tries
    st.integers(0, 2),  # payouts
    st.booleans(),  # is a hold left open?
    st.sampled_from(["granted", "refused", "failed", "unknown", None]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(BOOKED, min_size=5, max_size=5))
def test_every_mixture_of_books_and_answers_is_in_the_cell_of_a_naive_model(
    each: list[tuple[bool, int, int, bool, str | None]],
) -> None:
    view = clean(5)
    a_draw, a_try, a_payout = view.draws[0], view.tries[0], view.payouts[0]
    draws, tries, payouts, versions, attempts = [], [], [], [], []
    naive: Counter[tuple[str, str]] = Counter()
    for intent, (row, paid, moved, held, told) in zip(view.intents, each, strict=True):
        key, account = intent.draw_key, f"borrower:{intent.borrower}"
        draws += [a_draw._replace(draw_key=key)] if row else []
        tries += [
            a_try._replace(draw_key=key, try_=n, payout_key=f"{key}.{n}") for n in range(paid)
        ]
        payouts += [a_payout._replace(draw_key=key, payout_key=f"{key}.{n}") for n in range(moved)]
        reserve = next(v for v in view.versions if v.account.startswith("borrower:"))
        versions.append(reserve._replace(account=account, draw_key=key, version=1, held_fen=5))
        if not held:
            ended = versions[-1]._replace(version=2, held_fen=0, event="void")
            versions.append(ended)
        attempts += [view.attempts[intent.intent]._replace(outcome=told)] if told else []
        times = max(paid, moved)
        books = "paid_twice" if times > 1 else "orphan_hold" if held else None
        books = books or ("paid_once" if times else "not_paid" if row else "no_row")
        naive[told or "nothing", books] += 1
    mixed = changed(
        view, draws=draws, tries=tries, payouts=payouts, versions=versions, attempts=attempts
    )
    assert _matrix(mixed) == naive
