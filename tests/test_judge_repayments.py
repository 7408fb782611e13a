"""Repayments and the judge: a right ledger is never accused, a wrong one by the right rule."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.evidence.rows import Attempt, Borrower, Draw, Intent, Repayment, Version
from harness.judge.audit import audit
from harness.judge.ends import Finding
from harness.judge.intents import judge_intents
from harness.judge.judge import judge
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.repaid_views import repaid
from tests.run_views import T0_NS, changed, clean

LIMIT_FEN = 1_000_00


def findings(view: RunView) -> dict[int, Finding]:
    return {f.rule: f for f in audit(view, judge_intents(view, Oracle(view)))}


def test_a_clean_run_with_repayments_is_not_accused() -> None:
    view = repaid()
    verdict = judge(view)
    assert verdict.verdict == "held", verdict.reason
    assert {f["verdict"] for f in verdict.value["audit"]} == {"held"}
    said = verdict.value["repayments"]
    assert (said["planned"], said["asked"], said["repaid"], said["again"]) == (41, 41, 41, 0)
    without = {f.rule: f.examined for f in judge(clean()).parts.audit}
    for finding in verdict.parts.audit:
        more = finding.examined - without[finding.rule]
        assert (more > 0) is (finding.rule in (1, 2, 4, 6, 9)), finding


def test_repayments_do_not_change_how_draws_ended() -> None:
    """Nor how often borrowers pressed, nor how many calls a draw became."""
    view, plain = repaid(), clean()
    unsure = tuple(
        a._replace(outcome="unknown", status=504) if a.kind == "repay" else a for a in view.attempts
    )
    for other in (view, changed(view, attempts=unsure)):
        assert judge_intents(other, Oracle(other)) == judge_intents(plain, Oracle(plain))
        assert judge(other).parts.amplification == judge(plain).parts.amplification
        assert judge(other).parts.exposure == judge(plain).parts.exposure


def test_repayments_of_which_none_was_acknowledged_prove_nothing() -> None:
    view = repaid()
    none = changed(view, attempts=tuple(a for a in view.attempts if a.kind != "repay"))
    verdict = judge(none)
    assert verdict.verdict == "inconclusive"
    assert "nothing was repaid" in verdict.reason


def test_a_probe_that_the_ledger_refused_is_no_repayment() -> None:
    """Whether it takes writes is seen by asking for a repayment of nobody's."""
    view = clean()
    probe = Repayment("probe-1", 0, 1, "refused", T0_NS)
    assert findings(changed(view, repayments=(probe,)))[2].verdict == "held"
    taken = changed(view, repayments=(probe._replace(state="repaid"),))
    assert findings(taken)[2].verdict == "breached"


def _forgotten(view: RunView) -> RunView:
    return changed(view, repayments=view.repayments[1:])


def _first(view: RunView, **changes: object) -> RunView:
    first = view.repayments[0]._replace(**changes)  # type: ignore[arg-type]  # the row's own fields
    return changed(view, repayments=(first, *view.repayments[1:]))


def _taken_twice(view: RunView) -> RunView:
    """The same key moves the quota and the postings again, and the books still add up."""
    again = next(v for v in view.versions if v.event == "repay" and v.outstanding_fen)
    amount_fen = next(r.amount_fen for r in view.repayments if r.repay_key == again.draw_key)
    second = again._replace(version=4, outstanding_fen=(again.outstanding_fen or 0) - amount_fen)
    return changed(view, versions=(*view.versions, second))


def _never_taken(view: RunView) -> RunView:
    gone = next(v for v in view.versions if v.event == "repay")
    return changed(view, versions=tuple(v for v in view.versions if v != gone))


def _collected_elsewhere(view: RunView) -> RunView:
    at = next(n for n, p in enumerate(view.postings) if p.account == "collections:principal")
    spoilt = view.postings[at]._replace(account="collections:interest")
    return changed(view, postings=(*view.postings[:at], spoilt, *view.postings[at + 1 :]))


def _told(view: RunView, **changes: object) -> RunView:
    """What the first repayment was told, changed."""
    at = next(n for n, a in enumerate(view.attempts) if a.kind == "repay")
    spoilt = view.attempts[at]._replace(**changes)  # type: ignore[arg-type]  # the row's own fields
    return changed(view, attempts=(*view.attempts[:at], spoilt, *view.attempts[at + 1 :]))


