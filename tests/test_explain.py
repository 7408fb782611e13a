"""One draw's story, and the list of broken draws: complete, in order, no harm to a terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness import commands
from harness.cli import main
from harness.errors import ScenarioError
from harness.evidence.rows import Tombstone
from harness.judge.judge import judge
from harness.judge.view import RunView
from harness.report.explain import explain
from harness.report.html import html
from harness.report.text import summary
from harness.report.which_draws import asked_for, broken_draws
from harness.terminal import plain
from tests.run_views import FAULT, broken, changed, clean

DRAW = 183
KEY = f"key-{DRAW:06d}"


def story(view: RunView, draw: str = KEY) -> str:
    verdict = judge(view)
    (end,) = asked_for(verdict.parts.ends, draw)
    return explain(view, verdict, end)


def test_a_kept_draw_is_told_from_the_promise_to_its_end() -> None:
    told = story(clean())
    for words in (
        f"draw {KEY} (intent 183): borrower 184 (new) wants",
        "due 18.300 s after t = 0, in phase fault",
        "KEPT",
        "yes",
        "press 1 at gateway-1: granted, HTTP 201",
        "borrower->gateway (borrower to gateway-1), server side for attempt 1: ok",
        "(gateway-1 to bank.partner-a), client side for attempt 1: ok, 86.0 ms",
        f"+0.006 s try 1 opened: tier partner-a, payout key {KEY}.partner-a.1",
        "+0.099 s try 1 paid, by gateway-1",
        "reserve of try 1: borrower:184 version 1: held ¥283.00",
        "post of try 1: borrower:184:outstanding ¥283.00",
        "bank.partner-a paid ¥283.00",
        f"{FAULT} (at gateway->bank.partner-a), seen",
        "told of a grant: +0.100 s",
    ):
        assert words in told, words
    parts = ("promised", "the ledger", "the banks", "faults that touched it", "how it ended")
    order = [told.index(f"\n{part}\n") for part in parts]
    assert order == sorted(order)


def test_times_are_from_the_due_time() -> None:
    assert "+0.000 s to +0.100 s press 1" in story(clean())


def test_a_broken_draw_has_cause_and_hop_and_what_became_of_the_money() -> None:
    view = broken(clean(), range(DRAW, DRAW + 2))
    stone = Tombstone("bank.partner-a", f"{KEY}.partner-a.1", view.intents[DRAW].due_ns + 10**9)
    told = story(changed(view, tombstones=(stone,)))
    assert "BROKEN: system at bank.partner-a, avoidable" in told
    assert "unknown, HTTP 504, system at bank.partner-a" in told
    assert f"+1.000 s bank.partner-a closed {KEY}.partner-a.1 for ever" in told
    assert "paid in the ledger: never" in told
    assert "no fault accounts for that" not in told


def test_a_draw_that_had_to_be_refused_says_why() -> None:
    told = story(clean(), "7")
    assert "RIGHTLY REFUSED" in told
    assert "compliance 1 is against it, told of in time" in told
    assert "refused, HTTP 403, compliance at compliance (purpose-barred)" in told


def test_what_no_fault_accounts_for_is_said() -> None:
    view = broken(clean(), range(DRAW, DRAW + 2))
    moved = replace(view, faults=(replace(view.faults[0], edge_or_replica="risk-9"),))
    assert "no fault accounts for that: touched by none of" in story(moved)
    verdict = judge(moved)
    (kind, other) = verdict.value["attribution"]["disagreements"]["kinds"]
    assert kind["count"] == other["count"] == 1
    assert "disagrees   1 of 2 broken draws, system at bank." in summary(moved, verdict)
    assert "No fault accounts for 1 of 2 broken draws" in html(moved, verdict)
    assert "  no fault accounts for 1 of 2 broken draws" in broken_draws(moved, verdict)


def test_nobody_knows_the_key() -> None:
    ends = judge(clean()).parts.ends
    assert asked_for(ends, "key-of-nobody") == asked_for(ends, "9" * 30) == []


def test_broken_draws_are_listed_by_cause_and_hop() -> None:
    view = broken(clean(), range(DRAW, DRAW + 8))
    told = broken_draws(view, judge(view))
    lines = told.splitlines()
    # Even ones are paid by the other bank; the 187th had to be refused.
    assert lines[0].startswith("7 of 389 promised draws are broken (¥")
    assert any(line.startswith("  system at bank.own: 4 draws") for line in lines)
    assert any(line.startswith("  system at bank.partner-a: 3 draws") for line in lines)
    assert KEY in told
    many = broken(clean(), range(DRAW, DRAW + 40))
    assert "more" in broken_draws(many, judge(many))


def test_no_control_sign_of_a_target_reaches_the_terminal() -> None:
    evil = "\x1b[2J\x07\n\u202e\u2028x"
    view = clean()
    attempts = tuple(
        a._replace(reason=evil, replica=evil, cause=evil) if a.intent == DRAW else a
        for a in view.attempts
    )
    told = story(changed(view, attempts=attempts))
    assert not set(told) & set("\x1b\x07\u202e\u2028")
    assert "\\u001b[2J\\u0007\\u000a\\u202e\\u2028x" in told
    assert plain("资金 ¥1") == "资金 ¥1"


def test_a_run_without_anything_has_no_draw() -> None:
    view = changed(clean(), intents=(), attempts=(), calls=(), draws=(), tries=(), population=())
    verdict = judge(view)
    assert asked_for(verdict.parts.ends, "0") == []
    assert broken_draws(view, verdict).startswith("0 of 0 promised draws are broken")


def test_the_command_tells_either_and_knows_a_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "runs" / "one"
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    monkeypatch.setattr(commands, "load_view", lambda _: clean())
    assert main(["explain", str(place), "--draw", KEY]) == 0
    assert f"draw {KEY}" in capsys.readouterr().out
    assert main(["explain", str(place)]) == 0
    told = capsys.readouterr().out
    assert "0 of 389 promised draws are broken" in told
    assert "one of them" not in told
    assert main(["explain", str(place), "--draw", KEY[:-1]]) == ScenarioError.exit_code
    assert "with which 10 keys begin; allowed: more of one: key-000180, " in capsys.readouterr().err
    assert main(["explain", str(place), "--draw", "nobody"]) == ScenarioError.exit_code
    assert "--draw" in capsys.readouterr().err
    assert main(["explain", str(place / "nowhere")]) == ScenarioError.exit_code
    assert main(["explain", str(place.parent)]) == ScenarioError.exit_code
    assert f"one of its drills, each a run directory: {place}" in capsys.readouterr().err
    gone = replace(clean(), missing=("attempts",))
    monkeypatch.setattr(commands, "load_view", lambda _: gone)
    for more in ((), ("--draw", KEY), ("--draw", "nobody")):
        assert main(["explain", str(place), *more]) == 3
        assert capsys.readouterr().out.startswith("NOTHING CAN BE TOLD")


def test_a_beginning_of_a_key_is_enough_where_no_other_begins_so() -> None:
    ends = judge(clean()).parts.ends
    assert [end.intent.intent for end in asked_for(ends, "key-00018")] == [*range(180, 190)]
    assert asked_for(ends, KEY[:-1] + "3")[0].intent.intent == DRAW
    view = changed(
        clean(), intents=(i._replace(draw_key=f"{i.intent:06d}-x") for i in clean().intents)
    )
    ends = judge(view).parts.ends
    assert [end.intent.intent for end in asked_for(ends, "000183")] == [DRAW]
    assert asked_for(ends, "00018-") == []
    # A number of the plan is that, whatever key begins so; too short a beginning is none.
    assert [end.intent.intent for end in asked_for(ends, "409")] == [409]
    assert asked_for(ends, "0001x") == []


def test_a_draw_that_came_too_late_says_in_which_way() -> None:
    view = clean()
    late_ns = int(view.scenario.load.patience.deadline_s * 1e9) + 1_500_000_000

    def later(name: str) -> str:
        attempts = tuple(
            a._replace(done_ns=a.scheduled_ns + late_ns)
            if name == "granted"
            else a._replace(outcome="unknown", status=202, cause="system", reason="202")
            for a in view.attempts
            if a.intent == DRAW
        )
        return story(changed(view, attempts=attempts))

    assert "BROKEN, granted too late, 1.50 s after the borrower's deadline: " in later("granted")
    told = later("never known")
    assert "BROKEN, paid, and the borrower never learned of it: system at " in told
    assert "unknown, HTTP 202 (still being worked on)" in told
    assert "?" not in told.partition("calls between")[0].partition("attempts, as")[2]


@pytest.mark.parametrize(
    ("table", "how"), [("attempts", "missing"), ("calls", "cut"), ("states", "missing")]
)
def test_of_evidence_that_is_not_all_there_no_cause_hop_or_count_is_told(
    table: str, how: str
) -> None:
    """As if nobody had been answered: what is left looks like the generator's own failure."""
    view = changed(broken(clean(), range(DRAW, DRAW + 2)), **{how: (table,)})
    view = changed(view, **{table: ()})
    verdict = judge(view)
    said, listed = summary(view, verdict), broken_draws(view, verdict)
    told = explain(view, verdict, asked_for(verdict.parts.ends, KEY)[0])
    wrong = f"evidence {'is missing' if how == 'missing' else 'was cut short'}: {table}"
    assert said.splitlines()[0] == f"INCONCLUSIVE (exit 3): nothing can be told: {wrong}"
    for text in (said, html(view, verdict), listed, told):
        assert wrong in text
        for words in ("broken by", "at machine", "BROKEN", "guarantee  ", "promised draws are",
                      "of 389", "Broken, by cause", "; touched", "touched no call"):  # fmt: skip
            assert words not in text
    assert listed.startswith("NOTHING CAN BE TOLD of broken draws")
    assert told.startswith("NOTHING CAN BE TOLD of broken draws")
    gone = "not there" if how == "missing" else "cut short or changed"
    assert (f"not known: {table}: {gone}" in told) == (table != "states")


def test_wrong_money_is_told_before_what_can_not_be_told() -> None:
    view = clean()
    paid = view.payouts[3]
    twice = (*view.payouts, paid._replace(payout_key=f"{paid.payout_key}x"))
    view = replace(changed(view, payouts=twice), missing=("states",))
    first = summary(view, judge(view)).splitlines()[0]
    assert first.startswith("BREACHED (exit 1): the money is wrong")
    assert first.endswith("; nothing else can be told: evidence is missing: states")


def test_whether_there_was_money_is_not_known_without_tiers() -> None:
    view = replace(broken(clean(), range(DRAW, DRAW + 2)), tiers=())
    assert "BROKEN: system at bank.partner-a, whether it was avoidable is not known" in story(view)
