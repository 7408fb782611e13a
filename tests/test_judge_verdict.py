"""From rows to a verdict: what holds, what breaches, what is in doubt, and what weighs more."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.query import Books
from harness.evidence.rows import MISTAKE, Policy
from harness.judge.intents import END_OF, TABLE
from harness.judge.judge import judge, measure
from harness.judge.verdict import verdict_bytes
from harness.judge.view import RunView
from tests.run_views import FAULT, SCENARIO, T0_NS, broken, changed, clean, scenario


def test_a_clean_run_is_held() -> None:
    verdict = judge(clean())
    assert (verdict.verdict, verdict.exit_code) == ("held", 0), verdict.reason
    total = verdict.parts.guarantee.total
    assert total.promised == total.kept == 389
    assert total.rightly_refused == 21
    assert verdict.value["faults"][0]["exposed_calls"] > 0


def test_the_same_rows_give_the_same_bytes() -> None:
    assert verdict_bytes(judge(clean())) == verdict_bytes(judge(clean()))


@pytest.mark.parametrize(
    ("promised", "withheld", "lawful", "ends"),
    [
        (True, False, True, ("kept", "broken_late", "broken")),
        (True, False, False, ("wrongly_approved", "wrongly_approved", "broken")),
        (False, True, True, ("granted_anyway", "withheld", "withheld")),
        (False, True, False, ("wrongly_approved", "wrongly_approved", "rightly_refused")),
        (False, False, True, ("wrongly_approved", "wrongly_approved", "rightly_refused")),
        (False, False, False, ("wrongly_approved", "wrongly_approved", "rightly_refused")),
    ],
)
def test_the_table_of_ends(
    promised: bool, withheld: bool, lawful: bool, ends: tuple[str, str, str]
) -> None:
    facts = {"promised": promised, "withheld": withheld, "lawful": lawful}
    for end, (in_time, late) in zip(
        ends, [(True, False), (False, True), (False, False)], strict=True
    ):
        told = {**facts, "in_time": in_time, "late": late}
        for approved in {in_time, in_time or late}:  # late and unresolved: nobody has approved it
            assert end_of({**told, "permitted": True, "approved": approved}) == end
            barred = end_of({**told, "permitted": False, "approved": approved})
            assert barred == ("wrongly_approved" if approved else end)


def end_of(told: Mapping[str, bool]) -> str:
    """By the table, of these facts."""
    values = ", ".join(f"{value} AS {name}" for name, value in told.items())
    (number,) = Books({}).one(f"SELECT {END_OF} FROM (SELECT {values})")
    end: str = TABLE[number][1]
    return end


def _spoilt(view: RunView) -> RunView:
    """A third of the fault phase is broken, and its books agree with that."""
    numbers = range(181, 261, 2)
    gone = {view.intents[n].draw_key for n in numbers}
    spoilt = broken(view, range(0))
    attempts = tuple(
        a._replace(outcome="failed", status=503, cause="system", hop="bank.partner-a")
        if a.intent in numbers
        else a
        for a in spoilt.attempts
    )
    calls = tuple(
        c._replace(result="not_sent") if c.draw_key in gone and "bank." in c.server else c
        for c in spoilt.calls
    )
    refused = tuple(
        d._replace(state="requested", try_=0, tier=None, ended_ns=None) if d.draw_key in gone else d
        for d in spoilt.draws
    )
    # Without their reservations the tier's later versions must be counted anew.
    kept = clean()
    versions, held, balance, numbers_by_tier = [], 0, 1_000_000_000, 1
    for v in kept.versions:
        if v.draw_key in gone:
            continue
        if v.account == "tier:partner-a/0" and v.event != "opening":
            amount_fen = next(d.amount_fen for d in kept.draws if d.draw_key == v.draw_key)
            numbers_by_tier += 1
            held += amount_fen if v.event == "reserve" else -amount_fen
            balance -= amount_fen if v.event == "reserve" else 0
            versions.append(v._replace(version=numbers_by_tier, held_fen=held, balance_fen=balance))
        else:
            versions.append(v)
    return changed(
        spoilt,
        attempts=attempts,
        calls=calls,
        draws=refused,
        tries=tuple(t for t in spoilt.tries if t.draw_key not in gone),
        payouts=tuple(p for p in spoilt.payouts if p.draw_key not in gone),
        postings=tuple(p for p in spoilt.postings if p.draw_key not in gone),
        versions=tuple(versions),
    )


def test_a_broken_promise_breaches_and_says_where_and_how_much() -> None:
    verdict = judge(_spoilt(clean()))
    assert (verdict.verdict, verdict.exit_code) == ("breached", 1), verdict.reason
    assert all(f.verdict == "held" for f in verdict.parts.audit), verdict.parts.audit
    assert verdict.parts.guarantee.by_hop.keys() == {"bank.partner-a"}
    assert verdict.parts.guarantee.by_fault[FAULT] > 0
    for word in ("fault", "system", "bank.partner-a", "draws", "¥"):
        assert word in verdict.reason


def test_wrong_money_outweighs_every_doubt() -> None:
    view = replace(clean(), ended="aborted: for safety", payouts=clean().payouts[1:])
    assert judge(view).exit_code == 1


@pytest.mark.parametrize(
    ("changes", "exit_code", "words"),
    [
        ({"ended": "cut"}, 3, "cut short"),
        ({"ended": "interrupted: SIGINT"}, 3, "interrupted"),
        ({"ended": "aborted: blind"}, 4, "blind"),
        ({"ended": "error: the lender died"}, 5, "the lender died"),
        ({"missing": ("versions",)}, 3, "versions"),
        ({"cut": ("attempts",)}, 3, "attempts"),
        ({"faults": ()}, 3, "no record"),
        ({"harness_failures": ("disk",)}, 3, "disk"),
    ],
)
def test_doubts_make_it_inconclusive(
    changes: dict[str, object], exit_code: int, words: str
) -> None:
    verdict = judge(replace(clean(), **changes))  # type: ignore[arg-type]  # fields by name
    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", exit_code)
    assert words in verdict.reason


def test_a_fault_never_seen_or_that_touched_nothing_is_inconclusive() -> None:
    view = clean()
    unseen = replace(view.faults[0], observed_ns=None, failure="never observed within 2 s")
    assert judge(replace(view, faults=(unseen,))).exit_code == 3
    elsewhere = replace(view.faults[0], edge_or_replica="gateway->bank.moon")
    verdict = judge(replace(view, faults=(elsewhere,)))
    assert verdict.exit_code == 3
    assert "touched no call" in verdict.reason


def test_an_unwell_generator_is_inconclusive_and_one_hiccup_is_not() -> None:
    view = clean()
    late = tuple(
        s._replace(lag_ns_max=300 * NS_PER_MS) if 3 <= s.second < 15 else s for s in view.generator
    )
    verdict = judge(replace(view, generator=late))
    assert verdict.exit_code == 3
    assert "not well in 12 of 38" in verdict.reason
    once = tuple(
        s._replace(lag_ns_max=300 * NS_PER_MS) if s.second == 4 else s for s in view.generator
    )
    assert judge(replace(view, generator=once)).exit_code == 0
    crowded = tuple(s._replace(psi_share=0.8) if 5 <= s.second < 9 else s for s in view.generator)
    assert judge(replace(view, generator=crowded)).exit_code == 3
    own = tuple(s._replace(psi_share=0.8) if s.second >= 15 else s for s in view.generator)
    assert judge(replace(view, generator=own)).exit_code == 0
    gap = tuple(s for s in view.generator if not 3 <= s.second < 6)
    assert judge(replace(view, generator=gap)).exit_code == 3


def test_a_mistake_of_the_harness_is_never_the_lenders() -> None:
    view = clean()
    first = view.attempts[0]._replace(outcome="failed", reason=f"{MISTAKE} 422 bad")
    verdict = judge(changed(view, attempts=(first, *view.attempts[1:])))
    assert any("mistake of the harness" in doubt for doubt in verdict.doubts)


def test_nothing_at_all_is_inconclusive() -> None:
    view = clean()
    empty = changed(
        view, intents=(), attempts=(), calls=(), draws=(), tries=(), versions=(), postings=(),
        payouts=(), generator=(), population=(),
    )  # fmt: skip
    verdict = judge(empty)
    assert verdict.exit_code == 3
    assert verdict.parts.guarantee.total.count is None
    assert json.loads(verdict_bytes(verdict))["guarantee"]["count"] is None


def test_both_gateways_gone_and_no_lender_rows_is_system_gateway() -> None:
    view = clean()
    attempts = tuple(
        a._replace(outcome="failed", status=0, first_byte_ns=None, cause="system", hop=None,
                   reason="connect-ConnectionRefusedError")
        for a in view.attempts
    )  # fmt: skip
    gone = changed(
        view, attempts=attempts, calls=(), draws=(), tries=(), versions=(), postings=(),
        payouts=(),
    )  # fmt: skip
    found = measure(gone).guarantee
    assert found.by_cause["system"] == found.total.broken == 389
    assert found.by_hop == {"gateway": 389}


def test_a_refusal_is_the_deciders_only_when_it_decided() -> None:
    view = clean()
    told = view.attempts[0]._replace(
        outcome="refused", status=403, cause="risk", hop="risk", reason="delinquent"
    )
    sold = changed(view, attempts=(told, *view.attempts[1:]))
    assert measure(sold).guarantee.by_cause["risk"] == 0
    decided = tuple(
        c._replace(result="refused") if c.draw_key == "key-000000" and c.server == "risk-1" else c
        for c in view.calls
    )
    # For the first draw alone, which the books have as refused.
    obeyed = Policy(
        "risk", 2, None, T0_NS, T0_NS, "risk-1", above_fen=1, ended_ns=T0_NS + NS_PER_S // 20
    )
    books = tuple(
        d._replace(state="refused", try_=0, tier=None) if d.draw_key == "key-000000" else d
        for d in sold.draws
    )
    tightened = changed(sold, policies=(*sold.policies, obeyed), draws=books)
    assert measure(changed(tightened, calls=decided)).guarantee.by_cause["risk"] == 1
    assert measure(tightened).guarantee.by_cause["risk"] == 0


def test_latency_of_what_was_never_granted_is_infinite() -> None:
    verdict = judge(_spoilt(clean()))
    fault = verdict.parts.latency["fault"]
    assert fault.censored == sum(n % 20 != 7 for n in range(181, 261, 2))
    p90 = fault.quantiles["p90"]
    assert p90 is not None
    assert math.isinf(p90)
    assert verdict.value["latency_ms"]["fault"]["p90"] is None
    assert "p90" in verdict.value["latency_ms"]["fault"]["beyond_deadline"]


def test_relative_expectations_compare_with_the_baseline() -> None:
    tight = scenario("expect.fault=[p50 <= 1 x baseline, p50 > 2 x baseline]")
    verdicts = [one.verdict for one in judge(replace(clean(), scenario=tight)).met]
    assert verdicts[2:4] == ["held", "breached"]


def test_a_quantile_with_too_few_beyond_it_is_inconclusive() -> None:
    thin = scenario("expect.baseline=[p99.9 < 10 s, guarantee >= 99 %]")
    verdict = judge(replace(clean(), scenario=thin))
    assert verdict.exit_code == 3
    assert "too little data" in verdict.reason


def test_the_smoke_scenario_is_what_the_builder_thinks() -> None:
    assert SCENARIO.phases.load_s == 41
    assert T0_NS > 0
