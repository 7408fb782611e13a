"""Rule 10, survives-failover, and what a run that ended early may be accused of."""

from dataclasses import replace

import pytest

from harness.evidence.rows import State, Version
from harness.judge.audit import audit
from harness.judge.ends import Finding
from harness.judge.intents import judge_intents
from harness.judge.judge import judge
from harness.judge.names import role
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.repaid_views import repaid
from tests.run_views import LIMIT_FEN, changed, clean, failed_over


def finding(view: RunView, name: str) -> Finding:
    return next(f for f in audit(view, judge_intents(view, Oracle(view))) if f.name == name)


def test_a_clean_failover_accuses_nobody() -> None:
    found = finding(failed_over(), "survives-failover")
    assert (found.verdict, found.count) == ("held", 0)
    assert found.examined > 500


def test_a_ledger_that_knows_of_no_primary_still_calls_the_database() -> None:
    """Its record then names no server, and the hop was called "" in the report."""
    assert [role(name) for name in ("database", "database-2", "ledger-1", "bank.own")] == [
        "database", "database", "ledger", "bank.own",
    ]  # fmt: skip


def test_a_draw_lost_by_a_failover_is_found() -> None:
    view = failed_over()
    lost = view.draws[10]
    found = finding(
        changed(view, draws=tuple(d for d in view.draws if d != lost)), "survives-failover"
    )
    assert found.verdict == "breached"
    assert lost.draw_key in str(found.first)


def test_an_answer_of_an_old_primary_is_found() -> None:
    view = failed_over()
    late = max(view.calls, key=lambda call: (call.edge == "ledger->database", call.start_ns))
    found = finding(
        changed(view, calls=(*view.calls, late._replace(server="database-1"))), "survives-failover"
    )
    assert (found.verdict, found.count) == ("breached", 1)
    assert "database-1: answered" in str(found.first)


def test_a_run_that_ended_early_knows_what_it_had_planned() -> None:
    """A draw that was sent after the word to stop, and whose attempt was lost, is not unasked."""
    view = clean()
    last = view.intents[-1]
    early = changed(view, intents=view.intents[:-1], ended="aborted: x")
    assert finding(early, "nothing-unasked").verdict == "breached"
    known = replace(early, unoffered_keys=frozenset({last.draw_key}))
    assert finding(known, "nothing-unasked").verdict == "held"


def test_a_call_that_waited_through_a_second_failover_accuses_nobody() -> None:
    """It began while there was no primary, and was rightly answered by the next one."""
    view = failed_over()
    second_ns = view.t0_ns + 30 * 10**9
    back = State("monitor", "database", "primary", "promoted database-1 epoch 3", second_ns)
    calls = tuple(
        call._replace(server="database-1")
        if call.edge == "ledger->database" and call.start_ns >= second_ns
        else call
        for call in view.calls
    )
    waited = next(call for call in calls if call.edge == "ledger->database")._replace(
        server="database-1", start_ns=second_ns - 10**8, done_ns=second_ns + 10**8
    )
    whole = changed(view, states=(*view.states, back), calls=(*calls, waited))
    assert finding(whole, "survives-failover").verdict == "held"
    stale = waited._replace(start_ns=second_ns - 10**9, done_ns=second_ns - 10**8)
    accused = changed(whole, calls=(*calls, stale))
    assert finding(accused, "survives-failover").verdict == "breached"


@pytest.mark.parametrize("reason", ["over-quota", "limit-cut"])
def test_draws_of_one_borrower_at_once_are_right_in_any_order(reason: str) -> None:
    """The later of two was decided first and got the quota: the earlier had nothing left."""
    view = clean()
    first, second = view.intents[0], view.intents[1]
    amount_fen = 600_000
    intents = (
        first._replace(amount_fen=amount_fen),
        second._replace(amount_fen=amount_fen, borrower=first.borrower, due_ns=first.due_ns),
        *view.intents[2:],
    )
    won_ns = first.due_ns + 5
    draws = tuple(
        draw._replace(amount_fen=amount_fen, borrower=first.borrower)
        if draw.draw_key == second.draw_key
        else draw._replace(
            amount_fen=amount_fen, state="refused", reason=reason, decided_ns=won_ns + 5
        )
        if draw.draw_key == first.draw_key
        else draw
        for draw in view.draws
    )
    versions = (
        *(v for v in view.versions if v.draw_key not in (first.draw_key, second.draw_key)),
        Version(f"borrower:{first.borrower}", 1, LIMIT_FEN, 0, amount_fen, None, won_ns,
                second.draw_key, 1, "reserve"),
    )  # fmt: skip
    crowd = changed(view, intents=intents, draws=draws, versions=versions)
    assert not Oracle(crowd).promised(intents[0])
    assert Oracle(crowd).promised(intents[1])
    too_soon = tuple(
        draw._replace(decided_ns=won_ns - 1) if draw.draw_key == first.draw_key else draw
        for draw in draws
    )
    assert Oracle(changed(crowd, draws=too_soon)).promised(intents[0])


def test_a_wall_clock_that_was_set_is_a_doubt_and_no_accusation() -> None:
    view = clean()
    late_ns = view.t0_ns + 20 * 10**9
    versions = tuple(
        v._replace(locked_ns=v.locked_ns - 2 * 10**8) if v.locked_ns > late_ns else v
        for v in view.versions
    )
    moved = changed(view, versions=versions)
    assert finding(moved, "tiers-conserved").verdict == "breached"
    known = replace(moved, harness_failures=("the wall clock was set by -0.200 s",))
    assert finding(known, "tiers-conserved").verdict == "held"


def test_nobody_is_accused_by_dates_of_a_clock_that_was_set() -> None:
    """Bank and borrowers have another clock: beside theirs the ledger's dates say nothing."""
    view = repaid()
    middle_ns = view.t0_ns + 20 * 10**9
    moved = {
        name: [
            row._replace(
                **{
                    column: at_ns + 10**9 * (1 if at_ns > middle_ns else 0)
                    for column in columns
                    if (at_ns := getattr(row, column)) is not None
                }
            )
            for row in getattr(view, name)
        ]
        for name, columns in {
            "versions": ["locked_ns"], "postings": ["locked_ns"], "repayments": ["ended_ns"],
            "tries": ["opened_ns", "ended_ns"], "draws": ["requested_ns", "decided_ns", "ended_ns"],
        }.items()
    }  # fmt: skip
    told = "the wall clock was set by 1.000 s during the run"
    later = replace(changed(view, **moved), harness_failures=(told,))
    verdict = judge(later)
    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", 3), verdict.reason
    assert told in verdict.reason
    assert not [one for one in verdict.parts.audit if one.verdict == "breached"]
    assert judge(replace(later, harness_failures=())).verdict == "breached"
