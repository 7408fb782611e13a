"""What a fault is said to have touched, and what is said of evidence that is not there."""

from dataclasses import replace

from harness.clock import NS_PER_S
from harness.evidence.rows import State
from harness.faults.catalogue import CATALOGUE, fault_name, told_by_service
from harness.judge.exposure import Exposure, exposure
from harness.judge.judge import judge
from harness.judge.view import RunView
from harness.report.html import html
from harness.report.text import summary
from harness.scenario.model import FaultSpec
from tests.run_views import T0_NS, clean


def with_fault(view: RunView, name: str, where: str) -> RunView:
    return replace(view, faults=(replace(view.faults[0], name=name, edge_or_replica=where),))


def test_a_role_is_touched_in_each_of_its_replicas() -> None:
    view = clean()
    name = "deploy: rollout bank.partner"
    whole = exposure(with_fault(view, name, "gateway"))[name]
    one = exposure(with_fault(view, name, "gateway-1"))[name]
    other = exposure(with_fault(view, name, "gateway-2"))[name]
    assert whole.calls == one.calls + other.calls > 0
    assert whole.intents == one.intents | other.intents
    assert exposure(with_fault(view, name, "gate"))[name].calls == 0


def test_a_rollout_touches_the_replicas_that_have_the_version_while_they_have_it() -> None:
    """By the supervisor's record: half of a rollout leaves the other half alone, and so does the
    time before its turn and after the canary took it back."""
    view, name = clean(), "deploy: half gateway"
    whole = exposure(with_fault(view, name, "gateway-1"))[name]
    begins_ns, ends_ns = T0_NS + 10 * NS_PER_S, T0_NS + 21 * NS_PER_S
    rows = [
        State("supervisor", "deploy", "gateway-1", "version 2-errors", begins_ns),
        State("supervisor", "deploy", "risk-1", "version 2-errors", T0_NS),
        State("supervisor", "deploy", "2-errors", "rolled back by canary", ends_ns),
        State("supervisor", "deploy", "gateway-1", "version 1", ends_ns),
    ]

    def touched(*states: State) -> Exposure:
        spoilt = replace(with_fault(view, name, "gateway"), states=(*view.states, *states))
        return exposure(spoilt)[name]

    assert touched(rows[0]) == whole
    short = touched(*rows)
    assert 0 < short.calls < touched(rows[0]).calls
    assert short.intents < whole.intents
    # Of gateways nothing was recorded: then it may have been any of them.
    assert touched(rows[1]) == exposure(with_fault(view, name, "gateway"))[name]


def test_a_toxicity_has_touched_the_calls_that_came_on_a_connection_it_chose() -> None:
    view, edge = clean(), "gateway->bank.partner-a"
    name = view.faults[0].name
    whole = exposure(view)[name]
    begun = State("proxy", "toxicity", edge, name, T0_NS)
    assert exposure(replace(view, states=(*view.states, begun)))[name].calls == 0
    hit = sorted(whole.intents)[2]
    key = view.intents[hit].draw_key
    (call,) = view.calls.where(side="client", edge=edge, draw_key=key)
    met = [
        State("proxy", "toxic", edge, name, call.start_ns + 1),
        State("proxy", "toxic", edge, name, call.start_ns + 2),
        State("proxy", "toxic", edge, f"{name} #2", T0_NS + 30 * NS_PER_S),
    ]
    found = exposure(replace(view, states=(*view.states, begun, *met)))[name]
    assert found == Exposure(1, frozenset({hit}))


def test_a_lock_on_one_borrower_touches_that_borrower_s_draws_alone() -> None:
    view, everybody = clean(), "database: row_lock tier:own"
    whole = exposure(with_fault(view, everybody, "gateway->ledger"))[everybody]
    touched = view.intents[sorted(whole.intents)[3]]
    mine, nobody = (f"database: row_lock borrower:{n} #2" for n in (touched.borrower, 999_999))
    assert exposure(with_fault(view, mine, "gateway->ledger"))[mine].intents == {touched.intent}
    assert exposure(with_fault(view, nobody, "gateway->ledger"))[nobody].calls == 0


