"""Honesty of breakers, from states and calls made by hand; and of alerts."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Call, State
from harness.judge.alerts import names
from harness.judge.breakers import Breaker, Breakers, breakers
from harness.judge.judge import judge, measure
from harness.judge.view import FaultLine, RunView
from harness.judge.weather import Weather
from tests.run_views import T0_NS, changed, clean, scenario

BANK = "bank.partner-a"  # its edge has a fault from 17 s to 27 s


def _states(
    *changes: tuple[float, str], caller: str = "gateway-1", target: str = BANK
) -> list[State]:
    return [
        State(caller, "breaker", target, state, T0_NS + round(at_s * NS_PER_S))
        for at_s, state in changes
    ]


def _calls(times_s: Iterable[float], result: str = "not_sent", took_ms: int = 0, server: str = BANK,
           client: str = "gateway-1") -> list[Call]:  # fmt: skip
    found = []
    for at_s in times_s:
        at_ns = T0_NS + round(at_s * NS_PER_S)
        edge = f"gateway->{server}" if server.startswith("bank.") else f"gateway->{server[:-2]}"
        found.append(
            Call("key-000200", 1, edge, client, server, "client", at_ns,
                 at_ns + took_ms * NS_PER_MS, result != "not_sent", result, 0)
        )  # fmt: skip
    return found


def _with(states: Iterable[State] = (), calls: Iterable[Call] = (), **more: Any) -> RunView:
    view = clean()
    return changed(view, states=tuple(states), calls=(*view.calls, *calls), **more)


def _of(view: RunView) -> tuple[Breakers, dict[tuple[str, str], Breaker]]:
    found = breakers(view)
    assert found is not None
    return found, {(one.caller, one.target): one for one in found.each}


def test_an_honest_breaker() -> None:
    view = _with(
        _states((18.5, "open"), (20.5, "half-open"), (20.6, "open"), (27.2, "half-open"),
                (27.3, "closed")),
        _calls([19, 20, 21, 27.1]),
    )  # fmt: skip
    found, each = _of(view)
    one = each["gateway-1", BANK]
    assert one.faults == ("network: latency gateway->bank.partner-a",)
    assert (one.opened, one.open_s, one.time_to_open_s) == (1, 8.8, 1.5)
    assert (one.refused, one.failed, one.wrongly_opened) == (4, 0, 0)
    assert one.good_calls_blocked == 1  # between the heal and its closing
    assert not one.stuck
    assert not one.should_have_opened
    assert (found.time_to_open_s, found.refused_calls, found.good_calls_blocked) == (1.5, 4, 1)
    assert list(each) == [("gateway-1", BANK)]


def test_faster_than_our_own_probe_is_zero_and_never_less() -> None:
    view = _with(_states((16.95, "open"), (28, "closed")))
    fault = view.faults[0]
    early = replace(fault, inject_began_ns=(fault.injected_ns or 0) - NS_PER_S // 5)
    found, _ = _of(replace(view, faults=(early,)))
    assert (found.time_to_open_s, found.wrongly_open) == (0, 0)


def test_open_without_a_fault_is_wrong_and_blocks_good_calls() -> None:
    view = _with(
        [*_states((10, "open"), (12, "closed"), target="bank.own"),
         *_states((18, "open"), (20, "closed"), target="risk-1")],
        [*_calls([10.5, 11], server="bank.own"), *_calls([18.1], server="risk-1")],
    )  # fmt: skip
    found, each = _of(view)
    assert (found.wrongly_open, found.good_calls_blocked) == (2, 3)
    assert each["gateway-1", "bank.own"].wrongly_opened == 1
    assert each["gateway-1", "risk-1"].faults == ()
    assert found.time_to_open_s is None


def test_a_fault_behind_the_target_or_at_the_caller_explains_an_opening() -> None:
    view = _with(
        [*_states((18, "open"), (26, "closed"), target="ledger-1")],
        [Call("key-000200", 0, "ledger->database", "ledger-1", "database-1", "client", T0_NS,
              T0_NS + 1, True, "ok", 0)],
    )  # fmt: skip
    for place, wrong in (
        ("ledger->database", 0), ("gateway-1", 0), ("gateway", 0), ("ledger-1", 0),
        ("ledger-2", 1), ("gateway-2", 1), ("risk-1", 1), ("gateway->bank.own", 1),
    ):  # fmt: skip
        fault = replace(view.faults[0], name=place, edge_or_replica=place)
        found, _ = _of(replace(view, faults=(fault,)))
        assert found.wrongly_open == wrong, place


def test_the_last_calls_that_met_a_fault_may_open_it_after_the_heal() -> None:
    timeout_s = 1.5
    soon, _ = _of(_with(_states((27 + timeout_s - 0.1, "open"), (30, "closed"))))
    late, _ = _of(_with(_states((27 + timeout_s + 0.1, "open"), (31, "closed"))))
    assert (soon.wrongly_open, late.wrongly_open) == (0, 1)


def test_twenty_bad_calls_in_a_row_should_have_opened_it() -> None:
    bad = [18 + n / 100 for n in range(20)]
    quiet = tuple(c for c in clean().calls if c.server != BANK)
    for calls, expected in (
        (_calls(bad, "unknown", 900), True),
        (_calls(bad, "ok", 501), True),
        (_calls(bad, "error", 5), True),
        (_calls(bad[:19], "error", 5), False),
        ([*_calls(bad, "error", 5), *_calls([18.0955], "ok", 5)], False),
        (_calls(bad, "refused", 5), False),  # a refusal for a reason of business is an answer
        (_calls([n - 8 for n in bad], "error", 5), False),  # before the fault
    ):  # fmt: skip
        view = changed(clean(), calls=(*quiet, *calls))
        found, each = _of(view)
        assert each["gateway-1", BANK].should_have_opened is expected
        assert found.should_have_opened == expected
        opened = changed(view, states=tuple(_states((18.5, "open"), (28, "closed"))))
        assert _of(opened)[0].should_have_opened == 0
        # Its caller has left it out without the breaker: a replica is out by one of the two.
        out = State("gateway-1", "ejection", BANK, "out", T0_NS + 18 * NS_PER_S)
        assert _of(changed(view, states=(out,)))[0].should_have_opened == 0
    assert each["gateway-1", BANK].failed == 0


def test_what_lies_behind_a_replica_is_not_held_against_its_breaker() -> None:
    at_ns = T0_NS + 18 * NS_PER_S
    bad = _calls([18 + n / 100 for n in range(20)], "error", 5, server="ledger-1")
    silent = [
        Call("key-000200", 0, "ledger->database", "ledger-1", "database-1", "client", at_ns + n,
             at_ns + NS_PER_S, True, "unknown", 0)
        for n in range(25)
    ]  # fmt: skip
    quiet = tuple(c for c in clean().calls if c.server != "ledger-1")
    view = changed(clean(), calls=(*quiet, *bad, *silent))
    ours = replace(view.faults[0], name="process: freeze ledger-1", edge_or_replica="ledger-1")
    found, each = _of(replace(view, faults=(ours,)))
    assert each["gateway-1", "ledger-1"].should_have_opened
    slow = replace(view.faults[0], name="database: slow", edge_or_replica="ledger->database")
    found, each = _of(replace(view, faults=(ours, slow)))
    assert found.should_have_opened == 0
    # Connections to a database have no breaker; nor do decisions of business fail calls.
    assert list(each) == [("gateway-1", "ledger-1")]
    drained = replace(view.faults[0], name="business: tier_drained own",
                      edge_or_replica="gateway->ledger")  # fmt: skip
    assert _of(replace(view, faults=(drained,)))[0].each == ()


def test_sent_and_not_sent_are_told_apart() -> None:
    quiet = tuple(c for c in clean().calls if c.server != BANK)
    view = changed(
        clean(),
        states=tuple(_states((18.5, "open"), (27.5, "closed"))),
        calls=(*quiet, *_calls([18, 18.1], "unknown", 1000), *_calls([18.4], "not_sent"),
               *_calls([19, 20, 21], "not_sent")),
    )  # fmt: skip
    found, _ = _of(view)
    assert (found.failed_calls, found.refused_calls) == (2, 3)  # at 18.4 s it was closed
    assert found.not_sent_but_served == 0
    lied = _calls([20.0005], "ok")[0]._replace(side="server")
    told = _calls([20], "not_sent", 1)
    assert _of(changed(view, calls=(*view.calls, *told, lied)))[0].not_sent_but_served == 1


def test_a_breaker_that_stays_open_is_stuck() -> None:
    open_for_good = _states((18, "open"))
    quiet = tuple(
        c for c in clean().calls if c.server != BANK or c.start_ns < T0_NS + 18 * NS_PER_S
    )
    stuck = changed(clean(), states=tuple(open_for_good), calls=quiet)
    assert _of(stuck)[0].stuck_breakers == 1
    # A target that was never asked in health only stood in for another, which is well again.
    stood_in = tuple(c for c in quiet if c.server != BANK)
    assert _of(changed(stuck, calls=stood_in))[0].stuck_breakers == 0
    closed = (*open_for_good, *_states((40.9, "closed")))
    assert _of(changed(stuck, states=closed))[0].stuck_breakers == 0
    # Its caller was started anew and reaches the target: the breaker of then is gone.
    assert _of(changed(stuck, calls=clean().calls))[0].stuck_breakers == 0
    # Its caller is gone, or what it did after the load had ended says nothing.
    gone = tuple(c for c in quiet if c.start_ns < T0_NS + 30 * NS_PER_S)
    assert _of(changed(stuck, calls=gone))[0].stuck_breakers == 0
    late = _calls([45], "ok", server="risk-1")
    assert _of(changed(stuck, calls=(*gone, *late)))[0].stuck_breakers == 0
    # The heal is not long ago.
    fault = replace(clean().faults[0], heal_observed_ns=T0_NS + 37 * NS_PER_S)
    assert _of(changed(stuck, faults=(fault,)))[0].stuck_breakers == 0


def test_a_lender_without_breakers_has_none_to_judge() -> None:
    naive = replace(clean(), scenario=scenario("lender.profile=naive"))
    assert breakers(naive) is None
    assert judge(naive).value["breakers"] is None
    switched = scenario("lender.profile=naive", "lender.protections={breaker: on}")
    assert breakers(replace(clean(), scenario=switched)) is not None
    off = scenario("lender.protections={breaker: off}")
    assert breakers(replace(clean(), scenario=off)) is None
    for table in ("states", "calls"):
        assert breakers(replace(clean(), missing=(table,))) is None


def test_a_fault_without_a_heal_lasts_to_the_end() -> None:
    fault = replace(clean().faults[0], healer="nobody", heal_observed_ns=None)
    weather = Weather(replace(clean(), faults=(fault,)))
    assert weather.explaining(("gateway-1", BANK)) == [
        (T0_NS + 17 * NS_PER_S, T0_NS + 42 * NS_PER_S)
    ]


def test_expectations_of_breakers() -> None:
    told = scenario(
        "expect.drill=[time_to_open_s <= 2 s, wrongly_open = 0, good_calls_blocked < 1,"
        " stuck_breakers = 0, should_have_opened = 0]"
    )
    view = _with(_states((18.5, "open"), (28, "closed")), _calls([27.5]), scenario=told)
    met = {one.expectation.measure: one.verdict for one in judge(view).met}
    assert met["good_calls_blocked"] == "breached"
    held = ("time_to_open_s", "wrongly_open", "stuck_breakers", "should_have_opened")
    assert [met[name] for name in held] == ["held"] * 4
    none = replace(
        view, scenario=scenario("lender.profile=naive", "expect.drill=[wrongly_open = 0]")
    )
    assert judge(replace(none, states=())).met[-1].verdict == "inconclusive"


def _alert(at_s: float, subject: str, state: str = "raised") -> State:
    return State("warning-1", "alert", subject, state, T0_NS + round(at_s * NS_PER_S))


def test_time_to_detect_is_of_the_first_alert_that_names_the_hop() -> None:
    view = _with([
        _alert(6, "ledger"), _alert(6.5, "ledger", "cleared"), _alert(18, "risk"),
        _alert(19.25, BANK), _alert(25, BANK),
    ])  # fmt: skip
    found = measure(view).detection
    assert (found.detect_s, found.false_alarms, found.undetected) == (2.25, 1, ())
    value = judge(view).value
    assert value["recovery"]["detect_s"] == value["detection"]["detect_s"] == 2.25


def _fault(name: str, at_s: float) -> FaultLine:
    at_ns = T0_NS + round(at_s * NS_PER_S)
    return replace(
        clean().faults[0], name=name, inject_began_ns=at_ns, injected_ns=at_ns, observed_ns=at_ns
    )


@pytest.mark.parametrize(
    ("alerts", "second_s"),
    [
        ([_alert(17.5, BANK)], 0.0),  # of the first fault, and nobody is told twice
        ([_alert(17.5, BANK), _alert(21, BANK, "cleared"), _alert(24.5, BANK)], 1.5),
        ([_alert(17.5, BANK), _alert(21, BANK, "cleared")], None),
        ([_alert(16, BANK)], None),  # of nothing that was there
    ],
)
def test_a_second_fault_at_a_hop_in_alarm_is_known(
    alerts: list[State], second_s: float | None
) -> None:
    found = measure(_with(alerts, faults=(_fault("one", 17), _fault("two", 23)))).detection
    assert found.by_fault["two"] == second_s


def test_without_a_baseline_before_the_first_fault_there_are_no_false_alarms_to_count() -> None:
    at_once = _with([_alert(18, BANK)], faults=(_fault("at once", 1),))
    assert measure(at_once).detection.false_alarms is None


def test_no_alert_at_all_is_no_data_and_an_alert_elsewhere_is_none_for_the_fault() -> None:
    nothing = measure(clean()).detection
    assert nothing.detect_s is nothing.false_alarms is None
    assert nothing.undetected == ()
    told = scenario("expect.drill=[detect_s <= 5 s, false_alarms = 0]")
    silent = judge(replace(clean(), scenario=told))
    assert [one.verdict for one in silent.met][-2:] == ["inconclusive"] * 2
    other = judge(_with([_alert(18, "risk"), _alert(10, BANK)], scenario=told))
    assert other.parts.detection.undetected == (clean().faults[0].name,)
    assert [one.verdict for one in other.met][-2:] == ["breached"] * 2


@pytest.mark.parametrize(
    ("place", "right", "wrong"),
    [
        ("gateway->bank.partner-a", ("bank.partner-a",), ("gateway", "bank.own")),
        ("ledger-1", ("ledger", "ledger-1"), ("ledger-2", "risk")),
        ("ledger", ("ledger", "ledger-2"), ("gateway",)),
        ("ledger->database", ("database", "database-1"), ("ledger",)),
        ("site b", ("site b",), ("ledger-2",)),
        ("site b->banks", ("site b", "bank.own"), ("ledger",)),
    ],
)
def test_the_hops_that_an_alert_may_name(
    place: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    fault = FaultLine(place, place, "nemesis", 0, 0, 0, 0, 0, 0, None)
    assert all(names(subject, fault) for subject in right)
    assert not any(names(subject, fault) for subject in wrong)