def _told_again(view: RunView) -> RunView:
    first = next(a for a in view.attempts if a.kind == "repay")
    later = first._replace(n=2, outcome="refused", cause="quota", done_ns=(first.done_ns or 0) + 1)
    return changed(view, attempts=(*view.attempts, later))


def _refused_though_owed(view: RunView) -> RunView:
    key = view.repayments[0].repay_key
    spoilt = _first(_told(view, outcome="refused", cause="quota"), state="refused")
    return changed(spoilt, versions=tuple(v for v in view.versions if v.draw_key != key))


@pytest.mark.parametrize(
    ("plant", "rule", "words"),
    [
        (_forgotten, 1, "repaid, not in the ledger"),
        (lambda view: _first(view, state="refused"), 1, "repaid, refused in the ledger"),
        (lambda view: _first(view, amount_fen=1), 1, "another borrower or amount"),
        (lambda view: _first(view, borrower=99), 1, "another borrower or amount"),
        (lambda view: changed(view, repayments=(*view.repayments, view.repayments[0])), 1,
         "more than once"),
        (lambda view: _first(view, repay_key="nobody"), 2, "by nobody"),
        (lambda view: _first(view, amount_fen=1), 2, "not what was given back"),
        (_taken_twice, 4, "moved quota 2 x"),
        (_never_taken, 4, "moved quota 0 x"),
        (_collected_elsewhere, 6, "off what was repaid"),
        (_told_again, 9, "told repaid and refused"),
        (lambda view: _told(view, outcome="refused"), 9, "refused for good, and repaid"),
        (lambda view: _told(view, outcome="failed"), 9, "failed for certain, and repaid"),
        (_refused_though_owed, 9, "refused although as much was owed"),
    ],
)  # fmt: skip
def test_a_planted_defect_is_found(
    plant: Callable[[RunView], RunView], rule: int, words: str
) -> None:
    view = plant(repaid())
    finding = findings(view)[rule]
    assert finding.verdict == "breached", finding
    assert words in f"{finding.first} {finding.worst} {finding.last}"
    assert judge(view).verdict == "breached"


@pytest.mark.parametrize("table", ["repay_intents", "repayments"])
def test_without_its_tables_no_rule_is_sure(table: str) -> None:
    found = findings(changed(repaid(), cut=(table,)))
    assert {rule for rule, f in found.items() if f.verdict == "inconclusive"} >= {1, 2, 9}


def history(events: list[tuple[str, int, int, int]], unit_ns: int = NS_PER_S) -> RunView:
    """One borrower against a ledger that is right: (draw, due, locked, fen), where a draw that does
    not fit is refused; (repay, 0, locked, fen), where what exceeds the debt is refused. Times are
    in units from t = 0."""
    base = clean(1)
    intents, draws, repayments, attempts = [], [], [], []
    versions: list[Version] = []
    owed_fen = 0

    def version(at: int, key: str, event: str, held_fen: int) -> None:
        versions.append(
            Version("borrower:1", len(versions) + 1, LIMIT_FEN, owed_fen, held_fen, None,
                    T0_NS + at * unit_ns, key, 1, event)
        )  # fmt: skip

    for number, (kind, due, locked, fen) in enumerate(sorted(events, key=lambda e: e[2])):
        key, at_ns = f"key-{number}", T0_NS + locked * unit_ns
        if kind == "repay":
            fits = fen <= owed_fen
            repayments.append(Repayment(key, 1, fen, "repaid" if fits else "refused", at_ns))
            owed_fen -= fen if fits else 0
            if fits:
                version(locked, key, "repay", 0)
            continue
        fits = fen <= LIMIT_FEN - owed_fen
        if fits:
            version(locked, key, "reserve", fen)
            owed_fen += fen
            version(locked, key, "post", 0)
        due_ns = T0_NS + due * unit_ns
        intents.append(
            Intent(number, key, 1, "new", fen, "education", due_ns, "baseline", straddling=False)
        )
        attempts.append(
            Attempt(number, "press", 1, due_ns, due_ns, at_ns, at_ns, 201 if fits else 403,
                    "granted" if fits else "refused", None if fits else "quota", None,
                    None if fits else "over-quota", "gateway-1", "worker-1")
        )  # fmt: skip
        draws.append(
            Draw(key, 1, fen, "education", "paid" if fits else "refused", 1, "own", due_ns, at_ns,
                 at_ns, None if fits else "quota", None, None if fits else "over-quota", 1, due_ns,
                 1, due_ns)
        )  # fmt: skip
    person = Borrower(1, "new", LIMIT_FEN, barred=False, delinquent=False)
    return changed(
        base, intents=tuple(intents), draws=tuple(draws), repayments=tuple(repayments),
        versions=tuple(versions), attempts=tuple(attempts), population=(person,),
    )  # fmt: skip


