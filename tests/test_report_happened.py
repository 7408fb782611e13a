"""The report's timeline, what faults cost, and what it says of a run that has no evidence."""

from dataclasses import replace

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import State
from harness.judge.judge import judge, measure
from harness.judge.view import RunView
from harness.report.costs import costs
from harness.report.happened import happened, told_of_fault
from harness.report.html import html
from harness.report.text import summary
from harness.report.timeline import EVENTS_MAX, timeline
from tests.run_views import FAULT, T0_NS, broken, changed, clean


def at(second: float, kind: str, subject: str, state: str, replica: str = "gateway-1") -> State:
    return State(replica, kind, subject, state, T0_NS + round(second * NS_PER_S))


BREAKER = (
    at(18.0, "breaker", "bank.partner-a", "open"),
    at(20.0, "breaker", "bank.partner-a", "half-open"),
    at(20.1, "breaker", "bank.partner-a", "open"),
    at(28.0, "breaker", "bank.partner-a", "closed"),
    at(19.0, "breaker", "bank.partner-a", "open", "gateway-2"),
    at(26.5, "breaker", "bank.partner-a", "closed", "gateway-2"),
    at(19.0, "breaker", "risk-1", "open", "gateway-2"),
)


def deployed(view: RunView) -> RunView:
    """The same run, its fault a rollout that a canary took back."""
    (fault,) = view.faults
    spec = replace(view.scenario.faults[0], name="deploy: rollout risk")
    return replace(
        view,
        scenario=replace(view.scenario, faults=(spec,)),
        faults=(replace(fault, name="deploy: rollout risk", edge_or_replica="risk"),),
        states=(*BREAKER, at(19.5, "deploy", "2-errors", "rolled back by canary", "supervisor")),
    )


def test_a_breaker_that_a_probe_opens_again_is_one_episode() -> None:
    view = replace(clean(), states=BREAKER)
    assert [one.text for one in happened(view)] == [
        "gateway-1 opens to bank.partner-a",
        "gateway-2 opens to bank.partner-a",
        "gateway-2 opens to risk-1",
        "gateway-2 closes to bank.partner-a",
        "gateway-1 closes to bank.partner-a",
    ]


def test_the_line_of_a_fault_tells_what_concerns_it_and_nothing_else() -> None:
    view = replace(clean(), states=BREAKER)
    told = told_of_fault(view, view.faults[0])
    assert told == "breakers to bank.partner-a open from 18.0 s to 28.0 s"
    (line,) = [one for one in summary(view, judge(view)).splitlines() if one.startswith("fault")]
    assert line.endswith(told)
    rolled = deployed(clean())
    told = told_of_fault(rolled, rolled.faults[0])
    assert told == (
        "the canary rolls back 2-errors at 19.5 s; breakers to risk-1 open from 19.0 s to the end"
    )
    assert told in html(rolled, judge(rolled))


def test_of_two_faults_on_one_thing_the_later_is_told_of_it() -> None:
    view = clean()
    (first,) = view.faults
    second = replace(first, name="second", injected_ns=T0_NS + round(18.5 * NS_PER_S))
    both = replace(view, faults=(first, second), states=BREAKER)
    assert "from 18.0 s to 28.0 s" in told_of_fault(both, first)
    assert "from 19.0 s to 26.5 s" in told_of_fault(both, second)


def test_databases_and_an_early_end_are_on_the_timeline() -> None:
    view = replace(
        clean(),
        states=(
            at(-2, "database", "standby", "in_sync database-2 epoch 1", "monitor"),
            at(20, "database", "primary", "promoted database-2 epoch 2", "monitor"),
            at(21, "database", "standby", "degraded epoch 2", "monitor"),
        ),
        ended="aborted: stopped by somebody",
        load_end_ns=T0_NS + 30 * NS_PER_S,
    )
    found = timeline(view)
    assert [mark.text for mark in found.marks] == [
        "database-2: promoted",
        "the standby is given up: one copy of the books",
        "the drill is ended: aborted: stopped by somebody",
    ]
    assert [mark.at_s for mark in found.marks] == [20, 21, 30]
    assert sorted(mark.x for mark in found.marks) == [mark.x for mark in found.marks]
    page = html(view, judge(view))
    for mark in found.marks:
        assert mark.text in page


def test_overlapping_faults_have_their_numbers_and_rows() -> None:
    view = clean()
    (first,) = view.faults
    second = replace(first, name="second", observed_ns=T0_NS + 18 * NS_PER_S)
    both = replace(view, faults=(first, second))
    bands = timeline(both).bands
    assert [(band.number, band.text) for band in bands] == [(1, FAULT), (2, "second")]
    assert bands[0].y + 16 < bands[1].y
    assert bands[0].x < bands[1].x < bands[0].x + bands[0].width
    page = html(both, judge(both))
    assert page.count('class="number"') == 2 * 3


def test_a_flood_of_events_is_cut_aloud() -> None:
    many = tuple(
        at(5 + n / 10, "deploy", f"v{n}", "rolled back by canary") for n in range(EVENTS_MAX + 7)
    )
    view = replace(clean(), states=many)
    found = timeline(view)
    assert (len(found.marks), found.left_out) == (EVENTS_MAX, 7)
    assert "and 7 more" in html(view, judge(view))


def test_what_a_fault_cost() -> None:
    """Draws of the fault phase that partner-a paid: two broke, the others were a second slower."""
    view = clean()
    touched = measure(view).exposure[FAULT].intents
    two = sorted(touched)[2:4]
    slow = tuple(
        a._replace(done_ns=(a.done_ns or 0) + NS_PER_S)
        if a.intent in touched and a.outcome == "granted"
        else a
        for a in view.attempts
    )
    hurt = broken(broken(changed(view, attempts=slow), range(two[0], two[0] + 1)),
                  range(two[1], two[1] + 1))  # fmt: skip
    (cost,) = costs(hurt, measure(hurt))
    assert (cost.touched, cost.broken) == (len(touched), 2)
    assert cost.broken_fen == sum(view.intents[n].amount_fen for n in two)
    assert cost.usual_p50_ms == 100
    assert cost.slower_ms == NS_PER_S / NS_PER_MS
    assert "+1,000 ms" in html(hurt, judge(hurt))


def test_too_few_grants_give_no_median() -> None:
    view = clean()
    (fault,) = view.faults
    short = replace(fault, last_observed_ns=T0_NS + 17 * NS_PER_S + 1)
    (cost,) = costs(replace(view, faults=(short,)), measure(replace(view, faults=(short,))))
    assert cost.slower_ms is None


def test_rules_that_had_nothing_to_look_at_are_not_counted_as_failed() -> None:
    view = clean()
    cut = replace(view, ended="cut", missing=("attempts", "draws", "tries", "versions", "payouts",
                  "postings", "calls", "states", "repayments"))  # fmt: skip
    assert "audit       not examined" in summary(cut, judge(cut))
    some = replace(view, cut=("attempts",))
    (line,) = [one for one in summary(some, judge(some)).splitlines() if one.startswith("audit")]
    assert "not examined" in line
    assert "rules held, " in line
