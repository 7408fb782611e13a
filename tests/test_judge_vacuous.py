"""What nobody looked at holds nothing; and what the law forbids breaks by the law."""

from dataclasses import replace

import pytest

from harness.clock import NS_PER_S
from harness.evidence.rows import Policy
from harness.judge.audit import RULES
from harness.judge.expectations import Met, meet
from harness.judge.judge import judge, measure
from harness.judge.offences import Offences
from harness.judge.view import RunView
from tests.run_views import T0_NS, broken, changed, clean, scenario


def test_nothing_broken_of_nothing_promised_holds_nothing() -> None:
    nothing = '"broken = 0", "late <= 1", "kept >= 1", "blocked_yuan_minutes = 0"'
    asked = scenario(f"expect.watch=[{nothing}]", "expect.drill=[]")
    view = replace(clean(), scenario=asked)
    keys = {one.draw_key for one in view.intents if one.phase == "watch"}
    assert keys
    barred = [
        one._replace(purpose="securities") if one.draw_key in keys else one for one in view.intents
    ]
    told = {one.expectation.text: one for one in measure_all(changed(view, intents=barred))}
    assert told["broken = 0"].verdict == told["late <= 1"].verdict == "inconclusive"
    assert told["broken = 0"].why == "nothing was promised there"
    assert told["blocked_yuan_minutes = 0"].verdict == "inconclusive"
    assert told["kept >= 1"].verdict == "breached"


def test_as_little_as_a_baseline_of_nothing_is_no_floor() -> None:
    relative = '"guarantee >= 0.9 x baseline", "broken <= 2 x baseline"'
    asked = scenario(f"expect.fault=[{relative}]", 'expect.baseline=["promised >= 1"]')
    view = replace(broken(clean(), range(410)), scenario=asked)
    told = {one.expectation.text: one for one in measure_all(view)}
    assert told["guarantee >= 0.9 x baseline"].actual == 0
    assert told["guarantee >= 0.9 x baseline"].verdict == "inconclusive"
    assert told["broken <= 2 x baseline"].verdict == "held"


def measure_all(view: RunView) -> list[Met]:
    parts = measure(view)
    return [meet(one, parts) for one in view.scenario.expect]


def test_what_the_law_forbids_breaks_by_the_law() -> None:
    """Whatever else befell it: the table of ends calls it broken by compliance, unavoidable."""
    law = Policy("compliance", 2, "education", T0_NS + 17 * NS_PER_S, T0_NS + 39 * NS_PER_S, None)
    view = broken(clean(), range(180, 182))
    known = replace(view, policies=(*view.policies, law))
    found = [(one.lawful, one.cause, one.hop, one.avoidable) for one in measure(known).ends.broken]
    assert found == [(False, "compliance", "compliance", False)] * 2
    assert {one.cause for one in measure(view).ends.broken} == {"system"}


def test_a_rule_that_crashed_is_a_doubt_whatever_is_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a run whose money nobody has looked at is held, and "the audit found nothing wrong"."""

    def crash(*_: object) -> Offences:
        raise RuntimeError("boom")

    calm = replace(clean(), scenario=scenario('expect.drill=["wrongly_approved = 0"]'))
    assert judge(calm).verdict == "held"
    rules = (replace(RULES[2], look=crash), *RULES[3:])
    monkeypatch.setattr("harness.judge.audit.RULES", rules)
    found = judge(calm)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    assert "rule 3 (one-payout) can't tell: the check itself failed" in found.reason
