"""Why draws broke, in small runs of which the answer is known."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Call, Policy, Tier
from harness.judge.attribution import attribute
from harness.judge.disagreements import attribution_json, hops_of, told_of_disagreements
from harness.judge.ends import Ends, IntentEnd
from harness.judge.exposure import exposure
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle
from harness.judge.view import RunView
from tests.run_views import OPENING_FEN, T0_NS, changed, clean

DRAW = 181
KEY = f"key-{DRAW:06d}"
DUE_NS = T0_NS + DRAW * NS_PER_S // 10
TIMEOUT_MS = 1500
Calls = Iterable[tuple[str, int, int, str]]


def hit(
    calls: Calls,
    done_ms: int,
    *,
    hop: str | None = None,
    queue_ms: int = 0,
    arrived_ms: int = 1,
    outcome: str = "unknown",
) -> RunView:
    """The clean run, but DRAW was not granted. calls: (server, start, end, result), ms from its due
    time; a call of a ledger to its database has the ledger's name before it: `ledger-1>database-1`.
    """
    view = clean()
    attempts = tuple(
        a._replace(outcome=outcome, status=504, cause="system", hop=hop,
                   done_ns=DUE_NS + done_ms * NS_PER_MS)
        if a.intent == DRAW else a
        for a in view.attempts
    )  # fmt: skip
    others = [c for c in view.calls if c.draw_key != KEY]
    mine = [_call(*call) for call in calls]
    served = Call(
        KEY, 1, "borrower->gateway", "borrower", "gateway-1", "server",
        DUE_NS + arrived_ms * NS_PER_MS, DUE_NS + (done_ms + 9) * NS_PER_MS, True, "error",
        queue_ms * NS_PER_MS,
    )  # fmt: skip
    return changed(
        view, attempts=attempts, calls=[*others, served, *mine],
        draws=tuple(d for d in view.draws if d.draw_key != KEY),
        tries=tuple(t for t in view.tries if t.draw_key != KEY),
        payouts=tuple(p for p in view.payouts if p.draw_key != KEY),
    )  # fmt: skip


def _call(server: str, start_ms: int, end_ms: int, result: str, key: str = KEY) -> Call:
    client, _, name = server.rpartition(">")
    client = client or "gateway-1"
    role = name if name.startswith("bank.") else name.rpartition("-")[0]
    return Call(
        key, 0 if name.startswith("database") else 1, f"{client.rpartition('-')[0]}->{role}",
        client, name, "client", DUE_NS + start_ms * NS_PER_MS, DUE_NS + end_ms * NS_PER_MS,
        result != "not_sent", result, 0,
    )  # fmt: skip


def with_calls(view: RunView, calls: Iterable[Call]) -> RunView:
    return changed(view, calls=[*view.calls, *calls])


def ends_of(view: RunView) -> Ends:
    return attribute(view, judge_intents(view, Oracle(view)), exposure(view))


def end_of(view: RunView) -> IntentEnd:
    (end,) = ends_of(view).where(intent=DRAW)
    return end


def why(view: RunView) -> tuple[str | None, str | None]:
    end = end_of(view)
    assert end.broken
    return end.cause, end.hop


ASKED = (("risk-1", 2, 3, "ok"), ("compliance-1", 2, 3, "ok"))
RESERVED = (*ASKED, ("ledger-1", 4, 8, "ok"))


@pytest.mark.parametrize(
    ("calls", "done_ms", "told", "hop"),
    [
        # Before its time was up: who did not answer in the end.
        ((*RESERVED, ("bank.partner-a", 9, 1009, "unknown")), 1012, None, "bank.partner-a"),
        ((("risk-1", 2, 1002, "unknown"), ("compliance-1", 2, 3, "ok")), 1004, "risk", "risk"),
        # A try that was refused and made again elsewhere is not what broke it.
        (
            (*ASKED, ("ledger-2", 4, 5, "not_sent"), ("ledger-1", 6, 9, "ok"),
             ("bank.partner-a", 10, 600, "error")),
            603, None, "bank.partner-a",
        ),
        # An answer that is of no use to who asked, by the word of who asked.
        (ASKED, 6, "compliance", "compliance"),
        (ASKED, 6, "bank.own", "gateway"),
        # What an earlier try may have left at work.
        (
            (*ASKED, ("ledger-1", 4, 200, "unknown"), ("ledger-2", 201, 203, "refused")),
            205, "gateway", "ledger",
        ),
        ((), 3, None, "gateway"),
        # At its limit: where the time went.
        ((*RESERVED, ("bank.partner-a", 9, 9000, "unknown")), TIMEOUT_MS, None, "bank.partner-a"),
        ((("compliance-1", 2, 2002, "ok"), ("risk-1", 2, 3, "ok")), TIMEOUT_MS, None, "compliance"),
        (RESERVED, TIMEOUT_MS, None, "gateway"),
        # It was failed early, and whoever failed it was waited for no longer.
        (
            (*ASKED, ("ledger-1", 4, 90, "error"), ("ledger-1", 120, 200, "error"),
             ("bank.own", 300, 9000, "unknown")),
            TIMEOUT_MS, None, "ledger",
        ),
        # The first that took a third of it, though another took longer.
        (
            (("risk-1", 2, 602, "ok"), ("compliance-1", 2, 3, "ok"),
             ("ledger-1", 603, 1490, "unknown")),
            TIMEOUT_MS, None, "risk",
        ),
    ],
)  # fmt: skip
def test_the_hop_where_it_first_went_wrong(
    calls: Calls, done_ms: int, told: str | None, hop: str
) -> None:
    assert why(hit(calls, done_ms, hop=told)) == ("system", hop)


WAITS = ("ledger-1", 4, 1490, "unknown")
HANGS = ("ledger-1>database-1", 5, 3000, "ok")


def test_a_ledger_that_waits_for_the_database_is_not_to_blame() -> None:
    view = hit((*ASKED, WAITS, HANGS), TIMEOUT_MS)
    other = _call("ledger-2>database-1", 100, 2900, "ok", "somebody")
    assert why(with_calls(view, [other])) == ("system", "database")
    # A frozen ledger finds its own calls slow, and the other's are not.
    well = _call("ledger-2>database-1", 100, 102, "ok", "somebody")
    assert why(with_calls(view, [well])) == ("system", "ledger")
    assert why(hit((*ASKED, WAITS, ("ledger-1>database-1", 5, 8, "ok")), TIMEOUT_MS))[1] == "ledger"


def test_a_database_that_fails_at_once_is_to_blame_for_the_ledger() -> None:
    calls = (
        *ASKED, ("ledger-1", 4, 60, "error"), ("ledger-1>database-1", 5, 50, "unknown"),
        ("ledger-2", 90, 150, "error"), ("ledger-2>database-1", 91, 140, "not_sent"),
    )  # fmt: skip
    assert why(hit(calls, 200)) == ("system", "database")
    # Near the end of its time too: it had begun to fail before.
    late = (*RESERVED, ("bank.own", 700, 701, "not_sent"), ("bank.own", 1495, 1496, "not_sent"))
    assert why(hit(late, TIMEOUT_MS)) == ("system", "bank.own")
    # What was cut short by the limit did not fail before it.
    cut = (("risk-1", 2, 1480, "ok"), ("compliance-1", 2, 3, "ok"),
           ("ledger-1", 1481, 1481, "not_sent"))  # fmt: skip
    assert why(hit(cut, TIMEOUT_MS)) == ("system", "risk")


def _queued() -> RunView:
    return hit((), TIMEOUT_MS, queue_ms=1450)


def _held(server: str, times: int, client: str = "gateway-1") -> list[Call]:
    """Calls of other draws that hold slots all the time."""
    return [
        _call(f"{client}>{server}", -1000, 2500, "unknown", f"other-{n:04d}") for n in range(times)
    ]


def test_a_queue_is_laid_at_who_holds_the_slots() -> None:
    assert why(_queued()) == ("system", "gateway")
    assert why(with_calls(_queued(), _held("bank.own", 12))) == ("system", "bank.own")
    # Of 16 slots two are too few to be why others wait; and these are another gateway's.
    assert why(with_calls(_queued(), _held("bank.own", 2))) == ("system", "gateway")
    other = _held("bank.own", 12, "gateway-2")
    assert why(with_calls(_queued(), other)) == ("system", "gateway")
    both = [*_held("bank.own", 5), *_held("ledger-1", 9)]
    assert why(with_calls(_queued(), both)) == ("system", "ledger")
    hangs = [_call("ledger-1>database-1", -1000, 2500, "ok", f"other-{n:04d}") for n in range(9)]
    assert why(with_calls(_queued(), [*both, *hangs])) == ("system", "database")


def test_a_gateway_that_was_not_there_is_to_blame_itself() -> None:
    late = hit((), TIMEOUT_MS, arrived_ms=4000)
    assert why(late) == ("system", "gateway")
    waiting = hit((*RESERVED, ("bank.partner-a", 9, 3000, "ok")), TIMEOUT_MS)
    assert why(waiting) == ("system", "bank.partner-a")
    # Nothing arrives at it for seconds, as nothing does at a frozen process.
    frozen = range(DUE_NS + 10 * NS_PER_MS, DUE_NS + 3000 * NS_PER_MS)
    calls = [c for c in waiting.calls if c.side == "client" or c.start_ns not in frozen]
    assert why(changed(waiting, calls=calls)) == ("system", "gateway")


def test_a_draw_granted_late_went_wrong_in_its_first_attempt() -> None:
    slow = (*RESERVED, ("bank.partner-a", 9, 1400, "ok"))
    view = hit(slow, 5100, outcome="granted")
    assert end_of(view).end == "broken_late"
    assert why(view)[0] == "system"


def _told(view: RunView, cause: str, hop: str, status: int = 403) -> RunView:
    attempts = tuple(
        a._replace(outcome="refused", cause=cause, hop=hop, status=status)
        if a.intent == DRAW else a
        for a in view.attempts
    )  # fmt: skip
    return changed(view, attempts=attempts)


POLICY = Policy("risk", 2, None, T0_NS, T0_NS, "risk-1", above_fen=1)


def test_a_decision_is_the_cause_when_it_was_made() -> None:
    view = _told(
        hit((("risk-1", 2, 3, "refused"), ("compliance-1", 2, 3, "ok")), 6), "risk", "risk"
    )
    obeyed = replace(view, policies=(*view.policies, POLICY))
    assert why(obeyed) == ("risk", "risk")
    # Without a policy that is against it the service was wrong: that is no decision.
    assert why(view) == ("system", "risk")


def test_a_decision_that_stands_is_the_cause_whatever_failed_before_it() -> None:
    view = hit((("risk-1", 2, 3, "refused"), ("compliance-1", 2, 903, "unknown")), 950)
    first = next(a for a in view.attempts if a.intent == DRAW)
    refused = first._replace(
        n=2, scheduled_ns=DUE_NS + NS_PER_S, sent_ns=DUE_NS + NS_PER_S,
        done_ns=DUE_NS + NS_PER_S + 1, outcome="refused", cause="risk", hop="risk", status=403,
    )  # fmt: skip
    obeyed = replace(view, policies=(*view.policies, POLICY))
    assert why(obeyed) == ("system", "compliance")
    assert why(changed(obeyed, attempts=[*obeyed.attempts, refused])) == ("risk", "risk")


def test_want_of_money_must_be_true() -> None:
    view = _told(hit(RESERVED, 10), "liquidity", "ledger", 409)
    assert why(view) == ("system", "ledger")
    out = tuple(Tier(t.tier, t.bank, 0.5, OPENING_FEN, 0, T0_NS, False) for t in view.tiers)
    assert why(replace(view, tiers=(*view.tiers, *out))) == ("liquidity", "ledger")


# --- checked against the faults


def checked(view: RunView) -> list[str]:
    return told_of_disagreements(attribution_json(view, ends_of(view)))


def _bank_was_silent() -> RunView:
    return hit((*RESERVED, ("bank.partner-a", 9, 1009, "unknown")), 1012)


def _elsewhere(view: RunView, place: str, name: str) -> RunView:
    return replace(view, faults=(replace(view.faults[0], edge_or_replica=place, name=name),))


def test_a_fault_of_that_cause_and_hop_accounts_for_it() -> None:
    view = _bank_was_silent()
    assert checked(view) == []
    assert attribution_json(view, ends_of(view))["checked"] == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: _elsewhere(v, "risk-1", "process: freeze risk-1"), "touched by process: freeze"),
        (lambda v: _elsewhere(v, "risk-9", "process: freeze risk-9"), "touched by none of process"),
        (
            lambda v: _elsewhere(v, "gateway->bank.partner-a", "business: stress"),
            "touched by business: stress alone",
        ),
        (
            lambda v: replace(v, faults=tuple(
                replace(f, observed_ns=T0_NS + 30 * NS_PER_S, last_observed_ns=None)
                for f in v.faults
            )),
            "no fault was seen then",
        ),
    ],
)  # fmt: skip
def test_what_no_fault_accounts_for_is_listed(
    spoil: Callable[[RunView], RunView], words: str
) -> None:
    (told,) = checked(spoil(_bank_was_silent()))
    assert words in told
    assert KEY in told
    assert "system at bank.partner-a" in told


def test_a_run_without_faults_has_nothing_to_check_against() -> None:
    view = replace(_bank_was_silent(), faults=())
    assert checked(view) == []
    assert attribution_json(view, ends_of(view))["checked"] == 0


def test_a_place_is_whoever_is_called_there() -> None:
    assert hops_of("gateway->bank.own") == frozenset({"bank.own"})
    assert hops_of("ledger->database") == frozenset({"database"})
    assert hops_of("ledger-1") == hops_of("ledger") == frozenset({"ledger"})
    assert hops_of("site a") is None
    assert hops_of("") is None


def test_exposure_of_the_draw_is_still_told() -> None:
    view = _bank_was_silent()
    name = view.faults[0].name
    assert DRAW in exposure(view)[name].intents
    assert end_of(view).exposed_to == (name,)