def test_a_rule_touches_draws_for_its_purpose_and_a_tightening_those_above_it() -> None:
    """A rule against what nobody draws for, a bound that nobody reaches, do nothing."""
    view = clean()
    some = view.intents[200].purpose
    for purpose, touched in ((some, True), ("moon-travel", False)):
        name = f"business: rule_adopted {purpose}"
        found = exposure(with_fault(view, name, "gateway->ledger"))[name]
        assert bool(found.calls) is touched
        assert {view.intents[n].purpose for n in found.intents} <= {purpose}
    amounts = sorted(set(view.intents.column("amount_fen")))
    for above_fen in (amounts[0] - 1, amounts[-1]):
        name = "business: tightening"
        spec = FaultSpec(name, "business", "tightening", 1.0, 2.0, (("above_fen", above_fen),))
        tight = replace(
            with_fault(view, name, "gateway->ledger"),
            scenario=replace(view.scenario, faults=(spec,)),
        )
        assert bool(exposure(tight)[name].calls) is (above_fen < amounts[0])


def test_a_fault_of_single_calls_has_touched_what_its_service_says() -> None:
    view, name = clean(), "service: error risk-1"
    hit = view.intents[7]
    told = [
        State("risk-1", "planted", hit.draw_key, name, T0_NS + 20 * NS_PER_S),
        State("risk-1", "planted", "somebody-else", "service: error risk-1 #2", T0_NS),
    ]
    spoilt = replace(with_fault(view, name, "risk-1"), states=(*view.states, *told))
    assert exposure(spoilt)[name].calls == 1
    assert exposure(spoilt)[name].intents == frozenset({hit.intent})
    assert exposure(with_fault(view, name, "risk-1"))[name].calls == 0


def test_faults_of_single_calls_are_known_by_their_names() -> None:
    for (family, kind), known in CATALOGUE.items():
        name = fault_name(family, kind, {"target": "risk-1"})
        assert told_by_service(f"{name} #2") == known.told_by_service
    assert told_by_service("service: slow risk-1")
    assert not told_by_service("service: leak risk-1")
    assert not told_by_service("service: unheard-of risk-1")


def test_what_was_not_written_down_is_said() -> None:
    view = clean()
    mute = [
        State("risk-1", "condition", "mute", "began", T0_NS + 10 * NS_PER_S),
        State("risk-1", "condition", "mute", "ended 41 rows lost", T0_NS + 12 * NS_PER_S),
        State("ledger-2", "condition", "mute", "began", T0_NS + 11 * NS_PER_S),
    ]
    found = judge(replace(view, states=(*view.states, *mute)))
    assert found.value["evidence_gaps"] == [
        {"replica": "risk-1", "from_s": 10.0, "to_s": 12.0, "rows_lost": 41},
        {"replica": "ledger-2", "from_s": 11.0, "to_s": None, "rows_lost": None},
    ]
    told = summary(view, found)
    assert "risk-1 wrote nothing down from 10.0 s to 12.0 s: 41 rows" in told
    assert "ledger-2 wrote nothing down from 11.0 s on" in told
    assert "ledger-2 wrote nothing down from 11.0 s on" in html(view, found)
    assert judge(view).value["evidence_gaps"] == []


def test_an_edge_of_one_replica_has_touched_that_replica_s_calls_alone() -> None:
    view, name = clean(), "network: latency"
    bank = "bank.partner-a"
    whole = exposure(with_fault(view, name, f"gateway->{bank}"))[name]
    each = [exposure(with_fault(view, name, f"gateway-{n}->{bank}"))[name] for n in (1, 2)]
    assert whole.calls == each[0].calls + each[1].calls > 0
    assert whole.intents == each[0].intents | each[1].intents
