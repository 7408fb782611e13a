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
from harness.report.explain import broken_draws, explain
from harness.report.html import html
from harness.report.text import summary
from harness.terminal import plain
from tests.run_views import FAULT, broken, changed, clean

DRAW = 183
KEY = f"key-{DRAW:06d}"


def story(view: RunView, draw: str = KEY) -> str:
    told = explain(view, judge(view), draw)
    assert told is not None
    return told


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
    view = clean()
    assert explain(view, judge(view), "key-of-nobody") is None


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
    assert explain(view, verdict, "0") is None
    assert broken_draws(view, verdict).startswith("0 of 0 promised draws are broken")


def test_the_command_tells_either_and_knows_a_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text("{}")
    monkeypatch.setattr(commands, "load_view", lambda _: clean())
    assert main(["explain", str(tmp_path), "--draw", KEY]) == 0
    assert f"draw {KEY}" in capsys.readouterr().out
    assert main(["explain", str(tmp_path)]) == 0
    assert "0 of 389 promised draws are broken" in capsys.readouterr().out
    assert main(["explain", str(tmp_path), "--draw", "nobody"]) == ScenarioError.exit_code
    assert "--draw" in capsys.readouterr().err
    assert main(["explain", str(tmp_path / "nowhere")]) == ScenarioError.exit_code


def test_what_is_not_known_is_not_told() -> None:
    """Without the tiers nobody knows whether there was money for it."""
    view = replace(broken(clean(), range(DRAW, DRAW + 2)), missing=("tiers",))
    assert "BROKEN: system at bank.partner-a, whether it was avoidable is not known" in story(view)
    assert explain(view, judge(view), "9" * 30) is None