def ends_of(view: RunView) -> list[str]:
    return [end.end for end in judge_intents(view, Oracle(view))]


FIRST = ("draw", 0, 1, 800_00)


@pytest.mark.parametrize(
    ("more", "last"),
    [
        # Repaid long before: the room is promised, and the draw kept.
        ([("repay", 0, 5, 600_00), ("draw", 10, 11, 500_00)], "kept"),
        # Never repaid: rightly refused.
        ([("draw", 10, 11, 500_00)], "rightly_refused"),
        # The repayment comes in while the draw is on its way: the ledger took it first...
        ([("repay", 0, 12, 600_00), ("draw", 10, 13, 500_00)], "kept"),
        # ... or after it had refused the draw. Both are right.
        ([("repay", 0, 12, 600_00), ("draw", 10, 11, 500_00)], "rightly_refused"),
        # Too little of it: refused either way.
        ([("repay", 0, 12, 100_00), ("draw", 10, 13, 500_00)], "rightly_refused"),
    ],
)
def test_a_repayment_gives_room_from_when_the_ledger_has_it(
    more: list[tuple[str, int, int, int]], last: str
) -> None:
    assert ends_of(history([FIRST, *more]))[-1] == last


def test_room_that_was_given_back_and_refused_all_the_same_is_broken() -> None:
    view = history([FIRST, ("repay", 0, 5, 600_00), ("draw", 10, 11, 500_00)])
    stale = view.draws[-1]._replace(state="refused", cause="quota", reason="over-quota")
    told = view.attempts[-1]._replace(outcome="refused", status=403, reason="over-quota")
    spoilt = changed(
        view, draws=(*view.draws[:-1], stale), attempts=(*view.attempts[:-1], told),
        versions=view.versions[:-2],
    )  # fmt: skip
    assert ends_of(spoilt)[-1] == "broken"


def test_a_draw_paid_before_the_room_was_given_back_is_wrongly_approved() -> None:
    view = history([FIRST, ("repay", 0, 14, 600_00), ("draw", 10, 15, 500_00)])
    early = tuple(
        v._replace(locked_ns=T0_NS + 11 * NS_PER_S) if v.draw_key == "key-2" else v
        for v in view.versions
    )
    # As a ledger has it that took the draw first: its versions before the repayment's.
    order = sorted(early, key=lambda v: (v.locked_ns, v.version))
    renumbered = tuple(v._replace(version=n) for n, v in enumerate(order, start=1))
    assert ends_of(changed(view, versions=renumbered))[-1] == "wrongly_approved"


Steps = list[tuple[int, int, bool, int]]
STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans(), st.integers(1, 1_200)),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_a_right_ledger_is_never_accused(steps: Steps) -> None:
    never_accused(steps)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_a_right_ledger_is_never_accused_however_long_one_looks(steps: Steps) -> None:
    never_accused(steps)


def never_accused(steps: Steps) -> None:
    """Draws one after another, as the population's rule has it; repayments at any time beside.

    In hundredths of a second: draws are due on the second and decided one hundredth later or some
    seconds more, repayments come in the middle between.
    """
    events, free_s = [], 1
    middle = count(50)
    for gap_s, took_s, is_draw, yuan in steps:
        if is_draw:
            due_s = free_s + gap_s
            events.append(("draw", due_s * 100, (due_s + took_s) * 100 + 1, yuan * 100))
            free_s = due_s + took_s + 1
        else:
            at = max(1, free_s - gap_s) * 100 + next(middle)
            events.append(("repay", 0, at, yuan * 100))
    view = history(events, NS_PER_S // 100)
    assert set(ends_of(view)) <= {"kept", "rightly_refused"}
    granted = {a.intent for a in view.attempts if a.outcome == "granted"}
    for end in judge_intents(view, Oracle(view)):
        assert end.promised is (end.intent.intent in granted)
