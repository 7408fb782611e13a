"""Rule 10, survives-failover, and what a run that ended early may be accused of."""

from dataclasses import replace

from harness.judge.audit import audit
from harness.judge.ends import Finding
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.run_views import clean, failed_over


def finding(view: RunView, name: str) -> Finding:
    return next(f for f in audit(view, judge_intents(view, Oracle(view))) if f.name == name)


def test_a_clean_failover_accuses_nobody() -> None:
    found = finding(failed_over(), "survives-failover")
    assert (found.verdict, found.count) == ("held", 0)
    assert found.examined > 500


def test_a_draw_lost_by_a_failover_is_found() -> None:
    view = failed_over()
    lost = view.draws[10]
    found = finding(
        replace(view, draws=tuple(d for d in view.draws if d != lost)), "survives-failover"
    )
    assert found.verdict == "breached"
    assert lost.draw_key in str(found.first)


def test_an_answer_of_an_old_primary_is_found() -> None:
    view = failed_over()
    late = max(view.calls, key=lambda call: (call.edge == "ledger->database", call.start_ns))
    found = finding(
        replace(view, calls=(*view.calls, late._replace(server="database-1"))), "survives-failover"
    )
    assert (found.verdict, found.count) == ("breached", 1)
    assert "database-1 answered" in str(found.first)


def test_a_run_that_ended_early_knows_what_it_had_planned() -> None:
    """A draw that was sent after the word to stop, and whose attempt was lost, is not unasked."""
    view = clean()
    last = view.intents[-1]
    early = replace(view, intents=view.intents[:-1], ended="aborted: x")
    assert finding(early, "nothing-unasked").verdict == "breached"
    known = replace(early, unoffered_keys=frozenset({last.draw_key}))
    assert finding(known, "nothing-unasked").verdict == "held"
